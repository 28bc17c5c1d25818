package book

import "github.com/energyd/energyd/x/matching/kproto"

// verify replays the trades against the definition in matching.md 2, with
// arithmetic of its own: at each step the one trade that the rules allow must
// be the next in the list. It takes O(len(trades) * len(sells)).
func (b *Book) verify(trades []kproto.Trade) bool {
	left := make([]int64, len(b.sells))
	for s := range b.sells {
		left[s] = b.sells[s].EnergyWh
	}
	for i := range b.buys {
		for demand := b.buys[i].EnergyWh; demand > 0; {
			want, ok := b.nextTrade(i, demand, left)
			if !ok {
				break
			}
			if len(trades) == 0 || trades[0] != want {
				return false
			}
			trades = trades[1:]
			demand -= want.EnergyWh
			left[want.Sell] -= want.EnergyWh
		}
	}
	return len(trades) == 0
}

// nextTrade returns the trade that a buy makes next, false if none is eligible.
func (b *Book) nextTrade(i int, demand int64, left []int64) (next kproto.Trade, ok bool) {
	buy := &b.buys[i]
	for s := range b.sells {
		lossPPM := b.loss(i, s)
		withinLoss := buy.MaxLossPPM < 0 || lossPPM <= buy.MaxLossPPM
		withinLimit := !b.params.RespectLimits || b.sells[s].Price+b.params.Fee <= buy.Price
		if left[s] == 0 || !withinLoss || !withinLimit {
			continue
		}
		if d := b.dissimilarity(buy, &b.sells[s], demand, left[s], lossPPM); !ok || d < next.Dissimilarity {
			next = kproto.Trade{Buy: i, Sell: s, EnergyWh: min(demand, left[s]), LossPPM: lossPPM, Dissimilarity: d}
			ok = true
		}
	}
	return next, ok
}

// dissimilarity is d of matching.md 2, term by term.
func (b *Book) dissimilarity(buy *kproto.Buy, sell *kproto.Sell, demand, available, lossPPM int64) int64 {
	t := func(x, width int64) int64 { return max(x, -x) * kproto.Q / width }
	term := func(weight, x int64) int64 { return weight * x * x }
	typeDiffers := int64(0)
	if buy.EnergyType != sell.EnergyType {
		typeDiffers = kproto.Q
	}
	p, w := &b.params, &buy.Weights
	return term(w.Price, t(buy.Price-sell.Price, p.RangePrice)) +
		term(w.Energy, t(demand-available, p.RangeEnergyWh)) +
		term(w.Environment, (buy.Environment-sell.Environment)*kproto.Q) +
		term(w.Credit, t(buy.Credit-sell.Credit, p.RangeCredit)) +
		term(w.Loss, buy.WantedLossPPM*kproto.Q/p.RangeLossPPM-lossPPM*kproto.Q/p.RangeLossPPM) +
		term(w.EnergyType, typeDiffers)
}
