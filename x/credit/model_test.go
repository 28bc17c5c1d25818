package credit_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/credit"
)

// ledger is a plain model of the bank, kept by messages and events alone.
type ledger struct {
	capital, lent int64
	// owed is what each loan has left, principal and interest.
	owed map[string]int64
	// outcomes are the sum of +1 and -10 that loans brought.
	outcomes int64
}

func loanName(l *creditv1.Loan) string { return fmt.Sprintf("%x/%d", l.Borrower, l.Period) }

// follow applies a block's events; each must continue from what is known.
func (l *ledger) follow(t *rapid.T, w *world) {
	address := pool()
	for _, event := range w.Events {
		switch e := event.(type) {
		case *creditv1.LoanDrawn:
			l.capital -= e.AmountUcoin
			l.lent += e.AmountUcoin
			l.owed[loanName(e.Loan)] = e.Loan.PrincipalUcoin + e.Loan.InterestUcoin
			if e.Loan.PrincipalUcoin > e.Loan.LentUcoin || e.AmountUcoin <= 0 {
				t.Fatalf("drawn: %v", e)
			}
		case *creditv1.LoanRepaid:
			l.capital += e.AmountUcoin
			l.owed[loanName(e.Loan)] -= e.AmountUcoin
			if l.owed[loanName(e.Loan)] != e.Loan.PrincipalUcoin+e.Loan.InterestUcoin {
				t.Fatalf("repaid: %v, known %d", e, l.owed[loanName(e.Loan)])
			}
		case *creditv1.LoanLate:
			more := e.Loan.PrincipalUcoin * e.Loan.RatePpm / 1_000_000
			l.owed[loanName(e.Loan)] += more
			if l.owed[loanName(e.Loan)] != e.Loan.PrincipalUcoin+e.Loan.InterestUcoin {
				t.Fatalf("late: %v, known %d", e, l.owed[loanName(e.Loan)])
			}
			l.outcomes -= 10
		case *creditv1.LoanEnded:
			if e.DebtUcoin != l.owed[loanName(e.Loan)] {
				t.Fatalf("ended: %v, known %d", e, l.owed[loanName(e.Loan)])
			}
			switch {
			case e.DebtUcoin > 0:
				l.outcomes -= 10
			case !e.Loan.Late && e.Loan.LentUcoin >= 100_000:
				l.outcomes++
			}
			delete(l.owed, loanName(e.Loan))
		case *bankv1.DebtRepaid:
			if string(e.Creditor) == string(address[:]) {
				l.capital += e.AmountUcoin
			}
		case *reputationv1.OutcomeRecorded: // nobody trades by match: all are of loans
			l.outcomes -= e.Change
		}
	}
}

// without returns the names that are not among others.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}

