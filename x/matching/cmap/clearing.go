package cmap

import (
	"fmt"
	"math/big"

	"github.com/energyd/energyd/x/matching/transport"
)

// clearing is a book with its satisfactions.
type clearing struct {
	p              Params
	buys           []Buy
	sells          []Sell
	link           func(buy, sell int) Link
	a, b           []int64 // satisfactions of buyers and sellers, row-major
	allowed        []bool
	demand, supply []int64
}

func newClearing(p Params, buys []Buy, sells []Sell, link func(buy, sell int) Link) (*clearing, error) {
	scorer, err := NewScorer(p, buys, sells)
	if err != nil {
		return nil, err
	}
	m, n := len(buys), len(sells)
	c := &clearing{
		p: p, buys: buys, sells: sells, link: link,
		a: make([]int64, m*n), b: make([]int64, m*n), allowed: make([]bool, m*n),
		demand: make([]int64, m), supply: make([]int64, n),
	}
	distances := make([]int64, n)
	for i := range buys {
		c.demand[i] = buys[i].EnergyWh
		for j := range sells {
			l := link(i, j)
			if err := CheckLink(l); err != nil {
				return nil, fmt.Errorf("buys[%d] and sells[%d]: %w", i, j, err)
			}
			distances[j] = l.DistanceM
			c.allowed[i*n+j] = !p.Limit || l.Eligible && sells[j].Price+l.Fee <= buys[i].Price
		}
		scorer.Row(i, distances, c.a[i*n:(i+1)*n], c.b[i*n:(i+1)*n])
	}
	for j := range sells {
		c.supply[j] = sells[j].EnergyWh
	}
	p.normalise(c.a)
	p.normalise(c.b)
	return c, nil
}

// normalise turns weighted sums into satisfactions.
func (p Params) normalise(sums []int64) {
	if len(sums) > 0 {
		p.scaleOf(sums).normalise(sums)
	}
}

// problem returns the transportation problem of the book with a worth.
func (c *clearing) problem(worth []int64) *transport.Problem {
	return &transport.Problem{Demand: c.demand, Supply: c.supply, Worth: worth, Volume: transport.MostEnergy}
}

// extremes finds the most and the least that a side can get.
func (c *clearing) extremes(s *Side, satisfaction []int64) (err error) {
	if s.Best, err = transport.Solve(c.problem(satisfaction)); err != nil {
		return err
	}
	if s.Worst, err = transport.Solve(c.problem(negated(satisfaction))); err != nil {
		return err
	}
	s.setExtremes()
	return nil
}

func (s *Side) setExtremes() {
	s.Max, s.Min = s.Best.Objective, new(big.Int).Neg(s.Worst.Objective)
}

func negated(values []int64) []int64 {
	out := make([]int64, len(values))
	for k, v := range values {
		out[k] = -v
	}
	return out
}

// weightBits is the resolution of the weights of the two sides.
const weightBits = 20

// weigh gives each side the weight that lets the ranges of both count alike, as
// the memberships (Z - Min) / (Max - Min) do (S3 4.21-4.23): each by the other's
// range, at most 2^20.
func weigh(buyers, sellers *Side) {
	r1, r2 := buyers.span(), sellers.span()
	most := r1
	if r2.Cmp(r1) > 0 {
		most = r2
	}
	buyers.K, sellers.K = weight(r2, most), weight(r1, most)
}

// span is the range of a side's sum. Only solutions that are a greedy choice can
// be the wrong way round.
func (s *Side) span() *big.Int {
	span := new(big.Int).Sub(s.Max, s.Min)
	if span.Sign() < 0 {
		span.SetInt64(0)
	}
	return span
}

func weight(span, most *big.Int) int64 {
	if most.Sign() == 0 {
		return 1 << weightBits
	}
	k := new(big.Int).Lsh(span, weightBits)
	return k.Quo(k, most).Int64()
}

// combined returns the worth of the pairs that may trade: both sides'
// satisfactions by their weights. They are at most One and 2^20 each.
func (c *clearing) combined(k1, k2 int64) []int64 {
	worth := make([]int64, len(c.a))
	for k, a := range c.a {
		if c.allowed[k] {
			worth[k] = (a*k1 + c.b[k]*k2) >> weightBits
		} else {
			worth[k] = transport.Forbidden
		}
	}
	return worth
}

// trades makes trades of flows.
func (c *clearing) trades(flows []transport.Flow) []Trade {
	trades := make([]Trade, len(flows))
	for k, f := range flows {
		var fee int64
		if c.p.Limit {
			fee = c.link(f.Buy, f.Sell).Fee
		}
		at := f.Buy*len(c.sells) + f.Sell
		trades[k] = Trade{
			Buy: f.Buy, Sell: f.Sell, EnergyWh: f.EnergyWh,
			Price:           (c.buys[f.Buy].Price - fee + c.sells[f.Sell].Price) / 2,
			SatisfactionPPM: (c.a[at] + c.b[at]) / 2, BuyerPPM: c.a[at], SellerPPM: c.b[at],
		}
	}
	return trades
}

// sum fills in what follows from the combined solution.
func (c *clearing) sum(r *Result) {
	r.Trades = c.trades(r.Combined.Flows)
	r.EnergyWh, r.Objective = r.Combined.EnergyWh, r.Combined.Objective
	r.Buyers.Z = transport.Total(c.a, len(c.sells), r.Combined.Flows)
	r.Sellers.Z = transport.Total(c.b, len(c.sells), r.Combined.Flows)
	for _, s := range r.solutions() {
		r.Fallback = r.Fallback || s.Fallback
	}
}

func (r *Result) solutions() []*transport.Solution {
	return []*transport.Solution{r.Buyers.Best, r.Buyers.Worst, r.Sellers.Best, r.Sellers.Worst, r.Combined}
}
