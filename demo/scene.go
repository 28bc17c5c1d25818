package demo

import (
	"cmp"
	"slices"

	"github.com/energyd/energyd/units"
)

// best returns the start with the cast of the greatest worth, the first of equal
// ones; ok is false if none is worth anything.
func best(starts []int, cast func(start int) (found []int, worth int64)) (start int, found []int, ok bool) {
	var most int64
	for _, at := range starts {
		if members, worth := cast(at); worth > most {
			start, found, most = at, members, worth
		}
	}
	return start, found, most > 0
}

// shareOfOthers: who is to trade all of its energy has at most one part in so
// many of what the other side wants.
const shareOfOthers = 4

// traders casts those households that sell, and those that buy, most steadily
// over the periods from a start. Its worth is the least energy of any of them in
// any period, Wh.
func (m *Market) traders(start, periods, sellers, buyers int) ([]int, int64) {
	type scored struct {
		participant int
		least       int64
	}
	var sells, buys []scored
	imported, exported := m.sums(start, periods)
	for n := range m.Scenario.Members {
		sell, buy := scored{participant: n}, scored{participant: n}
		for i := range periods {
			importWh, exportWh := m.Meter(n, start+i)
			exportWh, importWh = min(exportWh, imported[i]/shareOfOthers), min(importWh, exported[i]/shareOfOthers)
			if i == 0 {
				sell.least, buy.least = exportWh, importWh
			}
			sell.least, buy.least = min(sell.least, exportWh), min(buy.least, importWh)
		}
		sells, buys = append(sells, sell), append(buys, buy)
	}
	var cast []int
	worth := int64(-1)
	for _, side := range []struct {
		of    []scored
		count int
	}{{sells, sellers}, {buys, buyers}} {
		slices.SortStableFunc(side.of, func(a, b scored) int { return cmp.Compare(b.least, a.least) })
		if len(side.of) < side.count {
			return nil, 0
		}
		for _, s := range side.of[:side.count] {
			cast = append(cast, s.participant)
			if worth < 0 || s.least < worth {
				worth = s.least
			}
		}
	}
	return cast, worth
}

// sums are what all participants import and export in each period, Wh.
func (m *Market) sums(start, periods int) (imported, exported []int64) {
	imported, exported = make([]int64, periods), make([]int64, periods)
	for n := range m.Participants {
		for i := range periods {
			importWh, exportWh := m.Meter(n, start+i)
			imported[i] += importWh
			exported[i] += exportWh
		}
	}
	return imported, exported
}

// liveliest is worth the least energy that either side has in any period, Wh.
func (m *Market) liveliest(start, periods int) int64 {
	imported, exported := m.sums(start, periods)
	return min(slices.Min(imported), slices.Min(exported))
}

// costs are what a participant's imports would cost at retail, ucoin; 0 where it
// imports nothing.
func (m *Market) costs(participant, start, periods int) []int64 {
	costs := make([]int64, periods)
	for i := range periods {
		importWh, _ := m.Meter(participant, start+i)
		costs[i], _ = units.Amount(m.Tariff.Retail, importWh) // bounded by maxIntervalWh and maxPrice
	}
	return costs
}

func sum(values []int64) int64 {
	var total int64
	for _, v := range values {
		total += v
	}
	return total
}
