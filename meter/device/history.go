package device

import (
	"fmt"
	"math"
	"time"
)

// Limits are what a History judges by. A zero switches a check off.
type Limits struct {
	// RatingW is the highest power of the connection in W.
	RatingW int64
	// StaleAfter is how long registers may stand still while power flows.
	StaleAfter time.Duration
	// MaxGap is the longest time between two snapshots.
	MaxGap time.Duration
}

// History judges the snapshots of one meter in the order of time. It compares
// with the last that it found Measured or after a Gap, so a meter whose
// registers went back stays so until somebody looks at it and starts a new
// History: which of the two values is right nobody can tell from here. A snapshot
// may come again and is judged as before: a meter that speaks by itself says
// something new less often than it is polled.
type History struct {
	limits Limits
	last   Snapshot
	// moved is the snapshot at which the registers last changed.
	moved Snapshot
}

// NewHistory begins a history. last is the snapshot that was signed last, as
// it was persisted; nil for a meter that is new.
func NewHistory(limits Limits, last *Snapshot) *History {
	h := &History{limits: limits}
	if last != nil {
		h.last, h.moved = *last, *last
	}
	return h
}

// Judge returns now with its Quality set to what it is beside its
// predecessors, and a *QualityError unless it is Measured. A Gap is an error
// too, of which only the time is to blame: now is remembered as the last.
func (h *History) Judge(now Snapshot) (Snapshot, error) {
	if now.Quality != Measured {
		return now, &QualityError{now.Quality, fmt.Errorf("the meter gave no value")}
	}
	if h.last.Quality != Measured {
		h.last, h.moved = now, now
		return now, nil
	}
	quality, err := h.compare(now)
	if quality == Measured || quality == Gap {
		h.last = now
		if now.ImportWh != h.moved.ImportWh || now.ExportWh != h.moved.ExportWh || idle(now) {
			h.moved = now
		}
	}
	now.Quality = quality
	if err != nil {
		return now, &QualityError{quality, err}
	}
	return now, nil
}

func (h *History) compare(now Snapshot) (Quality, error) {
	last, elapsed := h.last, now.At.Sub(h.last.At)
	switch {
	case now.Serial != last.Serial:
		return Replaced, fmt.Errorf("the meter's serial number is %q, it was %q", now.Serial, last.Serial)
	case elapsed < 0, elapsed == 0 && (now.ImportWh != last.ImportWh || now.ExportWh != last.ExportWh):
		return ClockWentBack, fmt.Errorf("the clock shows %v, it had shown %v", now.At.UTC(), last.At.UTC())
	}
	for _, r := range []struct {
		name         string
		before, here int64
	}{{"import", last.ImportWh, now.ImportWh}, {"export", last.ExportWh, now.ExportWh}} {
		moved := r.here - r.before
		most := h.most(elapsed, now.StepWh)
		switch {
		case moved < 0 && last.RolloverWh > 0 && moved+last.RolloverWh <= most && h.limits.RatingW > 0:
			return RolledOver, fmt.Errorf("the %s register began again: %d Wh after %d", r.name, r.here, r.before)
		case moved < 0:
			return WentBack, fmt.Errorf("the %s register shows %d Wh, it had shown %d", r.name, r.here, r.before)
		case moved > most:
			return Jumped, fmt.Errorf("the %s register moved by %d Wh in %v, at most %d fit the rating", r.name, moved, elapsed, most)
		}
	}
	if h.limits.MaxGap > 0 && elapsed > h.limits.MaxGap {
		return Gap, fmt.Errorf("%v since the last snapshot, at most %v", elapsed, h.limits.MaxGap)
	}
	if h.stale(now) {
		return Stale, fmt.Errorf("the registers have stood still since %v at %.0f W", h.moved.At.UTC(), now.PowerW)
	}
	return Measured, nil
}

// most is the energy in Wh that a register may move in that time: the rating
// over it, rounded up, and one step of the register.
func (h *History) most(elapsed time.Duration, stepWh int64) int64 {
	if h.limits.RatingW == 0 {
		return math.MaxInt64
	}
	return int64(math.Ceil(float64(h.limits.RatingW)*elapsed.Hours())) + stepWh
}

// stale says whether the registers should have moved by now: long enough, and
// with a power that makes several steps in that time.
func (h *History) stale(now Snapshot) bool {
	still := now.At.Sub(h.moved.At)
	if h.limits.StaleAfter == 0 || still < h.limits.StaleAfter || idle(now) {
		return false
	}
	if now.ImportWh != h.moved.ImportWh || now.ExportWh != h.moved.ExportWh {
		return false
	}
	return math.Abs(now.PowerW)*still.Hours() > 4*float64(now.StepWh)
}

// idle says whether no power flows, as far as the meter says.
func idle(s Snapshot) bool { return !s.HasPower || s.PowerW == 0 }
