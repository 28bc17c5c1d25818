package clearing

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/x/grid/paths"
	"github.com/energyd/energyd/x/matching/kproto"
)

// drawSmall draws rules and a small book in which every refusal occurs.
func drawSmall(t *rapid.T, mechanism matchingv1.Mechanism) *Clearing {
	var nodes []*gridv1.Node
	for i := range 5 {
		nodes = append(nodes, &gridv1.Node{Node: fmt.Sprint("n", i), PathMm: proto.Int64(int64(i) * 400_000)})
	}
	nodes[4].PathMm = nil // no way there
	rules := Rules{
		Period: 1, PeriodLengthMs: 1000, PrevAppHash: []byte{1}, Paths: paths.New(nodes, nil, 50_000),
		Params: &registryv1.Params{
			FeeUcoinPerKwh: 5, MaxLossPpm: 100_000, PriceMaxUcoinPerKwh: 1000,
			RangePriceUcoinPerKwh: 100, RangeEnergyWh: 100, RangeCredit: 100, RangeLossPpm: 100_000,
		},
		Market: &matchingv1.Market{Mechanism: mechanism, MaxRatedDistanceM: 1000, PostedPriceUcoinPerKwh: 500, BetaUcoinPerKwh: 10},
	}
	price, energy, who, where := rapid.Int64Range(300, 700), rapid.Int64Range(1, 50), rapid.ByteRange(0, 3), rapid.SampledFrom(nodes)
	var sells []*matchingv1.SellOrder
	var buys []*matchingv1.BuyOrder
	for i := range rapid.IntRange(0, 5).Draw(t, "sells") {
		wh := energy.Draw(t, "energy")
		sells = append(sells, &matchingv1.SellOrder{
			Id: []byte{1, byte(i)}, PriceUcoinPerKwh: price.Draw(t, "ask"), EnergyWh: wh, AvailableWh: wh,
			Credit: rapid.Int64Range(0, 100).Draw(t, "credit"), EnergyType: 1, Environment: 1,
			Identity: []byte{who.Draw(t, "who")}, GridNode: where.Draw(t, "where").Node,
		})
	}
	for i := range rapid.IntRange(0, 5).Draw(t, "buys") {
		wh := energy.Draw(t, "energy")
		order := &matchingv1.BuyOrder{
			Id: []byte{2, byte(i)}, PriceUcoinPerKwh: price.Draw(t, "bid"), EnergyWh: wh, OpenWh: wh,
			WantedCredit: proto.Int64(50), WantedEnergyType: 2, WantedEnvironment: proto.Int64(0), WantedLossPpm: 10_000,
			Weights:  &matchingv1.Weights{Price: 100, Energy: 200, Environment: 3, Credit: 300, Loss: 400, EnergyType: 5},
			Identity: []byte{who.Draw(t, "who")}, GridNode: where.Draw(t, "where").Node,
		}
		if rapid.Bool().Draw(t, "limited") {
			order.MaxLossPpm = proto.Int64(60_000)
		}
		buys = append(buys, order)
	}
	return New(rules, sells, buys)
}

// TestExplain: what is explained agrees with what the mechanism does. Orders that
// traded may trade; nothing better was passed over; and the numbers say so.
func TestExplain(t *testing.T) {
	for number, name := range matchingv1.Mechanism_name {
		if number == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				c := drawSmall(t, matchingv1.Mechanism(number))
				found, err := c.Run()
				if err != nil {
					t.Fatal(err)
				}
				traded := map[[2]int]int64{}
				for _, trade := range found.Trades {
					traded[[2]int{trade.Buy, trade.Sell}] = trade.EnergyWh
				}
				for i := range c.Buys {
					e, err := c.ExplainBuy(i)
					if err != nil {
						t.Fatal(err)
					}
					checkExplained(t, c, e, len(c.Sells), traded)
				}
				for i := range c.Sells {
					e, err := c.ExplainSell(i)
					if err != nil {
						t.Fatal(err)
					}
					checkExplained(t, c, e, len(c.Buys), traded)
				}
			})
		})
	}
}

func checkExplained(t *rapid.T, c *Clearing, e *Explanation, candidates int, traded map[[2]int]int64) {
	if len(e.Candidates) != candidates {
		t.Fatalf("%d candidates, want %d", len(e.Candidates), candidates)
	}
	var sum int64
	for _, pair := range e.Candidates {
		sum += pair.TradedWh
		if pair.TradedWh != traded[[2]int{pair.Buy, pair.Sell}] || pair.CutWh != 0 {
			t.Fatalf("%+v, want %d Wh traded", pair, traded[[2]int{pair.Buy, pair.Sell}])
		}
		loss, eligible := c.eligible(pair.Buy, pair.Sell)
		if may := eligible && c.Margin(pair.Buy, pair.Sell) >= 0; may != (pair.Refusal == MayTrade) || may && loss != pair.LossPPM {
			t.Fatalf("%+v, eligible %t with loss %d", pair, may, loss)
		}
		if pair.TradedWh > 0 && pair.Refusal != MayTrade {
			t.Fatalf("%+v traded", pair)
		}
		if pair.Shortfall < 0 || pair.TradedWh > 0 && pair.Shortfall != 0 {
			t.Fatalf("shortfall of %+v", pair)
		}
	}
	if e.Uniform != nil && sum > e.Uniform.ShareWh {
		t.Fatalf("traded %d of a share of %d", sum, e.Uniform.ShareWh)
	}
}

// TestExplainPrototypes: the terms of the chosen sell sum to the dissimilarity
// that the mechanism found, and no sell that was left has a smaller one.
func TestExplainPrototypes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawSmall(t, matchingv1.Mechanism_MECHANISM_KPROTOTYPES)
		demands, offers := c.prototypes()
		first := map[int]kproto.Trade{} // of each buy
		all := map[[2]int]kproto.Trade{}
		for _, trade := range kproto.Clear(kprotoParams(c.rules.Params), demands, offers, kproto.LossFunc(c.loss)) {
			if _, known := first[trade.Buy]; !known {
				first[trade.Buy] = trade
			}
			all[[2]int{trade.Buy, trade.Sell}] = trade
		}
		for i := range c.Buys {
			e, err := c.ExplainBuy(i)
			if err != nil {
				t.Fatal(err)
			}
			for _, pair := range e.Candidates {
				if trade, ok := all[[2]int{pair.Buy, pair.Sell}]; ok {
					if pair.Terms.Sum() != trade.Dissimilarity || min(pair.LeftWh, pair.WantedWh) != trade.EnergyWh {
						t.Fatalf("%+v, want %+v", pair, trade)
					}
				} else if chosen, ok := first[i]; pair.Refusal == MayTrade && pair.LeftWh > 0 && (!ok || pair.Terms.Sum() < chosen.Dissimilarity) {
					t.Fatalf("%+v was passed over for %+v", pair, chosen)
				}
			}
		}
	})
}
