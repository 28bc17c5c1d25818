package bank

import (
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

func balanceKey(account []byte) state.Key { return balances.Key().Bytes(account) }

// BalanceOf returns what an account holds in ucoin; zero if nothing.
func BalanceOf(r state.Reader, account protocol.Address) *bankv1.Balance {
	if balance, ok := balances.Get(r, balanceKey(account[:])); ok {
		return balance
	}
	return &bankv1.Balance{Account: account.Bytes()}
}

// signed says whether an account's free balance may be negative.
func signed(account protocol.Address) bool {
	return account == protocol.GridAddress || account == protocol.FeeAddress
}

// saveBalance keeps only balances that are something.
func saveBalance(s state.Store, balance *bankv1.Balance) {
	key := balanceKey(balance.Account)
	if balance.FreeUcoin == 0 && balance.EscrowUcoin == 0 {
		balances.Delete(s, key)
		return
	}
	balances.Set(s, key, balance)
}

// addFree changes the free balance by amount of either sign. Taking more than a
// member has is an error.
func addFree(s state.Store, account protocol.Address, amount int64) error {
	if amount == 0 {
		return nil
	}
	balance := BalanceOf(s, account)
	free, err := units.Add(balance.FreeUcoin, amount)
	if err != nil {
		return ErrOverflow.With("balance of %v: %v", account, err)
	}
	if free < 0 && amount < 0 && !signed(account) {
		return ErrInsufficientFunds.With("amount_ucoin: expected at most the %s that %v has, got %s",
			units.FormatCoins(balance.FreeUcoin), account, units.FormatCoins(-amount))
	}
	balance.FreeUcoin = free
	saveBalance(s, balance)
	return nil
}

// Hold moves ucoin from the free balance to escrow. It returns
// ErrInsufficientFunds if less is free, that of the grid and the fee ledger
// included.
func Hold(ctx *module.Ctx, account protocol.Address, amount int64) error {
	if err := checkNotNegative(amount); err != nil {
		return err
	}
	balance := BalanceOf(ctx.Store, account)
	if balance.FreeUcoin < amount {
		return ErrInsufficientFunds.With("escrow: expected %s free, %v has %s",
			units.FormatCoins(amount), account, units.FormatCoins(balance.FreeUcoin))
	}
	escrow, err := units.Add(balance.EscrowUcoin, amount)
	if err != nil {
		return ErrOverflow.With("escrow of %v: %v", account, err)
	}
	balance.FreeUcoin -= amount
	balance.EscrowUcoin = escrow
	saveBalance(ctx.Store, balance)
	return nil
}

// Release moves ucoin from escrow back to the free balance, from where it
// repays the account's debts. It returns ErrInsufficientEscrow if less is held.
func Release(ctx *module.Ctx, account protocol.Address, amount int64) error {
	_, err := PayOut(ctx, account, amount, nil)
	return err
}

func checkNotNegative(amount int64) error {
	if amount < 0 {
		return ErrInvalidField.With("amount_ucoin: expected 0 or more, got %d", amount)
	}
	return nil
}
