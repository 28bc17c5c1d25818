package credit_test

import (
	"testing"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/reputation"
	"github.com/energyd/energyd/x/settlement"
)

// TestDraw: the bank pays the grid what home lacks, and no debt is left.
func TestDraw(t *testing.T) {
	w := short(t)
	s, ok := settlement.StatementOf(w.Store, at(2), market.Address("home"))
	if !ok || s.PaidUcoin != 5*million || s.DrawnUcoin != 2*million || s.DebtUcoin != 0 || s.GridPaidUcoin != 5*million ||
		s.BalanceBeforeUcoin != 3*million || s.BalanceAfterUcoin != 0 {
		t.Errorf("statement: %v", s)
	}
	w.wantLoan("home", &creditv1.Loan{
		Period: at(3), RatePpm: 75_000, LentUcoin: 2 * million, PrincipalUcoin: 2 * million, InterestUcoin: 150_000, DuePeriod: at(5),
	})
	// For the next period: L = 5 coins of uncovered bill, below the cap of 10
	// less the 2 that it owes; the best rate is 9e11/15e6 = 60 000 ppm.
	address := market.Address(agg)
	offer, err := market.Query[*creditv1.QueryOffersResponse](w.Market, &creditv1.QueryOffersRequest{Aggregator: address[:], Period: at(4)})
	if err != nil || offer.Offer.RatePpm != 60_000 || len(offer.Lines) != 1 || offer.Lines[0].UndrawnUcoin != 5*million {
		t.Errorf("offer: %v, %v", offer, err)
	}
	w.wantBank(50*million, 0, 2*million, 48*million, 5*million) // the line of this period is used up
}

// TestRepaidOnTime: 4 kWh fed in at 0.1 repay the interest of 0.15 and 0.25 of
// principal; the rest comes from the balance when the term ends.
func TestRepaidOnTime(t *testing.T) {
	w := short(t)
	w.next(map[string]flow{"home": {0, 4_000}}, "home")
	w.wantLoan("home", &creditv1.Loan{Period: at(3), RatePpm: 75_000, LentUcoin: 2 * million, PrincipalUcoin: 1_750_000, DuePeriod: at(5)})
	s, _ := settlement.StatementOf(w.Store, at(3), market.Address("home"))
	if s.GetReceivedUcoin() != 400_000 || s.GetLoansRepaidUcoin() != 400_000 || s.GetBalanceAfterUcoin() != 0 {
		t.Errorf("statement: %v", s)
	}
	w.wantBank(50*million, 150_000, 1_750_000, 48_400_000, 5*million) // the line was not drawn
	w.open(nil, "home")
	w.recharge("home", 2*million, "one")
	w.End()
	if got := w.loans("home"); len(got.Loans) != 0 || got.Borrower.Loans != 1 || got.Borrower.Defaults != 0 {
		t.Errorf("after the term: %v", got)
	}
	if free, value := w.free("home"), reputation.ValueOf(w.Store, market.Address("home")); free != 250_000 || value != 61 {
		t.Errorf("got %d ucoin and a credit value of %d, want 250 000 and 61", free, value)
	}
	w.wantBank(50*million, 150_000, 0, 50_150_000, 0)
}

// TestLateThenRepaid: a late loan costs the interest of another term on what is
// left, and 10 points; nothing is lent while it is late.
func TestLateThenRepaid(t *testing.T) {
	w := short(t)
	w.next(map[string]flow{"home": {0, 4_000}}, "home")
	w.next(nil, "home")
	w.wantLoan("home", &creditv1.Loan{
		Period: at(3), RatePpm: 75_000, LentUcoin: 2 * million, PrincipalUcoin: 1_750_000, InterestUcoin: 131_250, DuePeriod: at(6), Late: true,
	})
	if got := reputation.ValueOf(w.Store, market.Address("home")); got != 50 {
		t.Errorf("credit value: got %d, want 50", got)
	}
	if line := w.loans("home").Line; line != nil {
		t.Errorf("a line while a loan is late: %v", line)
	}
	w.open(nil, "home")
	w.recharge("home", 2*million, "one")
	w.End()
	if got := w.loans("home"); len(got.Loans) != 0 || got.Borrower.Loans != 1 || got.Borrower.Defaults != 0 || got.Borrower.LateLoans != 0 {
		t.Errorf("after the grace time: %v", got)
	}
	if free, value := w.free("home"), reputation.ValueOf(w.Store, market.Address("home")); free != 2*million-1_881_250 || value != 50 {
		t.Errorf("got %d ucoin and a credit value of %d, want 118 750 and 50", free, value)
	}
	w.wantBank(50*million, 281_250, 0, 50_281_250, 0)
}

