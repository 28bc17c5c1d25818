package transport

import (
	"cmp"
	"slices"
)

// greedy trades the pairs by falling worth, ties by position, as much as each
// can; pairs that are worth less than nothing only where the volume counts.
func greedy(p *Problem) []Flow {
	n := len(p.Supply)
	pairs := make([]int, 0, len(p.Worth))
	for k, w := range p.Worth {
		if w != Forbidden && (w > 0 || p.Volume == MostEnergy) {
			pairs = append(pairs, k)
		}
	}
	slices.SortFunc(pairs, func(a, b int) int {
		return cmp.Or(cmp.Compare(p.Worth[b], p.Worth[a]), a-b)
	})
	demand, supply := slices.Clone(p.Demand), slices.Clone(p.Supply)
	var flows []Flow
	for _, k := range pairs {
		i, j := k/n, k%n
		if energy := min(demand[i], supply[j]); energy > 0 {
			flows = append(flows, Flow{i, j, energy})
			demand[i] -= energy
			supply[j] -= energy
		}
	}
	sortFlows(flows)
	return flows
}

func sortFlows(flows []Flow) {
	slices.SortFunc(flows, func(a, b Flow) int { return cmp.Or(a.Buy-b.Buy, a.Sell-b.Sell) })
}
