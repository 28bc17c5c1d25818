package capacity

import "slices"

// search finds the trades of most worth within the limits of some of the lines,
// by the primal network simplex method.
//
// It works on a circulation: what a trade takes in at one node and hands out at
// another flows back through the lines. Places are the parts of the feeder that
// the lines looked at leave connected. A basis is a spanning forest of arcs; the
// arcs outside it are at one of their bounds. The lines, nothing flowing, are the
// first basis, so every state of the search is within the limits, and it can
// stop at any time. Where trades that stand fill a line (Load), Cunningham's rule
// does not exclude that a basis comes twice, and the bound ends the search.
type search struct {
	place []int // of each node
	arcs  []arc // the trades between two places, then the lines

	up    []int   // next place towards the root in the basis
	by    []int   // by which arc
	level []int   // arcs to the root in the basis
	cost  []int64 // what injecting a Wh at the place costs the objective
	price []int64 // the same for the first objective, once solve has ended

	child, next, before []int // the basis downwards: lists of children

	pivots int // how many are left before the search stops
}

// arc is a line towards the root, or a trade from the buyer's place to the
// seller's.
type arc struct {
	tail, head      int
	low, high, flow int64 // of magnitude maxEnergy at most
	worth           int64
	trade           int // position, none for a line
}

// none ends a list, and is an arc or place that is not there.
const none = -1

// newSearch looks at the limits of the lines that binding names. Trades become
// arcs in the given order.
func newSearch(f *Feeder, trades []Trade, order []int, binding []bool) *search {
	s := &search{place: make([]int, len(f.parent))}
	var lines []arc
	for i := len(f.upwards) - 1; i >= 0; i-- {
		n := f.upwards[i]
		parent := f.parent[n]
		if parent != Root && !binding[n] {
			s.place[n] = s.place[parent]
			continue
		}
		place := len(s.up)
		s.place[n] = place
		s.up, s.by, s.level = append(s.up, none), append(s.by, none), append(s.level, 0)
		if parent != Root {
			above := s.place[parent]
			s.up[place], s.by[place], s.level[place] = above, len(lines), s.level[above]+1
			lines = append(lines, arc{tail: place, head: above, low: f.low[n], high: f.high[n], trade: none})
		}
	}
	for _, i := range order {
		t := trades[i]
		if from, to := s.place[t.From], s.place[t.To]; from != to {
			s.arcs = append(s.arcs, arc{tail: to, head: from, high: t.EnergyWh, worth: t.Worth, trade: i})
		}
	}
	places, ofTrades := len(s.up), len(s.arcs)
	s.arcs = append(s.arcs, lines...)
	s.pivots = pivotsPerArc * len(s.arcs)
	s.cost = make([]int64, places)
	s.child, s.next, s.before = make([]int, places), make([]int, places), make([]int, places)
	for p := range places {
		s.child[p] = none
	}
	for p := range places {
		if s.up[p] != none {
			s.by[p] += ofTrades
		}
		s.hang(p, s.up[p])
	}
	return s
}

// room returns by how much an arc's flow may grow in a direction.
func (a *arc) room(forwards bool) int64 {
	if forwards {
		return a.high - a.flow
	}
	return a.flow - a.low
}

// gain returns what a Wh more on an arc adds to the objective; 0 in the basis.
func (s *search) gain(a *arc) int64 { return a.worth + s.cost[a.tail] - s.cost[a.head] }

// Bounds of the search. Random feeders take a few pivots per arc. Looking
// at a block of arcs for each pivot, and not at one or all, halves the time.
const (
	pivotsPerArc = 10
	blockSize    = 50
)

// solve finds the most worth, and of what is worth the same the most energy. It
// says whether both were reached.
func (s *search) solve() (optimal bool) {
	optimal = s.run()
	s.price = slices.Clone(s.cost)
	// Whatever is worth as much leaves the arcs that gain or lose where they are.
	for i := range s.arcs {
		a := &s.arcs[i]
		if s.gain(a) != 0 {
			a.low, a.high = a.flow, a.flow
		}
	}
	for i := range s.arcs {
		if s.arcs[i].trade != none {
			s.arcs[i].worth = 1
		}
	}
	for p, above := range s.up {
		if above == none {
			s.cost[p] = 0
			s.refresh(p)
		}
	}
	return s.run() && optimal
}

// refresh sets the costs below a place so that no arc of the basis gains.
func (s *search) refresh(top int) {
	for p := s.below(top, top); p != none; p = s.below(p, top) {
		a, above := &s.arcs[s.by[p]], s.cost[s.up[p]]
		if s.cost[p] = above + a.worth; a.tail == p {
			s.cost[p] = above - a.worth
		}
	}
}

// below returns the place that follows p in the walk through the basis below top,
// none after the last.
func (s *search) below(p, top int) int {
	if s.child[p] != none {
		return s.child[p]
	}
	for p != top && s.next[p] == none {
		p = s.up[p]
	}
	if p == top {
		return none
	}
	return s.next[p]
}

