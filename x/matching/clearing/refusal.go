package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/kproto"
)

// Refusal is why two orders may not trade with each other.
type Refusal int

// Of several reasons the first of these holds.
const (
	MayTrade Refusal = iota
	SameIdentity
	SamePoint
	Declined
	Unreachable
	TooMuchLoss
	BeyondPrices
)

var refusals = [...]string{
	"may trade", "same identity", "same connection point", "declined each other in an earlier round", "no path between them", "more loss than buyer or chain accept", "prices too far apart",
}

func (r Refusal) String() string { return refusals[r] }

// Refusal says why a buy and a sell, by their places, may not trade under the
// market's mechanism. Prices of auction and posted price are apart if no price
// suits both.
func (c *Clearing) Refusal(buy, sell int) Refusal {
	b, s := c.buyers[buy], c.sellers[sell]
	loss, reachable := c.loss(buy, sell)
	switch {
	case b.identity == s.identity:
		return SameIdentity
	case b.point == s.point && b.point != kproto.None:
		return SamePoint
	case c.haveDeclined(buy, sell):
		return Declined
	case !reachable:
		return Unreachable
	case loss > c.maxLoss(c.Buys[buy]):
		return TooMuchLoss
	case c.Margin(buy, sell) < 0:
		return BeyondPrices
	}
	return MayTrade
}

// Fee is what a pair pays for its way on top of the price, in ucoin per kWh.
func (c *Clearing) Fee(buy, sell int) int64 { return c.fee(buy, sell) }

// Margin is what a pair has to share, in ucoin per kWh: bid less ask and fee;
// the welfare market values a bid by the energy that arrives.
func (c *Clearing) Margin(buy, sell int) int64 {
	bid := c.Buys[buy].PriceUcoinPerKwh
	if c.rules.Market.Mechanism == matchingv1.Mechanism_MECHANISM_WELFARE {
		loss, _ := c.loss(buy, sell)
		bid = bid * (units.PPM - loss) / units.PPM
	}
	return bid - c.Sells[sell].PriceUcoinPerKwh - c.Fee(buy, sell)
}
