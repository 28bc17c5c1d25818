package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func checkReject(_ string, msg *registryv1.MsgReject) error {
	return checkAddress("account", msg.Account)
}

// reject removes an application without a trace in state, so that it can be
// made again.
func reject(ctx *module.Ctx, msg *registryv1.MsgReject) error {
	account, err := inStatus(ctx.Store, "account", msg.Account, registryv1.Status_STATUS_PENDING)
	if err != nil {
		return err
	}
	for _, meter := range allMetersOf(ctx.Store, account.Account) {
		deleteMeter(ctx.Store, meter)
	}
	accounts.Delete(ctx.Store, accountKey(account.Account))
	ctx.Emit(&registryv1.Rejected{Account: account.Account})
	return nil
}
