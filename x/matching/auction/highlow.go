package auction

import "github.com/energyd/energyd/x/matching/allocation"

// HighLow is the simple bilateral matching that S3 4.4.4 compares with: the
// highest bid meets the lowest ask, the second highest the second lowest, until
// the two curves cross; equal limits rank by position. Each order has one
// partner at most, and a pair trades the lesser of its energies.
//
// All pay the marginal price, the floor of the middle between ask and bid - fee
// of the last pair; 0 without trades. Trades come in the order of their rank.
// It is for comparison off the chain: nothing says who may trade with whom.
// Errors are *allocation.OrderError.
func HighLow(fee int64, buys, sells []allocation.Order) (price int64, trades []allocation.Trade, err error) {
	if err := allocation.Check(fee, buys, sells); err != nil {
		return 0, nil, err
	}
	bids, asks := dearestFirst(buys), cheapestFirst(sells)
	for i := 0; i < min(len(bids), len(asks)) && asks[i].Price <= bids[i].Price-fee; i++ {
		bid, ask := bids[i], asks[i]
		trades = append(trades, allocation.Trade{Buy: bid.at, Sell: ask.at, EnergyWh: min(bid.EnergyWh, ask.EnergyWh)})
		price = ask.Price + (bid.Price-fee-ask.Price)/2
	}
	return price, trades, nil
}
