package book

import (
	"fmt"
	"math/big"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/allocation"
)

// priced is a book whose orders wish for nothing but a price: what the auction,
// the posted price and the high-low matching have in common. All trades are at
// one price and within both limits, so that every one satisfies in full. The
// objective is the traded energy in Wh.
type priced struct {
	*Book
	fee         int64
	buys, sells []allocation.Order
}

func (b *Book) price() (*priced, *mistake) {
	orders := func(list []Order) []allocation.Order {
		out := make([]allocation.Order, len(list))
		for i := range list {
			out[i] = allocation.Order{Price: list[i].Price, EnergyWh: list[i].EnergyWh}
		}
		return out
	}
	s := &priced{b, b.mechanism.terms().fee, orders(b.buys), orders(b.sells)}
	return s, mistakeOf("params.", allocation.Check(s.fee, s.buys, s.sells))
}

// clearing makes a clearing of trades at a price; check is what the mechanism
// demands beyond what all three do.
func (s *priced) clearing(price int64, trades []allocation.Trade, check func(price int64, deals []deal) error) *clearing {
	c := &clearing{deals: make([]deal, len(trades)), objective: new(big.Int)}
	for i, t := range trades {
		c.deals[i] = deal{buy: t.Buy, sell: t.Sell, energyWh: t.EnergyWh, price: price, satisfactionPPM: units.PPM}
		c.objective.Add(c.objective, big.NewInt(t.EnergyWh))
	}
	if c.wrong = s.verify(price, c.deals); c.wrong == nil {
		c.wrong = check(price, c.deals)
	}
	return c
}

// pairs makes trades of an allocation: off the chain anyone may trade with
// anyone.
func pairs(a *allocation.Allocation) []allocation.Trade {
	return a.Pair(func(int, int) bool { return true }).Trades
}

// verify checks energies, that all pay one price, and that it is within both
// limits of each trade.
func (s *priced) verify(price int64, deals []deal) error {
	if err := s.verifyEnergies(deals); err != nil {
		return err
	}
	for k, d := range deals {
		if ask, bid := s.sells[d.sell].Price, s.buys[d.buy].Price; d.price != price || price < ask || price > bid-s.fee {
			return fmt.Errorf("trade %d: price %d, expected %d, at least %d and at most %d", k, d.price, price, ask, bid-s.fee)
		}
	}
	return nil
}

// traded returns what each order trades, and the sum.
func (s *priced) traded(deals []deal) (bought, sold []int64, sum int64) {
	bought, sold = make([]int64, len(s.buys)), make([]int64, len(s.sells))
	for _, d := range deals {
		bought[d.buy] += d.energyWh
		sold[d.sell] += d.energyWh
		sum += d.energyWh
	}
	return bought, sold, sum
}
