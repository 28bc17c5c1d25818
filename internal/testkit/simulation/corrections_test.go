package simulation

import (
	"cmp"
	"maps"
	"slices"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// boundary is what a meter's registers were at one, and in which version.
type boundary struct {
	importWh, exportWh int64
	version            int64
	first              [2]int64 // import and export before any correction
}

// replacement is a corrected reading.
type replacement struct {
	timeMs, version    int64
	importWh, exportWh int64
}

// correction submits a corrected reading of one of the latest boundaries, or those
// that give all boundaries of a member the registers that they had at first.
func (s *simulation) correction() {
	name := s.pick("corrects")
	m := s.model.meters[name]
	if m.boundary == 0 {
		return
	}
	back := below(s.rt, "as at first", 8) == 7
	var list []replacement
	if back {
		for _, at := range slices.Sorted(maps.Keys(m.fixed)) {
			if b := m.fixed[at]; b.version > 1 && at >= s.model.correctableFrom(s.TimeMs) {
				list = append(list, replacement{at, b.version + 1, b.first[0], b.first[1]})
			}
		}
	} else {
		list = []replacement{s.drawCorrection(m)}
	}
	if len(list) == 0 {
		return
	}
	wanted := s.model.mayCorrect(m, list, s.TimeMs)
	readings := make([]*meteringv1.Reading, len(list))
	for i, r := range list {
		readings[i] = &meteringv1.Reading{Meter: market.Meter(name), Version: r.version, TimeMs: r.timeMs, ImportWh: r.importWh, ExportWh: r.exportWh}
	}
	if err := s.Replace(readings...); (err == nil) != wanted {
		s.rt.Fatalf("height %d: %s corrects %+v: got %v, the model says taken: %t", s.Height, name, list, err, wanted)
	}
	if wanted {
		s.model.correctMeter(name, list)
	}
}

// drawCorrection draws registers between those of the boundaries beside it, most
// often.
func (s *simulation) drawCorrection(m *meter) replacement {
	at := m.boundary - below(s.rt, "boundaries ago", 6)*market.Period
	r := replacement{at, 2, m.importWh, m.exportWh}
	known, before, after := m.fixed[at], m.fixed[at-market.Period], m.fixed[at+market.Period]
	if known == nil || before == nil || after == nil {
		return r
	}
	r.version = known.version + 1
	r.importWh = before.importWh + below(s.rt, "import", after.importWh-before.importWh+1)
	r.exportWh = before.exportWh + below(s.rt, "export", after.exportWh-before.exportWh+1)
	switch below(s.rt, "badly", 64) {
	case 63:
		r.version++
	case 62:
		r.importWh = after.importWh + 1
	case 61:
		r.exportWh = before.exportWh - 1
	}
	return r
}

// correctableFrom is the first boundary that the parameters let correct.
func (m *model) correctableFrom(nowMs int64) int64 {
	return start(nowMs) - m.params.CorrectionRetentionPeriods*market.Period
}

// mayCorrect says whether corrections count (SPEC 7): each is the next version of
// a boundary that is kept with the one before it, and not the newest, and
// registers fall nowhere.
func (m *model) mayCorrect(of *meter, list []replacement, nowMs int64) bool {
	after := map[int64]replacement{}
	for at, b := range of.fixed {
		after[at] = replacement{at, b.version, b.importWh, b.exportWh}
	}
	for _, r := range list {
		known, kept := of.fixed[r.timeMs], of.fixed[r.timeMs-market.Period] != nil
		if known == nil || !kept || r.timeMs == of.boundary || r.version != known.version+1 || r.importWh < 0 || r.exportWh < 0 {
			return false
		}
		if m.params.CorrectionRetentionPeriods == 0 || r.timeMs < m.correctableFrom(nowMs) {
			return false
		}
		after[r.timeMs] = r
	}
	falls := func(at int64) bool {
		a, b := after[at-market.Period], after[at]
		return b.importWh < a.importWh || b.exportWh < a.exportWh
	}
	return !slices.ContainsFunc(list, func(r replacement) bool { return falls(r.timeMs) || falls(r.timeMs+market.Period) })
}

// correctMeter moves energy between the periods beside corrected boundaries.
func (m *model) correctMeter(name string, list []replacement) {
	of := m.meters[name]
	for _, r := range list {
		known := of.fixed[r.timeMs]
		importWh, exportWh := r.importWh-known.importWh, r.exportWh-known.exportWh
		known.importWh, known.exportWh, known.version = r.importWh, r.exportWh, r.version
		m.changeEnergy(energy{name: name, period: r.timeMs - market.Period, importWh: importWh, exportWh: exportWh})
		m.changeEnergy(energy{name: name, period: r.timeMs, importWh: -importWh, exportWh: -exportWh})
		if of.last.period == r.timeMs {
			of.last.importWh -= importWh
			of.last.exportWh -= exportWh
		}
	}
}

// changeEnergy changes what waits for settlement; of what settlement took the
// change waits.
func (m *model) changeEnergy(by energy) {
	same := func(e energy) bool { return e.name == by.name && e.period == by.period }
	if i := slices.IndexFunc(m.ready, same); i >= 0 {
		m.ready[i].importWh += by.importWh
		m.ready[i].exportWh += by.exportWh
		return
	}
	i := slices.IndexFunc(m.corrections, func(e *energy) bool { return same(*e) })
	if i < 0 {
		i = len(m.corrections)
		m.corrections = append(m.corrections, &energy{name: by.name, period: by.period})
	}
	m.corrections[i].importWh += by.importWh
	m.corrections[i].exportWh += by.exportWh
	if m.corrections[i].importWh == 0 && m.corrections[i].exportWh == 0 {
		m.corrections = slices.Delete(m.corrections, i, i+1)
	}
}

// takeCorrections settles again the periods that have their root, the oldest
// first, and forms one more root of each. None comes too late: boundaries may be
// corrected no longer than statements are kept.
func (m *model) takeCorrections() {
	slices.SortFunc(m.corrections, func(a, b *energy) int {
		return cmp.Or(cmp.Compare(a.period, b.period), m.compare(a.name, b.name))
	})
	var changed []*period
	m.corrections = slices.DeleteFunc(m.corrections, func(e *energy) bool {
		p := m.periods[e.period]
		if p.open() > 0 {
			return false
		}
		m.correct(p, e)
		if !slices.Contains(changed, p) {
			changed = append(changed, p)
		}
		return true
	})
	for _, p := range changed {
		m.formRoot(p)
	}
}
