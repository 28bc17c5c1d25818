// Package paths finds the ways of least loss through the grid (SPEC 4). It is
// apart from the module so that a clearing can be recomputed without a chain.
package paths

import (
	"cmp"
	"container/heap"
	"math"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/units"
)

// lossScale is by how much undivided sums exceed ppm: mm * ppm per km / 10^6.
const lossScale = 1_000_000

// maxSum is the greatest undivided sum with a loss of at most everything. A
// line adds at most MaxLengthMM * 10^6 and a router 10^12 to it, so that no sum
// comes near the end of int64.
const maxSum = units.PPM*lossScale + lossScale - 1

// unreachable stands for a node without a path to it.
const unreachable = -1

// Paths answers for the losses between the nodes of a graph: at once if it is a
// tree without one-way lines, else each starting node is searched from once. It
// holds 4 bytes for each node and each start asked for.
type Paths struct {
	// nodes by name; everything else goes by their place in it.
	nodes []*gridv1.Node
	place map[string]int32
	// Edges that leave node i are edges[first[i]:first[i+1]].
	edges []edge
	first []int32
	// defaultLoss is that of lines that name none and of pairs without lines.
	defaultLoss int64
	// radial: no two paths lead between the same nodes, as on most feeders, so
	// that following the lines is enough and none need be compared.
	radial bool
	// oneWay: some line is, so that the way back may lose something else. Without
	// one paths are searched from where they end: who asks for many pairs asks for
	// one buyer after the other, whose losses then lie side by side.
	oneWay bool
	// lossFrom[i][j] in ppm or unreachable, metresFrom[i][j] the length of that
	// path; nil until i is asked for.
	lossFrom, metresFrom [][]int32
	// tree, where the grid has its form, answers instead of searches.
	tree *tree
}

// edge is a line in one of its directions.
type edge struct {
	to     int32
	sum    int64 // length_mm * loss_ppm_per_km
	length int64 // mm
	oneWay bool
	// capacity in W, 0 for no limit.
	capacity int64
}

// reach is the best known path to a node: less loss first, then shorter, so
// that neither depends on the order of the search.
type reach struct {
	sum    int64 // 10^6 times the loss in ppm, undivided
	length int64 // mm
}

func (a reach) compare(b reach) int {
	return cmp.Or(cmp.Compare(a.sum, b.sum), cmp.Compare(a.length, b.length))
}

func (a reach) lossPPM() int64 { return a.sum / lossScale }

// New takes the graph, all nodes before the lines between them.
// defaultLossPPMPerKm is the parameter of that name and holds where a line names
// no loss.
func New(nodes []*gridv1.Node, lines []*gridv1.Line, defaultLossPPMPerKm int64) *Paths {
	p := &Paths{nodes: nodes, place: make(map[string]int32, len(nodes)), defaultLoss: defaultLossPPMPerKm}
	for i, node := range nodes {
		p.place[node.Node] = int32(i)
	}
	p.lossFrom = make([][]int32, len(p.nodes))
	p.join(lines)
	p.tree = newTree(p)
	return p
}

// join fills the edges, sorted by the node they leave.
func (p *Paths) join(lines []*gridv1.Line) {
	type directed struct {
		from int32
		edge
	}
	var all []directed
	p.first = make([]int32, len(p.nodes)+1)
	add := func(from, to int32, line *gridv1.Line) {
		loss := p.defaultLoss
		if line.LossPpmPerKm != nil {
			loss = *line.LossPpmPerKm
		}
		all = append(all, directed{from, edge{to: to, sum: line.LengthMm * loss, length: line.LengthMm, oneWay: line.OneWay, capacity: line.CapacityW}})
		p.first[from+1]++
		p.oneWay = p.oneWay || line.OneWay
	}
	for _, line := range lines {
		from, to := p.place[line.From], p.place[line.To]
		add(from, to, line)
		if !line.OneWay {
			add(to, from, line)
		}
	}
	for i := range p.nodes {
		p.first[i+1] += p.first[i]
	}
	p.edges = make([]edge, len(all))
	next := append([]int32(nil), p.first...)
	for _, d := range all {
		p.edges[next[d.from]] = d.edge
		next[d.from]++
	}
	p.radial = p.isForest()
}