// TestModel: random members draw, sell, get coins, repay early, read late, and
// change their demands while the bank's capital comes and goes. Nobody borrows
// more than its cap. All invariants hold after each block (the
// testkit looks), and the bank's books are those of a plain model.
func TestModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		const limit = 5 * million // whatever the credit value
		names := []string{"a", "b", "c", "d"}
		balances := map[string]int64{}
		for _, name := range names {
			balances[name] = rapid.Int64Range(1, 6*million).Draw(rt, "balance")
		}
		w := newWorld(rt, func(g *market.Genesis) {
			g.Params().CreditMaxDemands = 3
			g.Params().CreditCapsUcoin = []int64{limit}
		}, balances, names...)
		w.openBank(rapid.Int64Range(1, 30*million).Draw(rt, "capital"))
		books := &ledger{capital: w.capital(), owed: map[string]int64{}}
		send := func(name string, msg proto.Message) error {
			_, err := w.Send(name, msg)
			return err
		}
		state := func() {
			for _, name := range names {
				if rapid.IntRange(0, 3).Draw(rt, "states") == 0 {
					msg := demand()
					msg.AmountUcoin = rapid.Int64Range(0, 20*million).Draw(rt, "q0")
					msg.RatePpm = rapid.Int64Range(1, 100_000).Draw(rt, "r0")
					msg.NoneFromPpm = msg.RatePpm + rapid.Int64Range(1, 200_000).Draw(rt, "r1-r0")
					if msg.AmountUcoin == 0 {
						msg.RatePpm, msg.NoneFromPpm = 0, 0
					}
					_ = send(name, msg) // refused in debt or when the bank is full
				}
			}
		}
		state()
		w.End()
		for k := range 14 {
			flows := map[string]flow{}
			for _, name := range names {
				flows[name] = flow{rapid.Int64Range(0, 12_000).Draw(rt, "import"), rapid.Int64Range(0, 12_000).Draw(rt, "export")}
				if rapid.Bool().Draw(rt, "only") {
					flows[name] = flow{importWh: flows[name].importWh}
				}
			}
			late := rapid.SliceOfDistinct(rapid.SampledFrom(names), func(name string) string { return name }).Draw(rt, "late")
			w.open(flows, without(names, late)...)
			state()
			name := rapid.SampledFrom(names).Draw(rt, "who")
			if rapid.IntRange(0, 2).Draw(rt, "recharge") == 0 {
				w.recharge(name, rapid.Int64Range(1, 8*million).Draw(rt, "coins"), fmt.Sprint(k))
			}
			if rapid.IntRange(0, 2).Draw(rt, "repays") == 0 {
				payer := rapid.SampledFrom(names).Draw(rt, "payer")
				most := min(w.free(payer), w.loans(payer).OwedUcoin)
				err := send(payer, repay(rapid.Int64Range(1, most+1).Draw(rt, "early")))
				if err != nil && !is(err, "credit/in_debt") && !is(err, "credit/beyond_owed") && !is(err, "bank/insufficient_funds") {
					rt.Fatal(err)
				}
			}
			amount := rapid.Int64Range(1, 10*million).Draw(rt, "capital")
			if rapid.Bool().Draw(rt, "fund") {
				if send(agg, &creditv1.MsgFundBank{AmountUcoin: amount}) == nil {
					books.capital += amount
				}
			} else if err := send(agg, &creditv1.MsgWithdrawCapital{AmountUcoin: amount}); err == nil {
				books.capital -= amount
			} else if !errors.Is(err, credit.ErrCapital) {
				rt.Fatal(err)
			}
			w.End()
			books.follow(rt, w)
			w.Begin(at(w.k) + 5000) // those that are late for the pricing
			for _, name := range late {
				w.Read(name, at(w.k), flows[name].importWh, flows[name].exportWh)
			}
			w.End()
			books.follow(rt, w)
			if got := w.capital(); got != books.capital || got < 0 {
				rt.Fatalf("period %d: capital %d, the model's %d", k, got, books.capital)
			}
			if books.outcomes != 0 {
				rt.Fatalf("period %d: outcomes differ by %d", k, books.outcomes)
			}
			open := 0
			for _, name := range names {
				if got := credit.BorrowerOf(w.Store, market.Address(name)).OutstandingUcoin; got > limit {
					rt.Fatalf("period %d: %s borrowed %d, beyond the cap", k, name, got)
				}
				for loan := range credit.LoansOf(w.Store, market.Address(name)) {
					if open++; books.owed[loanName(loan)] != loan.PrincipalUcoin+loan.InterestUcoin {
						rt.Fatalf("period %d: %v, the model's %d", k, loan, books.owed[loanName(loan)])
					}
				}
			}
			if open != len(books.owed) {
				rt.Fatalf("period %d: %d loans, the model's %d", k, open, len(books.owed))
			}
		}
		again := w.Reborn()
		if first, second := string(w.Export()["credit"]), string(again.Export()["credit"]); first != second {
			rt.Fatalf("export, import, export:\n%s\n%s", first, second)
		}
		again.CheckInvariants()
	})
}
