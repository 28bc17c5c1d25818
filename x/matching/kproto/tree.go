package kproto

import (
	"math"
	"slices"
)

// The attributes by which the tree divides sells, besides the energy type.
const (
	price  = iota
	energy // still available
	environment
	credit
	eastward // place in a Plane
	northward
	attributes
)

// bucket is the most sells in a leaf: comparing a few more takes less time than
// deciding whether to.
const bucket = 16

// treeFrom is how many live sells make a tree worth its while: on the draws of
// S3 ch. 3 it takes as long as comparing all sells at some 150 without limits and
// 350 with them (BenchmarkCrossover).
const treeFrom = 300

// offer is a live sell in the tree.
type offer struct {
	at         [attributes]int64
	energyType int32
	sell       int32 // position in the book
}

// node bounds the live sells below it.
type node struct {
	low, high [attributes]int64
	types     uint32 // bit for each energy type, see typeBit
	first     int32  // least position, nobody without any
	live      int32  // how many, of leaves only
}

// nobody comes after every position.
const nobody = math.MaxInt32

// tree is a k-d tree (Bentley 1975) over the live sells: its boxes say how near
// the sells below can be at best. It is balanced, so that nodes need no links:
// those of node i are 2i and 2i+1, node 1 is the root, and the last half are
// leaves. With a single leaf it is a list.
type tree struct {
	p                           Params
	price, energy, credit, loss divisor
	sells                       []Sell
	losses                      Losses
	plane                       *Plane // losses, if they are of that kind

	treeFrom int     // fewer live sells are a list
	offers   []offer // leaf by leaf, the live ones of each first
	nodes    []node
	leaves   int
	live     int
	taken    int // trades since the tree was built
}

func newTree(p Params, sells []Sell, losses Losses, treeFrom int) *tree {
	t := &tree{
		p: p, sells: sells, losses: losses, treeFrom: treeFrom,
		price: newDivisor(p.RangePrice), energy: newDivisor(p.RangeEnergyWh),
		credit: newDivisor(p.RangeCredit), loss: newDivisor(p.RangeLossPPM),
		offers: make([]offer, len(sells)),
	}
	t.plane, _ = losses.(*Plane)
	for i, s := range sells {
		o := offer{energyType: s.EnergyType, sell: int32(i)}
		o.at[price], o.at[energy], o.at[environment], o.at[credit] = s.Price, s.EnergyWh, s.Environment, s.Credit
		if t.plane != nil {
			o.at[eastward], o.at[northward] = t.plane.Sells[i].X, t.plane.Sells[i].Y
		}
		t.offers[i] = o
	}
	t.build()
	return t
}

// build makes the tree of the offers as they are.
func (t *tree) build() {
	t.live, t.taken, t.leaves = len(t.offers), 0, 1
	if t.live >= t.treeFrom {
		for t.live > bucket*t.leaves {
			t.leaves *= 2
		}
	}
	t.nodes = slices.Grow(t.nodes[:0], 2*t.leaves)[:2*t.leaves]
	t.split(1, 0, t.leaves)
}

// split builds the node above the leaves from up to, not including, to.
func (t *tree) split(n, from, to int) {
	start, end := t.start(from), t.start(to)
	if to-from == 1 {
		t.nodes[n].live = int32(end - start)
		t.bound(n)
		return
	}
	middle := (from + to) / 2
	part := t.offers[start:end]
	divide(part, t.start(middle)-start, t.widest(part))
	t.split(2*n, from, middle)
	t.split(2*n+1, middle, to)
	t.bound(n)
}

// start returns where the offers of a leaf start.
func (t *tree) start(leaf int) int {
	return int(uint64(leaf) * uint64(len(t.offers)) / uint64(t.leaves))
}

// bound makes a node's box of what is below it.
func (t *tree) bound(n int) {
	box := &t.nodes[n]
	if n < t.leaves {
		a, b := &t.nodes[2*n], &t.nodes[2*n+1]
		for k := range attributes {
			box.low[k], box.high[k] = min(a.low[k], b.low[k]), max(a.high[k], b.high[k])
		}
		box.types, box.first = a.types|b.types, min(a.first, b.first)
		return
	}
	for k := range attributes {
		box.low[k], box.high[k] = math.MaxInt64, math.MinInt64
	}
	box.types, box.first = 0, nobody
	start := t.start(n - t.leaves)
	for i := range t.offers[start : start+int(box.live)] {
		o := &t.offers[start+i]
		for k := range attributes {
			box.low[k], box.high[k] = min(box.low[k], o.at[k]), max(box.high[k], o.at[k])
		}
		box.types |= typeBit(o.energyType)
		box.first = min(box.first, o.sell)
	}
}

// typeBit stands for an energy type in a node. Types 32 apart share one, so that
// a bit that is missing tells, but one that is there does not.
func typeBit(energyType int32) uint32 { return 1 << (uint32(energyType) % 32) }

// take takes energy from an offer.
func (t *tree) take(leaf, i int, wh int64) {
	t.taken++
	t.offers[i].at[energy] -= wh
	if t.offers[i].at[energy] == 0 {
		last := t.start(leaf-t.leaves) + int(t.nodes[leaf].live) - 1
		t.offers[i] = t.offers[last]
		t.nodes[leaf].live--
		t.live--
	}
	if t.leaves == 1 {
		return // nobody asks for the box
	}
	if t.stale() {
		t.rebuild()
		return
	}
	for n := leaf; n > 0; n /= 2 {
		before := t.nodes[n]
		if t.bound(n); t.nodes[n] == before {
			return
		}
	}
}

// stale says whether building the tree anew takes less time than going on with
// it: boxes grow as energies in them shrink, and leaves become empty.
func (t *tree) stale() bool {
	return t.live < t.treeFrom || 2*t.taken > t.live
}

// rebuild builds the tree of the offers that are left.
func (t *tree) rebuild() {
	kept := t.offers[:0]
	for leaf := range t.leaves {
		start := t.start(leaf)
		kept = append(kept, t.offers[start:start+int(t.nodes[t.leaves+leaf].live)]...)
	}
	t.offers = kept
	t.build()
}
