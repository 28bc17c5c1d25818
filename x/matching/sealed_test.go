package matching_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
)

const bond = 10_000

// sealed starts a market whose orders can be revealed for a second after the
// gate, which is 4 s before the start; a round takes 2 s.
func sealed(t *testing.T, edit func(*market.Genesis), names ...string) *market.Market {
	t.Helper()
	return market.New(t, func(g *market.Genesis) {
		g.Matching.Markets = []*matchingv1.MarketEntry{{Market: &matchingv1.Market{
			Mechanism: matchingv1.Mechanism_MECHANISM_WELFARE, MaxRatedDistanceM: 20_000, RevealLengthMs: 1_000, BondUcoin: bond,
		}}}
		if edit != nil {
			edit(g)
		}
	}, names...)
}

func sealedSell(order *matchingv1.MsgPlaceSell) *matchingv1.MsgRevealOrder {
	return &matchingv1.MsgRevealOrder{Sell: order, Salt: bytes.Repeat([]byte{1}, protocol.SaltSize)}
}

func sealedBuy(order *matchingv1.MsgPlaceBuy) *matchingv1.MsgRevealOrder {
	return &matchingv1.MsgRevealOrder{Buy: order, Salt: bytes.Repeat([]byte{2}, protocol.SaltSize)}
}

// commit is what a member sends to be able to reveal.
func commit(t *testing.T, name string, reveal *matchingv1.MsgRevealOrder) *matchingv1.MsgSealOrder {
	t.Helper()
	commitment, err := protocol.SealCommitment(market.ChainID, market.Address(name), reveal)
	if err != nil {
		t.Fatal(err)
	}
	return &matchingv1.MsgSealOrder{Period: max(reveal.Sell.GetPeriod(), reveal.Buy.GetPeriod()), Commitment: commitment}
}

func guarantee(m *market.Market) int64 {
	return bank.BalanceOf(m.Store, protocol.GuaranteeAddress).FreeUcoin
}

func free(m *market.Market, name string) int64 {
	return bank.BalanceOf(m.Store, market.Address(name)).FreeUcoin
}

// TestSealedOrders: sealed before the gate, revealed after it, beside an order
// that was open; cleared by the hash that was fixed between the two.
func TestSealedOrders(t *testing.T) {
	m := sealed(t, nil, "sun", "home", "shop")
	offer, demand := sealedSell(sell(200_000, 1000, "sun")), sealedBuy(buy(300_000, 700))
	m.Must("sun", commit(t, "sun", offer))
	m.Must("home", commit(t, "home", demand))
	m.Must("shop", buy(300_000, 200))
	m.End()
	if b := book(m); b.Orders != 3 || b.Seals != 2 || b.Buys != 1 || escrow(m, "sun") != bond {
		t.Fatalf("book %v, escrow %d: want three orders, two sealed against a bond", b, escrow(m, "sun"))
	}
	m.Begin(gate)
	refused(t, m, "sun", offer, matching.ErrNotRevealing) // not before the hash is fixed
	m.End()
	fixed := sha256.Sum256(fmt.Appendf(nil, "root of %d", m.Height-1))
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_REVEAL || b.RevealUntilMs != gate+1_000 || !bytes.Equal(b.TieBreakHash, fixed[:]) {
		t.Fatalf("book %v, want it to be revealed for a second with the hash %x", b, fixed)
	}
	m.Begin(gate + 500)
	m.Must("sun", offer)
	refused(t, m, "sun", offer, matching.ErrUnknownSeal) // once
	m.Must("home", demand)
	if escrow(m, "sun") != 0 || escrow(m, "home") != 213_500 {
		t.Errorf("escrow %d and %d: want the bonds back and the buy's escrow", escrow(m, "sun"), escrow(m, "home"))
	}
	sold := market.Happened[*matchingv1.SellPlaced](m)
	if want := protocol.SealID(commit(t, "sun", offer).Commitment); len(sold) != 1 || !bytes.Equal(sold[0].Order.Id, want[:]) {
		t.Errorf("placed %v, want one with the id %v", sold, want)
	}
	m.End() // nothing is sealed any more: the book is cleared at once
	certificate, ok := matching.CertificateOf(m.Store, p, 0, 1)
	if b := book(m); b.MatchedWh != 900 || b.Seals != 0 || !ok || !bytes.Equal(certificate.PrevAppHash, fixed[:]) {
		t.Errorf("book %v, certificate %v: want 0.9 kWh matched by the hash %x", b, certificate, fixed)
	}
	if guarantee(m) != 0 {
		t.Errorf("%d went to the guarantee fund", guarantee(m))
	}
}

