package clearing

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/grid/paths"
)

const chainFee = 5_000

// drawn is a book of members in three zones.
type drawn struct {
	rules Rules
	sells []*matchingv1.SellOrder
	buys  []*matchingv1.BuyOrder
	zone  map[string]int   // of nodes
	fees  [][]int64        // between zones
	loss  map[string]int64 // ppm between a node and the transformer
}

// drawBook draws a book. Losses are those of paths to the transformer; half of the
// pairs of zones cost something.
func drawBook(seed uint64, buys, sells int) *drawn {
	r := rand.New(rand.NewPCG(seed, 0))
	names := []string{"east", "west", ""}
	d := &drawn{zone: map[string]int{}, loss: map[string]int64{}, fees: make([][]int64, 3)}
	for i := range d.fees {
		for range d.fees {
			d.fees[i] = append(d.fees[i], r.Int64N(2)*r.Int64N(120_000))
		}
	}
	var nodes []*gridv1.Node
	for i := range 20 {
		name, zone, path := fmt.Sprintf("n%d", i), r.IntN(3), r.Int64N(300)
		nodes = append(nodes, &gridv1.Node{Node: name, Zone: names[zone], PathMm: proto.Int64(path * 1000)})
		d.zone[name], d.loss[name] = zone, path*10
	}
	id := func(side byte, i int) []byte {
		return binary.BigEndian.AppendUint32(append(make([]byte, 11), side), uint32(i))
	}
	for i := range sells {
		energy := 1 + r.Int64N(3_000)
		d.sells = append(d.sells, &matchingv1.SellOrder{
			Id: id(1, i), PriceUcoinPerKwh: 200_000 + r.Int64N(200_000), EnergyWh: energy, AvailableWh: energy, Credit: 60,
			GridNode: nodes[r.IntN(len(nodes))].Node, Identity: id(2, r.IntN(30)), Environment: 1,
		})
	}
	for i := range buys {
		energy := 1 + r.Int64N(3_000)
		d.buys = append(d.buys, &matchingv1.BuyOrder{
			Id: id(3, i), PriceUcoinPerKwh: 250_000 + r.Int64N(250_000), EnergyWh: energy, OpenWh: energy, Credit: 60,
			GridNode: nodes[r.IntN(len(nodes))].Node, Identity: id(2, r.IntN(30)),
			Weights: &matchingv1.Weights{Price: r.Int64N(1001), Loss: r.Int64N(1001)},
		})
	}
	ways := paths.New(nodes, nil, 10_000)
	d.rules = Rules{
		Period: 1_000_000, PeriodLengthMs: 1000, PrevAppHash: []byte{7}, Paths: ways,
		Fees: ways.Fees(names, func(from, to int) int64 { return d.fees[from][to] }),
		Params: &registryv1.Params{
			PriceMaxUcoinPerKwh: 2_000_000, FeeUcoinPerKwh: chainFee, MaxLossPpm: 100_000,
			RangePriceUcoinPerKwh: 200_000, RangeEnergyWh: 40_000, RangeCredit: 100, RangeLossPpm: 100_000,
		},
	}
	return d
}

func (d *drawn) by(mechanism int32) Rules {
	rules := d.rules
	rules.Market = &matchingv1.Market{Mechanism: matchingv1.Mechanism(mechanism), MaxRatedDistanceM: 1_000, PostedPriceUcoinPerKwh: 300_000}
	return rules
}

// run clears copies of the orders in a random order, as nobody should notice.
func (d *drawn) run(t rapid.TB, rules Rules, seed uint64) (*Clearing, []Trade) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	var sells []*matchingv1.SellOrder
	for _, i := range r.Perm(len(d.sells)) {
		sells = append(sells, proto.Clone(d.sells[i]).(*matchingv1.SellOrder))
	}
	var buys []*matchingv1.BuyOrder
	for _, i := range r.Perm(len(d.buys)) {
		buys = append(buys, proto.Clone(d.buys[i]).(*matchingv1.BuyOrder))
	}
	c := New(rules, sells, buys)
	found, err := c.Run()
	if err != nil {
		t.Fatal(err)
	}
	return c, found.Trades
}

