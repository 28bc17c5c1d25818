package settlement_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/settlement"
)

// correctable lets boundaries be corrected for as long as statements are kept.
func correctable(g *market.Genesis) {
	noLoss(g)
	g.Params().CorrectionRetentionPeriods = g.Params().StatementRetentionPeriods
}

// reread reads every member at the end of the period after p, in which all
// counted 500 Wh both ways, and at the end of the next, so that the boundaries of
// p may be corrected.
func reread(m *market.Market, names ...string) {
	m.T.Helper()
	for i := int64(2); i <= 3; i++ {
		m.Begin(p + i*length + 500)
		for _, name := range names {
			m.Read(name, p+i*length, 500*(3-i), 500*(3-i))
		}
		m.End()
	}
}

// correctEnd corrects the end of p in the next block: by how much more a member
// counted in p, and less in the period after it.
func correctEnd(m *market.Market, name string, more flow) {
	m.T.Helper()
	m.Begin(m.TimeMs + 100)
	if err := m.Correct(name, p+length, more.in, more.out); err != nil {
		m.T.Fatal(err)
	}
	m.End()
}

// corrected is a market in which sun sold 1000 Wh to home at 0.2, with registers
// for p and the two periods after it.
func corrected(t *testing.T, edit func(*market.Genesis), flows map[string]flow) *market.Market {
	t.Helper()
	m := market.New(t, func(g *market.Genesis) {
		correctable(g)
		if edit != nil {
			edit(g)
		}
	}, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, flows, "sun", "home")
	reread(m, "sun", "home")
	return m
}

// TestCorrectSeller: sun exported 600 Wh in p, not 1200; those 600 come in the
// period after it. It gives back the price of 400 Wh and makes home whole for
// them; home pays retail for them.
func TestCorrectSeller(t *testing.T) {
	m := corrected(t, nil, map[string]flow{"sun": {0, 1200}, "home": {1000, 0}})
	first, _ := settlement.RootOf(m.Store, p)
	home := free(m, market.Address("home"))
	correctEnd(m, "sun", flow{out: -600})

	check(m, "sun", &settlementv1.Statement{
		Version: 2, CorrectsVersion: 1, ExportWh: 600, SoldWh: 600, GridAloneUcoin: -60_000, Outcome: 1,
		ReceivedUcoin: 200_000 + 20_000, GridReceivedUcoin: 20_000, MakeWholePaidUcoin: 118_000,
		// 80 000 and 118 000 to home, 20 000 of feed-in to the grid.
		PaidUcoin: 198_000 + 20_000, GridPaidUcoin: 20_000, CorrectionPaidUcoin: 218_000,
	})
	check(m, "home", &settlementv1.Statement{
		Version: 2, CorrectsVersion: 1, ImportWh: 1000, BoughtWh: 600, GridImportWh: 400, GridAloneUcoin: 500_000, Outcome: 1,
		PaidUcoin: 205_000 + 200_000, FeesUcoin: 3_000, GridPaidUcoin: 200_000, CorrectionPaidUcoin: 200_000,
		ReceivedUcoin: 198_000 + 2_000, MakeWholeReceivedUcoin: 118_000, CorrectionReceivedUcoin: 200_000,
		CertificatesReclaimedWh: 400,
	})
	// With the price, the fee and the make-whole payment home is where it was.
	if got := free(m, market.Address("home")); got != home {
		t.Errorf("home has %d, want %d as before", got, home)
	}
	checkTotals(m, 2, &settlementv1.Totals{
		SoldWh: 600, BoughtWh: 600, CleanWh: 600, AmountUcoin: 120_000, FeesUcoin: 3_000, GridSoldWh: 400,
		GridPaidUcoin: 20_000, GridReceivedUcoin: 220_000, MakeWholeUcoin: 118_000, GridAloneUcoin: 440_000,
		PaidUcoin: 225_000 + 198_000 + 220_000, ReceivedUcoin: 225_000 + 198_000 + 220_000,
	})
	if second, _ := settlement.RootOf(m.Store, p); string(second.Root) == string(first.Root) {
		t.Error("the root did not change")
	}
	after, _ := settlement.StatementOf(m.Store, p+length, market.Address("sun"))
	if after.Version != 2 || after.ExportWh != 1100 || after.CorrectionReceivedUcoin != 60_000 {
		t.Errorf("want 600 Wh more in the period after p: %v", after)
	}
	if root, _ := settlement.RootOf(m.Store, p+length); root.Version != 2 {
		t.Errorf("want a second root of the period after p: %v", root)
	}
	if events := market.Happened[*settlementv1.AccountCorrected](m); len(events) != 2 || events[0].ExportWh != -600 || events[1].ExportWh != 600 {
		t.Errorf("events: %v", events)
	}
}

