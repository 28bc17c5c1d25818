package bank

import (
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// maxRepayments bounds how many repayments follow from one receipt.
const maxRepayments = 1000

// Pay pays amount ucoin from the payer's free balance; what is missing becomes a
// debt to the receiver. The grid and the fee ledger pay in full, their balances
// are signed. It returns what was paid now, and what of that the receiver's own
// creditors got at once. Like everything that moves coins it must run in
// Ctx.Atomic: an error leaves half of it done.
func Pay(ctx *module.Ctx, from, to protocol.Address, amount int64) (paid, repaid int64, err error) {
	got, err := pay(ctx, from, to, amount, func(int64) int64 { return 0 })
	return got.OwnUcoin, got.RepaidUcoin, err
}

// Paid is what became of an amount, in ucoin; what is neither own nor the fund's
// became debt to the receiver.
type Paid struct {
	// OwnUcoin came from the payer's balance.
	OwnUcoin int64
	// FundUcoin was paid by the guarantee fund; the payer owes it to the fund.
	FundUcoin int64
	// RepaidUcoin is what of both went at once to the receiver's creditors.
	RepaidUcoin int64
}

// PayGuaranteed is Pay in which the guarantee fund pays what the payer cannot:
// what it has, and at most as much that the payer owes it no more than the
// limit of the period's parameters. That the payer then owes to the fund
// (SPEC 3).
func PayGuaranteed(ctx *module.Ctx, period int64, from, to protocol.Address, amount int64) (Paid, error) {
	return pay(ctx, from, to, amount, func(missing int64) int64 {
		if missing == 0 || to == protocol.GuaranteeAddress {
			return 0
		}
		limit := registry.ParamsAt(ctx.Store, period).GuaranteeLimitUcoin - OwedToFund(ctx.Store, from)
		return max(0, min(missing, limit, BalanceOf(ctx.Store, protocol.GuaranteeAddress).FreeUcoin))
	})
}

// pay pays an amount; guaranteed says what the fund pays of what the payer lacks.
func pay(ctx *module.Ctx, from, to protocol.Address, amount int64, guaranteed func(missing int64) int64) (Paid, error) {
	if err := checkNotNegative(amount); err != nil {
		return Paid{}, err
	}
	if from == to {
		return Paid{OwnUcoin: amount}, nil
	}
	if amount == 0 {
		return Paid{}, nil
	}
	balance, paid := BalanceOf(ctx.Store, from), Paid{OwnUcoin: amount}
	if !signed(from) {
		paid.OwnUcoin = min(amount, max(balance.FreeUcoin, 0))
	}
	if paid.OwnUcoin > 0 {
		if err := addTo(ctx.Store, balance, -paid.OwnUcoin); err != nil {
			return Paid{}, err
		}
	}
	paid.FundUcoin = guaranteed(amount - paid.OwnUcoin)
	if err := addFree(ctx.Store, protocol.GuaranteeAddress, -paid.FundUcoin); err != nil {
		return Paid{}, err
	}
	var err error
	if paid.RepaidUcoin, err = receive(ctx, to, paid.OwnUcoin+paid.FundUcoin); err != nil {
		return Paid{}, err
	}
	// The receiver's part is the older debt: it is repaid before the fund's.
	if err := addDebt(ctx, from, to, amount-paid.OwnUcoin-paid.FundUcoin); err != nil {
		return Paid{}, err
	}
	return paid, addDebt(ctx, from, protocol.GuaranteeAddress, paid.FundUcoin)
}

// Payment is a part of what PayOut pays.
type Payment struct {
	To          protocol.Address
	AmountUcoin int64
	// RepaidUcoin is set to what of it went at once to the receiver's creditors.
	RepaidUcoin int64
}

// PayOut ends a claim on an account's escrow: it makes the payments, which the
// claim covers, and gives the rest back to the account. It returns what of that
// went at once to the account's creditors.
func PayOut(ctx *module.Ctx, from protocol.Address, claim int64, payments []Payment) (repaid int64, err error) {
	if err := checkNotNegative(claim); err != nil {
		return 0, err
	}
	rest := claim
	for _, payment := range payments {
		if err := checkNotNegative(payment.AmountUcoin); err != nil {
			return 0, err
		}
		if rest -= payment.AmountUcoin; rest < 0 {
			return 0, ErrInsufficientEscrow.With("payments: expected at most the %s that are held for them", units.FormatCoins(claim))
		}
	}
	if claim == 0 {
		return 0, nil
	}
	balance := BalanceOf(ctx.Store, from)
	if balance.EscrowUcoin < claim {
		return 0, ErrInsufficientEscrow.With("escrow: expected %s held, %v has %s",
			units.FormatCoins(claim), from, units.FormatCoins(balance.EscrowUcoin))
	}
	balance.EscrowUcoin -= claim
	if balance.OwedUcoin == 0 { // who owes gets it last: repayments of the others come first
		if err := addTo(ctx.Store, balance, rest); err != nil {
			return 0, err
		}
		rest = 0
	} else {
		saveBalance(ctx.Store, balance)
	}
	for i := range payments {
		if payments[i].RepaidUcoin, err = receive(ctx, payments[i].To, payments[i].AmountUcoin); err != nil {
			return 0, err
		}
	}
	return receive(ctx, from, rest)
}

// receive credits an account, which then repays its debts, and returns what it
// repaid.
func receive(ctx *module.Ctx, account protocol.Address, amount int64) (repaid int64, err error) {
	if amount == 0 {
		return 0, nil
	}
	balance := BalanceOf(ctx.Store, account)
	if err := addTo(ctx.Store, balance, amount); err != nil || balance.OwedUcoin == 0 {
		return 0, err
	}
	return repayAll(ctx, account)
}

// repayAll lets an account repay its debts with all it has free; its creditors
// do the same with what they get, and so on, each account once. It returns what
// the first one repaid.
func repayAll(ctx *module.Ctx, account protocol.Address) (repaid int64, err error) {
	owed := DebtOf(ctx.Store, account)
	if owed == 0 {
		return 0, nil
	}
	queue := []protocol.Address{account}
	seen := map[protocol.Address]bool{account: true}
	for left := int64(maxRepayments); len(queue) > 0 && left > 0; queue = queue[1:] {
		creditors, err := repay(ctx, queue[0], left)
		if err != nil {
			return 0, err
		}
		left -= int64(len(creditors))
		for _, creditor := range creditors {
			if !seen[creditor] {
				seen[creditor] = true
				queue = append(queue, creditor)
			}
		}
	}
	return owed - DebtOf(ctx.Store, account), nil
}

// repay pays an account's debts out of its free balance, oldest first, until
// either is used up or the number of repayments reaches most. It returns whom
// it paid.
func repay(ctx *module.Ctx, debtor protocol.Address, most int64) ([]protocol.Address, error) {
	balance := BalanceOf(ctx.Store, debtor)
	if balance.OwedUcoin == 0 || balance.FreeUcoin <= 0 {
		return nil, nil
	}
	var creditors []protocol.Address
	for key, debt := range debts.All(ctx.Store, debtsOf(debtor)) {
		if balance.FreeUcoin == 0 || int64(len(creditors)) == most {
			break
		}
		part := min(balance.FreeUcoin, debt.AmountUcoin)
		creditor := protocol.Address(debt.Creditor)
		if err := addFree(ctx.Store, creditor, part); err != nil {
			return nil, err
		}
		balance.FreeUcoin -= part
		balance.OwedUcoin -= part
		if creditor == protocol.GuaranteeAddress {
			balance.OwedToFundUcoin -= part
		}
		debt.AmountUcoin -= part
		if debt.AmountUcoin == 0 {
			debts.Delete(ctx.Store, key)
		} else {
			debts.Set(ctx.Store, key, debt)
		}
		ctx.Emit(&bankv1.DebtRepaid{Debtor: debt.Debtor, Creditor: debt.Creditor, AmountUcoin: part})
		creditors = append(creditors, creditor)
	}
	saveBalance(ctx.Store, balance)
	return creditors, nil
}

// debtsOf is the prefix of an account's debts, oldest first.
func debtsOf(debtor protocol.Address) state.Key { return debts.Key().Bytes(debtor[:]) }

func addDebt(ctx *module.Ctx, debtor, creditor protocol.Address, amount int64) error {
	if amount == 0 {
		return nil
	}
	balance := BalanceOf(ctx.Store, debtor)
	owed, err := units.Add(balance.OwedUcoin, amount)
	if err != nil {
		return ErrOverflow.With("debt of %v: %v", debtor, err)
	}
	total := supplyOf(ctx.Store)
	debt := &bankv1.Debt{
		Debtor: debtor.Bytes(), Number: total.NextDebt, Creditor: creditor.Bytes(), AmountUcoin: amount,
	}
	total.NextDebt++
	supply.Set(ctx.Store, total)
	debts.Set(ctx.Store, debtsOf(debtor).Uint64(debt.Number), debt)
	balance.OwedUcoin = owed
	if creditor == protocol.GuaranteeAddress { // part of what is owed, so it fits
		balance.OwedToFundUcoin += amount
	}
	saveBalance(ctx.Store, balance)
	ctx.Emit(&bankv1.DebtRecorded{Debtor: debt.Debtor, Creditor: debt.Creditor, AmountUcoin: amount})
	return nil
}

// DebtOf returns the sum of what an account owes in ucoin.
func DebtOf(r state.Reader, account protocol.Address) int64 { return BalanceOf(r, account).OwedUcoin }

// OwedToFund returns what of an account's debts it owes to the guarantee fund, in
// ucoin.
func OwedToFund(r state.Reader, account protocol.Address) int64 {
	return BalanceOf(r, account).OwedToFundUcoin
}

func supplyOf(r state.Reader) *bankv1.Supply {
	if total, ok := supply.Get(r); ok {
		return total
	}
	return new(bankv1.Supply)
}
