package app_test

import (
	"testing"
	"time"

	"github.com/energyd/energyd/app"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit"
)

// A member that is short of coins draws on its aggregator's bank, on three nodes
// of which one is restarted before each block. 10 kWh cost 6 coins at 0.6; of 14
// coins 8 are left after a period, 2 after the next. The bank, which looks before
// the second is read, expects two bills of 6; it lends 2, as much as the cap says.
func TestLoanOnTheChain(t *testing.T) {
	aggregator := testkit.NewKey("aggregator")
	var member *testkit.Member
	c := testkit.New(t, func(g *app.Genesis) {
		member = testkit.AddMember(g, 1, 14_000_000)
		g.Registry.Params[0].Params.CreditCapsUcoin = []int64{2_000_000}
		address := aggregator.Address()
		g.Bank.Balances = append(g.Bank.Balances, &bankv1.Balance{Account: address[:], FreeUcoin: coins})
		g.Bank.Supply.MintedUcoin += coins
	})
	home, account := aggregator.Address(), member.Address()
	c.Must(time.Second,
		c.Tx(aggregator, &creditv1.MsgSetBank{Terms: &creditv1.Terms{
			RateMinPpm: 1_000, RateMaxPpm: 200_000, CostPpm: 2_000, PriorDefaultPpm: 10_000, TermPeriods: 2, GracePeriods: 1,
		}}, &creditv1.MsgFundBank{AmountUcoin: coins}),
		c.Tx(member.Key, &creditv1.MsgStateDemand{Bank: home[:], AmountUcoin: 20_000_000, RatePpm: 30_000, NoneFromPpm: 90_000}))
	start := nextPeriod(c)
	for k := range 4 {
		at := start.Add(time.Duration(k) * testkit.Period)
		c.Until(at)
		importWh := int64(10_000)
		if k == 0 {
			importWh = 0
		}
		c.Must(time.Second, c.Readings(c.Reading(member, at.UnixMilli(), importWh, 0)))
	}
	var statement settlementv1.QueryStatementResponse
	c.Query(&settlementv1.QueryStatementRequest{Account: account[:], Period: start.Add(2 * testkit.Period).UnixMilli()}, &statement)
	if s := statement.Statement; s.GetPaidUcoin() != 4_000_000 || s.GetDrawnUcoin() != 2_000_000 || s.GetDebtUcoin() != 2_000_000 {
		t.Errorf("statement: %v", s)
	}
	var loans creditv1.QueryLoansResponse
	c.Query(&creditv1.QueryLoansRequest{Account: account[:]}, &loans)
	if len(loans.Loans) != 1 || loans.Loans[0].PrincipalUcoin != 2_000_000 {
		t.Errorf("loans: %v", loans.Loans)
	}
	// Of 6 coins 2 repay the debt; an early repayment of the loan pays its interest
	// and the rest of 1 coin.
	rate := loans.Loans[0].RatePpm
	c.Must(time.Second, c.Propose(&bankv1.MsgRecharge{Account: account[:], AmountUcoin: 6_000_000, Reference: "one"}))
	c.Must(time.Second, c.Tx(member.Key, &creditv1.MsgRepayLoan{AmountUcoin: 1_000_000}))
	c.Query(&creditv1.QueryLoansRequest{Account: account[:]}, &loans)
	if want := 1_000_000 + 2*rate; loans.OwedUcoin != want || loans.Loans[0].PrincipalUcoin != want {
		t.Errorf("at %d ppm: %v", rate, &loans)
	}
	if broken := c.Invariants(); len(broken) > 0 {
		t.Error(broken)
	}
}
