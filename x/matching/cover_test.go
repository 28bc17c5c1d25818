package matching_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/reputation"
)

// quota gives all user types one.
func quota(trades, energyWh int64) func(*market.Genesis) {
	return func(g *market.Genesis) {
		g.Params().ReliabilityQuotas = []*registryv1.ReliabilityQuota{{Trades: trades, EnergyWh: energyWh}}
	}
}

type charged struct{ trades, energyWh int64 }

func chargedTo(m *market.Market, name string) charged {
	known := reputation.ReliabilityOf(m.Store, market.Address(name))
	return charged{known.Trades, known.EnergyWh}
}

func exposed(m *market.Market, name string) int64 {
	return bank.BalanceOf(m.Store, market.Address(name)).ExposedUcoin
}

func pay(from, to string, ucoin int64) *bankv1.MsgTransfer {
	address := market.Address(to)
	return &bankv1.MsgTransfer{To: address[:], AmountUcoin: ucoin}
}

// TestFastPath: with room in both quotas nothing is escrowed, standing consents
// make a match at the gate, and the quotas are charged for what was matched.
func TestFastPath(t *testing.T) {
	m := market.New(t, quota(2, 5000), "sun", "home")
	m.Must("sun", sell(200_000, 1000, "sun"))
	m.Must("home", buy(300_000, 1500))
	if got := exposed(m, "home"); got != 1500*305 || escrow(m, "home") != 0 || escrow(m, "sun") != 0 {
		t.Errorf("home has %d exposed and %d in escrow, sun %d, want 457 500 exposed and nothing in escrow", got, escrow(m, "home"), escrow(m, "sun"))
	}
	if sun, home := chargedTo(m, "sun"), chargedTo(m, "home"); sun != (charged{1, 1000}) || home != (charged{1, 1500}) {
		t.Errorf("charged %+v and %+v", sun, home)
	}
	m.End()
	m.Block(gate)
	found := matchesOf(m, "home")
	if len(found) != 1 || found[0].EnergyWh != 1000 || found[0].ExposedUcoin != 205_000 || found[0].EscrowUcoin != 0 || found[0].SecurityUcoin != 0 {
		t.Fatalf("matches %v", found)
	}
	if got := exposed(m, "home"); got != 205_000 {
		t.Errorf("home has %d exposed, want what its match costs", got)
	}
	if sun, home := chargedTo(m, "sun"), chargedTo(m, "home"); sun != (charged{1, 1000}) || home != (charged{1, 1000}) {
		t.Errorf("charged %+v and %+v, want the 500 Wh that found nobody back", sun, home)
	}
}

// TestFullPath: with quotas on and no room in them the buyer escrows all, the
// seller what a buyer pays more with the grid, and standing consents are struck
// out: each side signs.
func TestFullPath(t *testing.T) {
	m := market.New(t, quota(9, 999), "sun", "home")
	m.Must("sun", sell(200_000, 1000, "sun"))
	m.Must("home", buy(300_000, 1000))
	if sun, home := escrow(m, "sun"), escrow(m, "home"); sun != 400_000 || home != 305_000 || exposed(m, "home") != 0 {
		t.Errorf("in escrow %d and %d, want 400 000, retail less feed-in, and 305 000, bid and fee", sun, home)
	}
	if sun, home := chargedTo(m, "sun"), chargedTo(m, "home"); sun != (charged{}) || home != (charged{}) {
		t.Errorf("charged %+v and %+v, want nothing", sun, home)
	}
	m.End()
	m.Begin(gate)
	m.End()
	waits := prematchesOf(m, "sun")
	if len(waits) != 1 || waits[0].SellerConfirmed || waits[0].BuyerConfirmed {
		t.Fatalf("pre-matches %v, want one that nobody signed", waits)
	}
	m.Begin(gate + 500)
	answer(m, "sun", false)
	answer(m, "home", false)
	m.End()
	found := matchesOf(m, "sun")
	if len(found) != 1 || found[0].SecurityUcoin != 400_000 || found[0].EscrowUcoin != 205_000 {
		t.Fatalf("matches %v", found)
	}
	if sun, home := escrow(m, "sun"), escrow(m, "home"); sun != 400_000 || home != 205_000 {
		t.Errorf("in escrow %d and %d, want what the match holds", sun, home)
	}
}

