package credit

import (
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
)

func checkRepayLoan(_ string, msg *creditv1.MsgRepayLoan) error { return checkAmount(msg.AmountUcoin) }

// repayLoan repays the sender's loans, oldest first, before they are due. Interest
// is that of the whole term however early it is (SPEC 10: rates are ppm per loan
// term); a loan that is repaid stays, empty, until its term ends, and the line
// that it was drawn on does not grow again. Who owes pays that first.
func repayLoan(ctx *module.Ctx, msg *creditv1.MsgRepayLoan) error {
	sender := ctx.Signer.Address()
	if err := checkNoDebt(ctx, "sender", sender); err != nil {
		return err
	}
	var owed int64
	for loan := range LoansOf(ctx.Store, sender) {
		owed += left(loan) // fits: caps bound what an account owes
	}
	if msg.AmountUcoin > owed {
		return ErrBeyondOwed.With("amount_ucoin: expected at most the %s that the loans of %v have left, got %s",
			units.FormatCoins(owed), sender, units.FormatCoins(msg.AmountUcoin))
	}
	if err := bank.CheckSpendable(ctx.Store, sender, msg.AmountUcoin); err != nil {
		return err
	}
	_, err := payOldest(ctx, sender, msg.AmountUcoin, false)
	return err
}
