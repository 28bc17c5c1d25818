package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func checkSetValidator(_ string, msg *registryv1.MsgSetValidator) error {
	if err := checkAddress("account", msg.Account); err != nil {
		return err
	}
	return checkRange("validator_power", msg.ValidatorPower, 0, maxPower)
}

func setValidator(ctx *module.Ctx, msg *registryv1.MsgSetValidator) error {
	account, err := inStatus(ctx.Store, "account", msg.Account,
		registryv1.Status_STATUS_ACTIVE, registryv1.Status_STATUS_FROZEN)
	if err != nil {
		return err
	}
	if !HasRole(account, registryv1.Role_ROLE_AGGREGATOR) {
		return ErrNotAggregator.With("account: expected an aggregator, got %v", protocol.Address(account.Account))
	}
	if msg.ValidatorPower == 0 {
		if err := checkNotLastValidator(ctx.Store, account); err != nil {
			return err
		}
	}
	setPower(ctx, account, msg.ValidatorPower)
	return nil
}
