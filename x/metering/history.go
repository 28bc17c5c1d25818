package metering

import (
	"math"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// historyLength is how many boundaries a History spans: a row for each would
// double the number of rows that a period leaves in state, one row for all would
// be written anew with every boundary.
const historyLength = 32

// never is a time that no boundary reaches.
const never = math.MaxInt64

// keptFrom returns from when on boundaries may be corrected by the present
// parameters; never if none may.
func keptFrom(ctx *module.Ctx) int64 {
	periods := registry.ParamsNow(ctx.Store, ctx.TimeMs).CorrectionRetentionPeriods
	if periods == 0 {
		return never
	}
	return registry.PeriodOf(ctx.Store, ctx.TimeMs) - periods*registry.ChainOf(ctx.Store).PeriodLengthMs
}

// historyKey is that of the History that spans a boundary.
func historyKey(meter string, boundary, length int64) state.Key {
	return histories.Key().Name(meter).Int64(boundary - boundary%(historyLength*length))
}

// lastOf is when the last boundary of a History was.
func lastOf(h *meteringv1.History, length int64) int64 {
	return h.FirstMs + int64(len(h.Boundaries)-1)*length
}

// remember keeps a meter's newest boundary, and from the one before the first
// that may be corrected on.
func remember(s state.Store, meter *meteringv1.MeterState, length, correctable int64) {
	if correctable == never || meter.FixedUntil < correctable-length {
		return
	}
	key := historyKey(meter.Meter, meter.FixedUntil, length)
	h, ok := histories.Get(s, key)
	if !ok || lastOf(h, length) != meter.FixedUntil-length {
		h = &meteringv1.History{Meter: meter.Meter, FirstMs: meter.FixedUntil}
	}
	h.Boundaries = append(h.Boundaries, &meteringv1.Boundary{
		ImportWh: meter.ImportWh, ExportWh: meter.ExportWh, Estimated: meter.Estimated,
	})
	histories.Set(s, key, h)
}

// forget removes what no correction needs any more: what lies before the
// boundary beside the first one that may be corrected.
func forget(s state.Store, meter string, length, correctable int64) {
	for key, h := range histories.All(s, histories.Key().Name(meter)) {
		if correctable != never && lastOf(h, length) >= correctable-length {
			return
		}
		histories.Delete(s, key)
	}
}

// boundaryAt returns a boundary of a meter that is kept, nil if it is not.
func boundaryAt(r state.Reader, meter string, boundary, length int64) *meteringv1.Boundary {
	h, ok := histories.Get(r, historyKey(meter, boundary, length))
	if !ok || boundary < h.FirstMs || boundary > lastOf(h, length) {
		return nil
	}
	return h.Boundaries[(boundary-h.FirstMs)/length]
}

// setBoundary replaces a boundary that is kept.
func setBoundary(s state.Store, meter string, boundary, length int64, b *meteringv1.Boundary) {
	key := historyKey(meter, boundary, length)
	h, _ := histories.Get(s, key)
	h.Boundaries[(boundary-h.FirstMs)/length] = b
	histories.Set(s, key, h)
}

// versionOf is 1 until a boundary is corrected.
func versionOf(b *meteringv1.Boundary) int64 { return max(1, b.GetCorrected().GetVersion()) }
