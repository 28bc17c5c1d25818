package settlement_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

// strict charges 30 000 for a violation and freezes with the f-th of the last
// five outcomes.
func strict(f int64, more ...func(*market.Genesis)) func(*market.Genesis) {
	return func(g *market.Genesis) {
		noLoss(g)
		g.Params().ViolationPenaltyUcoin, g.Params().FreezeViolations, g.Params().FreezeWindow = 30_000, f, 5
		for _, edit := range more {
			edit(g)
		}
	}
}

func poor(name string, coins int64) func(*market.Genesis) {
	return func(g *market.Genesis) { g.Balance(name).FreeUcoin = coins }
}

func status(m *market.Market, name string) registryv1.Status {
	account, _ := registry.AccountOf(m.Store, market.Address(name))
	return account.Status
}

const (
	isActive = registryv1.Status_STATUS_ACTIVE
	isFrozen = registryv1.Status_STATUS_FROZEN
)

// TestPenalty: sun sold 1000 Wh and exports 100; the penalty is paid with the
// statement of the period, out of what it holds.
func TestPenalty(t *testing.T) {
	m := market.New(t, strict(2), "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 100}, "home": {100, 0}}, "sun", "home")
	// home took 100 of 1000 as well: both are violated.
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 100, SoldWh: 100, ReceivedUcoin: 20_000, PaidUcoin: 30_000,
		PenaltyUcoin: 30_000, PenaltyPaidUcoin: 30_000, GridAloneUcoin: -10_000, Outcome: -10,
	})
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 100, BoughtWh: 100, PaidUcoin: 20_000 + 500 + 30_000, FeesUcoin: 500,
		PenaltyUcoin: 30_000, PenaltyPaidUcoin: 30_000, GridAloneUcoin: 50_000, Outcome: -10,
	})
	checkTotals(m, 1, &settlementv1.Totals{
		SoldWh: 100, BoughtWh: 100, CleanWh: 100, AmountUcoin: 20_000, FeesUcoin: 500,
		FundReceivedUcoin: 60_000, PaidUcoin: 80_500, ReceivedUcoin: 80_500, GridAloneUcoin: 40_000,
	})
	if fund := free(m, protocol.GuaranteeAddress); fund != 60_000 {
		t.Errorf("the fund has %d, want 60 000", fund)
	}
	// One violation of two.
	if status(m, "sun") != isActive {
		t.Error("sun is frozen with its first violation, want with its second")
	}
}

// TestFreezeAndThaw: home is missing at the deadline of p and has 10 400 of the
// 30 000 free: it is frozen, its open order is cancelled with the escrow back,
// which repays the penalty. It reads again, but draws 1000 Wh from the grid that
// it cannot pay; it is thawed in the period after it has paid.
func TestFreezeAndThaw(t *testing.T) {
	m := market.New(t, strict(1, poor("home", 223_500)), "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 205_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1000}}, "sun", "home")
	m.Begin(p + 2*length + 500)
	m.Must("home", buy(p+6*length, 400_000, 20)) // holds 8 000 + 100
	m.End()
	m.Block(overdue)

	home := market.Address("home")
	check(m, "home", &settlementv1.Statement{
		Version: 1, Missing: true, BoughtWh: 1000, PaidUcoin: 205_000 + 10_400, FeesUcoin: 5_000,
		PenaltyUcoin: 30_000, PenaltyPaidUcoin: 10_400, DebtUcoin: 19_600, Outcome: -10,
	})
	if s := statement(m, "home"); s.BalanceBeforeUcoin != 223_500 || s.BalanceAfterUcoin != 8_100 {
		t.Errorf("balance %d before and %d after, want 223 500 and the escrow of 8 100", s.BalanceBeforeUcoin, s.BalanceAfterUcoin)
	}
	if status(m, "home") != isFrozen {
		t.Fatal("home is not frozen")
	}
	changed := market.Happened[*registryv1.StatusChanged](m)
	if len(changed) != 1 || changed[0].Reason != "violations" {
		t.Errorf("events %v, want one freeze for violations", changed)
	}
	if cancelled := market.Happened[*matchingv1.OrderCancelled](m); len(cancelled) != 1 {
		t.Errorf("cancelled %v, want the open order", cancelled)
	}
	if owed, escrow := bank.DebtOf(m.Store, home), bank.BalanceOf(m.Store, home).EscrowUcoin; owed != 19_600-8_100 || escrow != 0 {
		t.Errorf("home owes %d with %d in escrow, want 11 500 and nothing", owed, escrow)
	}
	if diff := cmp.Diff(m.Export(), m.Reborn().Export()); diff != "" {
		t.Errorf("export of the import: %s", diff)
	}

	// The registers of p itself are no reading again.
	m.Begin(overdue + 1000)
	m.Read("home", p+length, 1000, 0)
	m.End()
	m.Block(p + 4*length + 500)
	if status(m, "home") != isFrozen {
		t.Error("home is thawed though it did not read a later period")
	}
	m.Begin(p + 4*length + 600)
	m.Read("home", p+2*length, 0, 0)
	m.Read("home", p+3*length, 0, 0)
	m.Read("home", p+4*length, 0, 0)
	m.End()
	m.Block(p + 5*length + 500)
	if status(m, "home") != isFrozen {
		t.Error("home is thawed though it owes")
	}
	m.Begin(p + 5*length + 600)
	m.Read("home", p+5*length, 0, 115) // earns 11 500
	m.End()
	if owed := bank.DebtOf(m.Store, home); owed != 0 || status(m, "home") != isFrozen {
		t.Errorf("home owes %d, want nothing, and to be thawed with the next period", owed)
	}
	m.Block(p + 6*length + 500)
	if status(m, "home") != isActive {
		t.Error("home has read again and paid, and is still frozen")
	}
	if free(m, protocol.GuaranteeAddress) != 30_000 {
		t.Errorf("the fund has %d, want the penalty", free(m, protocol.GuaranteeAddress))
	}
}

// TestAuthorityFreezeStays: what the authority froze, before the violation or
// after it, settlement does not thaw.
func TestAuthorityFreezeStays(t *testing.T) {
	home := market.Address("home")
	for _, test := range []struct {
		name          string
		before, after bool
	}{{"before", true, false}, {"after", false, true}, {"never", false, false}} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, strict(1), "sun", "home")
			m.Must("sun", sell(p, 200_000, 1000, "sun"))
			m.Must("home", buy(p, 300_000, 1000))
			m.End()
			deliver(m, map[string]flow{"sun": {0, 1000}}, "sun", "home")
			if test.before {
				m.Decree(&registryv1.MsgFreeze{Account: home[:]})
			}
			m.Block(p + 2*length + 500)
			m.Block(overdue)
			if status(m, "home") != isFrozen {
				t.Fatal("home is not frozen")
			}
			m.Begin(overdue + 1000)
			if test.after {
				m.Decree(&registryv1.MsgFreeze{Account: home[:], Reason: "on top"})
			}
			for i := int64(1); i <= 3; i++ {
				m.Read("home", p+i*length, 0, 0)
			}
			m.End()
			m.Block(p + 4*length + 500)
			m.Block(p + 5*length + 500)
			if frozen := status(m, "home") == isFrozen; frozen != (test.before || test.after) {
				t.Errorf("frozen: %t", frozen)
			}
		})
	}
}

