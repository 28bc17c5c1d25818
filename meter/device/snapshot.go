package device

import (
	"context"
	"time"
)

// Source is one meter. Read asks it once, and gives up when ctx ends.
//
// The error is nil exactly when the snapshot's Quality is Measured. Otherwise
// Quality says what is wrong in one of the codes, the error says it in words,
// and the registers are not to be used. A Source may be read from several
// goroutines; reads on one bus follow one another.
type Source interface {
	Read(ctx context.Context) (Snapshot, error)
}

// Fitter is a Source that can tell a device of another model, whose registers mean
// something else.
type Fitter interface {
	Fits(ctx context.Context) error
}

// ReadNew reads a meter of which nobody has seen a value yet: one of another model
// than said is an error.
func ReadNew(ctx context.Context, source Source) (Snapshot, error) {
	if known, ok := source.(Fitter); ok {
		if err := known.Fits(ctx); err != nil {
			return Snapshot{Quality: QualityOf(err)}, err
		}
	}
	return source.Read(ctx)
}

// Snapshot is what a meter showed at one moment.
type Snapshot struct {
	// ImportWh and ExportWh are the cumulative registers, OBIS 1.8.0 and
	// 2.8.0, in Wh to the nearest; never negative. An inverter counts only
	// what it fed in: its ImportWh is 0.
	ImportWh, ExportWh int64
	// StepWh is the finest difference that the registers can show at this
	// height of theirs, rounded up to whole Wh, at least 1.
	StepWh int64
	// RolloverWh is the value at which the registers begin again at 0; 0 for
	// registers that never do within a meter's life.
	RolloverWh int64
	// PowerW is the active power in W, import positive, where HasPower. It is
	// telemetry and is never signed.
	PowerW   float64
	HasPower bool
	// Storage is what a battery says of itself; nil for meters without one.
	Storage *Storage
	Quality Quality
	// At is when the meter's energy registers were answered, by the gateway's
	// clock: not when the question began to wait for the bus. Without an answer
	// it is when the read ended.
	At time.Time
	// Model is the name of the device map, or "sunspec-" and the model's
	// number. Serial is the device's own number, empty where it has none that
	// can be read.
	Model, Serial string
}

// Storage is what a battery says of itself (SunSpec 124 and 802).
type Storage struct {
	CapacityWh int64 // rated energy; 0 where the device does not say
	ChargePpm  int64 // state of charge, 1000000 is full
}