// TestQuotaOfUserType: the type's own quota before that of all others; without
// either nothing changes.
func TestQuotaOfUserType(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		g.Account("shop").UserType, g.Account("mill").UserType = "shop", "mill"
		g.Params().ReliabilityQuotas = []*registryv1.ReliabilityQuota{
			{UserType: "shop", Trades: 1, EnergyWh: 1000}, {UserType: "mill"},
		}
	}, "home", "shop", "mill")
	for _, name := range []string{"home", "shop", "mill"} {
		m.Must(name, buy(300_000, 1000))
	}
	m.End()
	for name, want := range map[string]struct {
		escrow   int64
		standing bool
	}{"home": {305_000, true}, "shop": {0, true}, "mill": {305_000, false}} {
		order := ordersOf(m, name)[0]
		if order.EscrowUcoin != want.escrow || order.Consent.Standing != want.standing {
			t.Errorf("%s: %d in escrow, standing %t, want %+v", name, order.EscrowUcoin, order.Consent.Standing, want)
		}
	}
}

func ordersOf(m *market.Market, name string) []*matchingv1.BuyOrder {
	address := market.Address(name)
	got, err := market.Query[*matchingv1.QueryOrdersResponse](m, &matchingv1.QueryOrdersRequest{Period: p, Account: address[:]})
	if err != nil {
		m.T.Fatal(err)
	}
	return got.Buys
}

// TestEscrowShare: credit spares a part of the escrow, in a straight line; the rest
// is exposed, and a match takes of both in proportion.
func TestEscrowShare(t *testing.T) {
	for _, test := range []struct {
		credit, relief, above int64
		want                  int64 // escrow of 305 000
	}{
		{60, 0, 0, 305_000},          // today's
		{60, 500_000, 60, 305_000},   // at the bound
		{61, 500_000, 60, 301_188},   // 305 000 - floor(305 000 x 12 500 / 10^6)
		{80, 500_000, 60, 228_750},   // half of the relief
		{100, 500_000, 60, 152_500},  // all of it
		{100, 1_000_000, 99, 0},      // a step at the end
		{99, 1_000_000, 99, 305_000}, // and before it
		{0, 1_000_000, 0, 305_000},   // no credit, no relief
		{1, 1_000_000, 0, 301_950},
	} {
		m := market.New(t, func(g *market.Genesis) {
			g.Account("home").InitialReputation = test.credit
			g.Params().EscrowReliefPpm, g.Params().EscrowReliefAbove = test.relief, test.above
		}, "sun", "home")
		m.Must("sun", sell(200_000, 300, "sun"))
		m.Must("home", buy(300_000, 1000))
		if got := escrow(m, "home"); got != test.want || exposed(m, "home") != 305_000-test.want {
			t.Errorf("%+v: %d in escrow and %d exposed", test, got, exposed(m, "home"))
		}
		m.End()
		m.Block(gate)
		found := matchesOf(m, "home")
		if len(found) != 1 {
			t.Fatalf("%+v: matches %v", test, found)
		}
		// 61 500 of 305 000.
		if want := 61_500 * (305_000 - test.want) / 305_000; found[0].ExposedUcoin != want || found[0].EscrowUcoin != 61_500-want {
			t.Errorf("%+v: match has %d in escrow, %d exposed", test, found[0].EscrowUcoin, found[0].ExposedUcoin)
		}
		if escrow(m, "home") != found[0].EscrowUcoin || exposed(m, "home") != found[0].ExposedUcoin {
			t.Errorf("%+v: the rest did not come back", test)
		}
	}
}

