package settlement_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/reputation"
)

// noLoss leaves losses out of what is computed by hand.
func noLoss(g *market.Genesis) { g.Params().DefaultLossPpmPerKm = 0 }

// TestShortSeller: sun sold 1000 Wh to each of two and exports 1000: each gets
// 500, a violation. What the buyers draw beyond comes from the grid.
func TestShortSeller(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home", "shop")
	m.Must("sun", sell(p, 200_000, 2000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.Must("shop", buy(p, 250_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {10, 1000}, "home": {1000, 0}, "shop": {400, 0}}, "sun", "home", "shop")

	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 1000, BoughtWh: 500, GridImportWh: 500, PaidUcoin: 100_000 + 2_500 + 250_000, FeesUcoin: 2_500,
		GridPaidUcoin: 250_000, GridAloneUcoin: 500_000, Outcome: 1,
		// sun makes home whole: 500 Wh at retail less price and fee.
		ReceivedUcoin: 147_500, MakeWholeReceivedUcoin: 147_500,
	})
	// The shop itself took 400 of 1000: g = 400 < s = 500; it falls short by 600, of which
	// sun could deliver 100: price less feed-in.
	check(m, "shop", &settlementv1.Statement{
		Version: 1, ImportWh: 400, BoughtWh: 400, PaidUcoin: 80_000 + 2_000 + 10_000, FeesUcoin: 2_000, GridAloneUcoin: 200_000, Outcome: -10,
		MakeWholePaidUcoin: 10_000,
	})
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ImportWh: 10, ExportWh: 1000, SoldWh: 900, GridImportWh: 10, GridExportWh: 100,
		PaidUcoin: 5_000 + 147_500, GridPaidUcoin: 5_000, ReceivedUcoin: 180_000 + 10_000 + 10_000, GridReceivedUcoin: 10_000,
		MakeWholePaidUcoin: 147_500, MakeWholeReceivedUcoin: 10_000,
		GridAloneUcoin: 5_000 - 100_000, Outcome: -10,
	})
	if got := reputation.ValueOf(m.Store, market.Address("sun")); got != 50 {
		t.Errorf("credit value of sun: %d, want 60 - 10", got)
	}
}

// TestSignedResidual: within the tolerance more is sold than was exported, and
// more bought than imported; the grid makes up for it, signed.
func TestSignedResidual(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.Params().SigmaPpm = 100_000
	}, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 900}, "home": {950, 0}}, "sun", "home")
	// To the grid go -100 Wh, which cost retail; from it come -50, which earn
	// feed-in.
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 900, SoldWh: 1000, GridExportWh: -100, ReceivedUcoin: 200_000,
		PaidUcoin: 50_000, GridPaidUcoin: 50_000, GridAloneUcoin: -90_000, Outcome: 1,
	})
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 950, BoughtWh: 1000, GridImportWh: -50, PaidUcoin: 205_000, FeesUcoin: 5_000,
		ReceivedUcoin: 5_000, GridReceivedUcoin: 5_000, GridAloneUcoin: 475_000, Outcome: 1,
	})
}

// TestHeavyLoss: the buyer pays for what is lost on the way (S3 3.6).
func TestHeavyLoss(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		// 1 km at 100 000 ppm per km: a tenth is lost, the most that matches.
		g.Params().DefaultLossPpmPerKm = 100_000
		g.NodeOf("sun").PathMm = proto.Int64(950_000)
	}, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	// n = 900, b = 450, g = 500.
	deliver(m, map[string]flow{"sun": {0, 1000}, "home": {450, 0}}, "sun", "home")
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 450, BoughtWh: 450, PaidUcoin: 100_000 + 2_500 + 50_000, FeesUcoin: 2_500, GridAloneUcoin: 225_000,
		MakeWholePaidUcoin: 50_000, // for 500 Wh that sun could deliver
		Outcome:            1,      // short by 450 <= violation_wh 500
	})
	checkTotals(m, 1, &settlementv1.Totals{
		SoldWh: 500, BoughtWh: 450, LossWh: 50, CleanWh: 500, AmountUcoin: 100_000, FeesUcoin: 2_500,
		GridBoughtWh: 500, GridPaidUcoin: 50_000, MakeWholeUcoin: 50_000, PaidUcoin: 202_500, ReceivedUcoin: 202_500, GridAloneUcoin: 225_000 - 100_000,
	})
}

