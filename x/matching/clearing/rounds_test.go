package clearing_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

// book is a book in a later round.
type book struct {
	rules clearing.Rules
	sells []*matchingv1.SellOrder
	buys  []*matchingv1.BuyOrder
}

// drawBook draws one of some members, in the middle of its rounds. Few have
// nothing left, and some pairs were declined.
func drawBook(t *rapid.T) book {
	var names []string
	for i := range 12 {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	m := market.New(t, func(g *market.Genesis) {
		for i, node := range g.Grid.Nodes[1:] {
			g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: g.Grid.Nodes[i/2].Node, To: node.Node, LengthMm: 20_000, CapacityW: int64(i%3) * 360_000})
		}
	}, names...)
	params := registry.ParamsAt(m.Store, market.Start)
	b := book{rules: clearing.Rules{
		Period: market.Start, PeriodLengthMs: market.Period, PrevAppHash: []byte{rapid.Byte().Draw(t, "hash")}, Params: params,
		Market: &matchingv1.Market{
			Mechanism:         matchingv1.Mechanism(rapid.IntRange(1, len(matchingv1.Mechanism_name)-1).Draw(t, "mechanism")),
			MaxRatedDistanceM: 1000, PostedPriceUcoinPerKwh: 250_000,
		},
		Paths: grid.PathsOf(m.Store, params.DefaultLossPpmPerKm),
	}}
	energy := func(label string) int64 { return rapid.SampledFrom([]int64{0, 400, 700, 1000}).Draw(t, label) }
	for i, name := range names {
		id, identity := bytes.Repeat([]byte{byte(i)}, 16), []byte(name)
		first := rapid.Bool().Draw(t, "priority")
		if i%2 == 0 {
			b.sells = append(b.sells, &matchingv1.SellOrder{
				Id: id, Account: identity, Identity: identity, GridNode: market.Node(name), EnergyWh: 1000, AvailableWh: energy("available"),
				PriceUcoinPerKwh: rapid.Int64Range(20, 26).Draw(t, "ask") * 10_000, Environment: 1, Priority: first,
			})
			continue
		}
		b.buys = append(b.buys, &matchingv1.BuyOrder{
			Id: id, Account: identity, Identity: identity, GridNode: market.Node(name), EnergyWh: 1000, OpenWh: energy("open"),
			PriceUcoinPerKwh: rapid.Int64Range(24, 30).Draw(t, "bid") * 10_000, Weights: &matchingv1.Weights{Price: 900, Energy: 300}, Priority: first,
		})
	}
	for _, sell := range b.sells {
		for _, buy := range b.buys {
			if rapid.IntRange(0, 3).Draw(t, "declined") == 0 {
				b.rules.Declined = append(b.rules.Declined, &matchingv1.Declined{SellOrder: sell.Id, BuyOrder: buy.Id})
			}
		}
	}
	for i := range 3 { // what stands takes what is not left
		b.rules.Standing = append(b.rules.Standing, &matchingv1.Match{
			SellOrder: b.sells[i].Id, BuyOrder: b.buys[i].Id, EnergyWh: min(b.sells[i].EnergyWh-b.sells[i].AvailableWh, b.buys[i].EnergyWh-b.buys[i].OpenWh),
		})
	}
	return b
}

// clear clears the book given in some order.
func (b book) clear(t *rapid.T, r *rand.Rand) (*clearing.Clearing, *clearing.Outcome) {
	rules, sells, buys := b.rules, slices.Clone(b.sells), slices.Clone(b.buys)
	rules.Declined, rules.Standing = slices.Clone(rules.Declined), slices.Clone(rules.Standing)
	r.Shuffle(len(sells), func(i, j int) { sells[i], sells[j] = sells[j], sells[i] })
	r.Shuffle(len(buys), func(i, j int) { buys[i], buys[j] = buys[j], buys[i] })
	r.Shuffle(len(rules.Declined), func(i, j int) {
		rules.Declined[i], rules.Declined[j] = rules.Declined[j], rules.Declined[i]
	})
	r.Shuffle(len(rules.Standing), func(i, j int) {
		rules.Standing[i], rules.Standing[j] = rules.Standing[j], rules.Standing[i]
	})
	c := clearing.New(rules, sells, buys)
	found, err := c.Run()
	if err != nil {
		t.Fatal(err)
	}
	return c, found
}

// TestLaterRounds: in any mechanism a declined pair does not trade, nobody trades
// more than is left, those with priority come first in the order of service, and
// the order in which the book is given changes nothing.
func TestLaterRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := drawBook(t)
		c, found := b.clear(t, rand.New(rand.NewPCG(1, 1)))
		sold, bought := map[int]int64{}, map[int]int64{}
		for _, trade := range found.Trades {
			sell, buy := c.Sells[trade.Sell], c.Buys[trade.Buy]
			for _, pair := range b.rules.Declined {
				if bytes.Equal(pair.SellOrder, sell.Id) && bytes.Equal(pair.BuyOrder, buy.Id) {
					t.Fatalf("%x and %x were declined and trade %d Wh", sell.Id, buy.Id, trade.EnergyWh)
				}
			}
			sold[trade.Sell] += trade.EnergyWh
			bought[trade.Buy] += trade.EnergyWh
			if sold[trade.Sell] > sell.AvailableWh || bought[trade.Buy] > buy.OpenWh {
				t.Fatalf("trade %v is more than is left of %v and %v", trade, sell, buy)
			}
		}
		if !slices.IsSortedFunc(c.Buys, func(a, b *matchingv1.BuyOrder) int { return rank(b.Priority) - rank(a.Priority) }) ||
			!slices.IsSortedFunc(c.Sells, func(a, b *matchingv1.SellOrder) int { return rank(b.Priority) - rank(a.Priority) }) {
			t.Fatal("priority does not come first")
		}
		_, again := b.clear(t, rand.New(rand.NewPCG(2, 2)))
		if diff := cmp.Diff(found.Trades, again.Trades); diff != "" || !proto.Equal(found.Certificate, again.Certificate) || found.SurplusUcoin != again.SurplusUcoin {
			t.Fatalf("given in another order: %s", diff)
		}
	})
}

func rank(priority bool) int {
	if priority {
		return 1
	}
	return 0
}
