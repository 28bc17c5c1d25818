package transport

import "math"

// none is the parent of the root.
const none = -1

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
		// Of two nodes the one of the smaller subtree is not above the other.
		if s.size[row] < s.size[col] {
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
		if s.size[row] < s.size[col] {
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

// rehang cuts the subtree of leave off and hangs it, turned so that node is its
// root, below parent by an arc with a flow.
func (s *simplex) rehang(node, parent, leave int32, flow int64) {
	s.cut(leave)
	s.turn(node, leave)
	s.parent[node], s.flow[node] = parent, flow
	s.insert(node, parent)
}

// cut takes the subtree of a node out of the list and out of its ancestors.
func (s *simplex) cut(node int32) {
	last, before := s.last[node], s.before[node]
	s.join(before, s.thread[last])
	for v := s.parent[node]; v != none; v = s.parent[v] {
		s.size[v] -= s.size[node]
		if s.last[v] == last {
			s.last[v] = before
		}
	}
}

// turn makes node the root of a run that was cut out with top as its root. What
// hangs from the path between the two stays together: first comes node's own
// subtree, then its old parent with the rest of what was below that one, and so
// on up to top, each the last child of the one before.
func (s *simplex) turn(node, top int32) {
	whole := s.size[top]
	below, size, flow := node, s.size[node], s.flow[node]
	// The run of below ended at end and stood between prev and after.
	end := s.last[node]
	prev, after := s.before[node], s.thread[end]
	tail := end // of what is in place
	s.size[node] = whole
	for v := s.parent[node]; below != top; {
		up, before, oldSize, oldFlow := s.parent[v], s.before[v], s.size[v], s.flow[v]
		rest := prev // the end of what v has without below
		if s.last[v] != end {
			s.join(prev, after)
			rest = s.last[v]
			end, after = rest, s.thread[rest]
		}
		s.join(tail, v)
		tail = rest
		s.parent[v], s.flow[v], s.size[v] = below, flow, whole-size
		prev, size, flow = before, oldSize, oldFlow
		below, v = v, up
	}
	for v := top; v != node; v = s.parent[v] {
		s.last[v] = tail
	}
	s.last[node] = tail
}

// insert puts the run of a node into the list as the first child of a parent.
func (s *simplex) insert(node, parent int32) {
	after := s.thread[parent]
	s.join(parent, node)
	s.join(s.last[node], after)
	for v := parent; v != none; v = s.parent[v] {
		s.size[v] += s.size[node]
		if s.last[v] == parent {
			s.last[v] = s.last[node]
		}
	}
}

func (s *simplex) join(v, w int32) {
	s.thread[v], s.before[w] = w, v
}

// shift adds to the levels of a subtree, so that the arc to its root's parent
// has the worth that it should.
func (s *simplex) shift(root int32, by int64) {
	v := root
	for range s.size[root] {
		s.level[v] += by
		v = s.thread[v]
	}
}
