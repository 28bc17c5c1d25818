package metering

import (
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{
		module.Answer(queryMeterState),
		module.Answer(queryEnergy),
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