// TestForfeit: what is not revealed in time loses its bond; the rest is cleared.
func TestForfeit(t *testing.T) {
	m := sealed(t, nil, "sun", "home", "shop")
	offer, demand := sealedSell(sell(200_000, 1000, "sun")), sealedBuy(buy(300_000, 1000))
	m.Must("sun", commit(t, "sun", offer))
	m.Must("home", commit(t, "home", demand))
	m.Must("shop", commit(t, "shop", sealedBuy(buy(1, 1))))
	m.Must("shop", buy(300_000, 100))
	m.End()
	m.Block(gate)
	m.Begin(gate + 999)
	m.Must("sun", offer)
	m.End()
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_REVEAL {
		t.Fatalf("book %v, want it to wait for the others", b)
	}
	m.Block(gate + 1_000)
	forfeited := market.Happened[*matchingv1.BondForfeited](m)
	if len(forfeited) != 2 || guarantee(m) != 2*bond || free(m, "home") != market.Coins-bond {
		t.Errorf("forfeited %v, fund %d, home %d: want two bonds gone", forfeited, guarantee(m), free(m, "home"))
	}
	if b := book(m); b.MatchedWh != 100 || b.Orders != 2 || b.Seals != 0 {
		t.Errorf("book %v, want the open buy matched", b)
	}
	m.Begin(gate + 1_001)
	refused(t, m, "home", demand, matching.ErrUnknownSeal) // too late
}

// TestRevealAfterOutage: the block that ends the time for revealing takes reveals,
// so that a chain that stood still costs nobody a bond; after the start there is
// nothing to reveal for.
func TestRevealAfterOutage(t *testing.T) {
	offer, demand := sealedSell(sell(200_000, 1000, "sun")), sealedBuy(buy(300_000, 1000))
	start := func() *market.Market {
		m := sealed(t, nil, "sun", "home")
		m.Must("sun", commit(t, "sun", offer))
		m.Must("home", commit(t, "home", demand))
		m.End()
		m.Block(gate)
		return m
	}
	m := start()
	m.Begin(gate + 2_000) // a second late
	m.Must("sun", offer)
	m.Must("home", demand)
	m.End()
	if b := book(m); b.MatchedWh != 1000 || guarantee(m) != 0 {
		t.Errorf("book %v, fund %d: want 1 kWh matched and no bond gone", b, guarantee(m))
	}
	m = start()
	m.Begin(p)
	refused(t, m, "sun", offer, matching.ErrNotRevealing)
	m.End()
	if b := book(m); !b.Missed || guarantee(m) != 0 || free(m, "home") != market.Coins {
		t.Errorf("book %v, fund %d: want the gate missed and the bonds back", b, guarantee(m))
	}
}

// TestForfeitAll: a book in which nothing was revealed ends with nothing.
func TestForfeitAll(t *testing.T) {
	m := sealed(t, nil, "home")
	m.Must("home", commit(t, "home", sealedBuy(buy(1, 1))))
	m.End()
	m.Block(gate)
	m.Block(gate + 1_000)
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.Orders != 0 || guarantee(m) != bond || escrow(m, "home") != 0 {
		t.Errorf("book %v, fund %d: want it final and the bond gone", b, guarantee(m))
	}
}

func TestRevealRefused(t *testing.T) {
	m := sealed(t, func(g *market.Genesis) { g.Balance("poor").FreeUcoin = 304_999 }, "sun", "home", "poor")
	offer, demand := sealedSell(sell(200_000, 1000, "sun")), sealedBuy(buy(300_000, 1000))
	other := edited(sealedSell(sell(200_000, 1000, "sun")), func(r *matchingv1.MsgRevealOrder) { r.Salt = bytes.Repeat([]byte{9}, 32) })
	m.Must("sun", commit(t, "sun", offer))
	m.Must("sun", buy(1, 1))
	m.Must("home", commit(t, "sun", offer)) // copied: the same commitment
	m.Must("home", commit(t, "home", sealedBuy(buy(300_000, 100_001))))
	m.Must("poor", commit(t, "poor", demand))
	m.End()
	m.Block(gate)
	m.Begin(gate + 1)
	both := &matchingv1.MsgRevealOrder{Sell: offer.Sell, Buy: demand.Buy, Salt: offer.Salt}
	for _, test := range []struct {
		name, from string
		msg        *matchingv1.MsgRevealOrder
		want       *module.Error
	}{
		{"both sides", "sun", both, matching.ErrMalformed},
		{"no side", "sun", &matchingv1.MsgRevealOrder{Salt: offer.Salt}, matching.ErrMalformed},
		{"no salt", "sun", &matchingv1.MsgRevealOrder{Sell: offer.Sell}, matching.ErrMalformed},
		{"wrong salt", "sun", other, matching.ErrUnknownSeal},
		{"another order", "sun", sealedSell(sell(200_001, 1000, "sun")), matching.ErrUnknownSeal},
		{"another's seal", "home", offer, matching.ErrUnknownSeal},
		{"another period", "sun", sealedSell(edited(sell(200_000, 1000, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Period += length })), matching.ErrUnknownSeal},
		{"the other side of its own", "sun", offer, matching.ErrBothSides},
		{"over the connection", "home", sealedBuy(buy(300_000, 100_001)), matching.ErrOverRating},
		{"one ucoin short", "poor", demand, bank.ErrInsufficientFunds},
	} {
		t.Run(test.name, func(t *testing.T) { refused(t, m, test.from, test.msg, test.want) })
	}
	m.End()
	m.Block(gate + 1_000) // none could be placed: all bonds are gone
	if guarantee(m) != 4*bond {
		t.Errorf("fund %d, want four bonds", guarantee(m))
	}
}

