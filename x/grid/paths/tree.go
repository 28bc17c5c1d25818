package paths

import (
	"math"
	"math/bits"
)

// tree answers for any pair of a radial two-way grid at once, from what lies
// between each node and the top of its feeder: two ways share all that is above
// the node where they meet, their lowest common ancestor.
type tree struct {
	top    []int32 // of each node's feeder
	at     []int32 // a node's place in a depth-first walk
	above  []reach // from the top down to the node, routers of both included
	router []int64 // undivided
	// shallowest[k][i] is, of the 2^k places from i on, the parent highest in the
	// feeder: the one met between two places of the walk is where their ways meet.
	shallowest [][]int32
	depth      []int32
}

// newTree returns nil where sums over a whole feeder might not fit int64: then
// each node is searched from.
func newTree(p *Paths) *tree {
	if !p.radial || p.oneWay || len(p.edges) == 0 || !p.fits() {
		return nil
	}
	n := len(p.nodes)
	t := &tree{top: make([]int32, n), at: make([]int32, n), above: make([]reach, n), router: make([]int64, n), depth: make([]int32, n)}
	parents := make([]int32, 0, n) // by place in the walk
	for i := range p.nodes {
		t.router[i], t.at[i] = p.nodes[i].RouterLossPpm*lossScale, unreachable
	}
	for top := range int32(n) {
		if t.at[top] == unreachable {
			parents = t.walk(p, top, parents)
		}
	}
	t.shallowest = [][]int32{parents}
	for width := 1; 2*width <= n; width *= 2 {
		below := t.shallowest[len(t.shallowest)-1]
		row := make([]int32, n-2*width+1)
		for i := range row {
			row[i] = t.higher(below[i], below[i+width])
		}
		t.shallowest = append(t.shallowest, row)
	}
	return t
}

// fits says whether no sum over all lines and routers can overflow.
func (p *Paths) fits() bool {
	room := int64(math.MaxInt64 / 4) // above is added twice
	for _, e := range p.edges {
		if room -= e.sum; room < 0 {
			return false
		}
	}
	for _, node := range p.nodes {
		if room -= node.RouterLossPpm * lossScale; room < 0 {
			return false
		}
	}
	return true
}

// walk goes down a feeder from its top and appends the parent of each node in
// the order of the walk; that of the top is the top itself.
func (t *tree) walk(p *Paths, top int32, parents []int32) []int32 {
	type step struct{ node, parent int32 }
	t.above[top] = p.leave(top).reach
	for open := []step{{top, top}}; len(open) > 0; {
		s := open[len(open)-1]
		open = open[:len(open)-1]
		t.top[s.node], t.at[s.node] = top, int32(len(parents))
		parents = append(parents, s.parent)
		for _, e := range p.edges[p.first[s.node]:p.first[s.node+1]] {
			if e.to == s.parent {
				continue
			}
			t.above[e.to] = p.along(visit{node: s.node, reach: t.above[s.node]}, e).reach
			t.depth[e.to] = t.depth[s.node] + 1
			open = append(open, step{e.to, s.node})
		}
	}
	return parents
}

func (t *tree) higher(a, b int32) int32 {
	if t.depth[b] < t.depth[a] {
		return b
	}
	return a
}

// between is the path from one node to another.
func (t *tree) between(a, b int32) (reach, bool) {
	if a == b {
		return reach{}, true
	}
	if t.top[a] != t.top[b] {
		return reach{}, false
	}
	from, to := min(t.at[a], t.at[b])+1, max(t.at[a], t.at[b])
	k := bits.Len32(uint32(to-from+1)) - 1
	meet := t.higher(t.shallowest[k][from], t.shallowest[k][to+1-int32(1)<<k])
	found := reach{
		sum:    t.above[a].sum + t.above[b].sum - 2*t.above[meet].sum + t.router[meet],
		length: t.above[a].length + t.above[b].length - 2*t.above[meet].length,
	}
	return found, found.sum <= maxSum
}
