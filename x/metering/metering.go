package metering

import (
	"iter"
	"slices"

	"google.golang.org/protobuf/types/known/emptypb"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// Tables (doc.go).
var (
	meters    = state.NewMap[meteringv1.MeterState](protocol.ModuleMetering, 1)
	points    = state.NewMap[meteringv1.Point](protocol.ModuleMetering, 2)
	sequences = state.NewMap[meteringv1.SequenceTime](protocol.ModuleMetering, 3)
	partial   = state.NewMap[meteringv1.Energy](protocol.ModuleMetering, 4)
	ready     = state.NewMap[meteringv1.Energy](protocol.ModuleMetering, 5)
	due       = state.NewMap[emptypb.Empty](protocol.ModuleMetering, 6)

	histories   = state.NewMap[meteringv1.History](protocol.ModuleMetering, 7)
	corrections = state.NewMap[meteringv1.Correction](protocol.ModuleMetering, 8)
)

// Module is metering's part of the application.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "metering" }

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	gateway := []registryv1.Role{registryv1.Role_ROLE_GATEWAY}
	authority := []registryv1.Role{registryv1.Role_ROLE_AUTHORITY}
	return []module.Route{
		module.Handle(module.LaneReadings, gateway, checkSubmitReadings, submitReadings).AllowFrozen(),
		module.Handle(module.LaneReadings, gateway, checkCorrectReadings, correctReadings).AllowFrozen(),
		module.Handle(module.LaneRegistry, authority, checkSwapMeter, swapMeter),
	}
}

// Ready yields what all billing meters of an account measured in a period and
// settlement has not consumed yet, by period, then account.
func Ready(r state.Reader) iter.Seq[*meteringv1.Energy] {
	return func(yield func(*meteringv1.Energy) bool) {
		for _, energy := range ready.All(r, ready.Key()) {
			if !yield(energy) {
				return
			}
		}
	}
}

// Latest returns what the meters by which an account's period is settled
// measured when each last closed a period, be it settled or not. Period is the
// oldest of those. It is false if one of them has closed none, if there are none,
// or if the sum overflows.
func Latest(r state.Reader, account protocol.Address, period int64) (*meteringv1.Energy, bool) {
	sum := &meteringv1.Energy{Account: account.Bytes()}
	for _, meter := range BillingMeters(r, account, period) {
		known, _ := meters.Get(r, meterKey(meter.Meter))
		if known.GetLastPeriod() == 0 {
			return nil, false
		}
		if sum.Meters == 0 || known.LastPeriod < sum.Period {
			sum.Period = known.LastPeriod
		}
		if err := merge(sum, &meteringv1.Energy{ImportWh: known.LastImportWh, ExportWh: known.LastExportWh, Meters: 1}); err != nil {
			return nil, false
		}
	}
	return sum, sum.Meters > 0
}

// Consume removes the ready energy of an account's period.
func Consume(ctx *module.Ctx, account protocol.Address, period int64) {
	ready.Delete(ctx.Store, energyKey(ready, account[:], period))
}

// Corrections yields by how much corrected readings changed what settlement has
// consumed, by period, then account.
func Corrections(r state.Reader) iter.Seq[*meteringv1.Correction] {
	return func(yield func(*meteringv1.Correction) bool) {
		for _, correction := range corrections.All(r, corrections.Key()) {
			if !yield(correction) {
				return
			}
		}
	}
}

// ConsumeCorrection removes the correction of an account's period.
func ConsumeCorrection(ctx *module.Ctx, account protocol.Address, period int64) {
	corrections.Delete(ctx.Store, correctionKey(account[:], period))
}

// BillingMeters returns the meters by which an account's period is settled, by
// name: the billing ones that were bound by its start.
func BillingMeters(r state.Reader, account protocol.Address, period int64) []*registryv1.Meter {
	return billingAt(registry.MetersOf(r, account), period)
}

func billingAt(bound []*registryv1.Meter, period int64) []*registryv1.Meter {
	return slices.DeleteFunc(slices.Clone(bound), func(meter *registryv1.Meter) bool {
		return !meter.Billing || meter.BoundAtMs > period
	})
}

func energyKey(table state.Map[*meteringv1.Energy], account []byte, period int64) state.Key {
	return table.Key().Int64(period).Bytes(account)
}

func correctionKey(account []byte, period int64) state.Key {
	return corrections.Key().Int64(period).Bytes(account)
}

func meterKey(name string) state.Key { return meters.Key().Name(name) }

func dueKey(name string) state.Key { return due.Key().Name(name) }

// sequenceKey orders a meter's readings from the highest sequence down.
func sequenceKey(meter string, sequence uint64) state.Key {
	return sequences.Key().Name(meter).Uint64(^sequence)
}
