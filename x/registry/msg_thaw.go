package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func checkThaw(_ string, msg *registryv1.MsgThaw) error {
	return checkAddress("account", msg.Account)
}

func thaw(ctx *module.Ctx, msg *registryv1.MsgThaw) error {
	account, err := inStatus(ctx.Store, "account", msg.Account, registryv1.Status_STATUS_FROZEN)
	if err != nil {
		return err
	}
	setStatus(ctx, account, registryv1.Status_STATUS_ACTIVE, "thawed")
	return nil
}
