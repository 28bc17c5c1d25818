package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func checkFreeze(_ string, msg *registryv1.MsgFreeze) error {
	if err := checkAddress("account", msg.Account); err != nil {
		return err
	}
	return checkReason(msg.Reason)
}

// freeze stops an account's orders and transfers; its readings are still taken
// and its confirmed matches settle (SPEC 2). A frozen aggregator still
// validates: its power is a matter of its own message.
func freeze(ctx *module.Ctx, msg *registryv1.MsgFreeze) error {
	account, err := inStatus(ctx.Store, "account", msg.Account, registryv1.Status_STATUS_ACTIVE)
	if err != nil {
		return err
	}
	setStatus(ctx, account, registryv1.Status_STATUS_FROZEN, msg.Reason)
	markStopped(ctx, account.Account)
	return nil
}
