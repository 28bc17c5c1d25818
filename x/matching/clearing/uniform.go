package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/allocation"
	"github.com/energyd/energyd/x/matching/auction"
	"github.com/energyd/energyd/x/matching/posted"
)

// limits lists the book as the markets with one price take it.
func (c *Clearing) limits() (buys, sells []allocation.Order) {
	for _, order := range c.Buys {
		buys = append(buys, allocation.Order{Price: order.PriceUcoinPerKwh, EnergyWh: order.OpenWh})
	}
	for _, order := range c.Sells {
		sells = append(sells, allocation.Order{Price: order.PriceUcoinPerKwh, EnergyWh: order.AvailableWh})
	}
	return buys, sells
}

// runUniform clears at one price for all: that of the auction, or a posted one.
func (c *Clearing) runUniform() (*Outcome, error) {
	given, err := c.allocate()
	if err != nil {
		return nil, err
	}
	return &Outcome{Trades: c.pair(given)}, nil
}

// allocate says what each order gets at the price for all. It and the energies
// follow from the chain's fee alone, as one price holds for all ways; what zones
// cost decides who may be paired.
func (c *Clearing) allocate() (*allocation.Allocation, error) {
	if c.rules.Market.Mechanism == matchingv1.Mechanism_MECHANISM_POSTED {
		return c.post()
	}
	buys, sells := c.limits()
	return auction.Clear(c.rules.Params.FeeUcoinPerKwh, buys, sells)
}

// post allocates at the market's price, or at that of the ratio of what is
// offered to what is wanted (SPEC 6.6).
func (c *Clearing) post() (*allocation.Allocation, error) {
	buys, sells := c.limits()
	price := c.rules.Market.PostedPriceUcoinPerKwh
	if price == 0 {
		wanted, err := energy(buys)
		if err != nil {
			return nil, err
		}
		offered, err := energy(sells)
		if err != nil {
			return nil, err
		}
		if price, err = posted.RatioPrice(c.rules.Market.PostedRetailUcoinPerKwh, c.rules.Market.PostedFeedInUcoinPerKwh, offered, wanted); err != nil {
			return nil, err
		}
	}
	return posted.Clear(price, c.rules.Params.FeeUcoinPerKwh, buys, sells)
}

// energy adds up one side, in Wh.
func energy(orders []allocation.Order) (total int64, err error) {
	for _, order := range orders {
		if total, err = units.Add(total, order.EnergyWh); err != nil {
			return 0, err
		}
	}
	return total, nil
}

// pair makes trades of what each order was given, between those who can pay the
// fee of the way as well: who was given energy accepts the price itself. These
// markets ask for a price only: whoever gets it is satisfied.
func (c *Clearing) pair(given *allocation.Allocation) []Trade {
	pairing := given.Pair(func(buy, sell int) bool {
		if c.rules.Fees != nil && !c.affords(buy, sell, given.Price) {
			return false
		}
		_, ok := c.eligible(buy, sell)
		return ok
	})
	trades := make([]Trade, len(pairing.Trades))
	for i, t := range pairing.Trades {
		loss, _ := c.loss(t.Buy, t.Sell)
		trades[i] = Trade{
			Buy: t.Buy, Sell: t.Sell, EnergyWh: t.EnergyWh, Price: given.Price, LossPPM: loss,
			BuyerPPM: units.PPM, SellerPPM: units.PPM,
			Worth: c.Buys[t.Buy].PriceUcoinPerKwh - c.Sells[t.Sell].PriceUcoinPerKwh,
		}
	}
	return trades
}

// compare says what an auction would have made of the book. An auction that
// cannot be computed is left out: it changes nothing.
func (c *Clearing) compare() *matchingv1.Auction {
	buys, sells := c.limits()
	given, err := auction.Clear(c.rules.Params.FeeUcoinPerKwh, buys, sells)
	if err != nil {
		return nil
	}
	trades := c.pair(given)
	report := &matchingv1.Auction{PriceUcoinPerKwh: given.Price}
	for _, t := range trades {
		report.MatchedWh += t.EnergyWh // at most the energy of the book, which was added up
		if c.Sells[t.Sell].Environment > 0 {
			report.CleanWh += t.EnergyWh
		}
	}
	if report.SurplusUcoin, err = c.surplus(trades); err != nil {
		return nil
	}
	return report
}
