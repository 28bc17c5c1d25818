package matching_test

import (
	"bytes"
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
)

func matchesOf(m *market.Market, name string) []*matchingv1.Match {
	return matching.MatchesOf(m.Store, p, market.Address(name))
}

func prematchesOf(m *market.Market, name string) []*matchingv1.Match {
	m.T.Helper()
	address := market.Address(name)
	got, err := market.Query[*matchingv1.QueryMatchesResponse](m, &matchingv1.QueryMatchesRequest{Period: p, Account: address[:]})
	if err != nil {
		m.T.Fatal(err)
	}
	return got.Prematches
}

// waiting is a market with one pre-match that waits for the sides named.
func waiting(t *testing.T, seller, buyer bool) (*market.Market, *matchingv1.Match) {
	t.Helper()
	m := market.New(t, nil, "sun", "home")
	offer, demand := sell(200_000, 1000, "sun"), buy(300_000, 2000)
	if seller {
		offer.Consent = nil
	}
	if buyer {
		demand.Consent = &matchingv1.Consent{Standing: false}
	}
	m.Must("sun", offer)
	m.Must("home", demand)
	m.End()
	m.Block(gate)
	all := prematchesOf(m, "home")
	if len(all) != 1 || len(matchesOf(m, "home")) != 0 {
		t.Fatalf("pre-matches %v, want one", all)
	}
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_CONFIRM || b.ConfirmUntilMs != gate+2_000 || b.Pending != 1 {
		t.Fatalf("book %v, want one in confirmation for 2 s", b)
	}
	return m, all[0]
}

func TestConfirm(t *testing.T) {
	m, match := waiting(t, true, true)
	yes := &matchingv1.MsgConfirm{Period: p, Match: match.Id}
	m.Begin(gate + 1_000)
	refused(t, m, "sun", &matchingv1.MsgConfirm{Period: p, Match: make([]byte, 16)}, matching.ErrUnknownMatch)
	refused(t, m, "sun", &matchingv1.MsgConfirm{Period: p + length, Match: match.Id}, matching.ErrUnknownMatch)
	refused(t, m, "sun", &matchingv1.MsgConfirm{Period: p, Match: []byte{1}}, matching.ErrMalformed)
	refused(t, m, "aggregator", yes, matching.ErrUnknownMatch)
	m.Must("sun", yes)
	refused(t, m, "sun", yes, matching.ErrAlreadyConfirmed)
	refused(t, m, "sun", &matchingv1.MsgConfirm{Period: p, Match: match.Id, Veto: true}, matching.ErrAlreadyConfirmed)
	m.End()
	if len(prematchesOf(m, "sun")) != 1 || len(matchesOf(m, "sun")) != 0 {
		t.Error("one signature made a match")
	}
	m.Begin(gate + 1_999)
	m.Must("home", yes)
	if len(matchesOf(m, "sun")) != 1 || len(matchesOf(m, "home")) != 1 || len(prematchesOf(m, "sun")) != 0 {
		t.Error("two signatures made no match")
	}
	m.End()
	// Nothing waits any more: the book is final in the same block, and the open
	// part of the buy's escrow is back.
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.MatchedWh != 1000 || b.PrematchedWh != 1000 {
		t.Errorf("book %v, want it final", b)
	}
	if got := escrow(m, "home"); got != 205_000 {
		t.Errorf("escrow %d, want 205 000", got)
	}
	refused(t, m, "home", yes, matching.ErrWindowClosed)
}

func TestVeto(t *testing.T) {
	m, match := waiting(t, false, true)
	m.Begin(gate + 1_000)
	m.Must("home", &matchingv1.MsgConfirm{Period: p, Match: match.Id, Veto: true})
	m.End()
	if events := market.Happened[*matchingv1.MatchLapsed](m); len(events) != 1 || events[0].Cause != matchingv1.Cause_CAUSE_VETO || !events[0].ByBuyer || events[0].BySeller {
		t.Errorf("events %v, want one veto", events)
	}
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_AGAIN || b.PrematchedWh != 1000 || b.ReturnedWh != 1000 || escrow(m, "home") != 610_000 {
		t.Errorf("book %v, escrow %d: want another round, with all that home escrowed", b, escrow(m, "home"))
	}
	m.Block(gate + 1_001) // nobody else is there
	if got := escrow(m, "home"); got != 0 || matching.HasMatches(m.Store, p, market.Address("sun")) {
		t.Errorf("escrow %d is left of a veto", got)
	}
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.Round != 2 || b.MatchedWh != 0 || b.PrematchedWh != 0 || b.ReturnedWh != 0 || b.Declined != 1 {
		t.Errorf("book %v, want it final with nothing matched", b)
	}
}

