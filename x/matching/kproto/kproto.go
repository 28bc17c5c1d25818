// Package kproto clears a book by K-prototypes matching (S3 3.3, arithmetic in
// matching.md 2): each buy in turn takes energy from the sell least dissimilar
// from its wishes. It is a package of its own because the chain and the offline
// book must run the very same code; it is pure and integer, so that replicas
// agree on every trade.
package kproto

import (
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
// losses are asked only for pairs that would trade but for their loss, in no
// order to rely on. A loss beyond MaxRanges ranges counts as no path.
// p and the orders must have passed Validate and CheckBook, or CheckBuy and
// CheckSell each.
func Clear(p Params, buys []Buy, sells []Sell, losses Losses) []Trade {
	return clearWith(p, buys, sells, losses, treeFrom)
}

// clearWith clears by comparing all sells while fewer than treeFrom of them are
// live, and by the tree from there on. The trades are the same.
func clearWith(p Params, buys []Buy, sells []Sell, losses Losses, treeFrom int) []Trade {
	var trades []Trade
	t := newTree(p, sells, losses, treeFrom)
	for b := range buys {
		s := newSearch(t, b, &buys[b])
		for s.demand > 0 {
			found, ok := s.nearest()
			if !ok {
				break
			}
			energy := min(s.demand, t.offers[found.offer].at[energy])
			trades = append(trades, Trade{
				Buy: b, Sell: int(found.sell), EnergyWh: energy, LossPPM: found.lossPPM, Dissimilarity: found.d,
			})
			s.demand -= energy
			t.take(found.leaf, found.offer, energy)
		}
	}
	return trades
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
