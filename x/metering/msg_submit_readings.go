package metering

import (
	"bytes"
	"fmt"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// MaxReadings is how many readings a message may carry.
const MaxReadings = 1000

func checkSubmitReadings(chainID string, msg *meteringv1.MsgSubmitReadings) error {
	if len(msg.GatewayKey) != protocol.KeySize {
		return ErrField.With("gateway_key: expected a key of %d bytes, got %d", protocol.KeySize, len(msg.GatewayKey))
	}
	if len(msg.Readings) == 0 || len(msg.Readings) > MaxReadings {
		return ErrField.With("readings: expected 1 to %d, got %d", MaxReadings, len(msg.Readings))
	}
	for i, reading := range msg.Readings {
		if err := checkReading(reading); err != nil {
			return ErrField.With("readings[%d].%v", i, err)
		}
		if len(reading.Signature) != protocol.SignatureSize {
			return ErrField.With("readings[%d].signature: expected %d bytes, got %d", i, protocol.SignatureSize, len(reading.Signature))
		}
	}
	return checkSignatures(chainID, msg.GatewayKey, msg.Readings)
}

// checkReading says which field is wrong; the caller adds the code and the
// place.
func checkReading(reading *meteringv1.Reading) error {
	if err := protocol.CheckName(reading.GetMeter()); err != nil {
		return fmt.Errorf("meter: %w", err)
	}
	if reading.Sequence == 0 {
		return fmt.Errorf("sequence: expected 1 or more, got 0")
	}
	if reading.Version != 0 {
		return fmt.Errorf("version: expected 0 in a reading that corrects nothing, got %d", reading.Version)
	}
	if reading.Quality < meteringv1.Quality_QUALITY_MEASURED || reading.Quality > meteringv1.Quality_QUALITY_CORRECTED {
		return fmt.Errorf("quality: expected measured, estimated, substituted or corrected, got %d", reading.Quality)
	}
	return checkContent(reading)
}

// checkContent checks what every reading has.
func checkContent(reading *meteringv1.Reading) error {
	if len(reading.ProtoReflect().GetUnknown()) > 0 {
		return fmt.Errorf("meter: expected no unknown fields beside it")
	}
	if err := checkRange("time_ms", reading.TimeMs, 1, maxTimeMs, units.FormatTime); err != nil {
		return err
	}
	if err := checkRange("import_wh", reading.ImportWh, 0, MaxRegisterWh, units.FormatKWh); err != nil {
		return err
	}
	return checkRange("export_wh", reading.ExportWh, 0, MaxRegisterWh, units.FormatKWh)
}

// checkRange writes the values as format does, for people.
func checkRange(field string, value, low, high int64, format func(int64) string) error {
	if value < low || value > high {
		return fmt.Errorf("%s: expected %s to %s, got %s", field, format(low), format(high), format(value))
	}
	return nil
}

// submitReadings keeps the readings that are new; one that is refused fails the
// message.
func submitReadings(ctx *module.Ctx, msg *meteringv1.MsgSubmitReadings) error {
	gateway := ctx.Signer.Address()
	if err := checkGatewayKey(ctx, msg.GatewayKey); err != nil {
		return err
	}
	var in *intake
	for i, reading := range msg.Readings {
		if in == nil || in.state.Meter != reading.Meter {
			in.close()
			next, err := openIntake(ctx, gateway, reading.Meter)
			if err != nil {
				return fmt.Errorf("readings[%d]: %w", i, err)
			}
			in = next
		}
		if err := in.accept(ctx, reading); err != nil {
			return fmt.Errorf("readings[%d] of meter %q: %w", i, reading.Meter, err)
		}
	}
	in.close()
	return nil
}

// checkGatewayKey wants a key of the sender.
func checkGatewayKey(ctx *module.Ctx, key []byte) error {
	gateway := ctx.Signer.Address()
	owner, ok := registry.OwnerOf(ctx.Store, key)
	if !ok || owner.Removed || !bytes.Equal(owner.Account, gateway[:]) {
		return ErrGatewayKey.With("gateway_key: expected a key of the sender %s, got %x", gateway, key)
	}
	return nil
}

// intake takes in readings of one meter.
type intake struct {
	*ledger
	meter        *registryv1.Meter
	ratingW      int64
	periodLength int64
	nowMs        int64
	// latestMs is the latest time a reading may have.
	latestMs int64
}

func openIntake(ctx *module.Ctx, gateway protocol.Address, name string) (*intake, error) {
	meter, ok := registry.MeterOf(ctx.Store, name)
	if !ok {
		return nil, ErrUnknownMeter.With("meter: no meter %q is bound", name)
	}
	if !bytes.Equal(meter.Gateway, gateway[:]) {
		return nil, ErrWrongGateway.With("meter: expected %q to be bound to the sender, not to %s", name, protocol.Address(meter.Gateway))
	}
	account, ok := registry.AccountOf(ctx.Store, protocol.Address(meter.Account))
	if !ok {
		return nil, ErrUnknownMeter.With("meter: %q belongs to no account", name)
	}
	return &intake{
		ledger:       openLedger(ctx.Store, name),
		meter:        meter,
		ratingW:      account.ConnectionRatingW,
		periodLength: registry.ChainOf(ctx.Store).PeriodLengthMs,
		nowMs:        ctx.TimeMs,
		latestMs:     ctx.TimeMs + registry.ParamsNow(ctx.Store, ctx.TimeMs).MaxFutureMs,
	}, nil
}

// close saves; there is nothing to save before the first meter.
func (in *intake) close() {
	if in != nil {
		in.save(in.periodLength)
	}
}

// accept keeps a reading, or does nothing with one that was seen before.
func (in *intake) accept(ctx *module.Ctx, reading *meteringv1.Reading) error {
	seen, err := in.seen(reading)
	if seen || err != nil {
		return err
	}
	if err := in.timely(reading); err != nil {
		return err
	}
	before, after, err := in.neighbours(reading)
	if err != nil {
		return err
	}
	offset := offsetOf(before)
	if _, err := runningOf(reading.ImportWh, reading.ExportWh, offset); err != nil {
		return err
	}
	point := &meteringv1.Point{Reading: reading, ImportOffsetWh: offset.importWh, ExportOffsetWh: offset.exportWh}
	if err := in.fits(before, point); err != nil {
		return err
	}
	if err := in.fits(point, after); err != nil {
		return err
	}
	in.add(point)
	ctx.Emit(&meteringv1.ReadingAccepted{
		Meter:    reading.Meter,
		Account:  in.meter.Account,
		Sequence: reading.Sequence,
		TimeMs:   reading.TimeMs,
		ImportWh: reading.ImportWh,
		ExportWh: reading.ExportWh,
	})
	return nil
}

// seen says whether a reading with that sequence was accepted before (doc.go).
func (in *intake) seen(reading *meteringv1.Reading) (bool, error) {
	if reading.Sequence > in.state.RemovedSequence {
		kept := in.bySequence(reading.Sequence)
		if kept != nil && !sameContent(kept.Reading, reading) {
			return false, ErrConflicting.With("sequence: another reading has %d", reading.Sequence)
		}
		return kept != nil, nil
	}
	if reading.TimeMs > in.state.FixedUntil {
		return false, ErrConflicting.With("sequence: expected more than %d, which was read at or before %d, got %d", in.state.RemovedSequence, in.state.FixedUntil, reading.Sequence)
	}
	return !in.neverSeen(reading.Sequence), nil
}

// sameContent compares but for the signature: a gateway may sign again.
func sameContent(a, b *meteringv1.Reading) bool {
	return a.Sequence == b.Sequence && a.TimeMs == b.TimeMs &&
		a.ImportWh == b.ImportWh && a.ExportWh == b.ExportWh && a.Quality == b.Quality
}

// timely refuses readings of the future, those behind the last fixed boundary
// or long before the meter was bound, and those for which there is no room.
func (in *intake) timely(reading *meteringv1.Reading) error {
	if reading.TimeMs > in.latestMs {
		return ErrFuture.With("time_ms: expected at most %s, got %s", units.FormatTime(in.latestMs), units.FormatTime(reading.TimeMs))
	}
	if reading.TimeMs <= in.state.FixedUntil {
		return ErrTooLate.With("time_ms: expected more than %s, the last fixed boundary, got %s",
			units.FormatTime(in.state.FixedUntil), units.FormatTime(reading.TimeMs))
	}
	if reading.TimeMs < in.earliestMs() {
		return ErrTooLate.With("time_ms: expected at least %s of a meter bound at %s, got %s",
			units.FormatTime(in.earliestMs()), units.FormatTime(in.meter.BoundAtMs), units.FormatTime(reading.TimeMs))
	}
	if in.state.Points >= MaxPoints && !in.endsPeriod(reading) {
		return ErrTooMany.With("time_ms: %d readings are kept, expected the next one in another period", in.state.Points)
	}
	return nil
}

// earliestMs is from when on readings of the meter count: a period before it was
// bound, and a month before now until its first boundary is fixed. A clock that
// began at 1970 would close half a century otherwise.
func (in *intake) earliestMs() int64 {
	earliest := in.meter.BoundAtMs - in.periodLength
	if in.state.FixedUntil == 0 {
		earliest = max(earliest, in.nowMs-maxFirstAgeMs)
	}
	return earliest
}

// endsPeriod says whether a boundary can be fixed with the reading but not
// without it: then there will be room.
func (in *intake) endsPeriod(reading *meteringv1.Reading) bool {
	next := in.state.FixedUntil + in.periodLength
	if in.state.FixedUntil == 0 {
		for _, first := range points.All(in.store, points.Key().Name(in.state.Meter)) {
			next = boundaryAfter(first.Reading.TimeMs, in.periodLength)
			break
		}
	}
	return max(in.state.LastTimeMs, in.state.SwappedMs) < next && next <= reading.TimeMs
}

// fits refuses registers that fall from one point to the next or grow by more
// than the connection can carry. Either may be absent.
func (in *intake) fits(before, after *meteringv1.Point) error {
	if before == nil || after == nil {
		return nil
	}
	elapsed := after.Reading.TimeMs - before.Reading.TimeMs
	limit := greatestEnergy(in.ratingW, elapsed, in.meter.StepWh)
	from, to := running(before), running(after)
	for _, register := range []struct {
		field    string
		from, to int64
	}{
		{"import_wh", from.importWh, to.importWh},
		{"export_wh", from.exportWh, to.exportWh},
	} {
		switch grown := register.to - register.from; {
		case grown < 0:
			return ErrRegisterBack.With("%s: expected a register that never falls, falls by %s between %s and %s", register.field, units.FormatKWh(-grown),
				units.FormatTime(before.Reading.TimeMs), units.FormatTime(after.Reading.TimeMs))
		case grown > limit:
			return ErrImplausible.With("%s: grows by %s between %s and %s, expected at most %s at %s", register.field, units.FormatKWh(grown),
				units.FormatTime(before.Reading.TimeMs), units.FormatTime(after.Reading.TimeMs), units.FormatKWh(limit), units.FormatPower(in.ratingW))
		}
	}
	return nil
}

// greatestEnergy is ceil(rating x time) + step in Wh: what a register can grow
// by at most.
func greatestEnergy(ratingW, elapsedMs, stepWh int64) int64 {
	const msPerHour = 3_600_000
	energy, err := units.MulDiv(ratingW, elapsedMs, msPerHour)
	if err != nil || energy > MaxRegisterWh {
		return MaxRegisterWh
	}
	if (ratingW%msPerHour)*(elapsedMs%msPerHour)%msPerHour != 0 {
		energy++
	}
	return energy + stepWh
}
