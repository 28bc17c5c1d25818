package kproto

import (
	"math/big"

	"pgregory.net/rapid"
)

// naive is matching.md 2 once more, as literally as can be: big integers, no
// state but what is left, nothing precomputed. tied says that somewhere two
// sells were equally near, so that positions decided.
func naive(p Params, buys []Buy, sells []Sell, loss func(b, s int) (int64, bool)) (trades []Trade, tied bool) {
	left := make([]int64, len(sells))
	for s := range sells {
		left[s] = sells[s].EnergyWh
	}
	for b, buy := range buys {
		for demand := buy.EnergyWh; demand > 0; {
			best, least := -1, new(big.Int)
			for s, sell := range sells {
				ppm, ok := loss(b, s)
				if !ok || left[s] == 0 || ppm > MaxRanges*p.RangeLossPPM ||
					(buy.MaxLossPPM >= 0 && ppm > buy.MaxLossPPM) ||
					(p.RespectLimits && sell.Price+p.Fee > buy.Price) ||
					(buy.Identity >= 0 && buy.Identity == sell.Identity) || (buy.Point >= 0 && buy.Point == sell.Point) {
					continue
				}
				d := dissimilarity(p, buy, sell, demand, left[s], ppm)
				if order := d.Cmp(least); best < 0 || order < 0 {
					best, least = s, d
				} else if order == 0 {
					tied = true
				}
			}
			if best < 0 {
				break
			}
			energy := min(demand, left[best])
			demand -= energy
			left[best] -= energy
			ppm, _ := loss(b, best)
			trades = append(trades, Trade{b, best, energy, ppm, least.Int64()})
		}
	}
	return trades, tied
}

func dissimilarity(p Params, b Buy, s Sell, demand, available, lossPPM int64) *big.Int {
	t := func(x, r int64) *big.Int {
		v := new(big.Int).Abs(big.NewInt(x))
		return v.Div(v.Mul(v, big.NewInt(Q)), big.NewInt(r))
	}
	sum := new(big.Int)
	add := func(weight int64, x *big.Int) {
		sum.Add(sum, new(big.Int).Mul(big.NewInt(weight), new(big.Int).Mul(x, x)))
	}
	add(b.Weights.Price, t(b.Price-s.Price, p.RangePrice))
	add(b.Weights.Energy, t(demand-available, p.RangeEnergyWh))
	add(b.Weights.Environment, t(b.Environment-s.Environment, 1))
	add(b.Weights.Credit, t(b.Credit-s.Credit, p.RangeCredit))
	add(b.Weights.Loss, new(big.Int).Sub(t(b.WantedLossPPM, p.RangeLossPPM), t(lossPPM, p.RangeLossPPM)))
	if b.EnergyType != s.EnergyType {
		add(b.Weights.EnergyType, big.NewInt(Q))
	}
	return sum
}

// bookOf is a drawn book whose losses are a table.
type bookOf struct {
	p     Params
	buys  []Buy
	sells []Sell
	table [][]int64 // negative: no path
}

func (k bookOf) loss(b, s int) (int64, bool) { return k.table[b][s], k.table[b][s] >= 0 }

// drawBook draws a valid book. Coarse books take few values, so that ties,
// exact exhaustion and equal parties are common; the others hardly ever tie.
func drawBook(t *rapid.T, coarse bool) bookOf {
	draw := func(label string, low, high int64) int64 {
		if coarse {
			return low + (high-low)/3*rapid.Int64Range(0, 3).Draw(t, label)
		}
		return rapid.Int64Range(low, high).Draw(t, label)
	}
	party := func(label string) int32 { return rapid.Int32Range(None, 6).Draw(t, label) }
	k := bookOf{p: Params{
		RespectLimits: rapid.Bool().Draw(t, "limits"),
		Fee:           draw("fee", 0, 30_000),
		RangePrice:    draw("range.price", 15_000, 900_000), RangeEnergyWh: draw("range.energy", 1_000, 90_000),
		RangeCredit: draw("range.credit", 2, 100), RangeLossPPM: draw("range.loss", 3_000, 100_000),
	}}
	weight := func(label string) int64 { return draw(label, 0, 1000) }
	k.buys = make([]Buy, rapid.IntRange(0, 12).Draw(t, "buys"))
	for b := range k.buys {
		k.buys[b] = Buy{
			Price: draw("bid", 300_000, 900_000), EnergyWh: draw("demand", 1, 30_001), Environment: draw("env", 0, 3),
			Credit: draw("credit", 0, 100), WantedLossPPM: draw("wanted", 0, 90_000), EnergyType: int32(draw("type", 0, 3)),
			Weights:    Weights{weight("wp"), weight("we"), weight("wv"), weight("wc"), weight("wl"), weight("wt")},
			MaxLossPPM: draw("maxloss", -1, 200_000), Identity: party("id"), Point: party("point"),
		}
	}
	k.sells = make([]Sell, rapid.IntRange(0, 12).Draw(t, "sells"))
	for s := range k.sells {
		k.sells[s] = Sell{
			Price: draw("ask", 300_000, 900_000), EnergyWh: draw("supply", 1, 30_001), Environment: draw("env", 0, 3),
			Credit: draw("credit", 0, 100), EnergyType: int32(draw("type", 0, 3)), Identity: party("id"), Point: party("point"),
		}
	}
	k.table = make([][]int64, len(k.buys))
	for b := range k.table {
		k.table[b] = make([]int64, len(k.sells))
		for s := range k.table[b] {
			k.table[b][s] = draw("loss", -10_000, 200_000)
		}
	}
	return k
}