func TestSealRefused(t *testing.T) {
	m := sealed(t, func(g *market.Genesis) {
		g.Matching.Markets[0].Market.MaxOrdersPerSide = 2
		g.Params().MaxOrdersPerAccount = 2
		g.Balance("poor").FreeUcoin = bond - 1
		g.MeterOf("blind").Billing = false
	}, "sun", "home", "shop", "mill", "poor", "blind")
	seal := func(first byte) *matchingv1.MsgSealOrder {
		return &matchingv1.MsgSealOrder{Period: p, Commitment: bytes.Repeat([]byte{first}, 32)}
	}
	refused(t, m, "sun", &matchingv1.MsgSealOrder{Period: p, Commitment: make([]byte, 31)}, matching.ErrMalformed)
	refused(t, m, "sun", &matchingv1.MsgSealOrder{Commitment: make([]byte, 32)}, matching.ErrBadPeriod)
	refused(t, m, "sun", &matchingv1.MsgSealOrder{Period: p + 1, Commitment: make([]byte, 32)}, matching.ErrBadPeriod)
	refused(t, m, "poor", seal(1), bank.ErrInsufficientFunds)
	refused(t, m, "blind", seal(1), matching.ErrNoBillingMeter)
	m.Must("sun", sell(1, 1, "sun"))
	m.Must("home", seal(1))
	// One sell and a sealed order that may be one: no room for either.
	refused(t, m, "shop", seal(2), matching.ErrBookFull)
	refused(t, m, "mill", sell(1, 1, "mill"), matching.ErrBookFull)
	m.Must("mill", buy(1, 1))
	refused(t, m, "shop", buy(1, 1), matching.ErrBookFull)
	m.Begin(gate)
	refused(t, m, "shop", seal(3), matching.ErrGateClosed)
	open := market.New(t, nil, "sun")
	refused(t, open, "sun", seal(1), matching.ErrNotSealed)
	few := sealed(t, func(g *market.Genesis) { g.Params().MaxOrdersPerAccount = 2 }, "sun")
	few.Must("sun", seal(1))
	refused(t, few, "sun", seal(1), matching.ErrOrderExists)
	few.Must("sun", sell(1, 1, "sun"))
	refused(t, few, "sun", seal(2), matching.ErrTooManyOrders)
	refused(t, few, "sun", sell(1, 1, "sun"), matching.ErrTooManyOrders)
}

// TestBondBack: a bond returns when the order is cancelled, its account stopped,
// or its book cannot be cleared.
func TestBondBack(t *testing.T) {
	for _, test := range []struct {
		name, reason string
		run          func(m *market.Market, id protocol.ID)
	}{
		{"cancelled", "cancelled", func(m *market.Market, id protocol.ID) {
			m.Begin(gate - 1)
			m.Must("home", &matchingv1.MsgCancel{Period: p, Order: id.Bytes()})
			m.End()
		}},
		{"frozen before the gate", "account_stopped", func(m *market.Market, _ protocol.ID) {
			home := market.Address("home")
			m.Begin(gate - 1)
			m.Decree(&registryv1.MsgFreeze{Account: home[:], Reason: "test"})
			m.End()
		}},
		{"frozen after the gate", "account_stopped", func(m *market.Market, _ protocol.ID) {
			home := market.Address("home")
			m.Block(gate)
			m.Begin(gate + 1)
			m.Decree(&registryv1.MsgFreeze{Account: home[:], Reason: "test"})
			m.End()
		}},
		{"missed gate", "gate_missed", func(m *market.Market, _ protocol.ID) { m.Block(p) }},
		{"missed clearing", "gate_missed", func(m *market.Market, _ protocol.ID) {
			m.Block(gate)
			m.Block(p)
		}},
		{"too late to reveal", "gate_missed", func(m *market.Market, _ protocol.ID) {
			m.Block(p - 1) // the window would end after the start
			m.Block(p)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := sealed(t, nil, "home", "sun")
			message := commit(t, "home", sealedBuy(buy(1, 1)))
			m.Must("home", message)
			m.Must("sun", sell(2, 1, "sun"))
			m.End()
			test.run(m, protocol.SealID(message.Commitment))
			var reasons []string
			for _, event := range market.Happened[*matchingv1.OrderCancelled](m) {
				if home := market.Address("home"); bytes.Equal(event.Account, home[:]) {
					reasons = append(reasons, event.Reason)
				}
			}
			if len(reasons) != 1 || reasons[0] != test.reason || free(m, "home") != market.Coins || guarantee(m) != 0 {
				t.Errorf("reasons %v, free %d: want %s and all coins", reasons, free(m, "home"), test.reason)
			}
		})
	}
}

