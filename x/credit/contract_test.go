package credit_test

import (
	"fmt"
	"testing"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/settlement"
)

// TestDrawForContract: a line pays a seller and the fee where both cost no more
// than retail; dearer energy becomes debt. home needs 10 kWh, all from sun, and
// has 3 of what they cost; its line is the 2 that the bank saw it lack at retail.
func TestDrawForContract(t *testing.T) {
	for _, test := range []struct {
		name                          string
		price                         int64
		paid, drawn, debt, unpaidFees int64
	}{
		// 10 kWh x 0.495 + 10 x 0.005 = 5.00 coins: 3 own, 1.95 and 0.05 lent.
		{"at retail", 495_000, 5 * million, 2 * million, 0, 0},
		// 5.1 and 0.05 coins: 3 own, nothing lent; what is missing is debt.
		{"above retail", 510_000, 3 * million, 0, 2_150_000, 50_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(g *market.Genesis) { g.NodeOf("sun").PathMm, g.NodeOf("home").PathMm = new(int64), new(int64) },
				map[string]int64{"home": 8 * million, "sun": million}, "home", "sun")
			w.openBank(50 * million)
			w.Must("home", demand())
			home, sun := market.Address("home"), market.Address("sun")
			id := w.Must("sun", &settlementv1.MsgProposeContract{
				Seller: sun[:], Buyer: home[:], PriceUcoinPerKwh: test.price, Priority: 1, Rank: 1,
				FromPeriod: at(2), UntilPeriod: at(3), ExpiresAtMs: at(1),
			})
			w.Must("home", &settlementv1.MsgAcceptContract{Contract: id[:]})
			w.End()
			w.next(nil, "home", "sun")
			w.next(map[string]flow{"home": {10_000, 0}}, "home", "sun")
			w.next(map[string]flow{"home": {10_000, 0}, "sun": {0, 10_000}}, "home", "sun")
			s, _ := settlement.StatementOf(w.Store, at(2), home)
			if s.GetPaidUcoin() != test.paid || s.GetDrawnUcoin() != test.drawn || s.GetDebtUcoin() != test.debt {
				t.Errorf("statement: %v", s)
			}
			if len(s.GetTrades()) != 1 || s.Trades[0].UnpaidFeeUcoin != test.unpaidFees {
				t.Errorf("trades: %v", s.GetTrades())
			}
			if got := bank.DebtOf(w.Store, home); got != test.debt {
				t.Errorf("debt: got %d", got)
			}
			if got := w.capital(); got != 50*million-test.drawn {
				t.Errorf("capital: got %d", got)
			}
			if got := w.free("sun"); got != million+test.paid-(50_000-test.unpaidFees) {
				t.Errorf("sun: got %d", got)
			}
		})
	}
}

// TestLineBeforeFund: what neither balance nor line covers the guarantee fund pays
// up to its limit, and what it does not is debt. home owes the grid 5 coins for
// 10 kWh and has 3; its bank has 1.2 to lend, the fund may pay 0.5 of the rest.
func TestLineBeforeFund(t *testing.T) {
	fund := protocol.GuaranteeAddress
	w := newWorld(t, func(g *market.Genesis) {
		g.Params().GuaranteeLimitUcoin = 500_000
		g.Bank.Balances = append(g.Bank.Balances, &bankv1.Balance{Account: fund[:], FreeUcoin: 10 * million})
	}, map[string]int64{"home": 8 * million}, "home")
	w.openBank(1_200_000)
	w.Must("home", demand())
	w.End()
	w.next(nil, "home")
	w.next(map[string]flow{"home": {10_000, 0}}, "home")
	w.next(map[string]flow{"home": {10_000, 0}}, "home")
	home := market.Address("home")
	s, _ := settlement.StatementOf(w.Store, at(2), home)
	lent := s.GetDrawnUcoin()
	if lent <= 0 || lent > 1_200_000 || s.PaidUcoin != 3*million+lent || s.GuaranteedUcoin != 500_000 || s.DebtUcoin != 2*million-lent {
		t.Errorf("statement: %v", s)
	}
	if got := w.capital(); got != 1_200_000-lent {
		t.Errorf("capital: got %d after %d were lent", got, lent)
	}
	if got := bank.OwedToFund(w.Store, home); got != 500_000 {
		t.Errorf("owed to the fund: got %d", got)
	}
	if got := bank.DebtOf(w.Store, home); got != 2*million-lent {
		t.Errorf("debt: got %d", got)
	}
}

