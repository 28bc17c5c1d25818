package settlement_test

import (
	"fmt"
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/settlement"
)

// BenchmarkSettle settles 10 000 trades between 1 000 sellers and 1 000 buyers:
// the hook of the block in which all registers are there, statements and root
// included. The state is in memory; the target is 0.25 s.
func BenchmarkSettle(b *testing.B) {
	const members, tradesPerSeller = 1000, 10
	var names []string
	for i := range members {
		names = append(names, fmt.Sprintf("s%d", i), fmt.Sprintf("b%d", i))
	}
	for b.Loop() {
		b.StopTimer()
		m := market.New(b, nil, names...)
		m.SkipInvariants = true
		var matches []*matchingv1.Match
		for i := range members {
			for j := range tradesPerSeller {
				matches = append(matches, market.Match(names[2*i], names[2*((i+j)%members)+1], p, 1000, 200_000))
			}
		}
		m.Stand(matches)
		m.End()
		m.Begin(p)
		for _, name := range names {
			m.Read(name, p, 0, 0)
		}
		m.End()
		m.Begin(p + length)
		for i := range members {
			m.Read(names[2*i], p+length, 0, 9_000) // short: shares are pro rata
			m.Read(names[2*i+1], p+length, 12_000, 0)
		}
		if err := metering.New().EndBlock(m.Ctx("gateway")); err != nil {
			b.Fatal(err)
		}
		if err := matching.New().EndBlock(m.Ctx("gateway")); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		if err := settlement.New().EndBlock(m.Ctx("gateway")); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if root, ok := settlement.RootOf(m.Store, p); !ok || root.Totals.SoldWh != members*9_000 {
			b.Fatalf("not settled: %v", root)
		}
		b.StartTimer()
	}
}
