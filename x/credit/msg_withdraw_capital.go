package credit

import (
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
)

func checkWithdrawCapital(_ string, msg *creditv1.MsgWithdrawCapital) error {
	return checkAmount(msg.AmountUcoin)
}

// withdrawCapital moves capital that no line may draw any more to the
// aggregator.
func withdrawCapital(ctx *module.Ctx, msg *creditv1.MsgWithdrawCapital) error {
	b, err := ownBank(ctx)
	if err != nil {
		return err
	}
	sender := ctx.Signer.Address()
	if most := CapitalOf(ctx.Store, sender) - undrawn(ctx.Store, b.Aggregator); msg.AmountUcoin > most {
		return ErrCapital.With("amount_ucoin: expected at most the %s that no line may draw, got %s",
			units.FormatCoins(most), units.FormatCoins(msg.AmountUcoin))
	}
	if err := takeCapital(ctx, b, msg.AmountUcoin); err != nil {
		return err
	}
	saveBank(ctx, b)
	return nil
}

// takeCapital moves capital to its aggregator.
func takeCapital(ctx *module.Ctx, b *creditv1.Bank, ucoin int64) error {
	var err error
	if b.PaidInUcoin, err = units.Sub(b.PaidInUcoin, ucoin); err != nil {
		return ErrOverflow.With("amount_ucoin: %v", err)
	}
	aggregator := protocol.Address(b.Aggregator)
	_, err = bank.Move(ctx, protocol.CreditBankAddress(aggregator), aggregator, ucoin)
	return err
}
