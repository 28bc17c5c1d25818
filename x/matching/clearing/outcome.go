package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
)

// Trade is energy that a mechanism passes from a sell to a buy, which it names
// by their places in the clearing.
type Trade struct {
	Buy, Sell           int
	EnergyWh            int64 // at the seller's meter
	Price               int64 // ucoin per kWh: the ask or more, with the fee the bid or less
	Fee                 int64 // ucoin per kWh: the chain's and that of the zones
	LossPPM             int64
	BuyerPPM, SellerPPM int64 // satisfactions
	Worth               int64 // of a Wh to the mechanism's objective: what lines cannot carry goes least worth first
}

// Outcome is what a mechanism and the lines made of a book.
type Outcome struct {
	Trades    []Trade
	Objective string
	// Fallback: the solver reached its bound and chose greedily.
	Fallback bool
	// Certificate proves the clearing by CMAP or welfare, as it was before the
	// lines cut it; nil for other mechanisms and after a fallback.
	Certificate *matchingv1.Certificate
	// SurplusUcoin is what bids exceed asks by, in the matches that stand too.
	SurplusUcoin int64
	// Auction is the comparison; nil if it could not be computed.
	Auction *matchingv1.Auction
	Carried Carried
}

// Run clears the book: the market's mechanism, then the lines.
func (c *Clearing) Run() (*Outcome, error) {
	found, err := c.mechanism()
	if err != nil {
		return nil, err
	}
	if found.Fallback {
		found.Certificate = nil // it proves nothing
	}
	if certificate := found.Certificate; certificate != nil {
		certificate.Period, certificate.PrevAppHash = c.rules.Period, c.rules.PrevAppHash
	}
	if err := c.carry(found); err != nil {
		return nil, err
	}
	for i, t := range found.Trades {
		found.Trades[i].Fee = c.fee(t.Buy, t.Sell)
	}
	before, err := c.standingSurplus()
	if err != nil {
		return nil, err
	}
	gained, err := c.surplus(found.Trades)
	if err != nil {
		return nil, err
	}
	if found.SurplusUcoin, err = units.Add(before, gained); err != nil {
		return nil, err
	}
	found.Auction = c.compare()
	return found, nil
}

func (c *Clearing) mechanism() (*Outcome, error) {
	switch c.rules.Market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP:
		return c.runCMAP()
	case matchingv1.Mechanism_MECHANISM_WELFARE:
		return c.runWelfare()
	case matchingv1.Mechanism_MECHANISM_AUCTION, matchingv1.Mechanism_MECHANISM_POSTED:
		return c.runUniform()
	default:
		return c.runKPrototypes()
	}
}

// surplus is what bids exceed asks by over some trades, in ucoin.
func (c *Clearing) surplus(trades []Trade) (total int64, err error) {
	for _, t := range trades {
		gain, err := units.Amount(c.Buys[t.Buy].PriceUcoinPerKwh-c.Sells[t.Sell].PriceUcoinPerKwh, t.EnergyWh)
		if err != nil {
			return 0, err
		}
		if total, err = units.Add(total, gain); err != nil {
			return 0, err
		}
	}
	return total, nil
}
