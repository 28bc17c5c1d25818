package metering

import (
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// Bounds of a page of boundaries.
const (
	defaultPage = 100
	maxPage     = 1000
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{
		module.Answer(queryMeterState),
		module.Answer(queryEnergy),
		module.Answer(queryBoundaries),
	}
}

// queryMeterState answers for every bound meter, with an empty state before its
// first reading.
func queryMeterState(ctx module.QueryCtx, q *meteringv1.QueryMeterStateRequest) (*meteringv1.QueryMeterStateResponse, error) {
	if _, ok := registry.MeterOf(ctx.Store, q.Meter); !ok {
		return nil, ErrUnknownMeter.With("meter: no meter %q is bound", q.Meter)
	}
	known, ok := meters.Get(ctx.Store, meterKey(q.Meter))
	if !ok {
		known = &meteringv1.MeterState{Meter: q.Meter}
	}
	answer := &meteringv1.QueryMeterStateResponse{State: known}
	for _, point := range points.All(ctx.Store, points.Key().Name(q.Meter)) {
		if !isSwap(point) {
			answer.Readings = append(answer.Readings, point.Reading)
		}
	}
	return answer, nil
}

func queryEnergy(ctx module.QueryCtx, q *meteringv1.QueryEnergyRequest) (*meteringv1.QueryEnergyResponse, error) {
	account, err := protocol.AddressFrom(q.Account)
	if err != nil {
		return nil, ErrField.With("account: %v", err)
	}
	if energy, ok := ready.Get(ctx.Store, energyKey(ready, account[:], q.Period)); ok {
		return &meteringv1.QueryEnergyResponse{Energy: energy, Ready: true}, nil
	}
	if energy, ok := partial.Get(ctx.Store, energyKey(partial, account[:], q.Period)); ok {
		return &meteringv1.QueryEnergyResponse{Energy: energy}, nil
	}
	return nil, ErrUnknownEnergy.With("period: nothing of %s is waiting for settlement in the period %s", account, units.FormatTime(q.Period))
}

func queryBoundaries(ctx module.QueryCtx, q *meteringv1.QueryBoundariesRequest) (*meteringv1.QueryBoundariesResponse, error) {
	if _, ok := registry.MeterOf(ctx.Store, q.Meter); !ok {
		return nil, ErrUnknownMeter.With("meter: no meter %q is bound", q.Meter)
	}
	if q.FromMs < 0 || q.Limit < 0 {
		return nil, ErrField.With("from_ms, limit: expected 0 or more, got %d and %d", q.FromMs, q.Limit)
	}
	limit := min(q.Limit, maxPage)
	if limit == 0 {
		limit = defaultPage
	}
	length := registry.ChainOf(ctx.Store).PeriodLengthMs
	answer := &meteringv1.QueryBoundariesResponse{}
	for _, h := range histories.From(ctx.Store, histories.Key().Name(q.Meter), historyKey(q.Meter, q.FromMs, length)) {
		for i, b := range h.Boundaries {
			timeMs := h.FirstMs + int64(i)*length
			if timeMs < q.FromMs {
				continue
			}
			if int64(len(answer.Boundaries)) == limit {
				return answer, nil
			}
			answer.Boundaries = append(answer.Boundaries, &meteringv1.BoundaryAt{TimeMs: timeMs, Version: versionOf(b), Boundary: b})
		}
	}
	return answer, nil
}
