package metering

import (
	"cmp"
	"fmt"
	"strings"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

// MaxCorrections is how many corrected readings a message may carry.
const MaxCorrections = 100

func checkCorrectReadings(chainID string, msg *meteringv1.MsgCorrectReadings) error {
	if len(msg.GatewayKey) != protocol.KeySize {
		return ErrField.With("gateway_key: expected a key of %d bytes, got %d", protocol.KeySize, len(msg.GatewayKey))
	}
	if len(msg.Readings) == 0 || len(msg.Readings) > MaxCorrections {
		return ErrField.With("readings: expected 1 to %d, got %d", MaxCorrections, len(msg.Readings))
	}
	for i, reading := range msg.Readings {
		if err := checkCorrected(reading); err != nil {
			return ErrField.With("readings[%d].%v", i, err)
		}
		if len(reading.Signature) != protocol.SignatureSize {
			return ErrField.With("readings[%d].signature: expected %d bytes, got %d", i, protocol.SignatureSize, len(reading.Signature))
		}
		if i > 0 && !follows(msg.Readings[i-1], reading) {
			return ErrField.With("readings[%d].time_ms: expected the readings by meter and time, each boundary once", i)
		}
	}
	return checkSignatures(chainID, msg.GatewayKey, msg.Readings)
}

// checkCorrected says which field of a corrected reading is wrong.
func checkCorrected(reading *meteringv1.Reading) error {
	if err := protocol.CheckName(reading.GetMeter()); err != nil {
		return fmt.Errorf("meter: %w", err)
	}
	switch {
	case reading.Sequence != 0:
		return fmt.Errorf("sequence: expected 0 in a correction, got %d", reading.Sequence)
	case reading.Version < 2:
		return fmt.Errorf("version: expected 2 or more, got %d", reading.Version)
	case reading.Quality != meteringv1.Quality_QUALITY_CORRECTED:
		return fmt.Errorf("quality: expected corrected, got %d", reading.Quality)
	}
	return checkContent(reading)
}

// follows says whether b is behind a in a message: they are in order of their
// meters and times.
func follows(a, b *meteringv1.Reading) bool {
	return cmp.Or(strings.Compare(a.Meter, b.Meter), cmp.Compare(a.TimeMs, b.TimeMs)) < 0
}

// correctReadings replaces boundaries; one that is refused fails the message.
// All that it corrects of a meter is judged together.
func correctReadings(ctx *module.Ctx, msg *meteringv1.MsgCorrectReadings) error {
	if err := checkGatewayKey(ctx, msg.GatewayKey); err != nil {
		return err
	}
	for first := 0; first < len(msg.Readings); {
		last := first
		for last < len(msg.Readings) && msg.Readings[last].Meter == msg.Readings[first].Meter {
			last++
		}
		if err := correctMeter(ctx, msg.Readings[first:last], first); err != nil {
			return err
		}
		first = last
	}
	return nil
}

// correctMeter corrects boundaries of one meter. place is that of the first
// reading in the message.
func correctMeter(ctx *module.Ctx, readings []*meteringv1.Reading, place int) error {
	at := func(i int, err error) error {
		return fmt.Errorf("readings[%d] of meter %q: %w", place+i, readings[i].Meter, err)
	}
	in, err := openIntake(ctx, ctx.Signer.Address(), readings[0].Meter)
	if err != nil {
		return at(0, err)
	}
	if !in.meter.Billing {
		return at(0, ErrNotBilling.With("meter: expected a billing meter, %q is none", in.meter.Meter))
	}
	correctable := keptFrom(ctx)
	for i, reading := range readings {
		if err := in.correct(ctx, reading, correctable); err != nil {
			return at(i, err)
		}
	}
	for i, reading := range readings {
		if err := in.fitsBeside(reading.TimeMs); err != nil {
			return at(i, err)
		}
	}
	if in.changed {
		meters.Set(ctx.Store, meterKey(in.state.Meter), in.state)
	}
	return nil
}

// correct replaces a boundary and moves the energy between the periods beside it.
func (in *intake) correct(ctx *module.Ctx, reading *meteringv1.Reading, correctable int64) error {
	before, err := in.correctable(reading, correctable)
	if err != nil {
		return err
	}
	counted, err := runningOf(reading.ImportWh, reading.ExportWh, offsetOf(in.newest()))
	if err != nil {
		return err
	}
	setBoundary(ctx.Store, reading.Meter, reading.TimeMs, in.periodLength, &meteringv1.Boundary{
		ImportWh: counted.importWh, ExportWh: counted.exportWh, Estimated: before.Estimated, Corrected: reading,
	})
	more := registers{counted.importWh - before.ImportWh, counted.exportWh - before.ExportWh}
	less := registers{-more.importWh, -more.exportWh}
	changeEnergy(ctx.Store, in.meter.Account, reading.TimeMs-in.periodLength, more)
	changeEnergy(ctx.Store, in.meter.Account, reading.TimeMs, less)
	if in.state.LastPeriod == reading.TimeMs {
		in.state.LastImportWh += less.importWh
		in.state.LastExportWh += less.exportWh
		in.changed = true
	}
	ctx.Emit(&meteringv1.BoundaryCorrected{
		Meter: reading.Meter, TimeMs: reading.TimeMs, Version: reading.Version,
		ImportWh: counted.importWh, ExportWh: counted.exportWh, WasImportWh: before.ImportWh, WasExportWh: before.ExportWh,
	})
	return nil
}

// correctable returns the boundary that a reading corrects, if it may.
func (in *intake) correctable(reading *meteringv1.Reading, keptFrom int64) (*meteringv1.Boundary, error) {
	timeMs := reading.TimeMs
	written := units.FormatTime(timeMs)
	switch {
	case timeMs%in.periodLength != 0 || timeMs > in.state.FixedUntil:
		return nil, ErrUnknownBoundary.With("time_ms: expected a boundary between periods up to %s, got %s", units.FormatTime(in.state.FixedUntil), written)
	case timeMs == in.state.FixedUntil:
		return nil, ErrNewestBoundary.With("time_ms: expected a boundary before the newest one, got %s; it can be corrected when the next one is fixed", written)
	case timeMs <= in.state.SwappedMs:
		return nil, ErrSwapped.With("time_ms: expected a boundary after the swap of %s, got %s", units.FormatTime(in.state.SwappedMs), written)
	case timeMs-in.periodLength < in.meter.BoundAtMs:
		return nil, ErrBeforeBinding.With("time_ms: expected a boundary a period or more after %s, when the meter was bound, got %s", units.FormatTime(in.meter.BoundAtMs), written)
	case keptFrom == never:
		return nil, ErrRetention.With("time_ms: expected no correction: the parameters allow none")
	case timeMs < keptFrom:
		return nil, ErrRetention.With("time_ms: expected %s or later, got %s", units.FormatTime(keptFrom), written)
	}
	known := in.boundary(timeMs)
	if known == nil || in.boundary(timeMs-in.periodLength) == nil {
		return nil, ErrRetention.With("time_ms: expected a boundary that is kept with the one before it, got %s", written)
	}
	if next := versionOf(known) + 1; reading.Version != next {
		return nil, ErrVersion.With("version: expected %d, the next one of the boundary, got %d", next, reading.Version)
	}
	return known, nil
}

// boundary returns a boundary of the meter that is kept, nil if it is not.
func (in *intake) boundary(timeMs int64) *meteringv1.Boundary {
	return boundaryAt(in.store, in.state.Meter, timeMs, in.periodLength)
}

// fitsBeside refuses a boundary that does not fit those beside it.
func (in *intake) fitsBeside(timeMs int64) error {
	var beside [3]*meteringv1.Point
	for i := range beside {
		at := timeMs + int64(i-1)*in.periodLength
		b := in.boundary(at)
		if b == nil {
			return ErrRetention.With("time_ms: expected a boundary between two that are kept, got %s", units.FormatTime(timeMs))
		}
		beside[i] = &meteringv1.Point{Reading: &meteringv1.Reading{TimeMs: at, ImportWh: b.ImportWh, ExportWh: b.ExportWh}}
	}
	if err := in.fits(beside[0], beside[1]); err != nil {
		return err
	}
	return in.fits(beside[1], beside[2])
}

// changeEnergy changes an account's energy of a period where it is: what waits for
// settlement is changed itself, what settlement took becomes a correction.
func changeEnergy(s state.Store, account []byte, period int64, by registers) {
	for _, table := range []state.Map[*meteringv1.Energy]{partial, ready} {
		key := energyKey(table, account, period)
		if energy, ok := table.Get(s, key); ok {
			energy.ImportWh += by.importWh
			energy.ExportWh += by.exportWh
			table.Set(s, key, energy)
			return
		}
	}
	key := correctionKey(account, period)
	correction, ok := corrections.Get(s, key)
	if !ok {
		correction = &meteringv1.Correction{Account: account, Period: period}
	}
	correction.ImportWh += by.importWh
	correction.ExportWh += by.exportWh
	if correction.ImportWh == 0 && correction.ExportWh == 0 {
		corrections.Delete(s, key)
		return
	}
	corrections.Set(s, key, correction)
}
