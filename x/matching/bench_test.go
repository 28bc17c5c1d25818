package matching_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
)

// BenchmarkClear clears the greatest book of each mechanism: the hook of the
// block at the gate. "feeder" puts 2 000 members on one long feeder with
// branches; the others have no lines.
func BenchmarkClear(b *testing.B) {
	feeder := func(g *market.Genesis) {
		for i, node := range g.Grid.Nodes[1:] {
			g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: g.Grid.Nodes[i/2].Node, To: node.Node, LengthMm: 20_000})
		}
	}
	for _, c := range []struct {
		name            string
		mechanism       matchingv1.Mechanism
		orders, members int64
		edit            func(*market.Genesis)
	}{
		{"K-prototypes 10000 orders", matchingv1.Mechanism_MECHANISM_KPROTOTYPES, 10_000, 10_000, nil},
		{"K-prototypes 5000 orders feeder", matchingv1.Mechanism_MECHANISM_KPROTOTYPES, 5_000, 2_000, feeder},
		{"auction 10000 orders", matchingv1.Mechanism_MECHANISM_AUCTION, 10_000, 10_000, nil},
		{"CMAP 500x500", matchingv1.Mechanism_MECHANISM_CMAP, 1_000, 1_000, nil},
		{"CMAP 500x500 feeder", matchingv1.Mechanism_MECHANISM_CMAP, 1_000, 1_000, feeder},
		{"welfare 1000x1000", matchingv1.Mechanism_MECHANISM_WELFARE, 2_000, 2_000, nil},
		{"welfare 1000x1000 feeder", matchingv1.Mechanism_MECHANISM_WELFARE, 2_000, 2_000, feeder},
	} {
		b.Run(c.name, func(b *testing.B) {
			benchmarkClear(b, c.orders, c.members, func(g *market.Genesis) {
				by(pairs(c.mechanism))(g)
				if c.edit != nil {
					c.edit(g)
				}
			})
		})
	}
}

func benchmarkClear(b *testing.B, orders, members int64, edit func(*market.Genesis)) {
	var names []string
	for i := range members {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	for b.Loop() {
		b.StopTimer()
		m := market.New(b, func(g *market.Genesis) { edit(g); g.Params().MaxOrders = orders }, names...)
		m.SkipInvariants = true
		for i := range orders {
			if name := names[i%members]; i%2 == 0 {
				m.Must(name, sell(200_000+i*17%90_000, 500+i*31%5_000, name))
				continue
			}
			m.Must(names[i%members], edited(buy(250_000+i*13%90_000, 500+i*37%5_000), func(o *matchingv1.MsgPlaceBuy) {
				o.Weights = &matchingv1.Weights{Price: 900, Energy: 700, Credit: 300, Loss: 200}
				o.WantedCredit = proto.Int64(80)
			}))
		}
		m.End()
		m.Begin(gate)
		ctx := m.Ctx("gateway")
		b.StartTimer()
		if err := matching.New().EndBlock(ctx); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if got := book(m); got.Phase != matchingv1.Phase_PHASE_FINAL || got.Matches < orders/4 || got.Fallback {
			b.Fatalf("not cleared: %v", got)
		}
		b.StartTimer()
	}
}
