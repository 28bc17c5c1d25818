package transport

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
	// The nodes stand in a circular list, in which every subtree is a run that
	// begins with its root: thread[v] comes after v, before[v] before it, and
	// last[v] ends v's subtree, which has size[v] nodes.
	thread, before, last, size []int32
	pivots                     int
}

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
	level := s.level[s.rows:][:len(worth)]
	best := s.level[row]
	// Four at a time, compared with what is best only together: this loop takes
	// half the time of solving.
	at, j := -1, 0
	for ; j+4 <= len(worth); j += 4 {
		w, v := worth[j:j+4:j+4], level[j:j+4:j+4]
		if d := max(w[0]+v[0], w[1]+v[1], w[2]+v[2], w[3]+v[3]); d > best {
			best, at = d, j
		}
	}
	for ; j < len(worth); j++ {
		if d := worth[j] + level[j]; d > best {
			best, at = d, j
		}
	}
	if at < 0 {
		return 0, 0
	}
	for worth[at]+level[at] != best {
		at++
	}
	return best - s.level[row], at
}
