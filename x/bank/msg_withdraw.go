package bank

import (
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

func checkWithdraw(_ string, msg *bankv1.MsgWithdraw) error {
	return checkDeposit(msg.Account, msg.AmountUcoin, msg.Reference)
}

// withdraw burns coins that were paid out. Nobody is paid out what it does not
// have, the grid and the fee ledger included, or while it owes others.
func withdraw(ctx *module.Ctx, msg *bankv1.MsgWithdraw) error {
	account := protocol.Address(msg.Account)
	if err := checkDepositor(ctx.Store, account); err != nil {
		return err
	}
	if err := checkNoDebt(ctx.Store, "account", account); err != nil {
		return err
	}
	if err := checkClosed(ctx.Store, account); err != nil {
		return err
	}
	if err := CheckSpendable(ctx.Store, account, msg.AmountUcoin); err != nil {
		return err
	}
	if err := useReference(ctx, msg.Reference, msg.AmountUcoin); err != nil {
		return err
	}
	total := supplyOf(ctx.Store)
	burned, err := units.Add(total.BurnedUcoin, msg.AmountUcoin)
	if err != nil {
		return ErrOverflow.With("amount_ucoin: %v", err)
	}
	total.BurnedUcoin = burned
	supply.Set(ctx.Store, total)
	ctx.Emit(&bankv1.Withdrawn{Account: msg.Account, AmountUcoin: msg.AmountUcoin, Reference: msg.Reference})
	return addFree(ctx.Store, account, -msg.AmountUcoin)
}

// checkClosed refuses to pay out a revoked account that has obligations left.
func checkClosed(r state.Reader, address protocol.Address) error {
	account, ok := registry.AccountOf(r, address)
	if ok && account.Status == registryv1.Status_STATUS_REVOKED && account.ClosedAtMs == 0 {
		return ErrOpenObligations.With("account: expected one without open obligations, %v is revoked and not closed yet", address)
	}
	return nil
}
