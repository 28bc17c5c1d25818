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

// maxRest bounds for how many passes a row is left out.
const maxRest = 31

// run pivots until no arc gains and returns true, or false after so many pivots.
//
// It is a block search with rows as blocks, half as many arcs as there are nodes
// in a square book: in each pass the best arc of each row in turn enters if it
// gains. A row where none did twice running is left out of one pass, then of 3,
// 7 and so on, since many orders trade nothing and stay so; once no row gains, a
// pass over all of them decides.
func (s *simplex) run(maxPivots int) bool {
	rest, next := make([]int, s.rows), make([]int, s.rows)
	for all := false; ; {
		gained := false
		for row := range s.rows {
			if rest[row] > 0 && !all {
				rest[row]--
				continue
			}
			gain, col := s.bestOf(row)
			if gain == 0 {
				rest[row], next[row] = next[row], min(2*next[row]+1, maxRest)
				continue
			}
			if s.pivots == maxPivots {
				return false
			}
			s.pivots++
			s.pivot(row, s.rows+col, gain)
			rest[row], next[row], gained = 0, 0, true
		}
		if all && !gained {
			return true
		}
		all = !gained
	}
}

// bestOf returns the column whose arc from a row gains the most per unit of
// flow, the first of equals; gain is 0 if none gains.
func (s *simplex) bestOf(row int) (gain int64, col int) {
	worth := s.worth[row*s.cols : (row+1)*s.cols]
	level := s.level[s.rows:][:len(worth)]
	best := s.level[row]
	// Four at a time, compared with the best only together: this loop takes most
	// of the time of solving.
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
