package settlement_test

import (
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
)

// quota gives all user types one.
func quota(trades, energyWh int64, more ...func(*market.Genesis)) func(*market.Genesis) {
	return func(g *market.Genesis) {
		noLoss(g)
		g.Params().ReliabilityQuotas = []*registryv1.ReliabilityQuota{{Trades: trades, EnergyWh: energyWh}}
		for _, edit := range more {
			edit(g)
		}
	}
}

// spend takes coins of a member, as a residual that it has to pay would.
func spend(m *market.Market, name string, left int64) {
	m.T.Helper()
	address := market.Address(name)
	if _, err := bank.Move(m.Ctx(name), address, protocol.GuaranteeAddress, free(m, address)-left); err != nil {
		m.T.Fatal(err)
	}
}

// fast trades 1000 Wh at 0.2 between sun and home, who has so much left when it
// settles; what the fund got of it goes back to nobody.
func fast(t *testing.T, left int64, flows map[string]flow, more ...func(*market.Genesis)) *market.Market {
	m := market.New(t, quota(1, 1000, more...), "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	spend(m, "home", left)
	deliver(m, flows, "sun", "home")
	return m
}

var whole = map[string]flow{"sun": {0, 1000}, "home": {1000, 0}}

func noFund(g *market.Genesis) { g.Params().GuaranteeLimitUcoin = 0 }

// TestFastPathPays: nothing was escrowed; the balance pays energy, then fee, and
// what it lacks is owed to each.
func TestFastPathPays(t *testing.T) {
	for _, test := range []struct{ left, paid, feePaid int64 }{
		{market.Coins - 1, 200_000, 5_000},
		{205_000, 200_000, 5_000},
		{204_999, 200_000, 4_999},
		{200_000, 200_000, 0},
		{150_000, 150_000, 0},
		{0, 0, 0},
	} {
		m := fast(t, test.left, whole, noFund)
		owed := 205_000 - test.paid - test.feePaid
		check(m, "home", &settlementv1.Statement{
			Version: 1, ImportWh: 1000, BoughtWh: 1000, PaidUcoin: test.paid + test.feePaid, FeesUcoin: test.feePaid,
			DebtUcoin: owed, GridAloneUcoin: 500_000, Outcome: 1,
		})
		check(m, "sun", &settlementv1.Statement{
			Version: 1, ExportWh: 1000, SoldWh: 1000, ReceivedUcoin: test.paid, GridAloneUcoin: -100_000, Outcome: 1,
		})
		if got := bank.BalanceOf(m.Store, market.Address("home")); got.ExposedUcoin != 0 || got.EscrowUcoin != 0 || got.FreeUcoin != test.left-test.paid-test.feePaid {
			t.Errorf("left %d: home has %v", test.left, got)
		}
		if got := bank.DebtOf(m.Store, market.Address("home")); got != owed {
			t.Errorf("left %d: home owes %d, want %d", test.left, got, owed)
		}
	}
}

// TestFundPaysFastPath: the guarantee fund pays in the buyer's place, up to its
// limit.
func TestFundPaysFastPath(t *testing.T) {
	m := fast(t, 150_000, whole, func(g *market.Genesis) { g.Params().GuaranteeLimitUcoin = 52_000 })
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 1000, BoughtWh: 1000, PaidUcoin: 150_000, DebtUcoin: 55_000, GuaranteedUcoin: 52_000,
		GridAloneUcoin: 500_000, Outcome: 1,
	})
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 1000, SoldWh: 1000, ReceivedUcoin: 200_000, GridAloneUcoin: -100_000, Outcome: 1,
	})
}

// TestPartlyEscrowed: the escrow pays first; of what is delivered less, the escrow
// comes back.
func TestPartlyEscrowed(t *testing.T) {
	half := func(g *market.Genesis) {
		noLoss(g)
		noFund(g)
		g.Account("home").InitialReputation = 100
		g.Params().EscrowReliefPpm = 500_000
	}
	for _, test := range []struct {
		deliveredWh, left int64
		paid, free        int64 // with the make-whole payment, which sun owes for what it lacks
	}{
		// 2 500 come back with what the order holds beyond the match.
		{1000, 100_000, 205_000, 0},
		{1000, 47_500, 152_500, 0},
		{400, 147_500, 82_000, 150_000 + 20_500 + 600*295 - 600*500}, // escrow of 102 500 covers 82 000
	} {
		m := market.New(t, half, "sun", "home")
		m.Must("sun", sell(p, 200_000, 1000, "sun"))
		m.Must("home", buy(p, 205_000, 1000)) // half of it is escrowed: of the match, 102 500
		m.End()
		spend(m, "home", test.left)
		deliver(m, map[string]flow{"sun": {0, test.deliveredWh}, "home": {1000, 0}}, "sun", "home")
		trade := statement(m, "home").Trades[0]
		if got := trade.AmountUcoin + trade.FeeUcoin - trade.UnpaidAmountUcoin - trade.UnpaidFeeUcoin; got != test.paid {
			t.Errorf("%+v: paid %d", test, got)
		}
		if got := bank.BalanceOf(m.Store, market.Address("home")); got.FreeUcoin != test.free || got.EscrowUcoin != 0 || got.ExposedUcoin != 0 {
			t.Errorf("%+v: home has %v", test, got)
		}
	}
}

