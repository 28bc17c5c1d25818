package credit_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/reputation"
)

func repay(ucoin int64) *creditv1.MsgRepayLoan { return &creditv1.MsgRepayLoan{AmountUcoin: ucoin} }

// TestRepayEarly: the interest of the whole term first, then principal, out of the
// balance; the loan stays until its term ends and then counts as repaid on time.
func TestRepayEarly(t *testing.T) {
	w := short(t) // 2 coins lent, 0.15 of interest, due in the fifth period
	w.recharge("home", 3*million, "one")
	w.Must("home", repay(100_000))
	want := &creditv1.Loan{Period: at(3), RatePpm: 75_000, LentUcoin: 2 * million, PrincipalUcoin: 2 * million, InterestUcoin: 50_000, DuePeriod: at(5)}
	w.wantLoan("home", want)
	w.wantBank(50*million, 100_000, 2*million, 48_100_000, 5*million)
	w.Must("home", repay(1_050_000))
	want.InterestUcoin, want.PrincipalUcoin = 0, million
	w.wantLoan("home", want)
	if got := w.loans("home"); got.OwedUcoin != million || got.Borrower.OutstandingUcoin != million {
		t.Errorf("after 1.15 of 2.15 coins: %v", got)
	}
	w.Events = nil
	w.Must("home", repay(million))
	want.PrincipalUcoin = 0
	w.wantLoan("home", want)
	repaid := market.Happened[*creditv1.LoanRepaid](w.Market)
	if len(repaid) != 1 || repaid[0].AmountUcoin != million || repaid[0].FromSale || !proto.Equal(repaid[0].Loan, want) {
		t.Errorf("events: %v", repaid)
	}
	w.wantBank(50*million, 150_000, 0, 50_150_000, 5*million) // the line of the next period is no larger
	if _, err := w.Send("home", repay(1)); !is(err, "credit/beyond_owed") {
		t.Errorf("a ucoin more: %v", err)
	}
	if free, value := w.free("home"), reputation.ValueOf(w.Store, market.Address("home")); free != 850_000 || value != 60 {
		t.Errorf("got %d ucoin and a credit value of %d, want 850 000 and still 60", free, value)
	}
	w.next(nil, "home")
	w.next(nil, "home")
	if got, value := w.loans("home"), reputation.ValueOf(w.Store, market.Address("home")); len(got.Loans) != 0 || got.Borrower.Loans != 1 || value != 61 {
		t.Errorf("when the term ends: %v and a credit value of %d, want 61", got, value)
	}
}

// TestSmallLoan: less than credit_min_outcome_ucoin brings no +1.
func TestSmallLoan(t *testing.T) {
	for ucoin, want := range map[int64]int64{99_999: 60, 100_000: 61} {
		w := newWorld(t, nil, map[string]int64{"home": 8 * million}, "home")
		w.openBank(50 * million)
		w.Must("home", demand())
		w.End()
		w.next(nil, "home")
		w.next(map[string]flow{"home": {10_000, 0}}, "home")
		w.open(nil, "home")
		if lent, _, err := drawFor(w, market.Address("home"), ucoin); err != nil || lent != ucoin {
			t.Fatalf("lent %d, %v", lent, err)
		}
		w.End()
		w.next(nil, "home")
		w.next(nil, "home")
		if got, value := w.loans("home"), reputation.ValueOf(w.Store, market.Address("home")); got.Borrower.Loans != 1 || value != want {
			t.Errorf("%d lent and repaid: a credit value of %d, want %d", ucoin, value, want)
		}
	}
}

// TestRepayOldestFirst: of two loans the older is repaid in full before the newer
// gets anything.
func TestRepayOldestFirst(t *testing.T) {
	w := short(t)
	w.next(map[string]flow{"home": {10_000, 0}}, "home") // 5 coins more at 6 %
	w.recharge("home", 3*million, "one")
	w.Must("home", repay(2_150_000+300_000+7))
	got := w.loans("home").Loans
	if len(got) != 2 || got[0].PrincipalUcoin != 0 || got[0].InterestUcoin != 0 || got[1].PrincipalUcoin != 5*million-7 || got[1].InterestUcoin != 0 {
		t.Errorf("loans: %v", got)
	}
	w.CheckInvariants()
}

// TestRepayLate: a late loan can be repaid during its grace time; that it was late
// stays, and nothing is lent before that time is over.
func TestRepayLate(t *testing.T) {
	w := short(t)
	w.next(nil, "home")
	w.next(nil, "home")
	if got := w.loans("home"); len(got.Loans) != 1 || !got.Loans[0].Late || got.OwedUcoin != 2_300_000 {
		t.Fatalf("want a late loan with the interest of two terms, got %v", got)
	}
	w.recharge("home", 3*million, "one")
	w.Must("home", repay(2_300_000))
	if _, err := w.Send("home", demand()); !is(err, "credit/loan_late") {
		t.Errorf("a demand during the grace time: %v", err)
	}
	w.next(nil, "home")
	if got := w.loans("home"); len(got.Loans) != 0 || got.Borrower.Loans != 1 || got.Borrower.Defaults != 0 || got.Borrower.LateLoans != 0 {
		t.Errorf("after the grace time: %v", got)
	}
	if free, value := w.free("home"), reputation.ValueOf(w.Store, market.Address("home")); free != 700_000 || value != 50 {
		t.Errorf("got %d ucoin and a credit value of %d, want 700 000 and 50", free, value)
	}
	w.Must("home", demand())
}