// TestCorrectTwiceAndBack: one block's corrections make one version of the root,
// and back to what was read at first all money is where it was.
func TestCorrectTwiceAndBack(t *testing.T) {
	m := corrected(t, nil, map[string]flow{"sun": {0, 1200}, "home": {1000, 0}})
	before := worths(m, "sun", "home")
	m.Begin(m.TimeMs + 100)
	for name, more := range map[string]flow{"sun": {out: -600}, "home": {in: -700}} {
		if err := m.Correct(name, p+length, more.in, more.out); err != nil {
			t.Fatal(err)
		}
	}
	m.End()
	if root, _ := settlement.RootOf(m.Store, p); root.Version != 2 {
		t.Errorf("two corrections in a block: got %v, want version 2", root)
	}
	if s := statement(m, "home"); s.Version != 3 || s.BoughtWh != 300 {
		t.Errorf("home: want 300 Wh bought in version 3: %v", s)
	}
	correctEnd(m, "home", flow{in: 700})
	correctEnd(m, "sun", flow{out: 600})
	if s := statement(m, "sun"); s.Version != 5 || s.CorrectsVersion != 4 || s.SoldWh != 1000 || s.Trades[0].MakeWholeBySellerUcoin != 0 {
		t.Errorf("sun: want 1000 Wh sold: %v", s)
	}
	if got := worths(m, "sun", "home"); got != before {
		t.Errorf("got %v, want %v as before", got, before)
	}
}

// worths is what everybody has and is owed, less debts, in one text.
func worths(m *market.Market, names ...string) (all [8]int64) {
	for i, name := range names {
		all[i] = worth(m, market.Address(name))
	}
	all[5], all[6], all[7] = worth(m, protocol.GridAddress), worth(m, protocol.FeeAddress), worth(m, protocol.GuaranteeAddress)
	return all
}

func worth(m *market.Market, account protocol.Address) int64 {
	b := bank.BalanceOf(m.Store, account)
	return b.FreeUcoin + b.EscrowUcoin + bank.OwedTo(m.Store, account) - bank.DebtOf(m.Store, account)
}

// TestCorrectIntoDebt: what sun has spent meanwhile it owes; nothing goes below
// zero, and corrected back all are worth what they were.
func TestCorrectIntoDebt(t *testing.T) {
	m := corrected(t, nil, map[string]flow{"sun": {0, 1200}, "home": {1000, 0}})
	before := worths(m, "sun", "home")
	sun := market.Address("sun")
	spent := free(m, sun) - 30_000
	if _, _, err := bank.Pay(m.Ctx("sun"), sun, protocol.GridAddress, spent); err != nil {
		t.Fatal(err)
	}
	correctEnd(m, "sun", flow{out: -600})
	s := statement(m, "sun")
	// 30 000 and 60 000 of the period after p, which settles later, do not reach for 198 000.
	if s.CorrectionPaidUcoin != 30_000 || s.CorrectionDebtUcoin != 188_000 || s.DebtUcoin != 188_000 {
		t.Errorf("sun: %v", s)
	}
	if h := statement(m, "home"); h.ClaimsUcoin != 168_000 || h.CorrectionReceivedUcoin != 32_000 {
		t.Errorf("home: %v", h)
	}
	if got := bank.DebtOf(m.Store, sun); got != 188_000-60_000 {
		t.Errorf("sun owes %d", got)
	}
	correctEnd(m, "sun", flow{out: 600})
	before[0] -= spent
	before[5] += spent
	if got := worths(m, "sun", "home"); got != before {
		t.Errorf("got %v, want %v as before", got, before)
	}
}