// isForest says whether the lines, taken both ways, close no ring.
func (p *Paths) isForest() bool {
	group := make([]int32, len(p.nodes))
	for i := range group {
		group[i] = int32(i)
	}
	find := func(i int32) int32 {
		for group[i] != i {
			group[i] = group[group[i]]
			i = group[i]
		}
		return i
	}
	for from := range p.nodes {
		for _, e := range p.edges[p.first[from]:p.first[from+1]] {
			// A two-way line is met from both ends; the smaller place counts it.
			if e.to < int32(from) && !e.oneWay {
				continue
			}
			a, b := find(int32(from)), find(e.to)
			if a == b {
				return false
			}
			group[a] = b
		}
	}
	return true
}

// Loss returns the least loss from one node to another in ppm, 0..10^6; false
// if a node is unknown or no path leads there.
func (p *Paths) Loss(from, to string) (ppm int64, ok bool) {
	source, target, ok := p.places(from, to)
	if !ok {
		return 0, false
	}
	return p.LossBetween(source, target)
}

// Place returns a node's number, by which LossBetween knows it; false if it is
// unknown. Numbers hold for these Paths only.
func (p *Paths) Place(node string) (place int32, ok bool) {
	place, ok = p.place[node]
	return place, ok
}

// LossBetween is Loss for who asks for many pairs.
func (p *Paths) LossBetween(source, target int32) (ppm int64, ok bool) {
	if found, ok, known := p.atOnce(source, target); known {
		return found.lossPPM(), ok
	}
	if !p.oneWay {
		source, target = target, source
	}
	if p.lossFrom[source] == nil {
		p.lossFrom[source] = losses(p.search(source))
	}
	loss := p.lossFrom[source][target]
	if loss == unreachable {
		return 0, false
	}
	return int64(loss), true
}

// Between is LossBetween with the length of the path in m.
func (p *Paths) Between(source, target int32) (lossPPM, metres int64, ok bool) {
	if found, ok, known := p.atOnce(source, target); known {
		return found.lossPPM(), min(found.length/1000, math.MaxInt32), ok
	}
	if !p.oneWay {
		source, target = target, source
	}
	if p.metresFrom == nil {
		p.metresFrom = make([][]int32, len(p.nodes))
	}
	if p.metresFrom[source] == nil {
		found := p.search(source)
		p.lossFrom[source], p.metresFrom[source] = losses(found), lengths(found)
	}
	loss := p.lossFrom[source][target]
	return int64(loss), int64(p.metresFrom[source][target]), loss != unreachable
}

// Path returns loss (ppm) and length (mm) of the path of least loss from one node
// to another, false if there is none.
func (p *Paths) Path(from, to string) (lossPPM, lengthMM int64, ok bool) {
	source, target, ok := p.places(from, to)
	if !ok {
		return 0, 0, false
	}
	found, ok, known := p.atOnce(source, target)
	if !known {
		found = p.search(source)[target]
		ok = found.sum != unreachable
	}
	return found.lossPPM(), found.length, ok
}

// atOnce answers for a pair where no search is needed, if known.
func (p *Paths) atOnce(source, target int32) (found reach, ok, known bool) {
	switch {
	case len(p.edges) == 0:
		found, ok = p.direct(source, target)
		return found, ok, true
	case p.tree != nil:
		found, ok = p.tree.between(source, target)
		return found, ok, true
	}
	return reach{}, false, false
}

func (p *Paths) places(from, to string) (source, target int32, ok bool) {
	source, ok = p.place[from]
	if !ok {
		return 0, 0, false
	}
	target, ok = p.place[to]
	return source, target, ok
}

// losses keeps of a search what Loss needs.
func losses(found []reach) []int32 {
	out := make([]int32, len(found))
	for i, r := range found {
		if out[i] = unreachable; r.sum != unreachable {
			out[i] = int32(r.lossPPM())
		}
	}
	return out
}

