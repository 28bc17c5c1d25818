package paths

import "slices"

// NoParent stands for the parent of a node at the top of a feeder.
const NoParent = -1

// Limited says whether any line has a capacity.
func (p *Paths) Limited() bool {
	return slices.ContainsFunc(p.edges, func(e edge) bool { return e.capacity > 0 })
}

// Feeder returns a radial grid as a forest: the parent of each node, by the
// numbers of Place, and what the line to it carries in a period of so many
// milliseconds, in Wh, 0 for no limit. It is false if the lines close a ring.
func (p *Paths) Feeder(periodMs int64) (parent []int, capacityWh []int64, ok bool) {
	if !p.radial {
		return nil, nil, false
	}
	both := make([][]edge, len(p.nodes)) // one-way lines from either end
	for from := range p.nodes {
		for _, e := range p.edges[p.first[from]:p.first[from+1]] {
			both[from] = append(both[from], e)
			if e.oneWay {
				both[e.to] = append(both[e.to], edge{to: int32(from), capacity: e.capacity})
			}
		}
	}
	parent, capacityWh = make([]int, len(p.nodes)), make([]int64, len(p.nodes))
	seen := make([]bool, len(p.nodes))
	for top := range p.nodes {
		if seen[top] {
			continue
		}
		seen[top], parent[top] = true, NoParent
		for open := []int{top}; len(open) > 0; {
			at := open[len(open)-1]
			open = open[:len(open)-1]
			for _, e := range both[at] {
				if seen[e.to] {
					continue
				}
				seen[e.to], parent[e.to] = true, at
				if e.capacity > 0 { // a limit below 1 Wh is not none
					capacityWh[e.to] = max(1, e.capacity*periodMs/msPerHour)
				}
				open = append(open, int(e.to))
			}
		}
	}
	return parent, capacityWh, true
}

// msPerHour turns W times ms into Wh; MaxCapacityW times a period of a day fits
// int64 with room.
const msPerHour = 3_600_000

// Name returns the node of a number of Place.
func (p *Paths) Name(place int) string { return p.nodes[place].Node }
