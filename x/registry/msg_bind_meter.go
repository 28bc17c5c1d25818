package registry

import (
	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func checkBindMeter(_ string, msg *registryv1.MsgBindMeter) error {
	if err := checkMeter("meter", msg.Meter); err != nil {
		return err
	}
	if err := checkAddress("meter.account", msg.Meter.Account); err != nil {
		return err
	}
	if msg.Meter.BoundAtMs != 0 {
		return ErrInvalidField.With("meter.bound_at_ms: expected none, the chain sets it")
	}
	return nil
}

func bindMeter(ctx *module.Ctx, msg *registryv1.MsgBindMeter) error {
	account, err := inStatus(ctx.Store, "meter.account", msg.Meter.Account, registryv1.Status_STATUS_ACTIVE)
	if err != nil {
		return err
	}
	if HasRole(account, registryv1.Role_ROLE_GATEWAY) {
		return ErrRoleConflict.With("meter.account: expected no gateway, %v is one", protocol.Address(account.Account))
	}
	if err := checkConnection("account", account, 1); err != nil {
		return err
	}
	if err := checkMeterFree(ctx.Store, "meter.meter", msg.Meter.Meter); err != nil {
		return err
	}
	if err := checkGateway(ctx.Store, "meter.gateway", msg.Meter.Gateway, registryv1.Status_STATUS_ACTIVE); err != nil {
		return err
	}
	bind(ctx, proto.Clone(msg.Meter).(*registryv1.Meter))
	return nil
}
