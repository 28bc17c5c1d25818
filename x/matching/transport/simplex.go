package transport

import "math"

// simplex is a primal network simplex on the complete bipartite network between
// rows (buys) and columns (sells), each side with a dummy at its end that takes
// what the other side does not trade: unsold supply goes to the dummy row,
// unserved demand to the dummy column, and the arc between the two dummies
// carries as much as is traded. Arcs of a dummy are worth nothing. So every
// problem is balanced, and a basis is a spanning tree of the nodes.
//
// Nodes are numbered rows first, then columns. The tree hangs from the dummy
// column; flow[v] is that of the arc between v and its parent. It always runs
// from the row of the two to the column.
//
// To rule out cycling, energies are counted in fine units and every row has one
// fine unit more than its energy, the dummy column all of these (see
// fineUnits). Then no arc of a tree is ever empty, each pivot gains, and the arc
// that leaves is the only possible one: in terms of energy, the tree is
// strongly feasible.
type simplex struct {
	rows, cols int
	worth      []int64 // rows * cols, bonus included
	// level[v] is the potential of row v, and minus that of column v: a tree
	// arc's worth is level[row] - level[column].
	level  []int64
	flow   []int64 // fine units
	parent []int32
	depth  []int32
	child  []int32 // first child, or none
	next   []int32 // siblings, or none
	prev   []int32
	pivots int
}

const none = -1

// fineUnits returns how many fine units a Wh has between so many buys: more
// than there are rows, so that what rows have more never adds up to a Wh.
func fineUnits(buys int) int64 { return int64(buys) + 2 }

// run pivots until no arc gains and returns true, or false after so many pivots.
//
// It looks for an entering arc row by row, from where it last found one, and
// stops at a row's end once it has seen a block of (rows + cols) / 2 arcs with
// one that gains; the arc of greatest gain in the block enters, the first of
// equals.
func (s *simplex) run(maxPivots int) bool {
	block := (s.rows + s.cols) / 2
	row, idle := 0, 0 // idle rows have been seen since the last pivot
	for idle < s.rows {
		var gain int64
		var enterRow, enterCol int
		for seen := 0; idle < s.rows && (seen < block || gain == 0); seen += s.cols {
			if g, col := s.bestOf(row); g > gain {
				gain, enterRow, enterCol = g, row, col
			}
			idle++
			if row++; row == s.rows {
				row = 0
			}
		}
		if gain == 0 {
			return true
		}
		if s.pivots == maxPivots {
			return false
		}
		s.pivots++
		s.pivot(enterRow, s.rows+enterCol, gain)
		idle = 0
	}
	return true
}

// bestOf returns the column whose arc from a row gains the most per unit of
// flow, the first of equals; gain is 0 if none gains.
func (s *simplex) bestOf(row int) (gain int64, col int) {
	worth := s.worth[row*s.cols : (row+1)*s.cols]
	level := s.level[s.rows:]
	level = level[:len(worth)]
	best := s.level[row]
	for j, w := range worth {
		if d := w + level[j]; d > best {
			best, col = d, j
		}
	}
	return best - s.level[row], col
}

// pivot lets the arc between a row and a column into the tree: flow goes round
// the cycle that it closes until one arc is empty, and that one leaves.
func (s *simplex) pivot(row, col int, gain int64) {
	leave, amount := s.leaving(int32(row), int32(col))
	if s.push(int32(row), int32(col), leave, amount) {
		s.rehang(int32(row), int32(col), leave, amount)
		s.shift(int32(row), gain)
	} else {
		s.rehang(int32(col), int32(row), leave, amount)
		s.shift(int32(col), -gain)
	}
}

// leaving returns the node whose arc to its parent empties first as flow is
// pushed along the entering arc, and how much it takes.
func (s *simplex) leaving(row, col int32) (leave int32, amount int64) {
	amount = math.MaxInt64
	rows := int32(s.rows)
	for row != col {
		if s.depth[row] >= s.depth[col] {
			// Flow comes down to the entering arc's row: arcs of rows, which run
			// up to their parents, lose it.
			if row < rows && s.flow[row] < amount {
				leave, amount = row, s.flow[row]
			}
			row = s.parent[row]
		} else {
			if col >= rows && s.flow[col] < amount {
				leave, amount = col, s.flow[col]
			}
			col = s.parent[col]
		}
	}
	return leave, amount
}

// push sends an amount round the cycle and says whether the leaving arc is on
// the row's side of it.
func (s *simplex) push(row, col, leave int32, amount int64) (onRowSide bool) {
	rows := int32(s.rows)
	for row != col {
		if s.depth[row] >= s.depth[col] {
			onRowSide = onRowSide || row == leave
			if row < rows {
				s.flow[row] -= amount
			} else {
				s.flow[row] += amount
			}
			row = s.parent[row]
		} else {
			if col >= rows {
				s.flow[col] -= amount
			} else {
				s.flow[col] += amount
			}
			col = s.parent[col]
		}
	}
	return onRowSide
}

// rehang cuts the subtree of leave off its parent and hangs it, turned so that
// node is its root, below parent by an arc with a flow.
func (s *simplex) rehang(node, parent, leave int32, flow int64) {
	for {
		oldParent, oldFlow := s.parent[node], s.flow[node]
		s.unlink(node, oldParent)
		s.link(node, parent, flow)
		if node == leave {
			return
		}
		node, parent, flow = oldParent, node, oldFlow
	}
}

func (s *simplex) unlink(node, parent int32) {
	before, after := s.prev[node], s.next[node]
	if before == none {
		s.child[parent] = after
	} else {
		s.next[before] = after
	}
	if after != none {
		s.prev[after] = before
	}
}

func (s *simplex) link(node, parent int32, flow int64) {
	first := s.child[parent]
	s.parent[node], s.flow[node] = parent, flow
	s.next[node], s.prev[node] = first, none
	if first != none {
		s.prev[first] = node
	}
	s.child[parent] = node
}

// shift adds to the levels of a subtree, so that the arc to its root's parent
// has the worth that it should, and renews the depths in it.
func (s *simplex) shift(root int32, by int64) {
	node := root
	for {
		s.level[node] += by
		s.depth[node] = s.depth[s.parent[node]] + 1
		if s.child[node] != none {
			node = s.child[node]
			continue
		}
		for node != root && s.next[node] == none {
			node = s.parent[node]
		}
		if node == root {
			return
		}
		node = s.next[node]
	}
}
