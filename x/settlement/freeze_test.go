package settlement_test

import (
	"fmt"
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/settlement"
)

// BenchmarkFreeze settles a period in which nobody delivered or took anything: all
// members are violated and frozen in one block, each with an order in a book that
// was cleared in it and waits for confirmations.
func BenchmarkFreeze(b *testing.B) {
	for _, members := range []int{1000, 10_000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			var names []string
			for i := range members {
				names = append(names, fmt.Sprintf("m%d", i))
			}
			for b.Loop() {
				b.StopTimer()
				m := violators(b, names)
				b.StartTimer()
				if err := settlement.New().EndBlock(m.Ctx("gateway")); err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				for _, name := range names {
					if status(m, name) != isFrozen {
						b.Fatalf("%s is not frozen", name)
					}
				}
				b.StartTimer()
			}
		})
	}
}

// TestFreezeInClearedBook: who is frozen in the block that cleared its order loses
// what is left of it, and its pre-match lapses.
func TestFreezeInClearedBook(t *testing.T) {
	m := violators(t, []string{"sun", "home"})
	m.SkipInvariants = false
	m.End()
	for _, name := range []string{"sun", "home"} {
		if status(m, name) != isFrozen {
			t.Errorf("%s is not frozen", name)
		}
		if escrow := bank.BalanceOf(m.Store, market.Address(name)).EscrowUcoin; escrow != 0 {
			t.Errorf("%s has %d in escrow, want none", name, escrow)
		}
	}
	if cancelled := market.Happened[*matchingv1.OrderCancelled](m); len(cancelled) != 2 {
		t.Errorf("cancelled %v, want both orders", cancelled)
	}
	if book, _ := matching.BookOf(m.Store, p+4*length, 0); book.ReturnedWh != 1000 {
		t.Errorf("book %v, want the pre-match of 1000 Wh back", book)
	}
}

// violators is a market in the block in which the registers of p come, which show
// nothing, before the hook of settlement. With none all would be excused: most of a
// gateway would fail together.
func violators(b testing.TB, names []string) *market.Market {
	const later = p + 4*length
	m := market.New(b, strict(1, func(g *market.Genesis) { g.Params().MaxOrders = 10_000 }), names...)
	m.SkipInvariants = true
	var matches []*matchingv1.Match
	for i := 0; i < len(names); i += 2 {
		matches = append(matches, market.Match(names[i], names[i+1], p, 1000, 200_000))
	}
	m.Stand(matches)
	for i := 0; i < len(names); i += 2 {
		offer, want := sell(later, 200_000, 1000, names[i]), buy(later, 300_000, 1000)
		offer.Consent, want.Consent = nil, nil
		m.Must(names[i], offer)
		m.Must(names[i+1], want)
	}
	m.End()
	for i := int64(0); i < 3; i++ {
		m.Block(p + i*length + 500)
	}
	m.Begin(later - 3_500) // half a second after the gate of the orders
	for _, name := range names {
		m.Read(name, p, 0, 0)
		m.Read(name, p+length, 0, 0)
	}
	if err := metering.New().EndBlock(m.Ctx("gateway")); err != nil {
		b.Fatal(err)
	}
	if err := matching.New().EndBlock(m.Ctx("gateway")); err != nil {
		b.Fatal(err)
	}
	if book, _ := matching.BookOf(m.Store, later, 0); book.Phase != matchingv1.Phase_PHASE_CONFIRM {
		b.Fatalf("book: %v", book)
	}
	return m
}
