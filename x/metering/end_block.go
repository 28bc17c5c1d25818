package metering

import (
	"strings"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// MaxBoundaries is how many boundaries a block fixes.
const MaxBoundaries = 20_000

// EndBlock implements module.EndBlocker: it fixes the boundaries that readings
// have passed.
func (Module) EndBlock(ctx *module.Ctx) error {
	fixDue(ctx, MaxBoundaries)
	return nil
}

// fixDue fixes at most budget boundaries. What a meter leaves of its share goes
// to those after it. A meter that fails is left alone until its next reading.
func fixDue(ctx *module.Ctx, budget int) {
	waiting := dueMeters(ctx.Store)
	for i, name := range waiting {
		if budget == 0 {
			return
		}
		share := max(1, budget/(len(waiting)-i))
		err := ctx.Atomic(func(ctx *module.Ctx) error {
			fixed, err := fixMeter(ctx, name, share)
			budget -= fixed
			return err
		})
		if err != nil {
			due.Delete(ctx.Store, dueKey(name))
			ctx.Emit(&meteringv1.BoundaryFailed{Meter: name, Reason: err.Error()})
		}
	}
}

// dueMeters returns the names of the meters that have boundaries to fix.
func dueMeters(r state.Reader) []string {
	var names []string
	for key := range due.All(r, due.Key()) {
		names = append(names, strings.TrimRight(string(key[len(due.Key()):]), "\x00"))
	}
	return names
}

// fixMeter fixes at most limit boundaries of one meter, oldest first, and
// returns how many it fixed.
func fixMeter(ctx *module.Ctx, name string, limit int) (int, error) {
	l := openLedger(ctx.Store, name)
	var kept []*meteringv1.Point
	for _, point := range points.All(ctx.Store, points.Key().Name(name)) {
		kept = append(kept, point)
	}
	if len(kept) == 0 {
		due.Delete(ctx.Store, dueKey(name))
		return 0, nil
	}
	length := registry.ChainOf(ctx.Store).PeriodLengthMs
	correctable := keptFrom(ctx)
	account := accountOf(ctx.Store, name)
	next := l.state.FixedUntil + length
	if l.state.FixedUntil == 0 {
		next = boundaryAfter(kept[0].Reading.TimeMs, length)
	}
	newestMs := kept[len(kept)-1].Reading.TimeMs
	fixed, at := 0, 0
	for ; next <= newestMs && fixed < limit; next += length {
		for kept[at].Reading.TimeMs < next {
			at++
		}
		if err := fixBoundary(ctx, l.state, account, next, length, kept[max(at-1, 0)], kept[at]); err != nil {
			return fixed, err
		}
		remember(ctx.Store, l.state, length, correctable)
		fixed++
	}
	forget(ctx.Store, name, length, correctable)
	l.remove(kept[:passed(kept, l.state.FixedUntil)])
	meters.Set(ctx.Store, meterKey(name), l.state)
	if next > newestMs {
		due.Delete(ctx.Store, dueKey(name))
	}
	return fixed, nil
}

// boundaryAfter returns the first boundary at or after a time.
func boundaryAfter(timeMs, length int64) int64 { return (timeMs + length - 1) / length * length }

// passed returns how many points no boundary after fixedUntil needs: those
// before the latest one at or before it.
func passed(kept []*meteringv1.Point, fixedUntil int64) int {
	for i := len(kept) - 1; i > 0; i-- {
		if kept[i].Reading.TimeMs <= fixedUntil {
			return i
		}
	}
	return 0
}

// fixBoundary fixes the registers at a boundary, between the points before and
// after it or at the latter, and closes the period that ends there.
func fixBoundary(ctx *module.Ctx, meter *meteringv1.MeterState, account billed, boundary, length int64, before, after *meteringv1.Point) error {
	now, estimated, err := registersAt(boundary, length, before, after)
	if err != nil {
		return err
	}
	now.importWh = max(now.importWh, meter.ImportWh)
	now.exportWh = max(now.exportWh, meter.ExportWh)
	if meter.FixedUntil != 0 {
		closed := &meteringv1.Energy{
			Period:    meter.FixedUntil,
			ImportWh:  now.importWh - meter.ImportWh,
			ExportWh:  now.exportWh - meter.ExportWh,
			Estimated: estimated || meter.Estimated,
		}
		meter.LastPeriod, meter.LastImportWh, meter.LastExportWh = closed.Period, closed.ImportWh, closed.ExportWh
		if err := account.close(ctx, meter.Meter, closed); err != nil {
			return err
		}
	}
	meter.FixedUntil, meter.Estimated = boundary, estimated
	meter.ImportWh, meter.ExportWh = now.importWh, now.exportWh
	ctx.Emit(&meteringv1.BoundaryFixed{
		Meter:     meter.Meter,
		TimeMs:    boundary,
		ImportWh:  now.importWh,
		ExportWh:  now.exportWh,
		Estimated: estimated,
	})
	return nil
}

// registersAt draws the running registers at a boundary (doc.go).
func registersAt(boundary, length int64, before, after *meteringv1.Point) (registers, bool, error) {
	if after.Reading.TimeMs == boundary {
		return running(after), !measured(after), nil
	}
	from, to := running(before), running(after)
	elapsed := boundary - before.Reading.TimeMs
	gap := after.Reading.TimeMs - before.Reading.TimeMs
	importWh, err := units.MulDiv(to.importWh-from.importWh, elapsed, gap)
	if err != nil {
		return registers{}, false, err
	}
	exportWh, err := units.MulDiv(to.exportWh-from.exportWh, elapsed, gap)
	if err != nil {
		return registers{}, false, err
	}
	estimated := gap > length || !measured(before) || !measured(after)
	return registers{from.importWh + importWh, from.exportWh + exportWh}, estimated, nil
}

func measured(point *meteringv1.Point) bool {
	return point.Reading.Quality == meteringv1.Quality_QUALITY_MEASURED
}

// billed is the account of a meter and all meters bound to it.
type billed struct {
	account []byte
	bound   []*registryv1.Meter
}

func accountOf(r state.Reader, meter string) billed {
	found, ok := registry.MeterOf(r, meter)
	if !ok {
		return billed{}
	}
	return billed{found.Account, registry.MetersOf(r, protocol.Address(found.Account))}
}

// close counts one meter's energy in; with the last of the account's billing
// meters the period is ready. Other meters do not count.
func (b billed) close(ctx *module.Ctx, meter string, measured *meteringv1.Energy) error {
	billing := billingAt(b.bound, measured.Period)
	counts := false
	for _, m := range billing {
		if m.Meter == meter {
			counts, measured.StepWh = true, m.StepWh
		}
	}
	if !counts {
		return nil
	}
	measured.Account, measured.Meters = b.account, 1
	key := energyKey(partial, b.account, measured.Period)
	if others, ok := partial.Get(ctx.Store, key); ok {
		if err := merge(measured, others); err != nil {
			return err
		}
	}
	if measured.Meters < int64(len(billing)) {
		partial.Set(ctx.Store, key, measured)
		return nil
	}
	partial.Delete(ctx.Store, key)
	ready.Set(ctx.Store, energyKey(ready, b.account, measured.Period), measured)
	return nil
}

// merge adds what other meters measured.
func merge(sum, others *meteringv1.Energy) (err error) {
	if sum.ImportWh, err = units.Add(sum.ImportWh, others.ImportWh); err != nil {
		return err
	}
	if sum.ExportWh, err = units.Add(sum.ExportWh, others.ExportWh); err != nil {
		return err
	}
	sum.Estimated = sum.Estimated || others.Estimated
	sum.StepWh = max(sum.StepWh, others.StepWh)
	sum.Meters += others.Meters
	return nil
}
