package bank

import (
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

func checkRecharge(_ string, msg *bankv1.MsgRecharge) error {
	return checkDeposit(msg.Account, msg.AmountUcoin, msg.Reference)
}

func checkDeposit(account []byte, amount int64, reference string) error {
	if err := checkAddress("account", account); err != nil {
		return err
	}
	if err := checkAmount(amount); err != nil {
		return err
	}
	return checkReference(reference)
}

// recharge mints coins against a deposit. They repay the account's debts first.
func recharge(ctx *module.Ctx, msg *bankv1.MsgRecharge) error {
	account := protocol.Address(msg.Account)
	if err := checkDepositor(ctx.Store, account); err != nil {
		return err
	}
	if err := useReference(ctx, msg.Reference, msg.AmountUcoin); err != nil {
		return err
	}
	total := supplyOf(ctx.Store)
	minted, err := units.Add(total.MintedUcoin, msg.AmountUcoin)
	if err != nil {
		return ErrOverflow.With("amount_ucoin: %v", err)
	}
	total.MintedUcoin = minted
	supply.Set(ctx.Store, total)
	ctx.Emit(&bankv1.Recharged{Account: msg.Account, AmountUcoin: msg.AmountUcoin, Reference: msg.Reference})
	_, err = receive(ctx, account, msg.AmountUcoin)
	return err
}
