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
	if isNothing(balance) {
		balances.Delete(s, key)
		return
	}
	balances.Set(s, key, balance)
}

func isNothing(b *bankv1.Balance) bool {
	return b.FreeUcoin == 0 && b.EscrowUcoin == 0 && b.ExposedUcoin == 0 && b.OwedUcoin == 0 && b.OwedToFundUcoin == 0
}

// addFree changes the free balance by amount of either sign. Taking more than a
// member has is an error.
func addFree(s state.Store, account protocol.Address, amount int64) error {
	if amount == 0 {
		return nil
	}
	return addTo(s, BalanceOf(s, account), amount)
}

// addTo is addFree of a balance that was read, and changes that.
func addTo(s state.Store, balance *bankv1.Balance, amount int64) error {
	account := protocol.Address(balance.Account)
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

// spendable is what of a free balance, in ucoin, is not for open orders and
// matches: what may be sent, paid out, or put in escrow.
func spendable(balance *bankv1.Balance) int64 {
	return max(0, balance.FreeUcoin-balance.ExposedUcoin)
}

// CheckSpendable refuses to take so many ucoin of an account that less is free
// than its open orders and matches may cost: ErrInsufficientFunds if it has less,
// else ErrExposed. A credit line does not count: it may end before they do.
func CheckSpendable(r state.Reader, account protocol.Address, amount int64) error {
	balance := BalanceOf(r, account)
	if balance.FreeUcoin < amount {
		return ErrInsufficientFunds.With("amount_ucoin: expected at most the %s that %v has, got %s",
			units.FormatCoins(balance.FreeUcoin), account, units.FormatCoins(amount))
	}
	if most := spendable(balance); most < amount {
		return ErrExposed.With("amount_ucoin: expected at most %s, as open orders and matches of %v may cost %s of its %s, got %s",
			units.FormatCoins(most), account, units.FormatCoins(balance.ExposedUcoin), units.FormatCoins(balance.FreeUcoin), units.FormatCoins(amount))
	}
	return nil
}

// Expose adds to what an account's open orders and matches may cost beyond their
// escrow. It returns ErrExposed if that would be more than what is free and what
// the account's credit line adds to it, all in ucoin (SPEC 3).
func Expose(ctx *module.Ctx, account protocol.Address, amount, lineUcoin int64) error {
	if err := checkNotNegative(amount); err != nil {
		return err
	}
	balance := BalanceOf(ctx.Store, account)
	exposed, err := units.Add(balance.ExposedUcoin, amount)
	if err != nil {
		return ErrOverflow.With("exposure of %v: %v", account, err)
	}
	covered, err := units.Add(balance.FreeUcoin, lineUcoin)
	if err != nil {
		return ErrOverflow.With("free balance and credit line of %v: %v", account, err)
	}
	if exposed > covered {
		return ErrExposed.With("order: expected a cost of at most the %s that %v has free or may borrow, less the %s of open orders and matches, got %s",
			units.FormatCoins(covered), account, units.FormatCoins(balance.ExposedUcoin), units.FormatCoins(amount))
	}
	balance.ExposedUcoin = exposed
	saveBalance(ctx.Store, balance)
	return nil
}

// EndExposure takes from an account's exposure what an order or match that ended
// had added. Taking more is a broken expectation of our own.
func EndExposure(ctx *module.Ctx, account protocol.Address, amount int64) error {
	if amount == 0 {
		return nil
	}
	balance := BalanceOf(ctx.Store, account)
	if amount < 0 || balance.ExposedUcoin < amount {
		return ErrOverflow.With("exposure of %v: expected 0 to %d, got %d", account, balance.ExposedUcoin, amount)
	}
	balance.ExposedUcoin -= amount
	saveBalance(ctx.Store, balance)
	return nil
}

// Hold moves ucoin from the free balance to escrow. It returns
// ErrInsufficientFunds if less is spendable, that of the grid and the fee ledger
// included.
func Hold(ctx *module.Ctx, account protocol.Address, amount int64) error {
	if err := checkNotNegative(amount); err != nil {
		return err
	}
	balance := BalanceOf(ctx.Store, account)
	if most := spendable(balance); most < amount {
		return ErrInsufficientFunds.With("escrow: expected %s free, %v has %s",
			units.FormatCoins(amount), account, units.FormatCoins(most))
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