// TestEstimatedIsNoReadingAgain: registers with a gap do not thaw.
func TestEstimatedIsNoReadingAgain(t *testing.T) {
	m := pairWith(t, strict(1), map[string]flow{"sun": {0, 1000}})
	m.Begin(overdue + 1000)
	m.Read("home", p+3*length, 3000, 0) // p to p + 2 are estimated
	m.End()
	m.Block(p + 4*length + 500)
	if status(m, "home") != isFrozen {
		t.Fatal("thawed by estimated registers")
	}
	m.Begin(p + 4*length + 600)
	m.Read("home", p+4*length, 0, 0)
	m.Read("home", p+5*length-9_000, 0, 0)
	m.End()
	m.Begin(p + 5*length + 500)
	m.Read("home", p+5*length, 0, 0)
	m.End()
	m.Block(p + 6*length + 500)
	if status(m, "home") != isActive {
		t.Error("still frozen after measured registers")
	}
}

// TestOutageIsNobodysViolation: the chain stands still for five periods, in which
// p is delivered and the gate of p + 2 falls. p settles as matched with readings
// that come late, though within the deadline, which counts periods with blocks.
// p + 2 goes to the grid. Nobody is violated.
func TestOutageIsNobodysViolation(t *testing.T) {
	m := market.New(t, strict(1), "sun", "home")
	for _, period := range []int64{p, p + 2*length} {
		m.Must("sun", sell(period, 200_000, 1000, "sun"))
		m.Must("home", buy(period, 300_000, 1000))
	}
	m.End()
	m.Begin(gate)
	for _, name := range []string{"sun", "home"} {
		m.Read(name, start+length, 0, 0)
	}
	m.End()
	back := int64(p + 5*length + 500)
	m.Block(back)
	if escrow := bank.BalanceOf(m.Store, market.Address("home")).EscrowUcoin; escrow != 205_000 {
		t.Errorf("%d in escrow, want that of the match for p alone", escrow)
	}
	// The gateways send what they kept one whole period with blocks later.
	m.Block(back + length)
	m.Begin(back + 2*length - 1000)
	for i := range int64(6) {
		m.Read("sun", p+i*length, 0, min(i, 1)*1000)
		m.Read("home", p+i*length, min(i, 1)*1000, 0)
	}
	m.End()
	check(m, "sun", &settlementv1.Statement{Version: 1, ExportWh: 1000, SoldWh: 1000, ReceivedUcoin: 200_000, GridAloneUcoin: -100_000, Outcome: 1})
	got, err := market.Query[*settlementv1.QueryStatementResponse](m, &settlementv1.QueryStatementRequest{Account: market.Address("home").Bytes(), Period: p + 2*length})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Statement; s.GridImportWh != 1000 || s.GridPaidUcoin != 500_000 || s.BoughtWh != 0 || s.Outcome != 0 {
		t.Errorf("p + 2: want 1000 Wh of the grid and no outcome: %v", s)
	}
	if fund := free(m, protocol.GuaranteeAddress); fund != 0 || status(m, "sun") != isActive || status(m, "home") != isActive {
		t.Errorf("the fund got %d, sun is %v, home %v; want no penalty and no freeze", fund, status(m, "sun"), status(m, "home"))
	}
}

// TestViolatedPeriodIsNoReadingAgain: the late registers of the violated period
// itself do not thaw, though nothing is owed.
func TestViolatedPeriodIsNoReadingAgain(t *testing.T) {
	m := pairWith(t, strict(1), map[string]flow{"sun": {0, 1000}})
	m.Begin(overdue + 1000)
	m.Read("home", p+length, 1000, 0)
	m.End()
	m.Block(p + 4*length + 500)
	if owed := bank.DebtOf(m.Store, market.Address("home")); owed != 0 || status(m, "home") != isFrozen {
		t.Errorf("home owes %d and is %v, want nothing and frozen", owed, status(m, "home"))
	}
}
