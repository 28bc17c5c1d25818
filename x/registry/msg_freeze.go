package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
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
	account, err := freezable(ctx.Store, msg.Account)
	if err != nil {
		return err
	}
	setStatus(ctx, account, registryv1.Status_STATUS_FROZEN, msg.Reason)
	markStopped(ctx, account.Account)
	return nil
}

// freezable returns an account that the authority may freeze: an active one, or
// one that the chain froze by itself, which then is the authority's to thaw.
func freezable(r state.Reader, address []byte) (*registryv1.Account, error) {
	account, ok := accounts.Get(r, accountKey(address))
	if ok && account.FreezeCause != registryv1.FreezeCause_FREEZE_CAUSE_UNSPECIFIED {
		return account, nil
	}
	return inStatus(r, "account", address, registryv1.Status_STATUS_ACTIVE)
}

// FreezeFor freezes an active account for a cause of the chain's own, and says
// whether it was active. It is one of StoppedThisBlock: a hook that freezes after
// matching's has to cancel the orders of those that it froze.
func FreezeFor(ctx *module.Ctx, address protocol.Address, cause registryv1.FreezeCause, reason string) bool {
	account, ok := AccountOf(ctx.Store, address)
	if !ok || account.Status != registryv1.Status_STATUS_ACTIVE {
		return false
	}
	account.FreezeCause = cause
	changeStatus(ctx, account, registryv1.Status_STATUS_FROZEN, reason)
	markStopped(ctx, account.Account)
	return true
}

// ThawFrom thaws an account that is frozen for the cause, and no other.
func ThawFrom(ctx *module.Ctx, address protocol.Address, cause registryv1.FreezeCause, reason string) {
	if FrozenFor(ctx.Store, address, cause) {
		account, _ := AccountOf(ctx.Store, address)
		setStatus(ctx, account, registryv1.Status_STATUS_ACTIVE, reason)
	}
}

// FrozenFor says whether an account is frozen for a cause of the chain's own.
func FrozenFor(r state.Reader, address protocol.Address, cause registryv1.FreezeCause) bool {
	account, ok := AccountOf(r, address)
	return ok && account.Status == registryv1.Status_STATUS_FROZEN && account.FreezeCause == cause
}