func TestWindowEnds(t *testing.T) {
	m, match := waiting(t, true, false)
	m.Begin(gate + 2_000)
	refused(t, m, "sun", &matchingv1.MsgConfirm{Period: p, Match: match.Id}, matching.ErrWindowClosed)
	m.End()
	if events := market.Happened[*matchingv1.MatchLapsed](m); len(events) != 1 || events[0].Cause != matchingv1.Cause_CAUSE_LAPSE || !events[0].BySeller || events[0].ByBuyer {
		t.Errorf("events %v, want one lapse", events)
	}
	m.Block(gate + 2_001)
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.Pending != 0 || escrow(m, "home") != 0 {
		t.Errorf("book %v, escrow %d: want it final and nothing held", b, escrow(m, "home"))
	}
}

// TestConsent: a standing consent with a least satisfaction confirms only what
// satisfies its own side.
func TestConsent(t *testing.T) {
	for _, test := range []struct {
		name           string
		least          int64
		sellerStanding bool
		want           int
	}{
		{"satisfied", 750_000, true, 1},
		{"not satisfied", 750_001, true, 0},
		{"the other side does not consent", 0, false, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, nil, "sun", "home")
			offer := sell(200_000, 1000, "sun")
			offer.Consent = &matchingv1.Consent{Standing: test.sellerStanding, MinSatisfactionPpm: 1_000_000}
			m.Must("sun", offer)
			// Satisfaction is 750 000: half a range off in price alone.
			m.Must("home", edited(buy(300_000, 1000), func(o *matchingv1.MsgPlaceBuy) {
				o.Weights = &matchingv1.Weights{Price: 700}
				o.Consent = &matchingv1.Consent{Standing: true, MinSatisfactionPpm: test.least}
			}))
			m.End()
			m.Block(gate)
			if got := len(matchesOf(m, "home")); got != test.want {
				t.Errorf("%d matches at once, want %d", got, test.want)
			}
		})
	}
}

// TestMissedGate: no block came between the gate and the start.
func TestMissedGate(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", sell(200_000, 1000, "sun"))
	m.Must("home", buy(300_000, 1000))
	m.End()
	m.Block(p)
	if b := book(m); b == nil || !b.Missed || b.Phase != matchingv1.Phase_PHASE_FINAL || b.Matches != 0 {
		t.Errorf("book %v, want it missed", b)
	}
	if events := market.Happened[*matchingv1.OrderCancelled](m); len(events) != 2 || events[0].Reason != "gate_missed" {
		t.Errorf("events %v, want two orders cancelled", events)
	}
	if escrow(m, "home") != 0 {
		t.Errorf("escrow %d is left", escrow(m, "home"))
	}
}

// TestLastMoment: a block between the gate and the start clears, however late,
// and leaves what time there is to confirm.
func TestLastMoment(t *testing.T) {
	m := market.New(t, nil, "sun", "home", "shop")
	m.Must("sun", sell(200_000, 2000, "sun"))
	m.Must("home", buy(300_000, 1000))
	m.Must("shop", edited(buy(300_000, 1000), func(o *matchingv1.MsgPlaceBuy) { o.Consent = nil }))
	m.End()
	m.Block(p - 1)
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_CONFIRM || b.ConfirmUntilMs != p || b.MatchedWh != 1000 || b.PrematchedWh != 2000 {
		t.Errorf("book %v, want half of it confirmed and the rest to be until the start", b)
	}
	m.Block(p)
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.MatchedWh != 1000 {
		t.Errorf("book %v, want half of it confirmed for good", b)
	}
}

// TestOldestFirst: several boundaries in one block run in their order, and none
// disturbs another.
func TestOldestFirst(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	for i := range int64(3) {
		m.Must("sun", edited(sell(200_000, 1000, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Period += i * length }))
		m.Must("home", edited(buy(300_000, 1000), func(o *matchingv1.MsgPlaceBuy) { o.Period += i * length }))
	}
	m.End()
	m.Block(p + 2*length - 1) // after the start of the first two, before that of the third
	finals := market.Happened[*matchingv1.PeriodFinal](m)
	if len(finals) != 3 {
		t.Fatalf("%d books became final, want 3", len(finals))
	}
	for i, event := range finals {
		if event.Book.Period != p+int64(i)*length || event.Book.Missed != (i < 2) {
			t.Errorf("event %d: %v", i, event.Book)
		}
	}
}

