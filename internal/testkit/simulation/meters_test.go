package simulation

import (
	"cmp"
	"slices"

	"github.com/energyd/energyd/internal/testkit/market"
)

// snapshot is a reading: what a meter's registers showed at a time.
type snapshot struct {
	sequence uint64
	timeMs   int64
	importWh int64
	exportWh int64
	measured bool
}

// energy is what a member's meter counted in a period.
type energy struct {
	name               string
	period             int64
	importWh, exportWh int64
	estimated          bool
}

// meter is what the chain may know of a member's meter (SPEC 7).
type meter struct {
	known []snapshot // by time
	// boundary is the last one whose registers are fixed, 0 if none.
	boundary           int64
	importWh, exportWh int64
	estimated          bool
	// fixed are the registers at all boundaries, by time.
	fixed map[int64]*boundary
	// last is what it counted in the last period that it closed.
	last energy
}

// knows says whether a reading of that sequence was taken.
func (m *meter) knows(sequence uint64) bool {
	return slices.ContainsFunc(m.known, func(s snapshot) bool { return s.sequence == sequence })
}

// accepts says whether a reading that continues the meter's history counts, and
// keeps it then: it is new, later than the last fixed boundary and no further than
// 30 s in the future.
func (m *meter) accepts(s snapshot, nowMs int64) bool {
	if m.knows(s.sequence) || s.timeMs <= m.boundary || s.timeMs > nowMs+30_000 {
		return false
	}
	m.known = append(m.known, s)
	slices.SortFunc(m.known, func(a, b snapshot) int { return cmp.Compare(a.timeMs, b.timeMs) })
	return true
}

// fix fixes the registers at every boundary that the newest reading has reached,
// and returns the energies of the periods that it closes.
func (m *meter) fix(name string) (closed []energy) {
	if len(m.known) == 0 {
		return nil
	}
	newest := m.known[len(m.known)-1].timeMs
	next := m.boundary + market.Period
	if m.boundary == 0 {
		next = m.known[0].timeMs
		if over := next % market.Period; over > 0 {
			next += market.Period - over
		}
	}
	for ; next <= newest; next += market.Period {
		importWh, exportWh, estimated := m.at(next)
		importWh, exportWh = max(importWh, m.importWh), max(exportWh, m.exportWh)
		if m.boundary > 0 {
			m.last = energy{name, m.boundary, importWh - m.importWh, exportWh - m.exportWh, estimated || m.estimated}
			closed = append(closed, m.last)
		}
		m.boundary, m.importWh, m.exportWh, m.estimated = next, importWh, exportWh, estimated
		m.fixed[next] = &boundary{importWh, exportWh, 1, [2]int64{importWh, exportWh}}
	}
	return closed
}

// at draws the registers at a boundary: those of a reading at that very time, else
// interpolated between the readings around it.
func (m *meter) at(boundary int64) (importWh, exportWh int64, estimated bool) {
	i := slices.IndexFunc(m.known, func(s snapshot) bool { return s.timeMs >= boundary })
	after := m.known[i]
	if after.timeMs == boundary {
		return after.importWh, after.exportWh, !after.measured
	}
	before := m.known[i-1]
	gap, elapsed := after.timeMs-before.timeMs, boundary-before.timeMs
	importWh = before.importWh + mulDiv(after.importWh-before.importWh, elapsed, gap)
	exportWh = before.exportWh + mulDiv(after.exportWh-before.exportWh, elapsed, gap)
	return importWh, exportWh, gap > market.Period || !before.measured || !after.measured
}