// TestDebt: what an account cannot pay becomes debt and counts as paid only
// when later receipts repay it.
func TestDebt(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		// Enough for the order, 300 000 + 5 000, but not for the grid.
		g.Balance("home").FreeUcoin = 305_000
	}, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	// After the trade home has 100 000 left; 1000 Wh of the grid cost 500 000.
	deliver(m, map[string]flow{"sun": {0, 1000}, "home": {2000, 0}}, "sun", "home")
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 2000, BoughtWh: 1000, GridImportWh: 1000, PaidUcoin: 205_000 + 100_000, FeesUcoin: 5_000,
		GridPaidUcoin: 100_000, DebtUcoin: 400_000, GridAloneUcoin: 1_000_000, Outcome: 1,
	})
	home := market.Address("home")
	if owed, has := bank.DebtOf(m.Store, home), free(m, home); owed != 400_000 || has != 0 {
		t.Errorf("home owes %d and has %d, want 400 000 and 0", owed, has)
	}
	if _, err := m.Send("home", buy(p+4*length, 0, 1)); err == nil {
		t.Error("an account in debt may order")
	}
	// Its next receipt, 1000 Wh to the grid, repays 100 000 of it.
	m.Begin(p + 2*length + 500)
	m.Read("home", p+2*length, 0, 1000)
	m.Read("sun", p+2*length, 0, 0)
	m.End()
	got, err := market.Query[*settlementv1.QueryStatementResponse](m, &settlementv1.QueryStatementRequest{Account: home[:], Period: p + length})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Statement; s.ReceivedUcoin != 100_000 || s.RepaidUcoin != 100_000 || s.PaidUcoin != 0 || s.BalanceAfterUcoin != 0 {
		t.Errorf("want 100 000 received and repaid, nothing paid: %v", s)
	}
	if len(market.Happened[*bankv1.DebtRepaid](m)) != 1 || bank.DebtOf(m.Store, home) != 300_000 {
		t.Errorf("home owes %d, want 300 000", bank.DebtOf(m.Store, home))
	}
}

// TestOldDebts: debts from before a period are repaid from a seller's receipt,
// and from what comes back of a buyer's escrow.
func TestOldDebts(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.Balance("home").FreeUcoin = 305_000
	}, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	sun, home := market.Address("sun"), market.Address("home")
	m.Block(gate) // home has 100 000 free, 205 000 in escrow
	m.Begin(gate + 1)
	for _, debt := range []struct {
		of     protocol.Address
		amount int64
	}{{sun, market.Coins + 150_000}, {home, 100_000 + 500_000}} {
		if _, _, err := bank.Pay(m.Ctx("sun"), debt.of, protocol.GridAddress, debt.amount); err != nil {
			t.Fatal(err)
		}
	}
	m.End()
	m.Begin(p + 500)
	m.Read("sun", p, 0, 0)
	m.Read("home", p, 0, 0)
	m.End()
	m.Begin(p + length + 500)
	m.Read("sun", p+length, 0, 800) // 160 000 + 4 000 of 205 000: 41 000 come back
	m.Read("home", p+length, 800, 0)
	m.End()
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 800, SoldWh: 800, ReceivedUcoin: 160_000, RepaidUcoin: 150_000, GridAloneUcoin: -80_000, Outcome: 1,
	})
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 800, BoughtWh: 800, PaidUcoin: 164_000, FeesUcoin: 4_000, RepaidUcoin: 41_000, GridAloneUcoin: 400_000, Outcome: 1,
	})
	if s := statement(m, "home"); s.BalanceBeforeUcoin != 205_000 || s.BalanceAfterUcoin != 0 {
		t.Errorf("home had %d and has %d, want 205 000 and nothing", s.BalanceBeforeUcoin, s.BalanceAfterUcoin)
	}
	if s := statement(m, "sun"); s.BalanceBeforeUcoin != 0 || s.BalanceAfterUcoin != 10_000 {
		t.Errorf("sun had %d and has %d, want nothing and 10 000", s.BalanceBeforeUcoin, s.BalanceAfterUcoin)
	}
	if a, b := bank.DebtOf(m.Store, sun), bank.DebtOf(m.Store, home); a != 0 || b != 459_000 {
		t.Errorf("debts %d and %d, want 0 and 459 000", a, b)
	}
}