// TestStopped: a freeze or revocation cancels orders in open books and lapses
// pre-matches that wait; confirmed matches stay.
func TestStopped(t *testing.T) {
	m := market.New(t, nil, "sun", "mill", "home", "shop")
	m.Must("sun", edited(sell(200_000, 1000, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Consent = nil })) // waits for sun
	m.Must("mill", sell(250_000, 1000, "mill"))
	m.Must("home", edited(buy(260_000, 2000), func(o *matchingv1.MsgPlaceBuy) { o.Weights = &matchingv1.Weights{Price: 1} }))
	later := edited(buy(260_000, 1000), func(o *matchingv1.MsgPlaceBuy) { o.Period += length })
	m.Must("home", later)
	m.Must("shop", later)
	m.End()
	m.Block(gate)
	if len(matchesOf(m, "mill")) != 1 || len(prematchesOf(m, "sun")) != 1 {
		t.Fatalf("want one match and one pre-match: %v", book(m))
	}
	home := market.Address("home")
	m.Begin(gate + 500)
	m.Decree(&registryv1.MsgFreeze{Account: home[:], Reason: "test"})
	m.End()
	if len(matchesOf(m, "mill")) != 1 || len(prematchesOf(m, "sun")) != 0 {
		t.Error("want the match to stay and the pre-match to lapse")
	}
	if got := escrow(m, "home"); got != 255_000 {
		t.Errorf("escrow %d, want that of the match, 255 000", got)
	}
	if events := market.Happened[*matchingv1.OrderCancelled](m); len(events) != 2 || events[0].Reason != "account_stopped" || events[1].Reason != "account_stopped" {
		t.Errorf("events %v, want the rest of one order and another order cancelled", events)
	}
	if b, ok := matching.BookOf(m.Store, p+length, 0); !ok || b.Buys != 1 {
		t.Errorf("book %v, want one buy left", b)
	}
	shop := market.Address("shop")
	m.Begin(gate + 600)
	m.Decree(&registryv1.MsgRevoke{Account: shop[:], Reason: "test"})
	m.End()
	if b, ok := matching.BookOf(m.Store, p+length, 0); ok {
		t.Errorf("book %v is left without orders", b)
	}
}

// TestClearingFails: a book that cannot be cleared is cancelled whole and
// reported; the block goes on.
func TestClearingFails(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", sell(200_000, 1000, "sun"))
	m.Must("home", buy(300_000, 1000))
	m.End()
	// A book that no messages could make: what its trade would cost overflows.
	home := market.Address("home")
	order := &matchingv1.SellOrder{
		Id: bytes.Repeat([]byte{1}, 16), Account: home[:], Period: p, EnergyWh: 1 << 62, AvailableWh: 1 << 62,
		PriceUcoinPerKwh: 1, Meter: "none", GridNode: market.Node("home"), Identity: []byte("home"),
	}
	genesis := &matchingv1.GenesisState{
		Books: []*matchingv1.Book{{Period: p + length, Phase: matchingv1.Phase_PHASE_OPEN, Orders: 2, Sells: 1, Buys: 1}},
		Sells: []*matchingv1.SellOrder{edited(order, func(o *matchingv1.SellOrder) { o.Period += length })},
		Buys: []*matchingv1.BuyOrder{{
			Id: bytes.Repeat([]byte{2}, 16), Account: market.Address("sun").Bytes(), Period: p + length,
			EnergyWh: 1 << 62, OpenWh: 1 << 62, PriceUcoinPerKwh: 1 << 40, GridNode: market.Node("sun"), Identity: []byte("sun"),
		}},
	}
	data, err := module.MarshalGenesis(genesis)
	if err != nil {
		t.Fatal(err)
	}
	if err := matching.New().InitGenesis(m.Ctx("sun"), data); err != nil {
		t.Fatal(err)
	}
	m.Block(gate + length)
	if events := market.Happened[*matchingv1.ClearingFailed](m); len(events) != 1 || events[0].Period != p+length {
		t.Errorf("events %v, want one failure", events)
	}
	if b, _ := matching.BookOf(m.Store, p+length, 0); b.GetPhase() != matchingv1.Phase_PHASE_FINAL || b.GetMatches() != 0 {
		t.Errorf("book %v, want it final without matches", b)
	}
}

// TestInvariantBroken: I5 notices escrow that nothing holds.
func TestInvariantBroken(t *testing.T) {
	m := market.New(t, nil, "home")
	m.Must("home", buy(300_000, 1000))
	if err := bank.Release(m.Ctx("home"), market.Address("home"), 1); err != nil {
		t.Fatal(err)
	}
	for _, law := range matching.New().Invariants() {
		if err := law.Check(m.Store); (err != nil) != (law.Name == "I5") {
			t.Errorf("%s: %v", law.Name, err)
		}
	}
}
