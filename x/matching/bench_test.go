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

// BenchmarkClear clears 5 000 orders: the hook of the block at the gate, for
// 2 000 members on as many nodes of one long feeder with branches, and for 5 000
// members without lines.
func BenchmarkClear(b *testing.B) {
	b.Run("feeder", func(b *testing.B) {
		benchmarkClear(b, 2000, func(g *market.Genesis) {
			for i, node := range g.Grid.Nodes[1:] {
				g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: g.Grid.Nodes[i/2].Node, To: node.Node, LengthMm: 20_000})
			}
		})
	})
	b.Run("no lines", func(b *testing.B) { benchmarkClear(b, 5000, nil) })
}

func benchmarkClear(b *testing.B, members int, edit func(*market.Genesis)) {
	const orders = 5000
	var names []string
	for i := range members {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	for b.Loop() {
		b.StopTimer()
		m := market.New(b, edit, names...)
		m.SkipInvariants = true
		for i := range int64(orders) {
			if name := names[i%int64(members)]; i%2 == 0 {
				m.Must(name, sell(200_000+i*17%90_000, 500+i*31%5_000, name))
				continue
			}
			m.Must(names[i%int64(members)], edited(buy(250_000+i*13%90_000, 500+i*37%5_000), func(o *matchingv1.MsgPlaceBuy) {
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
		if got := book(m); got.Phase != matchingv1.Phase_PHASE_FINAL || got.Matches < orders/4 {
			b.Fatalf("not cleared: %v", got)
		}
		b.StartTimer()
	}
}