// TestRepayRefused: each leaves everything as it is. A line is no money: who has
// nothing but 5 coins to draw cannot repay a ucoin with them.
func TestRepayRefused(t *testing.T) {
	home := market.Address("home")
	for _, test := range []struct {
		name   string
		before func(*world)
		ucoin  int64
		code   string
	}{
		{"nothing", nil, 0, "credit/invalid_field"},
		{"less than nothing", nil, -1, "credit/invalid_field"},
		{"out of the line", nil, 1, "bank/insufficient_funds"},
		{"more than it has", func(w *world) { w.recharge("home", 1000, "one") }, 1001, "bank/insufficient_funds"},
		{"more than it borrowed", func(w *world) { w.recharge("home", 3*million, "one") }, 2_150_001, "credit/beyond_owed"},
		{"in debt", func(w *world) {
			w.recharge("home", 3*million, "one")
			if err := bank.Owe(w.Ctx("home"), home, market.Address(agg), 1); err != nil {
				w.T.Fatal(err)
			}
		}, 1, "credit/in_debt"},
		{"all it borrowed", func(w *world) { w.recharge("home", 3*million, "one") }, 2_150_000, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := short(t)
			w.open(nil, "home")
			if line := w.loans("home").Line.GetUndrawnUcoin(); line != 5*million {
				t.Fatalf("line: got %d", line)
			}
			if test.before != nil {
				test.before(w)
			}
			before := string(w.Export()["credit"]) + string(w.Export()["bank"])
			_, err := w.Send("home", repay(test.ucoin))
			if test.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !is(err, test.code) {
				t.Errorf("got %v, want %s", err, test.code)
			}
			if string(w.Export()["credit"])+string(w.Export()["bank"]) != before {
				t.Error("refused, and changed the state")
			}
			w.CheckInvariants()
		})
	}
}

// TestRepaidIsNotDrawnAgain: repaying gives a line nothing back, so no coins go
// round within a period.
func TestRepaidIsNotDrawnAgain(t *testing.T) {
	w := short(t)
	w.open(nil, "home")
	home := market.Address("home")
	if lent, _, err := drawFor(w, home, 5*million); err != nil || lent != 5*million {
		t.Fatalf("lent %d, %v", lent, err)
	}
	w.recharge("home", 7*million, "one")
	w.Must("home", repay(7*million))
	if lent, _, err := drawFor(w, home, 1); err != nil || lent != 0 {
		t.Errorf("lent %d more, %v", lent, err)
	}
	w.End()
}

// TestFrozenRepays: a freeze keeps nobody from paying what it owes.
func TestFrozenRepays(t *testing.T) {
	for _, route := range credit.New().Routes() { // the application looks here
		if repays := route.Type == "energy.credit.v1.MsgRepayLoan"; route.WhileFrozen != repays {
			t.Errorf("%s while frozen: %v", route.Type, route.WhileFrozen)
		}
	}
	w := short(t)
	w.recharge("home", 3*million, "one")
	home := market.Address("home")
	w.Decree(&registryv1.MsgFreeze{Account: home[:], Reason: "test"})
	w.Must("home", repay(2_150_000))
	if got := w.loans("home").OwedUcoin; got != 0 {
		t.Errorf("left: %d", got)
	}
	w.CheckInvariants()
}

// TestNoLoanBeyondCap: lines of this and of the next period together stay within
// what the credit value allows. home's meter is late: its line of 10 coins, all
// its credit value of 60 allows, is not drawn yet when the next period is priced.
func TestNoLoanBeyondCap(t *testing.T) {
	const limit = 10 * million
	w := newWorld(t, nil, map[string]int64{"home": 20 * million}, "home")
	w.openBank(90 * million)
	w.Must("home", demand())
	w.End()
	w.next(nil, "home")
	w.next(map[string]flow{"home": {40_000, 0}}, "home") // 20 coins: all it has
	w.next(nil)                                          // nothing read
	if line := w.loans("home").Line.GetUndrawnUcoin(); line != limit {
		t.Fatalf("line: got %d, want all that the cap allows", line)
	}
	if next := w.lineOf("home", w.k+1); next != 0 {
		t.Errorf("line of the next period: got %d, want nothing more", next)
	}
	w.Begin(at(w.k) + 2000)
	w.Read("home", at(w.k), 20_000, 0)
	w.End()
	if got := w.loans("home").Borrower.GetOutstandingUcoin(); got != limit || bank.DebtOf(w.Store, market.Address("home")) != 0 {
		t.Fatalf("borrowed: got %d", got)
	}
	w.next(map[string]flow{"home": {20_000, 0}}, "home")
	if got := w.loans("home").Borrower.GetOutstandingUcoin(); got != limit {
		t.Errorf("borrowed: got %d, want no more than the cap", got)
	}
}

// TestCapLessUndrawn: what the running line may still draw is taken from the cap
// and from nothing else: below the cap it is not missed.
func TestCapLessUndrawn(t *testing.T) {
	w := newWorld(t, nil, map[string]int64{"home": 15 * million}, "home")
	w.openBank(90 * million)
	w.Must("home", demand())
	w.End()
	w.next(nil, "home")
	w.next(map[string]flow{"home": {20_000, 0}}, "home") // 10 of 15 coins, so 5 will lack
	w.next(nil)                                          // two periods unseen: 20 coins less 5
	if line, next := w.loans("home").Line.GetUndrawnUcoin(), w.lineOf("home", w.k+1); line != 5*million || next != 5*million {
		t.Errorf("lines: got %d and %d, want 5 coins and the 5 that the cap of 10 leaves", line, next)
	}
}
