package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
)

// trade is energy that a mechanism passes from a sell to a buy, which it names
// by their places in the clearing.
type trade struct {
	buy, sell           int
	energyWh            int64 // at the seller's meter
	price               int64 // ucoin per kWh: the ask or more, with the fee the bid or less
	lossPPM             int64
	buyerPPM, sellerPPM int64 // satisfactions
	worth               int64 // of a Wh to the mechanism's objective: what lines cannot carry goes least worth first
}

// outcome is what a mechanism made of a book.
type outcome struct {
	trades    []trade
	objective string
	// fallback: the solver reached its bound and chose greedily.
	fallback    bool
	certificate *matchingv1.Certificate
}

// run clears by the market's mechanism.
func (c *clearing) run() (*outcome, error) {
	switch c.market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP:
		return c.runCMAP()
	case matchingv1.Mechanism_MECHANISM_WELFARE:
		return c.runWelfare()
	case matchingv1.Mechanism_MECHANISM_AUCTION:
		return c.runAuction()
	case matchingv1.Mechanism_MECHANISM_POSTED:
		return c.runPosted()
	default:
		return c.runKPrototypes()
	}
}

// eligible says whether a pair may trade at all, and what is lost on its way:
// two identities, two connection points, a path whose loss both the chain and
// the buyer accept.
func (c *clearing) eligible(buy, sell int) (lossPPM int64, ok bool) {
	b, s := c.buyers[buy], c.sellers[sell]
	if b.identity == s.identity || b.point == s.point {
		return 0, false
	}
	lossPPM, ok = c.loss(buy, sell)
	return lossPPM, ok && lossPPM <= c.maxLoss(c.buys[buy])
}

// maxLoss is the greatest loss at which an order may be served, in ppm.
func (c *clearing) maxLoss(order *matchingv1.BuyOrder) int64 {
	if order.MaxLossPpm != nil {
		return min(*order.MaxLossPpm, c.params.MaxLossPpm)
	}
	return c.params.MaxLossPpm
}

// surplus is what bids exceed asks by over some trades, in ucoin.
func (c *clearing) surplus(trades []trade) (total int64, err error) {
	for _, t := range trades {
		gain, err := units.Amount(c.buys[t.buy].PriceUcoinPerKwh-c.sells[t.sell].PriceUcoinPerKwh, t.energyWh)
		if err != nil {
			return 0, err
		}
		if total, err = units.Add(total, gain); err != nil {
			return 0, err
		}
	}
	return total, nil
}
