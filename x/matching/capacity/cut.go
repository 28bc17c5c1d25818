package capacity

import (
	"cmp"
	"math"
	"slices"
)

// Result is what the lines carry of a list of trades.
type Result struct {
	Carried []int64 // Wh of each trade by position, at the seller's meter
	Cuts    []Cut   // by position of the trade
	// Optimal says that no other choice is worth more. It is false only where
	// the search met its bound, and what it had by then was taken.
	Optimal bool
}

// Cut is energy of a trade that the lines do not carry.
type Cut struct {
	Trade    int   // position
	EnergyWh int64 // at the seller's meter
	// Line is the reason: the line that is full in the trade's direction, of
	// several the one where a Wh of room would be worth most, then the lowest.
	Line int
}

// Cut cuts trades until every line's net flow is within its limit, so that the
// worth lost, the sum of worth x energy cut, is the least possible, and of what
// loses the same the energy cut. So nothing is cut that would still fit.
//
// What trades of equal worth lose follows from their order: trades are taken up
// from the most worth, of equals from the first position. Beyond that optima may
// tie, and the steps of the search decide: they are part of consensus.
//
// An error is returned for a node that is not there, two nodes that no lines
// join, a negative energy or worth, and numbers that are too large: energies
// that sum beyond int64 / 2, or a worth beyond int64 / 4 / (nodes + 1).
func (f *Feeder) Cut(trades []Trade) (*Result, error) {
	if err := f.check(trades); err != nil {
		return nil, err
	}
	c := cutting{Feeder: f, trades: trades, carried: make([]int64, len(trades))}
	for i, t := range trades {
		c.carried[i] = t.EnergyWh
	}
	r := &Result{Carried: c.carried, Optimal: c.relieve()}
	for i, t := range trades {
		if short := t.EnergyWh - c.carried[i]; short > 0 {
			r.Cuts = append(r.Cuts, Cut{i, short, c.blocking(t)})
		}
	}
	return r, nil
}

// cutting is the state of one call of Cut.
type cutting struct {
	*Feeder
	trades  []Trade
	carried []int64
	flow    []int64 // on each node's line, towards the root
	last    *search // the one that found carried, nil if nothing was cut
}

// relieve sets what is carried. It searches with the limits of the overloaded
// lines only and adds those that are overloaded then: where no other line is,
// the optimum is that of all lines, and few lines are quick. Each round adds a
// line, so there are no more rounds than lines; a few are usual.
func (c *cutting) relieve() (optimal bool) {
	optimal = true
	binding := make([]bool, len(c.parent))
	c.flow = c.flows(c.trades, c.carried)
	var order []int
	for c.addOverloaded(binding) {
		if order == nil {
			order = mostWorthFirst(c.trades)
		}
		c.last = newSearch(c.Feeder, c.trades, order, binding)
		optimal = c.last.solve()
		for i, t := range c.trades {
			c.carried[i] = t.EnergyWh
		}
		for _, a := range c.last.arcs {
			if a.trade != none {
				c.carried[a.trade] = a.flow
			}
		}
		c.flow = c.flows(c.trades, c.carried)
	}
	return optimal
}

// mostWorthFirst returns the positions of trades, of equals the first first.
func mostWorthFirst(trades []Trade) []int {
	order := make([]int, len(trades))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(trades[b].Worth, trades[a].Worth), cmp.Compare(a, b))
	})
	return order
}

// addOverloaded adds the lines that carry too much, and says whether there are
// any. Lines that are binding already never do.
func (c *cutting) addOverloaded(binding []bool) (found bool) {
	for n, limit := range c.capacity {
		if limit > 0 && (c.flow[n] > c.high[n] || c.flow[n] < c.low[n]) {
			binding[n], found = true, true
		}
	}
	return found
}

// room returns by how much the flow on a node's line may grow in a direction.
func (c *cutting) room(n int, direction int64) int64 {
	if c.capacity[n] == 0 {
		return math.MaxInt64
	}
	if direction < 0 {
		return c.flow[n] - c.low[n]
	}
	return c.high[n] - c.flow[n]
}

// blocking returns the line that a cut trade is cut for.
func (c *cutting) blocking(t Trade) int {
	least, dearest, line := int64(math.MaxInt64), int64(0), Root
	c.way(t, func(n int, direction int64) {
		cost := c.last.price
		room, price := c.room(n, direction), direction*(cost[c.last.place[n]]-cost[c.last.place[c.parent[n]]])
		if cmp.Or(cmp.Compare(room, least), cmp.Compare(dearest, price), cmp.Compare(n, line)) < 0 {
			least, dearest, line = room, price, n
		}
	})
	return line
}

// way visits the lines between a trade's nodes, with the direction of the trade
// on each: 1 towards the root, -1 away from it.
func (f *Feeder) way(t Trade, visit func(n int, direction int64)) {
	from, to := t.From, t.To
	for from != to {
		if f.depth[from] >= f.depth[to] {
			visit(from, 1)
			from = f.parent[from]
		} else {
			visit(to, -1)
			to = f.parent[to]
		}
	}
}
