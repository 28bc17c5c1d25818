package bank

import (
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
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
	if free := BalanceOf(ctx.Store, account).FreeUcoin; free < msg.AmountUcoin {
		return ErrInsufficientFunds.With("amount_ucoin: expected at most the %s that are free, got %s",
			units.FormatCoins(free), units.FormatCoins(msg.AmountUcoin))
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
