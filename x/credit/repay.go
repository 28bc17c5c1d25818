package credit

import (
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

// RepayFromSale takes from what a borrower just got for energy, its older debts
// repaid, what repays its loans, oldest first. It returns how much that was.
func RepayFromSale(ctx *module.Ctx, seller protocol.Address, received int64) (int64, error) {
	if received <= 0 {
		return 0, nil
	}
	known, ok := borrowers.Get(ctx.Store, borrowerKey(seller[:]))
	if !ok || known.OpenLoans == 0 {
		return 0, nil
	}
	return payOldest(ctx, seller, min(received, bank.BalanceOf(ctx.Store, seller).FreeUcoin), true)
}

// payOldest repays a borrower's loans, oldest first, with at most so much of its
// free coins, which it has. It returns what it took. It reads all loans that have
// not ended: one a period at most, for the terms and grace times of its bank.
func payOldest(ctx *module.Ctx, borrower protocol.Address, most int64, fromSale bool) (int64, error) {
	var open []*creditv1.Loan
	for loan := range LoansOf(ctx.Store, borrower) {
		open = append(open, loan)
	}
	var total int64
	for _, loan := range open {
		paid, err := payLoan(ctx, loan, most-total)
		if err != nil {
			return 0, err
		}
		if paid == 0 {
			continue
		}
		total += paid
		loans.Set(ctx.Store, loanKey(loan.Borrower, loan.Period), loan)
		ctx.Emit(&creditv1.LoanRepaid{Loan: loan, AmountUcoin: paid, FromSale: fromSale})
	}
	return total, nil
}

// left is what a loan has left to repay, principal and interest.
func left(loan *creditv1.Loan) int64 { return loan.PrincipalUcoin + loan.InterestUcoin }

// payLoan repays a loan with at most so much of the borrower's free coins, which
// it has: interest first, then principal. It returns what it took; the caller
// stores the loan.
func payLoan(ctx *module.Ctx, loan *creditv1.Loan, most int64) (int64, error) {
	interestPaid := min(most, loan.InterestUcoin)
	principalPaid := min(most-interestPaid, loan.PrincipalUcoin)
	if interestPaid+principalPaid == 0 {
		return 0, nil
	}
	if err := take(ctx, loan, interestPaid, principalPaid); err != nil {
		return 0, err
	}
	paid := interestPaid + principalPaid
	_, err := bank.Move(ctx, protocol.Address(loan.Borrower), protocol.CreditBankAddress(protocol.Address(loan.Bank)), paid)
	return paid, err
}

// take counts interest and principal of a loan as no longer lent.
func take(ctx *module.Ctx, loan *creditv1.Loan, interestUcoin, principalUcoin int64) error {
	b, ok := banks.Get(ctx.Store, bankKey(loan.Bank))
	if !ok {
		return ErrNoRecord.With("loan of %v: no bank %v", protocol.Address(loan.Borrower), protocol.Address(loan.Bank))
	}
	var sums adder
	sums.add(&b.EarnedUcoin, interestUcoin)
	if sums.err != nil {
		return ErrOverflow.With("bank %v: %v", protocol.Address(loan.Bank), sums.err)
	}
	borrower := BorrowerOf(ctx.Store, protocol.Address(loan.Borrower))
	loan.InterestUcoin -= interestUcoin
	loan.PrincipalUcoin -= principalUcoin
	b.OutstandingUcoin -= principalUcoin
	borrower.OutstandingUcoin -= principalUcoin
	banks.Set(ctx.Store, bankKey(b.Aggregator), b)
	borrowers.Set(ctx.Store, borrowerKey(borrower.Borrower), borrower)
	return nil
}

// collect judges a loan at the end of its term or of its grace time: what is
// left is taken from the borrower's balance. A loan that is not repaid is late,
// then in default.
func collect(ctx *module.Ctx, loan *creditv1.Loan) error {
	dues.Delete(ctx.Store, dueKey(loan))
	borrower := protocol.Address(loan.Borrower)
	paid, err := payLoan(ctx, loan, max(bank.BalanceOf(ctx.Store, borrower).FreeUcoin, 0))
	if err != nil {
		return err
	}
	if paid > 0 {
		ctx.Emit(&creditv1.LoanRepaid{Loan: loan, AmountUcoin: paid})
	}
	switch repaid := left(loan) == 0; {
	case repaid && !loan.Late:
		lent := []reputation.Dealing{{With: registry.IdentityOf(ctx.Store, protocol.Address(loan.Bank)), Amount: loan.LentUcoin}}
		reputation.Fulfil(ctx, borrower, lent, registry.ParamsNow(ctx.Store, ctx.TimeMs).CreditMinOutcomeUcoin)
		return end(ctx, loan, 0)
	case repaid:
		return end(ctx, loan, 0)
	case !loan.Late:
		return makeLate(ctx, loan)
	}
	return defaulted(ctx, loan)
}

// makeLate adds the interest of another term and waits for the grace time.
func makeLate(ctx *module.Ctx, loan *creditv1.Loan) error {
	more, err := interest(loan.PrincipalUcoin, loan.RatePpm)
	if err != nil {
		return err
	}
	var sums adder
	sums.add(&loan.InterestUcoin, more)
	if sums.err != nil {
		return ErrOverflow.With("loan of %v: %v", protocol.Address(loan.Borrower), sums.err)
	}
	offer, ok := offers.Get(ctx.Store, offerKey(loan.Bank, loan.Period))
	if !ok {
		return ErrNoRecord.With("loan of %v: no offer of period %d", protocol.Address(loan.Borrower), loan.Period)
	}
	loan.Late = true
	loan.DuePeriod += offer.GracePeriods * registry.ChainOf(ctx.Store).PeriodLengthMs
	loans.Set(ctx.Store, loanKey(loan.Borrower, loan.Period), loan)
	dues.Set(ctx.Store, dueKey(loan), &creditv1.Due{Borrower: loan.Borrower, Period: loan.Period})
	borrower := BorrowerOf(ctx.Store, protocol.Address(loan.Borrower))
	borrower.LateLoans++
	borrowers.Set(ctx.Store, borrowerKey(loan.Borrower), borrower)
	reputation.Record(ctx, protocol.Address(loan.Borrower), reputation.Violated)
	ctx.Emit(&creditv1.LoanLate{Loan: loan})
	return nil
}

// defaulted turns what is left of a loan into a debt to the bank and closes the
// line: the demand goes, and may be stated again without debt.
func defaulted(ctx *module.Ctx, loan *creditv1.Loan) error {
	borrower := protocol.Address(loan.Borrower)
	owed := left(loan)
	if err := take(ctx, loan, loan.InterestUcoin, loan.PrincipalUcoin); err != nil {
		return err
	}
	if err := bank.Owe(ctx, borrower, protocol.CreditBankAddress(protocol.Address(loan.Bank)), owed); err != nil {
		return err
	}
	if b, ok := banks.Get(ctx.Store, bankKey(loan.Bank)); ok && demands.Has(ctx.Store, demandKey(loan.Bank, loan.Borrower)) {
		dropDemand(ctx, b, loan.Borrower)
		banks.Set(ctx.Store, bankKey(b.Aggregator), b)
	}
	reputation.Record(ctx, borrower, reputation.Violated)
	return end(ctx, loan, owed)
}

// end counts a loan in the borrower's history and removes it, and its offer with
// the last loan of it.
func end(ctx *module.Ctx, loan *creditv1.Loan, debt int64) error {
	offer, ok := offers.Get(ctx.Store, offerKey(loan.Bank, loan.Period))
	if !ok {
		return ErrNoRecord.With("loan of %v: no offer of period %d", protocol.Address(loan.Borrower), loan.Period)
	}
	borrower := BorrowerOf(ctx.Store, protocol.Address(loan.Borrower))
	borrower.OpenLoans--
	borrower.Loans++
	if loan.Late {
		borrower.LateLoans--
	}
	if debt > 0 {
		borrower.Defaults++
	}
	offer.OpenLoans--
	saveOffer(ctx, offer)
	borrowers.Set(ctx.Store, borrowerKey(loan.Borrower), borrower)
	loans.Delete(ctx.Store, loanKey(loan.Borrower, loan.Period))
	ctx.Emit(&creditv1.LoanEnded{Loan: loan, DebtUcoin: debt})
	return nil
}

// saveOffer keeps an offer while its lines or loans last.
func saveOffer(ctx *module.Ctx, offer *creditv1.Offer) {
	key := offerKey(offer.Bank, offer.Period)
	if offer.Lapsed && offer.OpenLoans == 0 {
		offers.Delete(ctx.Store, key)
		return
	}
	offers.Set(ctx.Store, key, offer)
}
