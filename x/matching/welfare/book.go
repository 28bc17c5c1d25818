package welfare

import (
	"fmt"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/field"
	"github.com/energyd/energyd/x/matching/transport"
)

// maxBeta bounds Beta, so that satisfaction times it fits int64.
const maxBeta = 1 << 40

// book is a book with the worth of its pairs.
type book struct {
	p                 Params
	buys              []cmap.Buy
	sells             []cmap.Sell
	link              func(buy, sell int) Link
	ofBuyer, ofSeller []int32 // satisfactions in ppm per pair, row-major
	problem           *transport.Problem
}

func newBook(p Params, buys []cmap.Buy, sells []cmap.Sell, link func(buy, sell int) Link) (*book, error) {
	if p.Beta < 0 || p.Beta > maxBeta {
		return nil, fmt.Errorf("params: %w", &field.Error{Field: "beta", Expected: fmt.Sprintf("0 to %d", int64(maxBeta)), Got: fmt.Sprint(p.Beta)})
	}
	scorer, err := cmap.NewScorer(p.Scores, buys, sells)
	if err != nil {
		return nil, err
	}
	m, n := len(buys), len(sells)
	b := &book{p: p, buys: buys, sells: sells, link: link, ofBuyer: make([]int32, m*n), ofSeller: make([]int32, m*n)}
	b.problem = &transport.Problem{
		Demand: make([]int64, m), Supply: make([]int64, n), Worth: make([]int64, m*n), Volume: transport.AnyVolume,
	}
	for j := range sells {
		b.problem.Supply[j] = sells[j].EnergyWh
	}
	distances, byBuyer, bySeller := make([]int64, n), make([]int64, n), make([]int64, n)
	for i := range buys {
		b.problem.Demand[i] = buys[i].EnergyWh
		worth := b.problem.Worth[i*n : (i+1)*n]
		if err := b.gains(i, distances, worth); err != nil {
			return nil, err
		}
		scorer.Row(i, distances, byBuyer, bySeller)
		for j := range sells {
			at := i*n + j
			b.ofBuyer[at], b.ofSeller[at] = int32(cmap.FixedSide(byBuyer[j])), int32(cmap.FixedSide(bySeller[j]))
			s := b.satisfaction(at)
			if worth[j] != transport.Forbidden {
				worth[j] += p.Beta * s / cmap.One
			}
		}
	}
	return b, nil
}

// satisfaction is that of a pair, the mean of its sides'.
func (b *book) satisfaction(at int) int64 { return (int64(b.ofBuyer[at]) + int64(b.ofSeller[at])) / 2 }

// gains sets the distance and the gain of every pair of a buy, Forbidden where
// they must not trade.
func (b *book) gains(i int, distances, gains []int64) error {
	for j := range b.sells {
		l := b.link(i, j)
		if err := checkLink(l); err != nil {
			return fmt.Errorf("buys[%d] and sells[%d]: %w", i, j, err)
		}
		distances[j], gains[j] = l.DistanceM, transport.Forbidden
		if w := b.gain(i, j, l); l.Eligible && w >= 0 {
			gains[j] = w
		}
	}
	return nil
}

// gain returns w of SPEC 6.5, what a pair gains in ucoin per kWh. A bid is at
// most 2^40, so that 10^6 times it fits.
func (b *book) gain(i, j int, l Link) int64 {
	return b.buys[i].Price*(units.PPM-l.LossPPM)/units.PPM - b.sells[j].Price - l.Fee
}

func checkLink(l Link) error {
	if err := cmap.CheckLink(l.Link); err != nil {
		return err
	}
	if l.LossPPM < 0 || l.LossPPM > units.PPM {
		return &field.Error{Field: "loss_ppm", Expected: "0 to 1000000", Got: fmt.Sprint(l.LossPPM)}
	}
	return nil
}

// result makes trades of a solution.
func (b *book) result(s *transport.Solution) *Result {
	r := &Result{EnergyWh: s.EnergyWh, Objective: s.Objective, Solution: s, Trades: make([]Trade, len(s.Flows))}
	if !s.Fallback {
		r.Premiums = premiums(b.problem, s)
	}
	for k, f := range s.Flows {
		gain := b.gain(f.Buy, f.Sell, b.link(f.Buy, f.Sell))
		premium := gain / 2 // without duals, the middle between the limits
		if !s.Fallback {
			premium = min(r.Premiums[f.Sell], gain)
		}
		at := f.Buy*len(b.sells) + f.Sell
		r.Trades[k] = Trade{
			Buy: f.Buy, Sell: f.Sell, EnergyWh: f.EnergyWh, Price: b.sells[f.Sell].Price + premium,
			SatisfactionPPM: b.satisfaction(at), BuyerPPM: int64(b.ofBuyer[at]), SellerPPM: int64(b.ofSeller[at]),
			Worth: b.problem.Worth[at],
		}
	}
	return r
}

// premiums returns the floor of the middle between each seller's extreme duals,
// which are 0 or more.
func premiums(p *transport.Problem, s *transport.Solution) []int64 {
	least, greatest := transport.SellerDuals(p, s)
	middle := make([]int64, len(least))
	for j := range middle {
		middle[j] = least[j] + (greatest[j]-least[j])/2
	}
	return middle
}
