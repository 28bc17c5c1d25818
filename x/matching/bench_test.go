package matching_test

import (
	"fmt"
	"runtime"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/matching"
)

// greatest is the greatest book of a mechanism. "feeder" puts 2 000 members on one
// long feeder with branches; the others have no lines.
type greatest struct {
	name            string
	mechanism       matchingv1.Mechanism
	orders, members int64
	feeder          bool
}

var greatestBooks = []greatest{
	{"K-prototypes 10000 orders", matchingv1.Mechanism_MECHANISM_KPROTOTYPES, 10_000, 10_000, false},
	{"K-prototypes 5000 orders feeder", matchingv1.Mechanism_MECHANISM_KPROTOTYPES, 5_000, 2_000, true},
	{"auction 10000 orders", matchingv1.Mechanism_MECHANISM_AUCTION, 10_000, 10_000, false},
	{"CMAP 500x500", matchingv1.Mechanism_MECHANISM_CMAP, 1_000, 1_000, false},
	{"CMAP 500x500 feeder", matchingv1.Mechanism_MECHANISM_CMAP, 1_000, 1_000, true},
	{"welfare 1000x1000", matchingv1.Mechanism_MECHANISM_WELFARE, 2_000, 2_000, false},
	{"welfare 1000x1000 feeder", matchingv1.Mechanism_MECHANISM_WELFARE, 2_000, 2_000, true},
}

func (g greatest) edit(genesis *market.Genesis) {
	by(pairs(g.mechanism))(genesis)
	genesis.Params().MaxOrders = g.orders
	if g.feeder {
		for i, node := range genesis.Grid.Nodes[1:] {
			genesis.Grid.Lines = append(genesis.Grid.Lines, &gridv1.Line{From: genesis.Grid.Nodes[i/2].Node, To: node.Node, LengthMm: 20_000})
		}
	}
}

// BenchmarkClear clears the greatest book of each mechanism: the hook of the
// block at the gate.
func BenchmarkClear(b *testing.B) {
	for _, g := range greatestBooks {
		b.Run(g.name, func(b *testing.B) { benchmarkClear(b, g) })
	}
}

func benchmarkClear(b *testing.B, g greatest) {
	var names []string
	for i := range g.members {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	for b.Loop() {
		b.StopTimer()
		m := market.New(b, g.edit, names...)
		m.SkipInvariants = true
		for i := range g.orders {
			if name := names[i%g.members]; i%2 == 0 {
				m.Must(name, sell(200_000+i*17%90_000, 500+i*31%5_000, name))
				continue
			}
			m.Must(names[i%g.members], edited(buy(250_000+i*13%90_000, 500+i*37%5_000), func(o *matchingv1.MsgPlaceBuy) {
				o.Weights = &matchingv1.Weights{Price: 900, Energy: 700, Credit: 300, Loss: 200}
				o.WantedCredit = proto.Int64(80)
			}))
		}
		m.End()
		m.Store = committed(b, m.Store)
		m.Begin(gate)
		ctx := m.Ctx("gateway")
		runtime.GC() // what filling the book left behind is not the clearing's
		awaitOthers(b)
		b.StartTimer()
		if err := matching.New().EndBlock(ctx); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if got := book(m); got.Phase != matchingv1.Phase_PHASE_FINAL || got.Matches < g.orders/4 || got.Fallback {
			b.Fatalf("not cleared: %v", got)
		}
		b.StartTimer()
	}
}

// committed returns a block's empty branch over what a store holds, as a node has
// it: committed by earlier blocks.
func committed(b *testing.B, store state.Store) state.Store {
	db := state.OpenMemory()
	all := db.Branch()
	for key, value := range store.Range(nil, nil) {
		all.Set(key, value)
	}
	db.Stage(all)
	if err := db.Commit(1); err != nil {
		b.Fatal(err)
	}
	return db.Branch()
}
