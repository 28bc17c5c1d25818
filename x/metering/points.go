package metering

import (
	"google.golang.org/protobuf/types/known/emptypb"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

// Limits of the fields. With them no sum of registers overflows.
const (
	// MaxRegisterWh bounds a register and a running register: 1 PWh.
	MaxRegisterWh int64 = 1_000_000_000_000_000
	// maxTimeMs bounds times: the year 33658.
	maxTimeMs = 1_000_000_000_000_000
	// maxFirstAgeMs is how old a meter's first readings may be: 31 days.
	maxFirstAgeMs = 31 * 24 * 3_600_000
	// MaxPoints is how many points of a meter are kept.
	MaxPoints = 4096
	// maxMissing is how many ranges of missing sequences are kept.
	maxMissing = 16
)

// Kinds of points, in their order at the same time: a reading at the moment of
// a swap is the old device's.
const (
	kindReading byte = iota
	kindSwap
)

// registers are a meter's two counters, in Wh.
type registers struct{ importWh, exportWh int64 }

// running returns a point's running registers; they were checked when the point
// was made.
func running(point *meteringv1.Point) registers {
	return registers{
		point.Reading.ImportWh + point.ImportOffsetWh,
		point.Reading.ExportWh + point.ExportOffsetWh,
	}
}

// runningOf returns the running registers of a device's registers.
func runningOf(importWh, exportWh int64, offset registers) (registers, error) {
	importWh, err := units.Add(importWh, offset.importWh)
	if err != nil {
		return registers{}, err
	}
	exportWh, err = units.Add(exportWh, offset.exportWh)
	if err != nil {
		return registers{}, err
	}
	if max(importWh, exportWh) > MaxRegisterWh {
		return registers{}, ErrField.With("expected running registers of at most %d Wh, got %d and %d", MaxRegisterWh, importWh, exportWh)
	}
	return registers{importWh, exportWh}, nil
}

// offsetOf returns the offset that holds after a point.
func offsetOf(point *meteringv1.Point) registers {
	return registers{point.GetImportOffsetWh(), point.GetExportOffsetWh()}
}

func isSwap(point *meteringv1.Point) bool { return point.Reading.Sequence == 0 }

func pointKey(meter string, timeMs int64, kind byte) state.Key {
	return points.Key().Name(meter).Int64(timeMs).Bytes([]byte{kind})
}

func keyOf(point *meteringv1.Point) state.Key {
	kind := kindReading
	if isSwap(point) {
		kind = kindSwap
	}
	return pointKey(point.Reading.Meter, point.Reading.TimeMs, kind)
}

// ledger is the points of one meter and what is known of them.
type ledger struct {
	store state.Store
	state *meteringv1.MeterState
	// changed: state must be saved.
	changed bool
}

func openLedger(store state.Store, meter string) *ledger {
	known, ok := meters.Get(store, meterKey(meter))
	if !ok {
		known = &meteringv1.MeterState{Meter: meter}
	}
	return &ledger{store: store, state: known}
}

// save writes what add changed and marks the meter if it has, or may have,
// boundaries to fix.
func (l *ledger) save(periodLength int64) {
	if !l.changed {
		return
	}
	meters.Set(l.store, meterKey(l.state.Meter), l.state)
	if newestMs := max(l.state.LastTimeMs, l.state.SwappedMs); l.state.FixedUntil == 0 || newestMs >= l.state.FixedUntil+periodLength {
		due.Set(l.store, dueKey(l.state.Meter), &emptypb.Empty{})
	}
	l.changed = false
}

// newest returns the latest point, nil without one.
func (l *ledger) newest() *meteringv1.Point {
	if l.state.Points == 0 {
		return nil
	}
	key := pointKey(l.state.Meter, l.state.LastTimeMs, kindReading)
	if l.state.SwappedMs != 0 && l.state.SwappedMs >= l.state.LastTimeMs {
		key = pointKey(l.state.Meter, l.state.SwappedMs, kindSwap)
	}
	point, _ := points.Get(l.store, key)
	return point
}

// bySequence returns the kept reading with that sequence, nil without one.
func (l *ledger) bySequence(sequence uint64) *meteringv1.Point {
	found, ok := sequences.Get(l.store, sequenceKey(l.state.Meter, sequence))
	if !ok {
		return nil
	}
	point, _ := points.Get(l.store, pointKey(l.state.Meter, found.TimeMs, kindReading))
	return point
}

// neighbours returns the points before and after where a new reading belongs,
// nil where there is none, or ErrOrder.
func (l *ledger) neighbours(reading *meteringv1.Reading) (before, after *meteringv1.Point, err error) {
	if newest := l.newest(); newest == nil ||
		reading.Sequence > l.state.LastSequence && reading.TimeMs > newest.Reading.TimeMs {
		return newest, nil, nil
	}
	from := points.Key().Name(l.state.Meter)
	for _, lower := range sequences.From(l.store, sequences.Key().Name(l.state.Meter), sequenceKey(l.state.Meter, reading.Sequence-1)) {
		if lower.TimeMs >= reading.TimeMs {
			return nil, nil, ErrOrder.With("time_ms: expected a time after %d, that of sequence %d, got %d", lower.TimeMs, lower.Sequence, reading.TimeMs)
		}
		before, _ = points.Get(l.store, pointKey(l.state.Meter, lower.TimeMs, kindReading))
		from = pointKey(l.state.Meter, lower.TimeMs, kindSwap)
		break
	}
	// What follows is swaps, if any, and the reading with the next sequence.
	for _, point := range points.From(l.store, points.Key().Name(l.state.Meter), from) {
		switch {
		case point.Reading.TimeMs < reading.TimeMs && isSwap(point):
			before = point
		case point.Reading.TimeMs <= reading.TimeMs && !isSwap(point):
			return nil, nil, ErrOrder.With("time_ms: expected a time before %d, that of sequence %d, got %d", point.Reading.TimeMs, point.Reading.Sequence, reading.TimeMs)
		default:
			return before, point, nil
		}
	}
	return before, nil, nil
}

// add keeps a point.
func (l *ledger) add(point *meteringv1.Point) {
	reading := point.Reading
	points.Set(l.store, keyOf(point), point)
	l.state.Points++
	l.changed = true
	if isSwap(point) {
		l.state.SwappedMs = reading.TimeMs
		return
	}
	sequences.Set(l.store, sequenceKey(reading.Meter, reading.Sequence), &meteringv1.SequenceTime{
		Sequence: reading.Sequence, TimeMs: reading.TimeMs,
	})
	if reading.Sequence > l.state.LastSequence {
		l.state.LastSequence, l.state.LastTimeMs = reading.Sequence, reading.TimeMs
	}
}

// remove forgets a meter's oldest points, in their order, but for their
// sequences.
func (l *ledger) remove(oldest []*meteringv1.Point) {
	for _, point := range oldest {
		points.Delete(l.store, keyOf(point))
		l.state.Points--
		l.changed = true
		if isSwap(point) {
			continue
		}
		sequence := point.Reading.Sequence
		sequences.Delete(l.store, sequenceKey(l.state.Meter, sequence))
		if sequence > l.state.RemovedSequence+1 {
			l.state.Missing = append(l.state.Missing, &meteringv1.SequenceRange{
				First: l.state.RemovedSequence + 1, Last: sequence - 1,
			})
		}
		l.state.RemovedSequence = sequence
	}
	if excess := len(l.state.Missing) - maxMissing; excess > 0 {
		l.state.Missing = l.state.Missing[excess:]
	}
}

// neverSeen says whether a sequence up to the highest removed one is known to
// have been left out.
func (l *ledger) neverSeen(sequence uint64) bool {
	for _, missing := range l.state.Missing {
		if missing.First <= sequence && sequence <= missing.Last {
			return true
		}
	}
	return false
}
