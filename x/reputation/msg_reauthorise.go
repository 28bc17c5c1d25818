package reputation

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

func checkReauthorise(string, *reputationv1.MsgReauthorise) error { return nil }

// reauthorise asks for a full verification of the sender: its own signature of
// the two.
func reauthorise(ctx *module.Ctx, _ *reputationv1.MsgReauthorise) error {
	sender := ctx.Signer.Address()
	if err := checkNoDebt(ctx.Store, "sender", sender); err != nil {
		return err
	}
	known := ReliabilityOf(ctx.Store, sender)
	if known.Asked {
		return ErrAlreadyAsked.With("sender: expected an account that has not asked yet, %v waits for its home aggregator", sender)
	}
	known.Asked = true
	saveReliability(ctx.Store, known)
	ctx.Emit(&reputationv1.ReauthorisationAsked{Account: known.Account})
	return nil
}

func checkCountersign(_ string, msg *reputationv1.MsgCountersign) error {
	if _, err := protocol.AddressFrom(msg.Account); err != nil {
		return ErrInvalidField.With("account: %v", err)
	}
	return nil
}

// countersign completes a full verification: what was charged so far is
// forgotten.
func countersign(ctx *module.Ctx, msg *reputationv1.MsgCountersign) error {
	address := protocol.Address(msg.Account)
	account, ok := registry.AccountOf(ctx.Store, address)
	if !ok || account.Status != registryv1.Status_STATUS_ACTIVE {
		return ErrNotActive.With("account: expected an active account, %v is none", address)
	}
	if err := checkVerifier(ctx, account); err != nil {
		return err
	}
	known := ReliabilityOf(ctx.Store, address)
	if !known.Asked {
		return ErrNotAsked.With("account: expected one that asked for its verification, %v has not", address)
	}
	if err := checkNoDebt(ctx.Store, "account", address); err != nil {
		return err
	}
	known.Trades, known.EnergyWh, known.Asked = 0, 0, false
	known.Verification++
	saveReliability(ctx.Store, known)
	ctx.Emit(&reputationv1.Reauthorised{Account: known.Account, Verification: known.Verification})
	return nil
}

// checkVerifier lets nobody verify itself: an aggregator, which is its own home,
// is verified by the authority.
func checkVerifier(ctx *module.Ctx, account *registryv1.Account) error {
	if registry.HasRole(account, registryv1.Role_ROLE_AGGREGATOR) {
		if !ctx.Signer.Authority {
			return ErrNotVerifier.With("sender: expected the authority, as %v is an aggregator", protocol.Address(account.Account))
		}
		return nil
	}
	if home := protocol.Address(account.HomeAggregator); ctx.Signer.Authority || ctx.Signer.Address() != home {
		return ErrNotVerifier.With("sender: expected the home aggregator %v of %v", home, protocol.Address(account.Account))
	}
	return nil
}

func checkNoDebt(r state.Reader, field string, account protocol.Address) error {
	if owed := bank.DebtOf(r, account); owed > 0 {
		return ErrInDebt.With("%s: expected an account without debt, %v owes %s", field, account, units.FormatCoins(owed))
	}
	return nil
}
