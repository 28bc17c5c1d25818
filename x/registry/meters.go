package registry

import (
	"strings"

	"google.golang.org/protobuf/types/known/emptypb"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// MeterOf returns a bound meter by name; those of pending applications are not
// bound yet. The name may be any text.
func MeterOf(r state.Reader, name string) (*registryv1.Meter, bool) {
	if protocol.CheckName(name) != nil {
		return nil, false
	}
	meter, ok := meters.Get(r, meterKey(name))
	if !ok || meter.BoundAtMs == 0 {
		return nil, false
	}
	return meter, true
}

// MetersOf returns the bound meters of an account by name.
func MetersOf(r state.Reader, account protocol.Address) []*registryv1.Meter {
	var bound []*registryv1.Meter
	for _, meter := range allMetersOf(r, account[:]) {
		if meter.BoundAtMs != 0 {
			bound = append(bound, meter)
		}
	}
	return bound
}

// allMetersOf returns those of a pending application as well.
func allMetersOf(r state.Reader, account []byte) []*registryv1.Meter {
	var found []*registryv1.Meter
	prefix := accountMeters.Key().Bytes(account)
	for key := range accountMeters.All(r, prefix) {
		name := strings.TrimRight(string(key[len(prefix):]), "\x00")
		if meter, ok := meters.Get(r, meterKey(name)); ok {
			found = append(found, meter)
		}
	}
	return found
}

func meterKey(name string) state.Key { return meters.Key().Name(name) }

func saveMeter(s state.Store, meter *registryv1.Meter) {
	meters.Set(s, meterKey(meter.Meter), meter)
	accountMeters.Set(s, accountMeters.Key().Bytes(meter.Account).Name(meter.Meter), &emptypb.Empty{})
}

func deleteMeter(s state.Store, meter *registryv1.Meter) {
	meters.Delete(s, meterKey(meter.Meter))
	accountMeters.Delete(s, accountMeters.Key().Bytes(meter.Account).Name(meter.Meter))
}

// bind makes a meter readable from this block's time on.
func bind(ctx *module.Ctx, meter *registryv1.Meter) {
	meter.BoundAtMs = ctx.TimeMs
	saveMeter(ctx.Store, meter)
	ctx.Emit(&registryv1.MeterBound{Meter: meter.Meter, Account: meter.Account, Gateway: meter.Gateway})
}

// checkMeterFree refuses a name that is bound or reserved.
func checkMeterFree(r state.Reader, field, name string) error {
	if taken, ok := meters.Get(r, meterKey(name)); ok {
		return ErrMeterTaken.With("%s: expected a new meter, %s belongs to %v", field, name, protocol.Address(taken.Account))
	}
	return nil
}

// checkGateway refuses a gateway that is no gateway's account in one of the
// given statuses.
func checkGateway(r state.Reader, field string, gateway []byte, want ...registryv1.Status) error {
	account, err := inStatus(r, field, gateway, want...)
	if err != nil {
		return ErrUnknownGateway.With("%v", err)
	}
	if !HasRole(account, registryv1.Role_ROLE_GATEWAY) {
		return ErrUnknownGateway.With("%s: expected an account with the role gateway, got %v", field, protocol.Address(gateway))
	}
	return nil
}