// TestSellersSecurity: a seller that was fully verified has its security back if it
// delivers; else the make-whole payment comes out of it, whatever else it has.
func TestSellersSecurity(t *testing.T) {
	for _, test := range []struct {
		deliveredWh, relief, left int64
		madeWhole, debt, free     int64
	}{
		{1000, 0, 0, 0, 0, 200_000 + 400_000},
		{400, 0, 0, 600 * 295, 0, 80_000 + 400_000 - 600*295},
		{0, 0, 0, 1000 * 295, 0, 400_000 - 1000*295},
		{0, 500_000, 0, 200_000, 95_000, 0}, // half the security: the rest is owed
		{0, 500_000, 40_000, 240_000, 55_000, 0},
		{0, 500_000, 100_000, 295_000, 0, 5_000},
	} {
		m := market.New(t, quota(0, 0, func(g *market.Genesis) {
			g.Params().EscrowReliefPpm, g.Params().ViolationPenaltyUcoin = test.relief, 0
			g.Account("sun").InitialReputation = 100
		}), "sun", "home")
		m.Must("sun", sell(p, 200_000, 1000, "sun"))
		m.Must("home", buy(p, 205_000, 1000))
		m.End()
		spend(m, "sun", test.left)
		m.Block(gate)
		m.Begin(gate + 1)
		sign(m, "sun", "home")
		m.End()
		m.Begin(p + 500)
		for _, name := range []string{"sun", "home"} {
			m.Read(name, p, 0, 0)
		}
		m.End()
		m.Begin(p + length + 500)
		m.Read("sun", p+length, 0, test.deliveredWh)
		m.Read("home", p+length, 1000, 0)
		m.End()
		trade := statement(m, "sun").Trades[0]
		if got := trade.MakeWholeBySellerUcoin - trade.UnpaidMakeWholeUcoin; got != test.madeWhole || trade.UnpaidMakeWholeUcoin != test.debt {
			t.Errorf("%+v: made whole %d, owes %d", test, got, trade.UnpaidMakeWholeUcoin)
		}
		if got := bank.BalanceOf(m.Store, market.Address("sun")); got.FreeUcoin != test.free || got.EscrowUcoin != 0 {
			t.Errorf("%+v: sun has %v", test, got)
		}
	}
}

// TestGridStandsInUnescrowed: sun's meter is silent. Home pays the grid, which sold
// in sun's place, and owes it what it lacks; sun has all of its money when its
// registers come.
func TestGridStandsInUnescrowed(t *testing.T) {
	m := fast(t, 150_000, map[string]flow{"home": {1000, 0}}, noFund)
	m.Block(p + 2*length + 500)
	m.Block(p + 3*length + 500)
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 1000, BoughtWh: 1000, PaidUcoin: 150_000, DebtUcoin: 55_000, GridAloneUcoin: 500_000, Outcome: 1,
	})
	if grid := free(m, protocol.GridAddress); grid != 150_000 {
		t.Errorf("the grid has %d, want what home paid", grid)
	}
	m.Begin(p + 3*length + 600)
	m.Read("sun", p+length, 0, 1000)
	m.End()
	check(m, "sun", &settlementv1.Statement{
		Version: 2, ExportWh: 1000, SoldWh: 1000, ReceivedUcoin: 200_000, GridAloneUcoin: -100_000, Outcome: -10,
	})
	if owed := bank.OwedTo(m.Store, protocol.GridAddress); owed != 50_000 || free(m, protocol.GridAddress) != -50_000 {
		t.Errorf("the grid has %d and is owed %d, want -50 000 and 50 000", free(m, protocol.GridAddress), owed)
	}
}

// TestBothMissingUnescrowed: security and exposure end with a match of which
// nothing is known.
func TestBothMissingUnescrowed(t *testing.T) {
	m := fast(t, 205_000, nil)
	m.Block(p + 2*length + 500)
	m.Block(p + 3*length + 500)
	if got := bank.BalanceOf(m.Store, market.Address("home")); got.ExposedUcoin != 0 || got.FreeUcoin != 205_000 {
		t.Errorf("home has %v", got)
	}
}

// sign confirms all that members are asked for.
func sign(m *market.Market, names ...string) {
	m.T.Helper()
	for _, name := range names {
		address := market.Address(name)
		got, err := market.Query[*matchingv1.QueryMatchesResponse](m, &matchingv1.QueryMatchesRequest{Period: p, Account: address[:]})
		if err != nil {
			m.T.Fatal(err)
		}
		for _, match := range got.Prematches {
			m.Must(name, &matchingv1.MsgConfirm{Period: p, Match: match.Id})
		}
	}
}