// run improves until no arc gains, and says whether that was reached. First each
// arc in turn enters the basis if it gains, so that ties follow the order of the
// trades; then the arcs are looked at block by block, and of each block the first
// that gains most enters.
func (s *search) run() (optimal bool) {
	for i := range s.arcs {
		s.enterBest(i, i+1)
	}
	for start, idle := 0, 0; idle < len(s.arcs); {
		end := min(start+blockSize, len(s.arcs))
		idle += end - start
		if s.enterBest(start, end) {
			idle = 0
			if s.pivots--; s.pivots <= 0 {
				return false
			}
		}
		if start = end; start == len(s.arcs) {
			start = 0
		}
	}
	return true
}

// enterBest makes the pivot of the arc from start to end - 1 that gains most, and
// says whether any gains.
func (s *search) enterBest(start, end int) bool {
	best, most := none, int64(0)
	for i := start; i < end; i++ {
		a := &s.arcs[i]
		gain := s.gain(a)
		if size := max(gain, -gain); size > most && a.room(gain > 0) > 0 {
			best, most = i, size
		}
	}
	if best == none {
		return false
	}
	s.pivot(best, s.gain(&s.arcs[best]) > 0)
	return true
}

// pivot grows an arc's flow in a direction as far as the cycle that it closes
// with the basis allows. The arc at which that stops leaves the basis.
func (s *search) pivot(entering int, forwards bool) {
	a := &s.arcs[entering]
	tail, head := a.tail, a.head
	if !forwards {
		tail, head = head, tail
	}
	amount, leaving, behindHead := s.bottleneck(a.room(forwards), tail, head)
	if forwards {
		a.flow += amount
	} else {
		a.flow -= amount
	}
	if amount > 0 {
		s.push(tail, head, amount)
	}
	switch {
	case leaving == none: // the arc itself is at its other bound
	case behindHead:
		s.rehang(head, tail, leaving, entering)
	default:
		s.rehang(tail, head, leaving, entering)
	}
}

// bottleneck returns how much a cycle allows that leads from tail to head by an
// arc with the given room and back by the basis, and the place above which the
// basis has to be cut for that: none if it is the arc itself that stops.
// behindHead says on which side of the arc that is.
//
// Of several arcs that stop it the last one counts, seen along the cycle from
// where its two branches meet (Cunningham 1976). By that rule flow can always
// grow from every place towards the root, and no basis comes twice.
func (s *search) bottleneck(room int64, tail, head int) (amount int64, leaving int, behindHead bool) {
	amount, leaving = room, none
	for tail != head {
		if s.level[tail] >= s.level[head] {
			// Downwards, before the arc: the first seen from here is the last.
			a := &s.arcs[s.by[tail]]
			if room := a.room(a.tail != tail); room < amount {
				amount, leaving, behindHead = room, tail, false
			}
			tail = s.up[tail]
			continue
		}
		// Upwards, behind the arc.
		a := &s.arcs[s.by[head]]
		if room := a.room(a.tail == head); room <= amount {
			amount, leaving, behindHead = room, head, true
		}
		head = s.up[head]
	}
	return amount, leaving, behindHead
}

// push sends energy through the basis from head to tail.
func (s *search) push(tail, head int, amount int64) {
	for tail != head {
		if s.level[tail] >= s.level[head] {
			s.grow(tail, -amount)
			tail = s.up[tail]
		} else {
			s.grow(head, amount)
			head = s.up[head]
		}
	}
}

// grow changes the flow from a place towards the root in the basis.
func (s *search) grow(place int, by int64) {
	a := &s.arcs[s.by[place]]
	if a.tail != place {
		by = -by
	}
	a.flow += by
}

// rehang cuts the basis above the place cut and hangs what was below it under
// outside, by the arc entering that leads from there to the place inside.
func (s *search) rehang(inside, outside, cut, entering int) {
	for p, above, by := inside, outside, entering; ; {
		oldAbove, oldBy := s.up[p], s.by[p]
		s.unhang(p)
		s.by[p] = by
		s.hang(p, above)
		if p == cut {
			break
		}
		p, above, by = oldAbove, p, oldBy
	}
	// The arc must not gain any more: all costs below shift alike.
	a := &s.arcs[entering]
	shift := s.gain(a)
	if a.tail == inside {
		shift = -shift
	}
	for p := inside; p != none; p = s.below(p, inside) {
		s.cost[p] += shift
		s.level[p] = s.level[s.up[p]] + 1
	}
}

func (s *search) hang(p, above int) {
	s.up[p], s.before[p], s.next[p] = above, none, none
	if above == none {
		return
	}
	s.next[p] = s.child[above]
	if s.next[p] != none {
		s.before[s.next[p]] = p
	}
	s.child[above] = p
}

func (s *search) unhang(p int) {
	if s.before[p] != none {
		s.next[s.before[p]] = s.next[p]
	} else {
		s.child[s.up[p]] = s.next[p]
	}
	if s.next[p] != none {
		s.before[s.next[p]] = s.before[p]
	}
}