// TestSealedMarketRefused: a market needs a bond to seal, and time to reveal and
// confirm before the period.
func TestSealedMarketRefused(t *testing.T) {
	m := market.New(t, nil)
	for _, test := range []struct {
		name         string
		reveal, bond int64
	}{
		{"no bond", 1_000, 0},
		{"nothing sealed", 0, 1},
		{"negative", -1, 1},
		{"too long", 2_001, 1},
	} {
		ctx := m.Ctx("gateway")
		ctx.Signer = module.Signer{Authority: true}
		set := &matchingv1.MsgSetMarket{Market: &matchingv1.Market{
			Mechanism: matchingv1.Mechanism_MECHANISM_WELFARE, MaxRatedDistanceM: 1, RevealLengthMs: test.reveal, BondUcoin: test.bond,
		}}
		for _, route := range matching.New().Routes() {
			if route.Type != string(set.ProtoReflect().Descriptor().FullName()) {
				continue
			}
			err := route.Check(market.ChainID, set)
			if err == nil {
				err = route.Exec(ctx, set)
			}
			if module.Code(err) != matching.ErrOutOfRange {
				t.Errorf("%s: got %v, want ErrOutOfRange", test.name, err)
			}
		}
	}
	m.Decree(&matchingv1.MsgSetMarket{Market: &matchingv1.Market{
		Mechanism: matchingv1.Mechanism_MECHANISM_WELFARE, MaxRatedDistanceM: 1, RevealLengthMs: 2_000, BondUcoin: 1,
	}})
	// Parameters that leave no time make it an open market.
	short := sealed(t, func(g *market.Genesis) { g.Params().RoundLengthMs = 3_001 }, "sun")
	refused(t, short, "sun", &matchingv1.MsgSealOrder{Period: p, Commitment: make([]byte, 32)}, matching.ErrNotSealed)
}

// TestSealedGenesis: a chain that goes on from an export in the middle of
// revealing does the same.
func TestSealedGenesis(t *testing.T) {
	m := sealed(t, nil, "sun", "home", "shop")
	offer := sealedSell(sell(200_000, 1000, "sun"))
	m.Must("sun", commit(t, "sun", offer))
	m.Must("home", commit(t, "home", sealedBuy(buy(300_000, 700))))
	m.Must("shop", buy(300_000, 200))
	m.End()
	again := m.Reborn()
	m.Block(gate)
	again.Block(gate)
	again = again.Reborn()
	for _, at := range []int64{gate + 500, gate + 1_000, gate + 3_000} {
		for _, chain := range []*market.Market{m, again} {
			chain.Begin(at)
			if at == gate+500 {
				chain.Must("sun", offer)
			}
			chain.End()
		}
		for _, part := range []string{"matching", "bank"} {
			if before, after := m.Export(), again.Export(); string(before[part]) != string(after[part]) {
				t.Fatalf("at %d: the chains part in %s:\n%s\n%s", at-gate, part, before[part], after[part])
			}
		}
		again = again.Reborn()
	}
	if b := book(again); b.MatchedWh != 200 || guarantee(again) != bond {
		t.Errorf("book %v, fund %d", b, guarantee(again))
	}
	account, id := `"AAAAAAAAAAAAAAAAAAAAAAAAAAA="`, `"AAAAAAAAAAAAAAAAAAAAAA=="`
	open := `"books":[{"period":"10000","phase":"PHASE_OPEN","orders":"1","seals":"1"}]`
	for i, data := range []string{
		`{` + open + `}`,
		`{` + open + `,"seals":[{"id":` + id + `,"account":` + account + `,"period":"10000"}]}`,
		`{` + open + `,"seals":[{"id":` + id + `,"account":` + account + `,"period":"10000","commitment":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`,
		`{` + open + `,"seals":[{"id":` + id + `,"account":` + account + `,"period":"10000","bond_ucoin":"-1","commitment":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`,
	} {
		if err := matching.New().InitGenesis(market.New(t, nil).Ctx("gateway"), []byte(data)); err == nil {
			t.Errorf("case %d: accepted %s", i, data)
		}
	}
}