// TestExposureRule: what open orders and matches may cost stays covered: a further
// order, transfers, payouts and escrow leave it alone, to the ucoin.
func TestExposureRule(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		quota(3, 100_000)(g)
		g.Balance("home").FreeUcoin = 400_000
	}, "sun", "home")
	refused(t, m, "home", buy(395_001, 1000), bank.ErrExposed)
	first := m.Must("home", buy(295_000, 1000))
	refused(t, m, "home", buy(95_001, 1000), bank.ErrExposed)
	refused(t, m, "home", pay("home", "sun", 100_001), bank.ErrExposed)
	refused(t, m, "home", pay("home", "sun", 400_001), bank.ErrInsufficientFunds)
	m.Must("home", pay("home", "sun", 40_000))
	refused(t, m, "home", pay("home", "sun", 60_001), bank.ErrExposed)
	if ctx := m.Ctx("home"); bank.Hold(ctx, market.Address("home"), 60_001) == nil {
		t.Error("60 001 ucoin went into escrow, 60 000 are spendable")
	}
	m.Must("home", buy(55_000, 1000)) // all that is left
	refused(t, m, "home", pay("home", "sun", 1), bank.ErrExposed)
	m.Must("home", &matchingv1.MsgCancel{Period: p, Order: first.Bytes()})
	m.Must("home", pay("home", "sun", 300_000))
	m.End()
	if exposed(m, "home") != 60_000 || chargedTo(m, "home") != (charged{1, 1000}) {
		t.Errorf("%d exposed, charged %+v", exposed(m, "home"), chargedTo(m, "home"))
	}
}

// TestSplittingGainsNothing: however an account cuts up what it orders, no more
// than N orders and M Wh are spared the full path before it is verified again, and
// what is not spared escrows as much as in one piece.
func TestSplittingGainsNothing(t *testing.T) {
	const trades, energy, wanted = 4, 2000, 4800
	for _, piece := range []int64{4800, 2400, 1200, 800, 600, 480, 400} {
		m := market.New(t, func(g *market.Genesis) {
			quota(trades, energy)(g)
			g.Params().MaxOrdersPerAccount = 100
		}, "home")
		for range wanted / piece {
			m.Must("home", buy(295_000, piece))
		}
		m.End()
		got := chargedTo(m, "home")
		if got.trades > trades || got.energyWh > energy || exposed(m, "home") != got.energyWh*300 || escrow(m, "home") != (wanted-got.energyWh)*300 {
			t.Errorf("in pieces of %d: charged %+v, %d exposed, %d in escrow", piece, got, exposed(m, "home"), escrow(m, "home"))
		}
		for _, order := range ordersOf(m, "home") {
			if order.Verification == 0 == order.Consent.Standing {
				t.Errorf("in pieces of %d: %v signs by a standing consent, or must sign on the fast path", piece, order)
			}
		}
	}
}

// TestCancellingGainsNothing: what is cancelled after a verification was charged
// before it: it is not given back to the new quota.
func TestCancellingGainsNothing(t *testing.T) {
	m := market.New(t, quota(2, 2000), "home")
	before := m.Must("home", buy(295_000, 1500))
	m.Must("home", &reputationv1.MsgReauthorise{})
	address := market.Address("home")
	m.Must("aggregator", &reputationv1.MsgCountersign{Account: address[:]})
	if got := chargedTo(m, "home"); got != (charged{}) {
		t.Fatalf("charged %+v after the verification", got)
	}
	after := m.Must("home", buy(295_000, 1500))
	m.Must("home", &matchingv1.MsgCancel{Period: p, Order: before.Bytes()})
	if got := chargedTo(m, "home"); got != (charged{1, 1500}) {
		t.Errorf("charged %+v, want the order that is left", got)
	}
	m.Must("home", &matchingv1.MsgCancel{Period: p, Order: after.Bytes()})
	m.End()
	if got := chargedTo(m, "home"); got != (charged{}) {
		t.Errorf("charged %+v, want nothing", got)
	}
}

