package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func checkRevoke(_ string, msg *registryv1.MsgRevoke) error {
	if err := checkAddress("account", msg.Account); err != nil {
		return err
	}
	return checkReason(msg.Reason)
}

// revoke ends an account for good: its keys become tombstones, an aggregator
// loses its voting power. What it owes or is owed is settled by the modules
// that hold it.
func revoke(ctx *module.Ctx, msg *registryv1.MsgRevoke) error {
	account, err := inStatus(ctx.Store, "account", msg.Account,
		registryv1.Status_STATUS_ACTIVE, registryv1.Status_STATUS_FROZEN)
	if err != nil {
		return err
	}
	if err := checkNotLastValidator(ctx.Store, account); err != nil {
		return err
	}
	account.RevokedAtMs = ctx.TimeMs
	setStatus(ctx, account, registryv1.Status_STATUS_REVOKED, msg.Reason)
	registerKeys(ctx.Store, account)
	if account.ValidatorPower > 0 {
		setPower(ctx, account, 0)
	}
	markStopped(ctx, account.Account)
	return nil
}
