package settlement_test

import (
	"testing"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/settlement"
)

// overdue is the first block after two whole periods with blocks that followed
// p: the deadline of p.
const overdue = p + 3*length + 500

// pair is a market in which sun sold 1000 Wh to home at 0.2, without losses;
// only those in flows have registers for p.
func pair(t *testing.T, flows map[string]flow) *market.Market {
	return pairWith(t, noLoss, flows)
}

func pairWith(t *testing.T, edit func(*market.Genesis), flows map[string]flow) *market.Market {
	m := market.New(t, edit, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, flows, "sun", "home")
	m.Block(p + 2*length + 500)
	if _, ok := settlement.RootOf(m.Store, p); ok {
		t.Fatal("settled before the deadline")
	}
	m.Block(overdue - 501)
	if _, ok := settlement.RootOf(m.Store, p); ok {
		t.Fatal("settled before two whole periods had passed")
	}
	m.Block(overdue)
	return m
}

// TestMissingSeller: at the deadline the grid is seller of record; the seller's
// registers bring it min(s_k, v_f) of that.
func TestMissingSeller(t *testing.T) {
	m := pair(t, map[string]flow{"home": {1200, 0}})
	if events := market.Happened[*settlementv1.PeriodOverdue](m); len(events) == 0 || events[len(events)-1].Missing != 1 {
		t.Errorf("got %v, want one account missing", events)
	}
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 1200, BoughtWh: 1000, GridImportWh: 200, PaidUcoin: 205_000 + 100_000, FeesUcoin: 5_000,
		GridPaidUcoin: 100_000, GridAloneUcoin: 600_000, Outcome: 1,
	})
	if trade := statement(m, "home").Trades[0]; !trade.GridStoodIn || trade.SoldWh != 1000 {
		t.Errorf("want the grid as seller of record of 1000 Wh: %v", trade)
	}
	check(m, "sun", &settlementv1.Statement{Version: 1, Missing: true, Outcome: -10})
	checkTotals(m, 1, &settlementv1.Totals{
		SoldWh: 1000, BoughtWh: 1000, CleanWh: 1000, AmountUcoin: 200_000, FeesUcoin: 5_000, GridSoldWh: 1200,
		GridReceivedUcoin: 300_000, PaidUcoin: 305_000, ReceivedUcoin: 305_000, GridAloneUcoin: 600_000,
	})
	first, _ := settlement.RootOf(m.Store, p)

	// 700 Wh had been delivered.
	m.Begin(overdue + 1000)
	m.Read("sun", p+length, 0, 700)
	m.End()
	check(m, "sun", &settlementv1.Statement{
		Version: 2, ExportWh: 700, SoldWh: 700, ReceivedUcoin: 140_000, GridAloneUcoin: -70_000, Outcome: -10,
	})
	if trade := statement(m, "home").Trades[0]; trade.SoldWh != 1000 || statement(m, "home").Version != 1 {
		t.Errorf("the buyer's statement changed: %v", trade)
	}
	checkTotals(m, 2, &settlementv1.Totals{
		SoldWh: 1000, BoughtWh: 1000, CleanWh: 1000, AmountUcoin: 200_000, FeesUcoin: 5_000, GridSoldWh: 500,
		GridPaidUcoin: 140_000, GridReceivedUcoin: 300_000, PaidUcoin: 445_000, ReceivedUcoin: 445_000, GridAloneUcoin: 530_000,
	})
	if second, _ := settlement.RootOf(m.Store, p); string(second.Root) == string(first.Root) {
		t.Error("the root did not change")
	}
	if got := free(m, market.Address("sun")); got != market.Coins+140_000 {
		t.Errorf("sun has %d, want %d", got, market.Coins+140_000)
	}
	if got := free(m, protocol.GridAddress); got != 300_000-140_000 {
		t.Errorf("the grid has %d, want 160 000", got)
	}
}

