package capacity

import "math/rand/v2"

// drawFeeder draws a feeder of n nodes under one root; each node hangs below one
// of the last spread nodes, so that a small spread makes long lines. congestion
// is the part, in per cent, of a line's load by the trades that it carries.
func drawFeeder(r *rand.Rand, n, spread int) []int {
	parent := make([]int, n)
	parent[0] = Root
	for i := 1; i < n; i++ {
		parent[i] = i - 1 - r.IntN(min(i, spread))
	}
	return parent
}

// drawTrades draws trades between any two nodes.
func drawTrades(r *rand.Rand, nodes, count int, maxEnergy, maxWorth int64) []Trade {
	trades := make([]Trade, count)
	for i := range trades {
		trades[i] = Trade{From: r.IntN(nodes), To: r.IntN(nodes), EnergyWh: 1 + r.Int64N(maxEnergy), Worth: r.Int64N(maxWorth)}
	}
	return trades
}

// drawCapacities limits some lines to low to high per cent of what they would
// carry of the trades; those below 100 are overloaded.
func drawCapacities(r *rand.Rand, parent []int, trades []Trade, limited int, low, high int64) []int64 {
	free, err := NewFeeder(parent, make([]int64, len(parent)))
	if err != nil {
		panic(err)
	}
	flows, limits := free.flows(trades, energies(trades)), make([]int64, len(parent))
	for _, n := range r.Perm(len(parent))[:limited] {
		limits[n] = max(1, max(flows[n], -flows[n])*(low+r.Int64N(high-low+1))/100)
	}
	return limits
}

func energies(trades []Trade) []int64 {
	list := make([]int64, len(trades))
	for i, t := range trades {
		list[i] = t.EnergyWh
	}
	return list
}