// TestOutcomes: what the credit value makes of a period.
func TestOutcomes(t *testing.T) {
	t.Run("estimated", func(t *testing.T) {
		m := market.New(t, noLoss, "sun", "home")
		m.Must("sun", sell(p, 200_000, 1000, "sun"))
		m.Must("home", buy(p, 300_000, 1000))
		m.End()
		deliver(m, map[string]flow{"sun": {0, 1000}}, "sun", "home")
		// A gap of more than a period around the end of p.
		m.Begin(p + 2*length + 500)
		m.Read("home", p+length+5_000, 1500, 0)
		m.End()
		if s := statement(m, "home"); !s.Estimated || s.Outcome != -10 || s.ImportWh != 1000 || s.Reputation != 50 {
			t.Errorf("want an estimate of 1000 Wh and a violation: %v", s)
		}
		if s := statement(m, "sun"); s.Estimated || s.Outcome != 1 {
			t.Errorf("want +1 for sun: %v", s)
		}
	})
	t.Run("no matches", func(t *testing.T) {
		m := market.New(t, nil, "home")
		deliver(m, map[string]flow{"home": {1000, 0}}, "home")
		if s := statement(m, "home"); s.Outcome != 0 || s.Reputation != 60 {
			t.Errorf("want no outcome: %v", s)
		}
	})
	t.Run("partly matched seller", func(t *testing.T) {
		m := market.New(t, noLoss, "sun", "home")
		m.Must("sun", sell(p, 200_000, 9000, "sun"))
		m.Must("home", buy(p, 300_000, 1000))
		m.End()
		deliver(m, map[string]flow{"sun": {0, 9000}, "home": {9000, 0}}, "sun", "home")
		if a, b := statement(m, "sun").Outcome, statement(m, "home").Outcome; a != 1 || b != 1 {
			t.Errorf("outcomes %d and %d, want +1: more than matched is no violation", a, b)
		}
	})
}

// TestNoTariff: without a tariff the grid's energy costs nothing, with an event.
func TestNoTariff(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) { g.Account("home").TariffClass = "other" }, "home")
	deliver(m, map[string]flow{"home": {1000, 0}}, "home")
	check(m, "home", &settlementv1.Statement{Version: 1, ImportWh: 1000, GridImportWh: 1000})
	if events := market.Happened[*settlementv1.TariffMissing](m); len(events) != 1 || events[0].TariffClass != "other" {
		t.Errorf("got events %v, want one for class other", events)
	}
}

// TestFrozenAndRevoked: confirmed matches of stopped accounts settle. A revoked
// account's registers are not taken any more, so it counts as missing.
func TestFrozenAndRevoked(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home", "shop")
	m.Must("sun", sell(p, 200_000, 2000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.Must("shop", buy(p, 300_000, 1000))
	m.End()
	m.Begin(gate)
	for _, name := range []string{"sun", "home", "shop"} {
		m.Read(name, start+length, 0, 0)
	}
	m.End()
	home, shop := market.Address("home"), market.Address("shop")
	m.Begin(p + 500)
	m.Read("sun", p, 0, 0)
	m.Read("home", p, 0, 0)
	m.Read("shop", p, 0, 0)
	m.Decree(&registryv1.MsgFreeze{Account: home[:], Reason: "test"})
	m.Decree(&registryv1.MsgRevoke{Account: shop[:], Reason: "test"})
	m.End()
	m.Begin(p + length + 500)
	m.Read("sun", p+length, 0, 2000)
	m.Read("home", p+length, 1000, 0)
	m.End()
	if got := statement(m, "home"); got.BoughtWh != 1000 {
		t.Errorf("home bought %d, want 1000", got.BoughtWh)
	}
	// Two whole periods with blocks later: the shop took all it had contracted.
	m.Block(p + 2*length + 500)
	m.Block(p + 3*length + 500)
	if got := statement(m, "shop"); !got.Missing || got.BoughtWh != 1000 || got.PaidUcoin != 205_000 || got.Outcome != -10 {
		t.Errorf("want a missing statement that bought 1000 Wh: %v", got)
	}
	if got := statement(m, "sun"); got.SoldWh != 2000 {
		t.Errorf("sun sold %d, want 2000", got.SoldWh)
	}
	// It takes part in no later period.
	m.Block(p + 4*length + 500)
	answer, err := market.Query[*settlementv1.QueryStatementsResponse](m, &settlementv1.QueryStatementsRequest{Period: p + 2*length})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range answer.Statements {
		if string(s.Account) == string(shop[:]) {
			t.Errorf("revoked account settles: %v", s)
		}
	}
	if matching.HasMatches(m.Store, p, shop) {
		t.Error("matches are left")
	}
}
