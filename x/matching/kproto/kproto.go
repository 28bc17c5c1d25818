// Package kproto clears a book by K-prototypes matching (S3 3.3, arithmetic in
// matching.md 2): each buy in turn takes energy from the sell least dissimilar
// from its wishes. It is a package of its own because the chain and the offline
// book must run the very same code; it is pure and integer, so that replicas
// agree on every trade.
package kproto

import (
	"math"
	"math/bits"

	"github.com/energyd/energyd/units"
)

// Q is one range of an attribute in the scaled differences of the
// dissimilarity (matching.md 2).
const Q = 32768

// None stands for no identity or point, and for an energy type not wished for.
const None = -1

// Params are a market's fixed parameters. Differences of an attribute are
// measured in its range.
type Params struct {
	RespectLimits bool  // only pairs with ask + fee <= bid trade
	Fee           int64 // ucoin per kWh on top of the ask

	RangePrice    int64 // ucoin per kWh
	RangeEnergyWh int64
	RangeCredit   int64 // points
	RangeLossPPM  int64
}

// Weights say how much each attribute matters to a buyer, per mille each.
type Weights struct {
	Price, Energy, Environment, Credit, Loss, EnergyType int64
}

// Sum returns the sum of the weights, 0..6000 in a checked order.
func (w Weights) Sum() int64 {
	return w.Price + w.Energy + w.Environment + w.Credit + w.Loss + w.EnergyType
}

// Buy is a demand and its wishes. A wish that was not stated has weight 0.
type Buy struct {
	Price         int64 // the most it pays, ucoin per kWh
	EnergyWh      int64
	Environment   int64 // wished environmental index of the seller
	Credit        int64 // wished credit value of the seller, points
	WantedLossPPM int64
	EnergyType    int32
	Weights       Weights
	MaxLossPPM    int64 // greatest loss it accepts; negative: any
	// Identity and Point are those of the account; a sell with an equal one
	// never matches, None equals nothing.
	Identity, Point int32
}

// Sell is a supply and what buyers look at in it.
type Sell struct {
	Price           int64 // the least it takes, ucoin per kWh
	EnergyWh        int64
	Environment     int64 // environmental index: clean 1, fossil 0
	Credit          int64 // credit value, points
	EnergyType      int32
	Identity, Point int32 // as those of Buy
}

// Trade is energy that one buy takes from one sell, at the sell's price.
type Trade struct {
	Buy, Sell     int // positions in the book
	EnergyWh      int64
	LossPPM       int64
	Dissimilarity int64 // d of matching.md 2 when the sell was chosen
}

// Clear serves the buys in order: each takes from the eligible sell of least
// dissimilarity, the lowest position on ties, until it is served or no sell is
// eligible. Trades are returned in the order in which they were made.
//
// loss gives the loss of a pair, false if no path leads from sell to buy; it is
// asked at most once per pair. A loss beyond MaxRanges ranges counts as no path.
// p and the orders must have passed Validate and CheckBook, or CheckBuy and
// CheckSell each.
func Clear(p Params, buys []Buy, sells []Sell, loss func(buy, sell int) (ppm int64, ok bool)) []Trade {
	c := newClearing(p, sells, loss)
	for b := range buys {
		c.serve(b, &buys[b])
	}
	return c.trades
}

// clearing is the state of one call of Clear.
type clearing struct {
	p                           Params
	price, energy, credit, loss divisor
	sells                       []Sell
	left                        []int64 // energy still available, by position
	live                        []int   // positions with energy left, ascending
	candidates                  []candidate
	pairLoss                    func(buy, sell int) (int64, bool)
	trades                      []Trade
}

// candidate is a sell that the current buy may take.
type candidate struct {
	fixed   int64 // dissimilarity without the energy term, which alone changes
	left    int64
	lossPPM int64
	sell    int
}

func newClearing(p Params, sells []Sell, loss func(buy, sell int) (int64, bool)) *clearing {
	c := &clearing{
		p: p, sells: sells, pairLoss: loss,
		price: newDivisor(p.RangePrice), energy: newDivisor(p.RangeEnergyWh),
		credit: newDivisor(p.RangeCredit), loss: newDivisor(p.RangeLossPPM),
		left: make([]int64, len(sells)), live: make([]int, len(sells)),
		candidates: make([]candidate, 0, len(sells)),
	}
	for s := range sells {
		c.left[s], c.live[s] = sells[s].EnergyWh, s
	}
	return c
}