// TestDefault: after the grace time the rest is debt to the bank, the demand is
// gone, and what the borrower gets goes to the bank.
func TestDefault(t *testing.T) {
	w := short(t)
	w.next(map[string]flow{"home": {0, 4_000}}, "home")
	w.next(nil, "home")
	w.open(nil, "home")
	w.recharge("home", million, "one")
	w.End()
	home := market.Address("home")
	got := w.loans("home")
	if len(got.Loans) != 0 || got.Demand != nil || got.Line != nil || got.Borrower.Loans != 1 || got.Borrower.Defaults != 1 || got.Borrower.OutstandingUcoin != 0 {
		t.Errorf("after the grace time: %v", got)
	}
	if owed, value := bank.DebtOf(w.Store, home), reputation.ValueOf(w.Store, home); owed != 881_250 || value != 40 {
		t.Errorf("got a debt of %d ucoin and a credit value of %d, want 881 250 and 40", owed, value)
	}
	w.wantBank(50*million, 281_250, 0, 49_400_000, 0)
	if _, err := w.Send("home", demand()); !is(err, "credit/in_debt") {
		t.Errorf("a demand in debt: %v", err)
	}
	w.recharge("home", 2*million, "two")
	w.wantBank(50*million, 281_250, 0, 50_281_250, 0)
	if free := w.free("home"); free != 2*million-881_250 {
		t.Errorf("free: got %d, want what the debt left", free)
	}
	// With a credit value of 40 its cap is 0, and its history counts: its risk is
	// (10^6 + 10 x 10 000)/(1 + 10) = 100 000 ppm, above any rate it would take.
	w.Must("home", demand())
	w.recharge("home", 4*million, "three")
	w.next(map[string]flow{"home": {10_000, 0}}, "home")
	priced := market.Happened[*creditv1.LoansPriced](w.Market)
	if len(priced) != 1 || priced[0].Pricing.LentUcoin != 0 || priced[0].Pricing.Borrowers[0].DefaultPpm != 100_000 ||
		priced[0].Pricing.Borrowers[0].LimitUcoin != 0 || priced[0].Pricing.Borrowers[0].Branch != "refused" {
		t.Errorf("priced: %v", priced)
	}
}

// TestOneLoanPerPeriod: draws of a period are one loan, whose interest is that of
// the sum; a line that was not drawn lapses with its period.
func TestOneLoanPerPeriod(t *testing.T) {
	w := short(t)
	w.open(nil, "home")
	home := market.Address("home")
	for range 3 { // 3 x floor(33 x 60 000 / 10^6) = 3, floor(99 x 60 000/ 10^6) = 5
		if lent, _, err := drawFor(w, home, 33); err != nil || lent != 33 {
			t.Fatalf("lent %d, %v", lent, err)
		}
	}
	w.End()
	got := w.loans("home").Loans
	if len(got) != 2 || got[1].LentUcoin != 99 || got[1].InterestUcoin != 5 || got[1].PrincipalUcoin != 99 || got[1].RatePpm != 60_000 {
		t.Errorf("loans: %v", got)
	}
	w.wantBank(50*million, 0, 2*million+99, 48*million-99, 5*million-99)
	w.open(nil, "home")
	w.recharge("home", 10*million, "one") // the first loan is due
	w.End()
	w.wantBank(50*million, 150_000, 99, 50_150_000-99, 0)
}
