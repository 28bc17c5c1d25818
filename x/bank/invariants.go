package bank

import (
	"fmt"
	"math/big"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{{Name: "I1", Check: checkSum}, {Name: "I7", Check: checkSigns}}
}

// checkSum is I1: the sum of all balances and escrows, the grid's and the fee
// ledger's included, equals minted - burned. The sum may pass int64 on the way,
// since the grid's part is signed.
func checkSum(r state.Reader) error {
	sum := new(big.Int)
	for _, balance := range balances.All(r, balances.Key()) {
		sum.Add(sum, big.NewInt(balance.FreeUcoin))
		sum.Add(sum, big.NewInt(balance.EscrowUcoin))
	}
	total := supplyOf(r)
	want := new(big.Int).Sub(big.NewInt(total.MintedUcoin), big.NewInt(total.BurnedUcoin))
	if sum.Cmp(want) != 0 {
		return fmt.Errorf("sum of balances and escrows: expected minted - burned = %v ucoin, got %v", want, sum)
	}
	return nil
}

// checkSigns is the first half of I7: no member's balance is below zero; nor is
// any escrow, every debt is one of a member and their sums are right.
func checkSigns(r state.Reader) error {
	for _, balance := range balances.All(r, balances.Key()) {
		if err := checkBalance(balance); err != nil {
			return err
		}
	}
	next := supplyOf(r).NextDebt
	for _, debt := range debts.All(r, debts.Key()) {
		debtor := protocol.Address(debt.Debtor)
		if debt.AmountUcoin <= 0 || debt.Number >= next || signed(debtor) || debtor == protocol.GuaranteeAddress {
			return fmt.Errorf("debt %d of %v: expected a member's debt above 0 with a number below %d, got %d ucoin",
				debt.Number, debtor, next, debt.AmountUcoin)
		}
	}
	return checkSums(r)
}

// checkSums compares what balances say is owed with the debts.
func checkSums(r state.Reader) error {
	left := new(big.Int)
	for _, debt := range debts.All(r, debts.Key()) {
		left.Add(left, big.NewInt(debt.AmountUcoin))
	}
	for _, balance := range balances.All(r, balances.Key()) {
		if balance.OwedUcoin == 0 && balance.OwedToFundUcoin == 0 {
			continue // whose debts are then left
		}
		debtor := protocol.Address(balance.Account)
		var owed, toFund int64
		for _, debt := range debts.All(r, debtsOf(debtor)) {
			owed += debt.AmountUcoin
			if protocol.Address(debt.Creditor) == protocol.GuaranteeAddress {
				toFund += debt.AmountUcoin
			}
		}
		if owed != balance.OwedUcoin || toFund != balance.OwedToFundUcoin {
			return fmt.Errorf("debt of %v: expected the sum %d ucoin, of it %d to the guarantee fund, got %d and %d",
				debtor, balance.OwedUcoin, balance.OwedToFundUcoin, owed, toFund)
		}
		left.Sub(left, big.NewInt(owed))
	}
	if left.Sign() != 0 {
		return fmt.Errorf("sums of debts: expected every debt counted, %v ucoin are missing", left)
	}
	return nil
}

func checkBalance(balance *bankv1.Balance) error {
	account := protocol.Address(balance.Account)
	if balance.EscrowUcoin < 0 || balance.ExposedUcoin < 0 || (balance.FreeUcoin < 0 && !signed(account)) {
		return fmt.Errorf("balance of %v: expected 0 or more, got %d ucoin free, %d in escrow and %d exposed",
			account, balance.FreeUcoin, balance.EscrowUcoin, balance.ExposedUcoin)
	}
	return nil
}