// TestSaleRepaysFirst: what a borrower gets by contract repays its loan before
// it is its own to spend, after older debts.
func TestSaleRepaysFirst(t *testing.T) {
	w := newWorld(t, func(g *market.Genesis) { g.NodeOf("home").PathMm, g.NodeOf("shop").PathMm = new(int64), new(int64) },
		map[string]int64{"home": 8 * million}, "home", "shop")
	w.openBank(50 * million)
	w.Must("home", demand())
	home, shop := market.Address("home"), market.Address("shop")
	id := w.Must("home", &settlementv1.MsgProposeContract{
		Seller: home[:], Buyer: shop[:], PriceUcoinPerKwh: 200_000, Priority: 1, Rank: 1,
		FromPeriod: at(3), UntilPeriod: at(4), ExpiresAtMs: at(1),
	})
	w.Must("shop", &settlementv1.MsgAcceptContract{Contract: id[:]})
	w.End()
	w.next(nil, "home", "shop")
	w.next(map[string]flow{"home": {10_000, 0}}, "home", "shop")
	w.next(map[string]flow{"home": {10_000, 0}}, "home", "shop") // home draws 2 coins at 7.5 %
	if err := bank.Owe(w.Ctx("home"), home, shop, 100_000); err != nil {
		t.Fatal(err)
	}
	// 12 kWh for 2.4 coins: 0.1 repays the debt, 2.15 the loan, 0.15 stay.
	w.next(map[string]flow{"home": {0, 12_000}, "shop": {12_000, 0}}, "home", "shop")
	s, _ := settlement.StatementOf(w.Store, at(3), home)
	if s.GetReceivedUcoin() != 2_400_000 || s.GetRepaidUcoin() != 100_000 || s.GetLoansRepaidUcoin() != 2_150_000 || w.free("home") != 150_000 {
		t.Errorf("statement: %v, free %d", s, w.free("home"))
	}
	w.wantBank(50*million, 150_000, 0, 50_150_000, 5*million)
	w.next(nil, "home", "shop")
	if got := w.loans("home"); len(got.Loans) != 0 || got.Borrower.Loans != 1 {
		t.Errorf("when the term ends: %v", got)
	}
}

// TestMatchRepays: what a borrower gets for a match repays its loan, also when its
// meter is so late that the grid held the money for it. 12 kWh at 0.2 are 2.4
// coins; 2 were lent at 7.5 %.
func TestMatchRepays(t *testing.T) {
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("late %v", late), func(t *testing.T) {
			w := newWorld(t, func(g *market.Genesis) { g.NodeOf("home").PathMm, g.NodeOf("shop").PathMm = new(int64), new(int64) },
				map[string]int64{"home": 8 * million}, "home", "shop")
			w.openBank(50 * million)
			longer := terms()
			longer.TermPeriods = 10
			w.Must(agg, &creditv1.MsgSetBank{Terms: longer})
			w.Must("home", demand())
			consent := &matchingv1.Consent{Standing: true}
			w.Must("home", &matchingv1.MsgPlaceSell{Period: at(4), PriceUcoinPerKwh: 200_000, EnergyWh: 12_000, Meter: market.Meter("home"), Consent: consent})
			w.Must("shop", &matchingv1.MsgPlaceBuy{Period: at(4), PriceUcoinPerKwh: 300_000, EnergyWh: 12_000, Consent: consent})
			w.End()
			drawn := map[string]flow{"home": {10_000, 0}}
			w.next(nil, "home", "shop")
			w.next(drawn, "home", "shop")
			w.next(drawn, "home", "shop")
			if got := w.loans("home").OwedUcoin; got != 2_150_000 {
				t.Fatalf("owed: %d", got)
			}
			w.Block(at(4) - 4000) // the gate
			w.next(nil, "home", "shop")
			delivered := map[string]flow{"home": {0, 12_000}, "shop": {12_000, 0}}
			if late {
				w.next(delivered, "shop")
				w.next(nil, "shop")
				w.next(nil, "shop") // the deadline
				if s, _ := settlement.StatementOf(w.Store, at(4), market.Address("home")); !s.GetMissing() {
					t.Fatalf("not missing: %v", s)
				}
				w.Begin(at(w.k) + 5000)
				w.Read("home", at(5), 0, 12_000)
				w.End()
			} else {
				w.next(delivered, "home", "shop")
			}
			s, _ := settlement.StatementOf(w.Store, at(4), market.Address("home"))
			if s.GetReceivedUcoin() != 2_400_000 || s.GetLoansRepaidUcoin() != 2_150_000 || w.free("home") != 250_000 || w.loans("home").OwedUcoin != 0 {
				t.Errorf("statement %v, %d ucoin, loans %v", s, w.free("home"), w.loans("home"))
			}
		})
	}
}