// serve makes the trades of one buy.
func (c *clearing) serve(b int, buy *Buy) {
	c.findCandidates(b, buy)
	demand, exhausted := buy.EnergyWh, false
	for demand > 0 && len(c.candidates) > 0 {
		at, d := c.nearest(demand, buy.Weights.Energy)
		chosen := &c.candidates[at]
		energy := min(demand, chosen.left)
		c.trades = append(c.trades, Trade{Buy: b, Sell: chosen.sell, EnergyWh: energy, LossPPM: chosen.lossPPM, Dissimilarity: d})
		demand -= energy
		chosen.left -= energy
		c.left[chosen.sell] = chosen.left
		if chosen.left == 0 {
			exhausted = true
			c.candidates = append(c.candidates[:at], c.candidates[at+1:]...)
		}
	}
	if exhausted {
		c.dropExhausted()
	}
}

// findCandidates lists the sells eligible for a buy with the terms of their
// dissimilarity that stay the same while the buy goes on.
func (c *clearing) findCandidates(b int, buy *Buy) {
	c.candidates = c.candidates[:0]
	w := &buy.Weights
	wantedLoss := c.loss.scaled(buy.WantedLossPPM)
	for _, s := range c.live {
		sell := &c.sells[s]
		if c.p.RespectLimits && sell.Price+c.p.Fee > buy.Price || sameParty(buy, sell) {
			continue
		}
		lossPPM, ok := c.pairLoss(b, s)
		if !ok || lossPPM < 0 || lossPPM > MaxRanges*c.p.RangeLossPPM || buy.MaxLossPPM >= 0 && lossPPM > buy.MaxLossPPM {
			continue
		}
		fixed := w.Price*square(c.price.scaled(buy.Price-sell.Price)) +
			w.Environment*square((buy.Environment-sell.Environment)*Q) +
			w.Credit*square(c.credit.scaled(buy.Credit-sell.Credit)) +
			w.Loss*square(wantedLoss-c.loss.scaled(lossPPM))
		if buy.EnergyType != sell.EnergyType {
			fixed += w.EnergyType * Q * Q
		}
		c.candidates = append(c.candidates, candidate{fixed, c.left[s], lossPPM, s})
	}
}

// nearest returns the place of the candidate of least dissimilarity.
func (c *clearing) nearest(demand, weight int64) (at int, least int64) {
	least = math.MaxInt64
	for i := range c.candidates {
		k := &c.candidates[i]
		if k.fixed >= least { // the energy term only adds
			continue
		}
		if d := k.fixed + weight*square(c.energy.scaled(demand-k.left)); d < least {
			at, least = i, d
		}
	}
	return at, least
}

func (c *clearing) dropExhausted() {
	kept := c.live[:0]
	for _, s := range c.live {
		if c.left[s] > 0 {
			kept = append(kept, s)
		}
	}
	c.live = kept
}

func sameParty(buy *Buy, sell *Sell) bool {
	return buy.Identity != None && buy.Identity == sell.Identity || buy.Point != None && buy.Point == sell.Point
}

func square(x int64) int64 { return x * x }

// divisor divides by a range. A clearing divides by the same few ranges for
// every pair, and multiplying by the inverse takes a fraction of the time of
// the machine's division.
type divisor struct{ by, inverse uint64 }

func newDivisor(by int64) divisor {
	return divisor{by: uint64(by), inverse: math.MaxUint64 / uint64(by)}
}

// scaled returns t(x, r) = floor(|x| * Q / r).
func (d divisor) scaled(x int64) int64 {
	// The inverse is less than 1 below 2^64 / r, so the estimate is the
	// quotient or one less.
	dividend := uint64(max(x, -x)) * Q
	quotient, _ := bits.Mul64(dividend, d.inverse)
	if dividend-quotient*d.by >= d.by {
		quotient++
	}
	return int64(quotient)
}

// Satisfaction returns how well a trade meets a buyer's wishes, in ppm:
// 10^6 - min(10^6, floor(d * 10^6 / (Q^2 * sum of weights))), and 10^6 for a
// buyer that gives no attribute weight. All attributes one range off is 0.
func Satisfaction(_ Params, b Buy, t Trade) int64 {
	weights := b.Weights.Sum()
	if weights <= 0 {
		return units.PPM
	}
	off, err := units.MulDiv(t.Dissimilarity, units.PPM, Q*Q*weights)
	if err != nil {
		return 0 // too large for int64 is more than 10^6
	}
	return units.PPM - min(units.PPM, off)
}
