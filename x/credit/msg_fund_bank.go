package credit

import (
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
)

func checkFundBank(_ string, msg *creditv1.MsgFundBank) error { return checkAmount(msg.AmountUcoin) }

func checkAmount(ucoin int64) error {
	if ucoin <= 0 {
		return ErrInvalidField.With("amount_ucoin: expected more than 0, got %d", ucoin)
	}
	return nil
}

// fundBank moves free coins of the aggregator to its bank's capital. Who owes
// pays that first.
func fundBank(ctx *module.Ctx, msg *creditv1.MsgFundBank) error {
	sender := ctx.Signer.Address()
	b, err := ownBank(ctx)
	if err != nil {
		return err
	}
	if err := checkNoDebt(ctx, "sender", sender); err != nil {
		return err
	}
	if err := bank.CheckSpendable(ctx.Store, sender, msg.AmountUcoin); err != nil {
		return err
	}
	if b.PaidInUcoin, err = units.Add(b.PaidInUcoin, msg.AmountUcoin); err != nil {
		return ErrOverflow.With("amount_ucoin: %v", err)
	}
	if _, err := bank.Move(ctx, sender, protocol.CreditBankAddress(sender), msg.AmountUcoin); err != nil {
		return err
	}
	saveBank(ctx, b)
	return nil
}

func ownBank(ctx *module.Ctx) (*creditv1.Bank, error) {
	b, ok := BankOf(ctx.Store, ctx.Signer.Address())
	if !ok {
		return nil, ErrUnknownBank.With("sender: expected an aggregator that has opened a bank, %v has not", ctx.Signer.Address())
	}
	return b, nil
}

func checkNoDebt(ctx *module.Ctx, field string, account protocol.Address) error {
	if owed := bank.DebtOf(ctx.Store, account); owed > 0 {
		return ErrInDebt.With("%s: expected an account without debt, %v owes %s", field, account, units.FormatCoins(owed))
	}
	return nil
}