// lengths keeps the lengths of a search in m, the greatest int32 for longer ones.
func lengths(found []reach) []int32 {
	out := make([]int32, len(found))
	for i, r := range found {
		out[i] = int32(min(r.length/1000, math.MaxInt32))
	}
	return out
}

// direct is the path of a pair on a chain without lines (see the module's doc.go).
func (p *Paths) direct(source, target int32) (reach, bool) {
	if source == target {
		return reach{}, true
	}
	a, b := p.nodes[source], p.nodes[target]
	var length int64
	switch {
	case a.PathMm != nil && b.PathMm != nil:
		length = *a.PathMm + *b.PathMm
	case a.XMm != nil && b.XMm != nil:
		length = distance(*a.XMm-*b.XMm, *a.YMm-*b.YMm)
	default:
		return reach{}, false
	}
	sum := length*p.defaultLoss + (a.RouterLossPpm+b.RouterLossPpm)*lossScale
	return reach{sum: sum, length: length}, sum <= maxSum
}

// distance is floor(sqrt(dx^2 + dy^2)); with coordinates of at most MaxLengthMM
// the squares sum to at most 8 * 10^18.
func distance(dx, dy int64) int64 { return int64(units.Sqrt(uint64(dx*dx) + uint64(dy*dy))) }

// search finds the best paths from one node to all.
func (p *Paths) search(source int32) []reach {
	best := make([]reach, len(p.nodes))
	for i := range best {
		best[i] = reach{sum: unreachable}
	}
	best[source] = reach{}
	if p.radial {
		p.follow(source, best)
	} else {
		p.dijkstra(source, best)
	}
	return best
}

// follow walks a radial grid from the source: each node is met once.
func (p *Paths) follow(source int32, best []reach) {
	open := []visit{p.leave(source)}
	for len(open) > 0 {
		at := open[len(open)-1]
		open = open[:len(open)-1]
		for _, e := range p.edges[p.first[at.node]:p.first[at.node+1]] {
			if best[e.to].sum != unreachable {
				continue // where the walk came from
			}
			if next := p.along(at, e); next.sum <= maxSum {
				best[e.to] = next.reach
				open = append(open, next)
			}
		}
	}
}

// leave is the source as its paths begin: what leaves it goes through its
// router; what stays there does not.
func (p *Paths) leave(source int32) visit {
	return visit{node: source, reach: reach{sum: p.nodes[source].RouterLossPpm * lossScale}}
}

// along is the other end of an edge.
func (p *Paths) along(at visit, e edge) visit {
	return visit{node: e.to, reach: reach{
		sum:    at.sum + e.sum + p.nodes[e.to].RouterLossPpm*lossScale,
		length: at.length + e.length,
	}}
}

// dijkstra is Dijkstra's algorithm.
func (p *Paths) dijkstra(source int32, best []reach) {
	done := make([]bool, len(p.nodes))
	open := frontier{p.leave(source)}
	for len(open) > 0 {
		at := heap.Pop(&open).(visit)
		if done[at.node] {
			continue
		}
		done[at.node] = true
		for _, e := range p.edges[p.first[at.node]:p.first[at.node+1]] {
			next := p.along(at, e)
			if done[e.to] || next.sum > maxSum {
				continue
			}
			if best[e.to].sum == unreachable || next.compare(best[e.to]) < 0 {
				best[e.to] = next.reach
				heap.Push(&open, next)
			}
		}
	}
}

// visit is a node to be searched on from; frontier is a heap of them, the least
// loss first and ties by name.
type visit struct {
	reach
	node int32
}

type frontier []visit

func (f frontier) Len() int { return len(f) }

func (f frontier) Less(i, j int) bool {
	return cmp.Or(f[i].compare(f[j].reach), cmp.Compare(f[i].node, f[j].node)) < 0
}

func (f frontier) Swap(i, j int) { f[i], f[j] = f[j], f[i] }

// Push implements heap.Interface.
func (f *frontier) Push(v any) { *f = append(*f, v.(visit)) }

// Pop implements heap.Interface.
func (f *frontier) Pop() any {
	last := (*f)[len(*f)-1]
	*f = (*f)[:len(*f)-1]
	return last
}
