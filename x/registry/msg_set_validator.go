package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func checkSetValidator(_ string, msg *registryv1.MsgSetValidator) error {
	if err := checkAddress("account", msg.Account); err != nil {
		return err
	}
	return checkRange("validator_power", msg.ValidatorPower, 0, maxPower)
}

func setValidator(ctx *module.Ctx, msg *registryv1.MsgSetValidator) error {
	account, err := approvedAggregator(ctx.Store, msg.Account)
	if err != nil {
		return err
	}
	if msg.ValidatorPower == 0 {
		if err := checkNotLastValidator(ctx.Store, account); err != nil {
			return err
		}
	}
	setPower(ctx, account, msg.ValidatorPower)
	return nil
}
