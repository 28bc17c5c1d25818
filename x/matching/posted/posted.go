// Package posted clears a book at a price that the aggregator posts for the
// period (SPEC 6.6, S0 1.3): it collects the demand, posts a price, sellers
// answer with energy, and both sides are rationed. It exists as the plainest
// market, in which everybody knows the price beforehand.
package posted

import (
	"fmt"
	"math/big"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/allocation"
)

// RatioPrice returns the price in ucoin per kWh that the ratio r of supply to
// demand sets between the feed-in and the retail price:
//
//	r >= 1, or no demand   feed-in
//	r = 0                  retail
//	otherwise              floor(retail feed_in / ((retail - feed_in) r + feed_in))
//
// S0 1.3 says only that the aggregator sets the price by the state of trade.
// The formula is the internal selling price of the supply-demand ratio method
// (Liu, Yu, Wang, Li, Ma, Lei: Energy-Sharing Model With Price-Based Demand
// Response for Microgrids of Peer-to-Peer Prosumers, IEEE Trans. Power Systems
// 32(5), 2017). One price holds for both sides here, so that the market keeps
// nothing. A feed-in price of 0 makes every price 0 as soon as there is supply.
//
// Supply and demand are energies in Wh. An error is returned unless 0 <=
// feed-in <= retail and both energies are 0 or more.
func RatioPrice(retail, feedIn, supplyWh, demandWh int64) (int64, error) {
	if feedIn < 0 || retail < feedIn {
		return 0, fmt.Errorf("feed-in price: expected 0 to the retail price %d, got %d", retail, feedIn)
	}
	if supplyWh < 0 || demandWh < 0 {
		return 0, fmt.Errorf("supply and demand: expected 0 Wh or more, got %d and %d", supplyWh, demandWh)
	}
	switch {
	case supplyWh >= demandWh:
		return feedIn, nil
	case supplyWh == 0:
		return retail, nil
	}
	// With r = supply / demand the fraction is retail feed_in demand over
	// (retail - feed_in) supply + feed_in demand; three factors pass 128 bits.
	product := func(factors ...int64) *big.Int {
		p := big.NewInt(1)
		for _, f := range factors {
			p.Mul(p, big.NewInt(f))
		}
		return p
	}
	divisor := product(retail-feedIn, supplyWh)
	divisor.Add(divisor, product(feedIn, demandWh))
	if divisor.Sign() == 0 {
		return 0, nil // retail and feed-in are 0
	}
	price := product(retail, feedIn, demandWh)
	// Since supply < demand the price lies between feed-in and retail.
	return price.Quo(price, divisor).Int64(), nil
}

// Clear trades at a price in ucoin per kWh. Sells with ask <= price and buys with
// price + fee <= bid take part; the side that has more energy shares the other's
// pro rata (largest remainder, ties to the lower position). Sellers get the
// price, buyers pay the price and the fee. Errors are *allocation.OrderError,
// for a negative price and what allocation.Check refuses.
func Clear(price, fee int64, buys, sells []allocation.Order) (*allocation.Allocation, error) {
	if err := allocation.CheckPrice("price", price); err != nil {
		return nil, err
	}
	if err := allocation.Check(fee, buys, sells); err != nil {
		return nil, err
	}
	demand, wanted := takingPart(buys, func(bid int64) bool { return price <= bid-fee })
	supply, offered := takingPart(sells, func(ask int64) bool { return ask <= price })
	a := &allocation.Allocation{Price: price, EnergyWh: min(demand, supply)}
	var err error
	if a.Bought, err = units.ProRata(a.EnergyWh, wanted); err != nil {
		return nil, err
	}
	if a.Sold, err = units.ProRata(a.EnergyWh, offered); err != nil {
		return nil, err
	}
	return a, nil
}

// takingPart returns the energy of the orders within their limits, in all and by
// position. The sum fits, as that of all orders does.
func takingPart(orders []allocation.Order, within func(limit int64) bool) (sum int64, energies []int64) {
	energies = make([]int64, len(orders))
	for i, o := range orders {
		if within(o.Price) {
			energies[i] = o.EnergyWh
			sum += o.EnergyWh
		}
	}
	return sum, energies
}
