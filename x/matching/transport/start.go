package transport

// newSimplex returns a simplex at a first tree: the rows in turn take from the
// column of greatest worth that has energy left.
func newSimplex(p *Problem, bonus int64) *simplex {
	m, n := len(p.Demand), len(p.Supply)
	s := &simplex{rows: m + 1, cols: n + 1, worth: make([]int64, (m+1)*(n+1))}
	for i := range m {
		row := s.worth[i*s.cols : (i+1)*s.cols]
		for j, w := range p.Worth[i*n : (i+1)*n] {
			if w == Forbidden {
				// Less than the arcs of the dummies, so that it never carries flow:
				// without it the flow is worth more.
				row[j] = -1
			} else {
				row[j] = w + bonus
			}
		}
	}
	nodes := s.rows + s.cols
	s.level, s.flow = make([]int64, nodes), make([]int64, nodes)
	s.parent, s.last, s.size = make([]int32, nodes), make([]int32, nodes), make([]int32, nodes)
	s.thread, s.before = make([]int32, nodes), make([]int32, nodes)
	s.hang(s.firstArcs(p))
	return s
}

// hanging is an arc of the first tree, as the child sees it.
type hanging struct {
	child, parent int
	flow          int64
}

// firstArcs returns the arcs of a tree in the order in which rows take energy.
// Each but the last uses up either its row or its column, which is the child
// and has no later arc; never both, because only rows have fine units to spare.
// The last one is between the dummies.
func (s *simplex) firstArcs(p *Problem) []hanging {
	demand, supply := s.fineAmounts(p)
	arcs := make([]hanging, 0, s.rows+s.cols-1)
	for i := range demand {
		for demand[i] > 0 {
			j := bestLeft(s.worth[i*s.cols:(i+1)*s.cols], supply)
			amount := min(demand[i], supply[j])
			demand[i] -= amount
			supply[j] -= amount
			if demand[i] == 0 {
				arcs = append(arcs, hanging{i, s.rows + j, amount})
			} else {
				arcs = append(arcs, hanging{s.rows + j, i, amount})
			}
		}
	}
	return arcs
}

// fineAmounts returns what rows and columns take and give, in fine units.
func (s *simplex) fineAmounts(p *Problem) (demand, supply []int64) {
	demand, supply = make([]int64, s.rows), make([]int64, s.cols)
	unit := fineUnits(len(p.Demand))
	unsold, unserved := &demand[s.rows-1], &supply[s.cols-1]
	for i, energy := range p.Demand {
		demand[i] = energy*unit + 1
		*unserved += demand[i]
	}
	for j, energy := range p.Supply {
		supply[j] = energy * unit
		*unsold += supply[j]
	}
	*unsold++
	*unserved++
	return demand, supply
}

// bestLeft returns the column of greatest worth that has energy left, the first
// of equals.
func bestLeft(worth, left []int64) int {
	best := -1
	for j, w := range worth {
		if left[j] > 0 && (best < 0 || w > worth[best]) {
			best = j
		}
	}
	return best
}

// hang makes the arcs a tree below the dummy column. Backwards, every arc hangs
// a new child to a parent that is in the tree.
func (s *simplex) hang(arcs []hanging) {
	for v := range int32(len(s.parent)) {
		s.parent[v], s.size[v] = none, 1
		s.thread[v], s.before[v], s.last[v] = v, v, v
	}
	for k := len(arcs) - 1; k >= 0; k-- {
		a := arcs[k]
		s.parent[a.child], s.flow[a.child] = int32(a.parent), a.flow
		s.insert(int32(a.child), int32(a.parent))
		if a.child < s.rows {
			s.level[a.child] = s.level[a.parent] + s.worth[a.child*s.cols+a.parent-s.rows]
		} else {
			s.level[a.child] = s.level[a.parent] - s.worth[a.parent*s.cols+a.child-s.rows]
		}
	}
}

// flows returns the flows between orders, without fine units. Below an arc of a
// row hang some rows with a fine unit each to get rid of, which flow up beside
// the energy; below one of a column they take that much less than the energy.
func (s *simplex) flows() []Flow {
	m, n := s.rows-1, s.cols-1
	unit := fineUnits(m)
	var flows []Flow
	for v, fine := range s.flow {
		row, col, energy := v, int(s.parent[v])-s.rows, fine/unit
		if v >= s.rows {
			row, col, energy = int(s.parent[v]), v-s.rows, (fine+unit-1)/unit
		}
		if energy > 0 && row < m && col < n {
			flows = append(flows, Flow{row, col, energy})
		}
	}
	sortFlows(flows)
	return flows
}

// certificate returns the potentials of the orders, those of the dummies being
// 0.
func (s *simplex) certificate(bonus int64) Certificate {
	m, n := s.rows-1, s.cols-1
	c := Certificate{U: make([]int64, m), V: make([]int64, n), Bonus: bonus}
	copy(c.U, s.level)
	for j := range c.V {
		c.V[j] = -s.level[s.rows+j]
	}
	return c
}
