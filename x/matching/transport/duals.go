package transport

import "math"

// SellerDuals returns the least and the greatest potential that each sell has
// in any certificate of a solution that is no fallback: what the last Wh of its
// supply adds to the objective lies between the two. They depend on the problem
// alone, not on which of several optimal solutions was found.
//
// A flow ties the potentials of its buy and its sell together, so that orders
// fall into groups: within one, buys' potentials can only fall by as much as
// sells' rise. An order not served in full ties its group to the ground, where
// potentials stay. By how much other groups may rise is limited by the slacks
// u + v - worth between groups, and the most and least of it are shortest paths
// from the ground and to it. There is seldom more than one group.
func SellerDuals(p *Problem, s *Solution) (least, greatest []int64) {
	g := newGroups(p, s)
	rise, fall := make([]int64, g.count), make([]int64, g.count)
	if g.count > 1 {
		slack := g.slacks(p, s.Certificate)
		rise, fall = shortest(g.count, func(from, to int) int64 { return slack[to*g.count+from] }),
			shortest(g.count, func(from, to int) int64 { return slack[from*g.count+to] })
	}
	least, greatest = make([]int64, len(p.Supply)), make([]int64, len(p.Supply))
	for j, v := range s.Certificate.V {
		least[j], greatest[j] = v-fall[g.sells[j]], v+rise[g.sells[j]]
	}
	return least, greatest
}

// ground is the group of which the potentials are fixed.
const ground = 0

// groups are the orders that flows tie together.
type groups struct {
	buys, sells []int // the group of each
	count       int
}

func newGroups(p *Problem, s *Solution) *groups {
	m, n := len(p.Demand), len(p.Supply)
	// Node 0 is the ground, then come the buys, then the sells; up leads to a
	// node of the same group, from the first of a group to itself.
	up := make([]int, 1+m+n)
	for v := range up {
		up[v] = v
	}
	root := func(v int) int {
		for up[v] != v {
			up[v] = up[up[v]]
			v = up[v]
		}
		return v
	}
	tie := func(v, w int) {
		v, w = root(v), root(w)
		up[max(v, w)] = min(v, w)
	}
	left := make([]int64, 1+m+n)
	copy(left[1:], p.Demand)
	copy(left[1+m:], p.Supply)
	for _, f := range s.Flows {
		tie(1+f.Buy, 1+m+f.Sell)
		left[1+f.Buy] -= f.EnergyWh
		left[1+m+f.Sell] -= f.EnergyWh
	}
	for v, energy := range left {
		if energy > 0 {
			tie(ground, v)
		}
	}
	number := make([]int, 1+m+n)
	g := &groups{buys: make([]int, m), sells: make([]int, n)}
	for v := range up {
		if r := root(v); r == v {
			number[v] = g.count
			g.count++
		} else {
			number[v] = number[r]
		}
	}
	copy(g.buys, number[1:])
	copy(g.sells, number[1+m:])
	return g
}

// slacks returns for each pair of groups by how much the second may rise above
// the first, row-major by the second. That is limited by pairs of a buy of the
// second and a sell of the first, and by potentials not falling below 0.
func (g *groups) slacks(p *Problem, c Certificate) []int64 {
	slack := make([]int64, g.count*g.count)
	for k := range slack {
		slack[k] = math.MaxInt64
	}
	n := len(p.Supply)
	for i, u := range c.U {
		row := slack[g.buys[i]*g.count : (g.buys[i]+1)*g.count]
		row[ground] = min(row[ground], u)
		for j, w := range p.Worth[i*n : (i+1)*n] {
			if w != Forbidden {
				from := g.sells[j]
				row[from] = min(row[from], u+c.V[j]-w-c.Bonus)
			}
		}
	}
	for j, v := range c.V {
		slack[g.sells[j]] = min(slack[g.sells[j]], v)
	}
	return slack
}

// shortest returns the lengths of the shortest paths from the ground (Dijkstra),
// over arcs of length >= 0, MaxInt64 where there is none.
func shortest(count int, length func(from, to int) int64) []int64 {
	dist, done := make([]int64, count), make([]bool, count)
	for v := range dist {
		dist[v] = math.MaxInt64
	}
	dist[ground] = 0
	for range count {
		near := -1
		for v := range dist {
			if !done[v] && (near < 0 || dist[v] < dist[near]) {
				near = v
			}
		}
		done[near] = true
		for v := range dist {
			if l := length(near, v); l < math.MaxInt64-dist[near] {
				dist[v] = min(dist[v], dist[near]+l)
			}
		}
	}
	return dist
}