// TestMissingSellerDelivered: who delivered more gets all, and the rest is sold
// to the grid.
func TestMissingSellerDelivered(t *testing.T) {
	m := pair(t, map[string]flow{"home": {600, 0}})
	m.Begin(overdue + 1000)
	m.Read("sun", p+length, 0, 1500)
	m.End()
	// v_f = g = 600: min(s, v_f) = 600, 900 go to the grid.
	check(m, "sun", &settlementv1.Statement{
		Version: 2, ExportWh: 1500, SoldWh: 600, GridExportWh: 900, ReceivedUcoin: 120_000 + 90_000, GridReceivedUcoin: 90_000,
		GridAloneUcoin: -150_000, Outcome: -10,
	})
}

// TestMissingBuyer: the buyer takes and pays for all it had contracted; late
// registers settle the rest with the grid, signed.
func TestMissingBuyer(t *testing.T) {
	m := pair(t, map[string]flow{"sun": {0, 900}})
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 900, SoldWh: 900, ReceivedUcoin: 180_000, GridAloneUcoin: -90_000, Outcome: 1,
	})
	check(m, "home", &settlementv1.Statement{
		Version: 1, Missing: true, BoughtWh: 900, PaidUcoin: 180_000 + 4_500, FeesUcoin: 4_500, Outcome: -10,
	})
	m.Begin(overdue + 1000)
	m.Read("home", p+length, 100, 0)
	m.End()
	check(m, "home", &settlementv1.Statement{
		Version: 2, ImportWh: 100, BoughtWh: 900, GridImportWh: -800, PaidUcoin: 184_500, FeesUcoin: 4_500,
		ReceivedUcoin: 80_000, GridReceivedUcoin: 80_000, GridAloneUcoin: 50_000, Outcome: -10,
	})
}

// TestBothMissing: nothing is delivered and the escrow goes back.
func TestBothMissing(t *testing.T) {
	m := pair(t, nil)
	for _, name := range []string{"sun", "home"} {
		check(m, name, &settlementv1.Statement{Version: 1, Missing: true, Outcome: -10})
		if got := free(m, market.Address(name)); got != market.Coins {
			t.Errorf("%s has %d free, want all %d", name, got, market.Coins)
		}
	}
	// Both come late, in one block: one further root for both.
	m.Begin(overdue + 1000)
	m.Read("sun", p+length, 0, 1000)
	m.Read("home", p+length, 1000, 0)
	m.End()
	check(m, "sun", &settlementv1.Statement{
		Version: 2, ExportWh: 1000, GridExportWh: 1000, ReceivedUcoin: 100_000, GridReceivedUcoin: 100_000, GridAloneUcoin: -100_000, Outcome: -10,
	})
	check(m, "home", &settlementv1.Statement{
		Version: 2, ImportWh: 1000, GridImportWh: 1000, PaidUcoin: 500_000, GridPaidUcoin: 500_000, GridAloneUcoin: 500_000, Outcome: -10,
	})
	checkTotals(m, 2, &settlementv1.Totals{
		GridBoughtWh: 1000, GridSoldWh: 1000, GridPaidUcoin: 100_000, GridReceivedUcoin: 500_000, PaidUcoin: 600_000, ReceivedUcoin: 600_000,
		GridAloneUcoin: 400_000,
	})
}

// TestOneLateMeterHoldsUpOnlyItsCounterparties: shop trades with nobody who is
// missing and has its statement at once.
func TestOneLateMeterHoldsUpOnlyItsCounterparties(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home", "shop")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, map[string]flow{"home": {1000, 0}, "shop": {100, 0}}, "sun", "home", "shop")
	if s := statement(m, "shop"); s.GridImportWh != 100 {
		t.Errorf("shop imports %d from the grid, want 100", s.GridImportWh)
	}
	if _, ok := settlement.StatementOf(m.Store, p, market.Address("home")); ok {
		t.Error("home is settled without its seller")
	}
	// Still in time: everything settles as if nothing had happened.
	m.Begin(p + 2*length + 500)
	m.Read("sun", p+length, 0, 1000)
	m.End()
	check(m, "sun", &settlementv1.Statement{Version: 1, ExportWh: 1000, SoldWh: 1000, ReceivedUcoin: 200_000, GridAloneUcoin: -100_000, Outcome: 1})
	if root, ok := settlement.RootOf(m.Store, p); !ok || root.Version != 1 || root.Accounts != 3 {
		t.Errorf("root %v, want version 1 over three accounts", root)
	}
}