// TestRefund: each way in which an order ends without a match gives back all that
// was charged, escrowed and exposed for it.
func TestRefund(t *testing.T) {
	asks := &matchingv1.Consent{}
	freeze := func(m *market.Market) {
		for _, name := range []string{"sun", "home"} {
			address := market.Address(name)
			m.Decree(&registryv1.MsgFreeze{Account: address[:]})
		}
	}
	for _, quotas := range []func(*market.Genesis){quota(1, 1000), quota(0, 0)} {
		for name, end := range map[string]func(m *market.Market){
			"stopped before the gate": func(m *market.Market) {
				freeze(m)
				m.End()
			},
			"missed": func(m *market.Market) {
				m.End()
				m.Block(p)
			},
			"lapsed": func(m *market.Market) {
				m.End()
				m.Block(gate)
				m.Block(gate + 2000)
				m.Block(gate + 2001)
			},
			"vetoed": func(m *market.Market) {
				m.End()
				m.Block(gate)
				m.Begin(gate + 1)
				answer(m, "sun", true)
				m.End()
				m.Block(gate + 2)
			},
			"stopped in the confirmation": func(m *market.Market) {
				m.End()
				m.Block(gate)
				m.Begin(gate + 1)
				freeze(m)
				m.End()
			},
		} {
			t.Run(name, func(t *testing.T) {
				m := market.New(t, quotas, "sun", "home")
				m.Must("sun", edited(sell(200_000, 1000, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Consent = asks }))
				m.Must("home", edited(buy(300_000, 1000), func(o *matchingv1.MsgPlaceBuy) { o.Consent = asks }))
				end(m)
				for _, name := range []string{"sun", "home"} {
					want := &bankv1.Balance{Account: marketAddress(name), FreeUcoin: market.Coins}
					if got := bank.BalanceOf(m.Store, market.Address(name)); !proto.Equal(got, want) || chargedTo(m, name) != (charged{}) {
						t.Errorf("%s has %v, charged %+v", name, got, chargedTo(m, name))
					}
				}
			})
		}
	}
}

// TestSealedIsJudgedWhenRevealed: the quota is charged with the reveal, not with
// the commitment.
func TestSealedIsJudgedWhenRevealed(t *testing.T) {
	m := sealed(t, quota(1, 1000), "home")
	reveal := sealedBuy(buy(300_000, 1000))
	m.Must("home", commit(t, "home", reveal))
	if got := chargedTo(m, "home"); got != (charged{}) {
		t.Errorf("sealed: charged %+v", got)
	}
	m.End()
	m.Block(gate)
	m.Begin(gate + 1)
	m.Must("home", reveal)
	if got := chargedTo(m, "home"); got != (charged{1, 1000}) || escrow(m, "home") != 0 || exposed(m, "home") != 305_000 {
		t.Errorf("revealed: charged %+v, %d in escrow", got, escrow(m, "home"))
	}
	m.End()
}

// TestCoverInvariants: a charge or an exposure that nobody stands for is seen.
func TestCoverInvariants(t *testing.T) {
	broken := func(m *market.Market, name string) bool {
		for _, law := range matching.New().Invariants() {
			if law.Name == name {
				return law.Check(m.Store) != nil
			}
		}
		return false
	}
	m := market.New(t, quota(2, 5000), "home")
	m.Must("home", buy(300_000, 1000))
	ctx, home := m.Ctx("home"), market.Address("home")
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(bank.Expose(ctx, home, 1, 0))
	if !broken(m, "matching.exposure") {
		t.Error("a ucoin of exposure too much is not seen")
	}
	must(bank.EndExposure(ctx, home, 1))
	reputation.Refund(ctx, home[:], 1, 0, 1)
	if !broken(m, "matching.charges") {
		t.Error("a Wh refunded of an open order is not seen")
	}
	if err := bank.EndExposure(ctx, home, 305_001); err == nil {
		t.Error("more exposure ended than there was")
	}
}
