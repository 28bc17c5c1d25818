package bank

import (
	"bytes"

	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// Move moves free coins that the payer has; the receiver then repays its debts,
// and Move returns how much. It returns ErrInsufficientFunds if less is free.
func Move(ctx *module.Ctx, from, to protocol.Address, amount int64) (repaid int64, err error) {
	if err := checkNotNegative(amount); err != nil {
		return 0, err
	}
	if from == to {
		return 0, nil
	}
	if err := addFree(ctx.Store, from, -amount); err != nil {
		return 0, err
	}
	return receive(ctx, to, amount)
}

// Owe records a debt of amount ucoin for which the debtor has nothing free.
func Owe(ctx *module.Ctx, debtor, creditor protocol.Address, amount int64) error {
	if err := checkAmount(amount); err != nil {
		return err
	}
	return addDebt(ctx, debtor, creditor, amount)
}

// OwedTo returns the sum of what others owe an account, in ucoin. It reads all
// debts: for invariants.
func OwedTo(r state.Reader, creditor protocol.Address) int64 {
	var sum int64
	for _, debt := range debts.All(r, debts.Key()) {
		if bytes.Equal(debt.Creditor, creditor[:]) {
			sum += debt.AmountUcoin
		}
	}
	return sum
}
