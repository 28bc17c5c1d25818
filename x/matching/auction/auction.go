// Package auction clears a book by a uniform-price double auction (SPEC 6.4):
// the baseline that the papers compare with (S3 ch. 3: "DA"), and a market of
// its own. It is pure and integer, so that replicas agree on every trade.
//
// Who pays the fee: sellers get the price, buyers pay the price and the fee, so
// a buy counts with bid - fee. A sell and a buy can trade iff ask + fee <= bid.
package auction

import (
	"cmp"
	"slices"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/allocation"
)

// Clear trades the greatest energy that limits allow, cheapest sells and dearest
// buys first. Orders at the marginal price of either side share what is left
// for them pro rata (largest remainder, ties to the lower position).
//
// The price is the floor of the middle of the clearing interval: the prices at
// which nobody is served who would not be, and nobody would be who is not:
//
//	from the greater of the highest ask served and the highest bid - fee not
//	     served in full
//	to   the lesser of the lowest bid - fee served and the lowest ask not
//	     served in full
//
// It therefore is the limit of a marginal order that is served in part. Without
// trades the price is 0. Give the fee in ucoin per kWh. Errors are
// *allocation.OrderError, for what allocation.Check refuses.
func Clear(fee int64, buys, sells []allocation.Order) (*allocation.Allocation, error) {
	if err := allocation.Check(fee, buys, sells); err != nil {
		return nil, err
	}
	bids, asks := dearestFirst(buys), cheapestFirst(sells)
	a := &allocation.Allocation{}
	a.EnergyWh, a.Price = meet(fee, bids, asks)
	var err error
	if a.Bought, err = serve(a.EnergyWh, bids); err != nil {
		return nil, err
	}
	if a.Sold, err = serve(a.EnergyWh, asks); err != nil {
		return nil, err
	}
	return a, nil
}

// ranked is an order with its position.
type ranked struct {
	allocation.Order
	at int
}

func dearestFirst(buys []allocation.Order) []ranked {
	list := positioned(buys)
	slices.SortFunc(list, func(a, b ranked) int { return cmp.Or(cmp.Compare(b.Price, a.Price), cmp.Compare(a.at, b.at)) })
	return list
}

func cheapestFirst(sells []allocation.Order) []ranked {
	list := positioned(sells)
	slices.SortFunc(list, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.Price, b.Price), cmp.Compare(a.at, b.at)) })
	return list
}

func positioned(orders []allocation.Order) []ranked {
	list := make([]ranked, len(orders))
	for i, o := range orders {
		list[i] = ranked{o, i}
	}
	return list
}

// meet walks along both curves to where they cross, and returns the energy up to
// there and the price. Prices and the fee are not negative, so that their
// differences fit.
func meet(fee int64, bids, asks []ranked) (energy, price int64) {
	var b, s int              // the next order of either side
	var taken, given int64    // what of these is served
	var lowBid, highAsk int64 // of the last orders served
	for b < len(bids) && s < len(asks) && asks[s].Price <= bids[b].Price-fee {
		step := min(bids[b].EnergyWh-taken, asks[s].EnergyWh-given)
		energy, taken, given = energy+step, taken+step, given+step
		lowBid, highAsk = bids[b].Price-fee, asks[s].Price
		if taken == bids[b].EnergyWh {
			b, taken = b+1, 0
		}
		if given == asks[s].EnergyWh {
			s, given = s+1, 0
		}
	}
	if energy == 0 {
		return 0, 0
	}
	low, high := highAsk, lowBid
	if b < len(bids) {
		low = max(low, bids[b].Price-fee)
	}
	if s < len(asks) {
		high = min(high, asks[s].Price)
	}
	return energy, low + (high-low)/2
}

// serve gives energy to the orders in their rank and returns what each got, by
// position. Those of the last price that gets any share it pro rata.
func serve(energy int64, orders []ranked) ([]int64, error) {
	got := make([]int64, len(orders))
	for len(orders) > 0 && energy > 0 {
		end := slices.IndexFunc(orders, func(o ranked) bool { return o.Price != orders[0].Price })
		if end < 0 {
			end = len(orders)
		}
		level := orders[:end]
		orders = orders[end:]
		parts := make([]int64, len(level))
		var wanted int64
		for i, o := range level {
			parts[i] = o.EnergyWh
			wanted += o.EnergyWh // at most the side's sum, which fits
		}
		shares, err := units.ProRata(min(energy, wanted), parts)
		if err != nil {
			return nil, err
		}
		for i, o := range level {
			got[o.at] = shares[i]
		}
		energy -= min(energy, wanted)
	}
	return got, nil
}