// feesHold: whatever the mechanism, a trade's fee is the chain's and that of its
// zones, price and fee are within both limits, the escrow for the bid and the
// chain's fee covers all that a buy trades, and the order of orders is nothing.
func feesHold(t *rapid.T) {
	seed := rapid.Uint64().Draw(t, "seed")
	d := drawBook(seed, rapid.IntRange(1, 25).Draw(t, "buys"), rapid.IntRange(1, 25).Draw(t, "sells"))
	for mechanism := range int32(len(matchingv1.Mechanism_name)) {
		if mechanism == 0 {
			continue
		}
		c, trades := d.run(t, d.by(mechanism), seed)
		if _, again := d.run(t, d.by(mechanism), seed+1); !slices.Equal(trades, again) {
			t.Fatalf("%v: permuted orders made other trades", matchingv1.Mechanism(mechanism))
		}
		paid := map[int]int64{}
		for _, trade := range trades {
			sell, buy := c.Sells[trade.Sell], c.Buys[trade.Buy]
			want := chainFee + d.fees[d.zone[sell.GridNode]][d.zone[buy.GridNode]]
			if trade.Fee != want || trade.Price < sell.PriceUcoinPerKwh || trade.Price+trade.Fee > buy.PriceUcoinPerKwh {
				t.Fatalf("%v: %+v of ask %d and bid %d, want fee %d", matchingv1.Mechanism(mechanism), trade, sell.PriceUcoinPerKwh, buy.PriceUcoinPerKwh, want)
			}
			paid[trade.Buy] += cost(t, trade.Price, trade.EnergyWh) + cost(t, trade.Fee, trade.EnergyWh)
		}
		for i, buy := range c.Buys {
			if held := cost(t, buy.PriceUcoinPerKwh, buy.EnergyWh) + cost(t, chainFee, buy.EnergyWh); paid[i] > held {
				t.Fatalf("%v: trades hold %d, the order held %d", matchingv1.Mechanism(mechanism), paid[i], held)
			}
		}
	}
}

func cost(t rapid.TB, price, energyWh int64) int64 {
	t.Helper()
	amount, err := units.Amount(price, energyWh)
	if err != nil {
		t.Fatal(err)
	}
	return amount
}

func TestFees(t *testing.T) { rapid.Check(t, feesHold) }

// TestFeesOfKPrototypes compares with the rule as it is written, for books small
// enough to be compared whole and large enough for the tree.
func TestFeesOfKPrototypes(t *testing.T) {
	barred := 0 // pairs, by what zones cost
	for seed := range uint64(12) {
		buys, sells := 30, 40
		if seed < 2 {
			buys, sells = 60, 4000
		}
		d := drawBook(seed, buys, sells)
		c, got := d.run(t, d.by(1), seed)
		at := 0
		left := make([]int64, len(c.Sells))
		for i, sell := range c.Sells {
			left[i] = sell.EnergyWh
		}
		for b, buy := range c.Buys {
			for demand := buy.EnergyWh; demand > 0; {
				best, least := -1, int64(0)
				for s, sell := range c.Sells {
					if left[s] == 0 || bytes.Equal(buy.Identity, sell.Identity) || buy.GridNode == sell.GridNode {
						continue
					}
					if sell.PriceUcoinPerKwh+chainFee+d.fees[d.zone[sell.GridNode]][d.zone[buy.GridNode]] > buy.PriceUcoinPerKwh {
						if sell.PriceUcoinPerKwh+chainFee <= buy.PriceUcoinPerKwh {
							barred++
						}
						continue
					}
					if dis := d.dissimilarity(buy, sell); best < 0 || dis < least {
						best, least = s, dis
					}
				}
				if best < 0 {
					break
				}
				energy := min(demand, left[best])
				if at >= len(got) || got[at].Buy != b || got[at].Sell != best || got[at].EnergyWh != energy {
					t.Fatalf("seed %d, trade %d: want %d Wh from %d to %d, got %+v", seed, at, energy, best, b, got[at:min(at+1, len(got))])
				}
				demand, left[best], at = demand-energy, left[best]-energy, at+1
			}
		}
		if at != len(got) {
			t.Errorf("seed %d: %d trades, want %d", seed, len(got), at)
		}
	}
	if barred == 0 {
		t.Error("zones barred nobody")
	}
}

// dissimilarity is matching.md 2 with the weights that drawn orders have.
func (d *drawn) dissimilarity(buy *matchingv1.BuyOrder, sell *matchingv1.SellOrder) int64 {
	const q = 32768
	price := max(buy.PriceUcoinPerKwh-sell.PriceUcoinPerKwh, sell.PriceUcoinPerKwh-buy.PriceUcoinPerKwh) * q / 200_000
	loss := (d.loss[buy.GridNode] + d.loss[sell.GridNode]) * q / 100_000
	return buy.Weights.Price*price*price + buy.Weights.Loss*loss*loss
}
