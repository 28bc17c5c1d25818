package registry

import (
	"google.golang.org/protobuf/types/known/emptypb"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

func checkRevoke(_ string, msg *registryv1.MsgRevoke) error {
	if err := checkAddress("account", msg.Account); err != nil {
		return err
	}
	return checkReason(msg.Reason)
}

// revoke ends an account for good: its keys become tombstones, an aggregator
// loses its voting power and its endpoints, a gateway its settings. What it owes or is owed is settled by the modules
// that hold it; once it owes nothing more, settlement closes it.
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
	endpoints.Delete(ctx.Store, endpointsKey(account.Account))
	gatewaySettings.Delete(ctx.Store, gatewayKey(account.Account))
	if account.ValidatorPower > 0 {
		setPower(ctx, account, 0)
	}
	markStopped(ctx, account.Account)
	noteClosing(ctx.Store, account)
	return nil
}

// noteClosing puts a revoked account on the list of those that close once they
// have no obligation left.
func noteClosing(s state.Store, account *registryv1.Account) {
	if account.Status == registryv1.Status_STATUS_REVOKED && account.ClosedAtMs == 0 {
		closings.Set(s, closings.Key().Bytes(account.Account), &emptypb.Empty{})
	}
}

// Closing returns the revoked accounts that are not closed yet, by address.
func Closing(r state.Reader) []protocol.Address {
	var found []protocol.Address
	prefix := closings.Key()
	for key := range closings.All(r, prefix) {
		found = append(found, protocol.Address(key[len(prefix):]))
	}
	return found
}

// Close closes a revoked account, which has no obligation left (SPEC 2).
func Close(ctx *module.Ctx, address protocol.Address) {
	account, ok := AccountOf(ctx.Store, address)
	key := closings.Key().Bytes(address[:])
	if !ok || !closings.Has(ctx.Store, key) {
		return
	}
	closings.Delete(ctx.Store, key)
	account.ClosedAtMs = ctx.TimeMs
	saveAccount(ctx.Store, account)
	ctx.Emit(&registryv1.AccountClosed{Account: account.Account})
}