// TestCorrectWaits: a correction of a period in settlement waits for its root.
func TestCorrectWaits(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) { correctable(g); g.Params().DeadlinePeriods = 5 }, "sun", "home", "shop")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1200}, "home": {1000, 0}}, "sun", "home", "shop")
	reread(m, "sun", "home")
	correctEnd(m, "sun", flow{out: -600})
	if s := statement(m, "sun"); s.Version != 1 || s.ExportWh != 1200 {
		t.Errorf("corrected before the period was settled: %v", s)
	}
	again := m.Reborn() // the correction is in the export
	m.Begin(m.TimeMs + 100)
	m.Read("shop", p+length, 10, 0)
	m.End()
	for i := int64(4); i <= 6; i++ { // to the deadline
		again.Block(p + i*length + 500)
	}
	for _, m := range []*market.Market{m, again} {
		if s := statement(m, "sun"); s.Version != 2 || s.ExportWh != 600 {
			t.Errorf("want sun corrected: %v", s)
		}
		if root, _ := settlement.RootOf(m.Store, p); root.Version != 2 {
			t.Errorf("got %v, want the first root and that of the correction", root)
		}
	}
}

// TestCorrectBeforeSettlement: registers that settlement has not taken are simply
// others. A clock ahead of the chain's, within max_future, has them read early.
func TestCorrectBeforeSettlement(t *testing.T) {
	m := market.New(t, correctable, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliverUntil(m, "sun", "home")
	m.Begin(p + 600)
	m.Read("home", p+length, 1000, 0)
	m.Read("sun", p+length, 0, 1200)
	m.Read("sun", p+2*length, 0, 0)
	m.End()
	correctEnd(m, "sun", flow{out: -600})
	m.Block(p + length + 500)
	if s := statement(m, "sun"); s.Version != 1 || s.ExportWh != 600 || s.SoldWh != 600 || s.Outcome != 1 {
		t.Errorf("sun: want 600 Wh in version 1: %v", s)
	}
}

// TestCorrectStoodIn: of a match that the grid stood in for, home's correction
// changes what the grid sold, whether sun's registers came since or not; and
// sun's own what passes to it.
func TestCorrectStoodIn(t *testing.T) {
	stoodIn := func(t *testing.T) *market.Market {
		m := pairWith(t, correctable, map[string]flow{"home": {1200, 0}})
		for i := int64(2); i <= 3; i++ {
			m.Begin(overdue + i)
			m.Read("home", p+i*length, 0, 0)
			m.End()
		}
		return m
	}
	arrive := func(m *market.Market, out int64) {
		m.Begin(m.TimeMs + 10)
		for i := int64(1); i <= 3; i++ {
			m.Read("sun", p+i*length, 0, out)
		}
		m.End()
	}
	t.Run("still missing", func(t *testing.T) {
		m := stoodIn(t)
		before := worths(m, "sun", "home")
		correctEnd(m, "home", flow{in: -900})
		if s := statement(m, "home"); s.BoughtWh != 300 || s.CorrectionReceivedUcoin != 140_000+3_500+100_000 {
			t.Errorf("home: want 300 Wh bought: %v", s)
		}
		if s := statement(m, "sun"); !s.Missing || s.Version != 2 || s.Trades[0].SoldWh != 300 || s.CorrectionPaidUcoin != 0 {
			t.Errorf("sun: want a trade of 300 Wh: %v", s)
		}
		arrive(m, 700)
		if s := statement(m, "sun"); s.SoldWh != 300 || s.GridExportWh != 400 || s.ReceivedUcoin != 60_000+40_000 {
			t.Errorf("sun: want 300 Wh passed on: %v", s)
		}
		correctEnd(m, "home", flow{in: 900})
		if s := statement(m, "sun"); s.SoldWh != 700 || s.GridExportWh != 0 {
			t.Errorf("sun: want 700 Wh passed on: %v", s)
		}
		other := stoodIn(t)
		arrive(other, 700)
		if got, want := worths(m, "sun", "home"), worths(other, "sun", "home"); got != want || got == before {
			t.Errorf("got %v, want %v as without corrections", got, want)
		}
	})
	t.Run("the late seller", func(t *testing.T) {
		m := stoodIn(t)
		arrive(m, 700)
		home := statement(m, "home")
		correctEnd(m, "sun", flow{out: -500})
		if s := statement(m, "sun"); s.SoldWh != 200 || s.CorrectionPaidUcoin != 100_000 || s.Version != 3 {
			t.Errorf("sun: want 500 Wh less passed on: %v", s)
		}
		if !proto.Equal(statement(m, "home"), home) {
			t.Errorf("the buyer's statement changed: %v", statement(m, "home"))
		}
		correctEnd(m, "sun", flow{out: 900})
		if s := statement(m, "sun"); s.SoldWh != 1000 || s.GridExportWh != 100 {
			t.Errorf("sun: want all of the match passed on: %v", s)
		}
	})
}

// TestCorrectMissingBuyer: a buyer that was missing takes what was contracted for
// good: its own correction changes its exchange with the grid only, the
// seller's what it pays for.
func TestCorrectMissingBuyer(t *testing.T) {
	m := pairWith(t, correctable, map[string]flow{"sun": {0, 800}})
	for i := int64(2); i <= 3; i++ {
		m.Begin(overdue + i)
		m.Read("sun", p+i*length, 0, 500)
		m.End()
	}
	correctEnd(m, "sun", flow{out: 100})
	if s := statement(m, "home"); !s.Missing || s.BoughtWh != 900 || s.CorrectionPaidUcoin != 20_500 {
		t.Errorf("home: want 900 Wh bought: %v", s)
	}
	m.Begin(m.TimeMs + 10)
	for i := int64(1); i <= 3; i++ {
		m.Read("home", p+i*length, 600, 0)
	}
	m.End()
	sun := statement(m, "sun")
	correctEnd(m, "home", flow{in: -600})
	if s := statement(m, "home"); s.BoughtWh != 900 || s.GridImportWh != -900 || s.Trades[0].MakeWholeByBuyerUcoin != 0 {
		t.Errorf("home: want 900 Wh bought and sold to the grid: %v", s)
	}
	if !proto.Equal(statement(m, "sun"), sun) {
		t.Errorf("the seller's statement changed: %v", statement(m, "sun"))
	}
}

// TestCorrectBothMissing: nothing was delivered, and stays so.
func TestCorrectBothMissing(t *testing.T) {
	m := pairWith(t, correctable, nil)
	m.Begin(overdue + 10)
	for i := int64(1); i <= 3; i++ {
		m.Read("home", p+i*length, 600, 0)
		m.Read("sun", p+i*length, 0, 600)
	}
	m.End()
	correctEnd(m, "sun", flow{out: 300})
	if s := statement(m, "sun"); s.SoldWh != 0 || s.GridExportWh != 900 || s.Version != 3 {
		t.Errorf("sun: %v", s)
	}
}

// TestCorrectLeavesReputation: neither outcomes nor penalties move.
func TestCorrectLeavesReputation(t *testing.T) {
	m := corrected(t, func(g *market.Genesis) { g.Params().ViolationPenaltyUcoin = 50_000 }, map[string]flow{"sun": {0, 100}, "home": {1000, 0}})
	before := statement(m, "sun")
	correctEnd(m, "sun", flow{out: 500})
	s := statement(m, "sun")
	if s.Outcome != -10 || s.Reputation != before.Reputation || s.PenaltyPaidUcoin != 50_000 || s.SoldWh != 600 {
		t.Errorf("sun: %v", s)
	}
}

// TestCorrectWithoutStatements: once a statement is gone, nothing moves.
func TestCorrectWithoutStatements(t *testing.T) {
	m := corrected(t, func(g *market.Genesis) { g.Params().DeadlinePeriods = 5 }, map[string]flow{"sun": {0, 1200}, "home": {1000, 0}})
	before := worths(m, "sun", "home")
	home := market.Address("home")
	statements := state.NewMap[settlementv1.Statement](protocol.ModuleSettlement, 6)
	statements.Delete(m.Store, statements.Key().Int64(p).Bytes(home[:]))
	correctEnd(m, "sun", flow{out: -600})
	events := market.Happened[*settlementv1.CorrectionFailed](m)
	if len(events) != 1 || events[0].Period != p {
		t.Errorf("want one correction that failed: %v", events)
	}
	if s := statement(m, "sun"); s.Version != 1 || s.ExportWh != 1200 {
		t.Errorf("sun: %v", s)
	}
	before[0] += 60_000 // of the period after p
	before[5] -= 60_000
	if got := worths(m, "sun", "home"); got != before {
		t.Errorf("got %v, want %v", got, before)
	}
}

// TestCorrectWhileRemoved: once the retention time of a period's statements is over
// nothing moves, also where removing them takes several blocks.
func TestCorrectWhileRemoved(t *testing.T) {
	m := corrected(t, nil, map[string]flow{"sun": {0, 1200}, "home": {1000, 0}})
	before, _ := settlement.RootOf(m.Store, p)
	retirements := state.NewMap[settlementv1.Due](protocol.ModuleSettlement, 10)
	retirements.Set(m.Store, retirements.Key().Int64(1).Int64(p), &settlementv1.Due{Count: 1, Period: p})
	correctEnd(m, "sun", flow{out: -600})
	events := market.Happened[*settlementv1.CorrectionFailed](m)
	if len(events) != 1 || events[0].Period != p || !strings.Contains(events[0].Reason, "being removed") {
		t.Errorf("want one correction that failed: %v", events)
	}
	if after, _ := settlement.RootOf(m.Store, p); after.Version != before.Version {
		t.Errorf("root %v, want %v", after, before)
	}
}

// TestCorrectUnpaidMakeWhole: what of a make-whole payment became debt stays owed;
// the corrected trade does not count it again.
func TestCorrectUnpaidMakeWhole(t *testing.T) {
	m := corrected(t, poor("sun", 7_000), map[string]flow{"sun": {0, 400}, "home": {1000, 0}})
	if trade := statement(m, "home").Trades[0]; trade.MakeWholeBySellerUcoin != 177_000 || trade.UnpaidMakeWholeUcoin != 90_000 {
		t.Fatalf("want 90 000 of 177 000 owed: %v", trade)
	}
	correctEnd(m, "sun", flow{out: 200})
	s := statement(m, "home")
	if trade := s.Trades[0]; s.ClaimsUcoin != 90_000 || trade.MakeWholeBySellerUcoin != 118_000 || trade.UnpaidMakeWholeUcoin != 0 {
		t.Errorf("home: %v", s)
	}
	// The price of 200 Wh and 59 000 less to be made whole, the fee; 200 Wh less of the grid come first.
	if s.CorrectionPaidUcoin != 99_000+1_000 || s.CorrectionReceivedUcoin != 100_000 {
		t.Errorf("home: %v", s)
	}
}
