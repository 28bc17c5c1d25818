package credit

import (
	"bytes"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

// Shortfall is what an account lacks to pay for energy that its meter counted.
type Shortfall struct {
	Payer, Payee protocol.Address
	Ucoin        int64
	// PriceUcoinPerKwh is what the energy costs, its fee included;
	// RetailUcoinPerKwh what the grid would have asked.
	PriceUcoinPerKwh, RetailUcoinPerKwh int64
}

// Draw lets the payer's bank pay a shortfall as far as its line of the present
// period reaches, straight to the payee: that is the wallet shared by borrower
// and bank, and it has no other way out. It returns what the bank lent, and what
// of that the payee's own creditors got at once. Who has no line draws nothing;
// why one who has did not get all is in LoanRefused.
func Draw(ctx *module.Ctx, short Shortfall) (lent, repaid int64, err error) {
	if short.Ucoin <= 0 {
		return 0, 0, nil
	}
	account, _ := registry.AccountOf(ctx.Store, short.Payer)
	period := registry.PeriodOf(ctx.Store, ctx.TimeMs)
	line, ok := lines.Get(ctx.Store, lineKey(account.GetHomeAggregator(), period, short.Payer[:]))
	if !ok {
		return 0, 0, nil
	}
	refuse := func(ucoin int64, refusal error) {
		ctx.Emit(&creditv1.LoanRefused{Borrower: short.Payer.Bytes(), AmountUcoin: ucoin, Reason: module.Code(refusal).Name})
	}
	if refusal := checkDraw(ctx, short, line); refusal != nil {
		refuse(short.Ucoin, refusal)
		return 0, 0, nil
	}
	lent = min(short.Ucoin, line.UndrawnUcoin)
	if lent < short.Ucoin {
		refuse(short.Ucoin-lent, ErrBeyondLine)
	}
	if lent == 0 {
		return 0, 0, nil
	}
	if err := recordDraw(ctx, short, line, lent); err != nil {
		return 0, 0, err
	}
	repaid, err = bank.Move(ctx, protocol.CreditBankAddress(protocol.Address(line.Bank)), short.Payee, lent)
	return lent, repaid, err
}

// checkDraw says why a borrower with a line may not draw for this payment.
func checkDraw(ctx *module.Ctx, short Shortfall, line *creditv1.Line) error {
	if err := mayBorrow(ctx, short.Payer, line.Bank); err != nil {
		return err
	}
	if short.PriceUcoinPerKwh > short.RetailUcoinPerKwh {
		return ErrAboveRetail.With("price: expected at most %d ucoin per kWh, got %d", short.RetailUcoinPerKwh, short.PriceUcoinPerKwh)
	}
	if short.Payee == protocol.GridAddress || short.Payee == protocol.FeeAddress {
		return nil
	}
	payee, ok := registry.AccountOf(ctx.Store, short.Payee)
	if !ok {
		return ErrNotEnergy.With("payee: expected a seller of energy, the grid or the fee ledger, got %v", short.Payee)
	}
	if payer, _ := registry.AccountOf(ctx.Store, short.Payer); bytes.Equal(payer.Identity, payee.Identity) {
		return ErrSameIdentity.With("payee: expected one of another identity than %v", short.Payer)
	}
	return nil
}

// Undrawn is what an account may count on borrowing for an order, in ucoin: the
// lesser of what its lines of the present and of the next period may still draw,
// nothing before both are priced or if it may not borrow. Neither line need be
// there when the order is settled, as lines are priced anew each period; the
// lesser of two in a row is what its bank keeps lending it.
func Undrawn(ctx *module.Ctx, account protocol.Address) int64 {
	registered, _ := registry.AccountOf(ctx.Store, account)
	home := registered.GetHomeAggregator()
	now := registry.PeriodOf(ctx.Store, ctx.TimeMs)
	present, ok := lines.Get(ctx.Store, lineKey(home, now, account[:]))
	if !ok || mayBorrow(ctx, account, home) != nil {
		return 0
	}
	next, _ := lines.Get(ctx.Store, lineKey(home, now+registry.ChainOf(ctx.Store).PeriodLengthMs, account[:]))
	return min(present.UndrawnUcoin, next.GetUndrawnUcoin())
}

// recordDraw adds what is drawn to the borrower's loan of the period.
func recordDraw(ctx *module.Ctx, short Shortfall, line *creditv1.Line, ucoin int64) error {
	offer, ok := offers.Get(ctx.Store, offerKey(line.Bank, line.Period))
	b, known := banks.Get(ctx.Store, bankKey(line.Bank))
	if !ok || !known {
		return ErrNoRecord.With("line of %v: no offer or bank of period %d", short.Payer, line.Period)
	}
	borrower := BorrowerOf(ctx.Store, short.Payer)
	loan, again := loans.Get(ctx.Store, loanKey(short.Payer[:], line.Period))
	if !again {
		length := registry.ChainOf(ctx.Store).PeriodLengthMs
		loan = &creditv1.Loan{
			Borrower: short.Payer.Bytes(), Period: line.Period, Bank: line.Bank, RatePpm: offer.RatePpm,
			DuePeriod: line.Period + offer.TermPeriods*length,
		}
		offer.OpenLoans++
		borrower.OpenLoans++
		dues.Set(ctx.Store, dueKey(loan), &creditv1.Due{Borrower: loan.Borrower, Period: loan.Period})
	}
	before, err := interest(loan.LentUcoin, loan.RatePpm)
	if err != nil {
		return err
	}
	var sums adder
	sums.add(&loan.LentUcoin, ucoin)
	sums.add(&loan.PrincipalUcoin, ucoin)
	sums.add(&b.OutstandingUcoin, ucoin)
	sums.add(&borrower.OutstandingUcoin, ucoin)
	after, err := interest(loan.LentUcoin, loan.RatePpm)
	if err != nil {
		return err
	}
	sums.add(&loan.InterestUcoin, after, -before)
	if sums.err != nil {
		return ErrOverflow.With("loan of %v: %v", short.Payer, sums.err)
	}
	line.UndrawnUcoin -= ucoin
	offer.UndrawnUcoin -= ucoin
	lines.Set(ctx.Store, lineKey(line.Bank, line.Period, line.Borrower), line)
	offers.Set(ctx.Store, offerKey(offer.Bank, offer.Period), offer)
	banks.Set(ctx.Store, bankKey(b.Aggregator), b)
	borrowers.Set(ctx.Store, borrowerKey(borrower.Borrower), borrower)
	loans.Set(ctx.Store, loanKey(loan.Borrower, loan.Period), loan)
	ctx.Emit(&creditv1.LoanDrawn{Loan: loan, Payee: short.Payee.Bytes(), AmountUcoin: ucoin})
	return nil
}

// interest is floor(principal x rate / 10^6), of one term.
func interest(principal, ratePPM int64) (int64, error) {
	return units.MulDiv(principal, ratePPM, units.PPM)
}

// adder adds up amounts and keeps the first overflow.
type adder struct{ err error }

func (a *adder) add(field *int64, amounts ...int64) {
	for _, amount := range amounts {
		sum, err := units.Add(*field, amount)
		if err != nil && a.err == nil {
			a.err = err
		}
		*field = sum
	}
}
