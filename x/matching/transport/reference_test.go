package transport

import "math"

// reference solves a problem by successive shortest paths (Bellman-Ford on the
// residual network), a method that has nothing in common with the simplex. It
// takes energies of 0 as well.
type reference struct {
	p    *Problem
	flow []int64
}

// referenceSolve returns the traded energy and the objective.
func referenceSolve(p *Problem) (energy, objective int64) {
	r := &reference{p, make([]int64, len(p.Worth))}
	bought, sold := make([]int64, len(p.Demand)), make([]int64, len(p.Supply))
	for {
		gain, path := r.bestPath(bought, sold)
		if path == nil || p.Volume == AnyVolume && gain <= 0 {
			return energy, objective
		}
		first, last := path[0], path[len(path)-1]
		amount := min(p.Demand[first[0]]-bought[first[0]], p.Supply[last[1]]-sold[last[1]])
		for k, a := range path {
			if k%2 == 1 {
				amount = min(amount, r.flow[a[0]*len(p.Supply)+a[1]])
			}
		}
		for k, a := range path {
			at := a[0]*len(p.Supply) + a[1]
			if k%2 == 0 {
				r.flow[at] += amount
			} else {
				r.flow[at] -= amount
			}
		}
		bought[first[0]] += amount
		sold[last[1]] += amount
		energy += amount
		objective += gain * amount
	}
}

// bestPath returns the path of greatest gain from a buy not served to a sell not
// sold, as pairs: flow rises on the first, falls on the second, and so on.
func (r *reference) bestPath(bought, sold []int64) (gain int64, path [][2]int) {
	m, n := len(bought), len(sold)
	const nothing = math.MinInt64
	buyGain, sellGain := make([]int64, m), make([]int64, n)
	buyFrom, sellFrom := make([]int, m), make([]int, n)
	for i := range buyGain {
		buyGain[i], buyFrom[i] = nothing, -1
		if bought[i] < r.p.Demand[i] {
			buyGain[i] = 0
		}
	}
	for j := range sellGain {
		sellGain[j] = nothing
	}
	for changed := true; changed; {
		changed = false
		for i := range m {
			for j := range n {
				w := r.p.Worth[i*n+j]
				if w == Forbidden {
					continue
				}
				if buyGain[i] != nothing && buyGain[i]+w > sellGain[j] {
					sellGain[j], sellFrom[j], changed = buyGain[i]+w, i, true
				}
				if r.flow[i*n+j] > 0 && sellGain[j] != nothing && sellGain[j]-w > buyGain[i] {
					buyGain[i], buyFrom[i], changed = sellGain[j]-w, j, true
				}
			}
		}
	}
	best := -1
	for j := range n {
		if sold[j] < r.p.Supply[j] && sellGain[j] != nothing && (best < 0 || sellGain[j] > sellGain[best]) {
			best = j
		}
	}
	if best < 0 {
		return 0, nil
	}
	for j := best; j >= 0; {
		i := sellFrom[j]
		path = append([][2]int{{i, j}}, path...)
		if j = buyFrom[i]; j >= 0 {
			path = append([][2]int{{i, j}}, path...)
		}
	}
	return sellGain[best], path
}
