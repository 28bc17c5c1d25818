package dispatch

import (
	"google.golang.org/protobuf/types/known/emptypb"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// Limits of what is kept for an account.
const (
	maxDevices  = 8  // of an account
	maxCommands = 16 // of a device, that have not ended
)

// Tables (doc.go).
var (
	devices  = state.NewMap[dispatchv1.Device](protocol.ModuleDispatch, 1)
	owners   = state.NewMap[dispatchv1.Owner](protocol.ModuleDispatch, 2)
	carried  = state.NewMap[dispatchv1.Owner](protocol.ModuleDispatch, 3)
	fleets   = state.NewMap[dispatchv1.Owner](protocol.ModuleDispatch, 4)
	plans    = state.NewMap[dispatchv1.Plan](protocol.ModuleDispatch, 5)
	acks     = state.NewMap[dispatchv1.Acknowledgement](protocol.ModuleDispatch, 6)
	ages     = state.NewMap[emptypb.Empty](protocol.ModuleDispatch, 7)
	commands = state.NewMap[dispatchv1.Command](protocol.ModuleDispatch, 8)
	ends     = state.NewMap[emptypb.Empty](protocol.ModuleDispatch, 9)
	counter  = state.NewItem[dispatchv1.Counter](protocol.ModuleDispatch, 10)
)

func devicesOfKey(account []byte) state.Key { return devices.Key().Bytes(account) }

func deviceKey(account []byte, device string) state.Key { return devicesOfKey(account).Name(device) }

func ownerKey(device string) state.Key { return owners.Key().Name(device) }

func carriedKey(gateway []byte, device string) state.Key {
	return carried.Key().Bytes(gateway).Name(device)
}

func fleetKey(market int64, account []byte) state.Key {
	return fleets.Key().Int64(market).Bytes(account)
}

func planKey(account []byte, period int64) state.Key {
	return plans.Key().Bytes(account).Int64(period)
}

func acksOfKey(account []byte, period int64) state.Key {
	return acks.Key().Bytes(account).Int64(period)
}

func ackKey(account []byte, period int64, device string) state.Key {
	return acksOfKey(account, period).Name(device)
}

func ageKey(period int64, account []byte) state.Key { return ages.Key().Int64(period).Bytes(account) }

func commandsOfKey(account []byte, device string) state.Key {
	return commands.Key().Bytes(account).Name(device)
}

func commandKey(account []byte, device string, number int64) state.Key {
	return commandsOfKey(account, device).Int64(number)
}

func endKey(command *dispatchv1.Command) state.Key {
	return ends.Key().Int64(command.UntilPeriod).Bytes(command.Account).Name(command.Device).Int64(command.Number)
}

// Module is the module of dispatch.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "dispatch" }

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	gateway := []registryv1.Role{registryv1.Role_ROLE_GATEWAY}
	traders := []registryv1.Role{registryv1.Role_ROLE_PROSUMER, registryv1.Role_ROLE_AGGREGATOR}
	operators := append(traders[:2:2], registryv1.Role_ROLE_AUTHORITY)
	return []module.Route{
		module.Handle(module.LaneRest, traders, checkSetDevice, setDevice),
		// An owner that is no trader any more may end its consent.
		module.Handle(module.LaneRest, nil, checkRemoveDevice, removeDevice).AllowFrozen(),
		module.Handle(module.LaneRest, operators, checkCommandDevice, commandDevice).AllowFrozen(),
		module.Handle(module.LaneRest, operators, checkCancelCommand, cancelCommand).AllowFrozen(),
		module.Handle(module.LaneReadings, gateway, checkAcknowledgeDispatch, acknowledgeDispatch).AllowFrozen(),
	}
}

// deviceOf returns a device by its name, which may be any text.
func deviceOf(r state.Reader, field, name string) (*dispatchv1.Device, error) {
	if protocol.CheckName(name) == nil {
		if owner, ok := owners.Get(r, ownerKey(name)); ok {
			if device, ok := devices.Get(r, deviceKey(owner.Account, name)); ok {
				return device, nil
			}
		}
	}
	return nil, ErrUnknownDevice.With("%s: expected a device that is steered, got %q", field, name)
}

// devicesOf returns an account's devices by name, at most maxDevices.
func devicesOf(r state.Reader, account []byte) []*dispatchv1.Device {
	var found []*dispatchv1.Device
	for _, device := range devices.All(r, devicesOfKey(account)) {
		found = append(found, device)
	}
	return found
}

// presentPeriod returns the start of the period of the block.
func presentPeriod(ctx *module.Ctx) int64 { return registry.PeriodOf(ctx.Store, ctx.TimeMs) }

// oldestKept returns the oldest period of which plans and acknowledgements are
// kept: statement_retention_periods before the present one.
func oldestKept(ctx *module.Ctx) int64 {
	kept := registry.ParamsNow(ctx.Store, ctx.TimeMs).StatementRetentionPeriods
	return presentPeriod(ctx) - kept*registry.ChainOf(ctx.Store).PeriodLengthMs
}
