package metering

import (
	"fmt"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{
		{Name: "readings", Check: checkReadings},
		{Name: "boundaries", Check: checkHistories},
	}
}

// checkReadings is I4 (reliability.md): readings once, registers monotone.
func checkReadings(r state.Reader) error {
	length := registry.ChainOf(r).PeriodLengthMs
	kept := int64(0)
	for _, meter := range meters.All(r, meters.Key()) {
		if err := checkMeter(r, meter, length); err != nil {
			return fmt.Errorf("meter %q: %w", meter.Meter, err)
		}
		kept += meter.Points
	}
	for range r.Range(points.Key(), nil) {
		kept--
	}
	if kept != 0 {
		return fmt.Errorf("expected every point to be of a known meter, got %d that are not", -kept)
	}
	for _, table := range []state.Map[*meteringv1.Energy]{partial, ready} {
		for _, energy := range table.All(r, table.Key()) {
			if energy.ImportWh < 0 || energy.ExportWh < 0 {
				return fmt.Errorf("account %x, period %d: negative energy", energy.Account, energy.Period)
			}
		}
	}
	return nil
}

func checkMeter(r state.Reader, meter *meteringv1.MeterState, length int64) error {
	var count int64
	var last *meteringv1.Point
	sequence := meter.RemovedSequence
	for _, point := range points.All(r, points.Key().Name(meter.Meter)) {
		count++
		if !isSwap(point) {
			if point.Reading.Sequence <= sequence {
				return fmt.Errorf("sequence %d at %d after %d", point.Reading.Sequence, point.Reading.TimeMs, sequence)
			}
			sequence = point.Reading.Sequence
			index, ok := sequences.Get(r, sequenceKey(meter.Meter, sequence))
			if !ok || index.TimeMs != point.Reading.TimeMs {
				return fmt.Errorf("sequence %d at %d is not found by its number", sequence, point.Reading.TimeMs)
			}
		}
		if last == nil && meter.FixedUntil != 0 && point.Reading.TimeMs > meter.FixedUntil {
			return fmt.Errorf("no point at or before boundary %d", meter.FixedUntil)
		}
		if last != nil {
			from, to := running(last), running(point)
			if to.importWh < from.importWh || to.exportWh < from.exportWh {
				return fmt.Errorf("registers fall at %d", point.Reading.TimeMs)
			}
		}
		last = point
	}
	if count != meter.Points || sequence != meter.LastSequence {
		return fmt.Errorf("expected %d points up to sequence %d, got %d up to %d", meter.Points, meter.LastSequence, count, sequence)
	}
	if last != nil && last.Reading.TimeMs != max(meter.LastTimeMs, meter.SwappedMs) {
		return fmt.Errorf("expected the newest point at %d, got %d", max(meter.LastTimeMs, meter.SwappedMs), last.Reading.TimeMs)
	}
	if meter.FixedUntil%length != 0 {
		return fmt.Errorf("boundary %d is not a multiple of the period length %d", meter.FixedUntil, length)
	}
	if meter.LastPeriod != 0 && meter.LastPeriod != meter.FixedUntil-length || meter.LastImportWh < 0 || meter.LastExportWh < 0 {
		return fmt.Errorf("expected the last closed period before boundary %d and no negative energy, got %d", meter.FixedUntil, meter.LastPeriod)
	}
	if last != nil {
		if top := running(last); top.importWh < meter.ImportWh || top.exportWh < meter.ExportWh {
			return fmt.Errorf("boundary %d is above the newest registers", meter.FixedUntil)
		}
	}
	return nil
}

// checkHistories says that the boundaries that are kept never fall, corrected or
// not, and end with the one that stands in the meter's state.
func checkHistories(r state.Reader) error {
	length := registry.ChainOf(r).PeriodLengthMs
	var last *meteringv1.Boundary
	var meter string
	for _, h := range histories.All(r, histories.Key()) {
		if h.Meter != meter {
			meter, last = h.Meter, &meteringv1.Boundary{}
		}
		if err := checkHistory(h, length); err != nil {
			return fmt.Errorf("meter %q: %w", meter, err)
		}
		for i, b := range h.Boundaries {
			if b.ImportWh < last.ImportWh || b.ExportWh < last.ExportWh {
				return fmt.Errorf("meter %q: registers fall at boundary %d", meter, h.FirstMs+int64(i)*length)
			}
			last = b
		}
		known, _ := meters.Get(r, meterKey(meter))
		switch until := lastOf(h, length); {
		case until > known.GetFixedUntil():
			return fmt.Errorf("meter %q: boundary %d is not fixed", meter, until)
		case until == known.GetFixedUntil() && (last.ImportWh != known.ImportWh || last.ExportWh != known.ExportWh):
			return fmt.Errorf("meter %q: boundary %d is not the one that was fixed", meter, until)
		}
	}
	return nil
}

// checkHistory says whether a History is one by itself.
func checkHistory(h *meteringv1.History, length int64) error {
	span := historyLength * length
	if h.FirstMs <= 0 || h.FirstMs%length != 0 || len(h.Boundaries) == 0 || len(h.Boundaries) > historyLength ||
		h.FirstMs/span != lastOf(h, length)/span {
		return fmt.Errorf("expected 1 to %d boundaries of one span of %d, got %d from %d on", historyLength, span, len(h.Boundaries), h.FirstMs)
	}
	for i, b := range h.Boundaries {
		timeMs := h.FirstMs + int64(i)*length
		if min(b.ImportWh, b.ExportWh) < 0 || max(b.ImportWh, b.ExportWh) > MaxRegisterWh {
			return fmt.Errorf("boundary %d: expected registers of 0 to %d Wh, got %d and %d", timeMs, MaxRegisterWh, b.ImportWh, b.ExportWh)
		}
		if b.Corrected == nil {
			continue
		}
		if err := checkCorrected(b.Corrected); err != nil {
			return fmt.Errorf("boundary %d: corrected.%w", timeMs, err)
		}
		if b.Corrected.Meter != h.Meter || b.Corrected.TimeMs != timeMs {
			return fmt.Errorf("boundary %d: corrected by a reading of another", timeMs)
		}
	}
	return nil
}
