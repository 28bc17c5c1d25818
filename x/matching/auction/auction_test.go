package auction

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/energyd/energyd/x/matching/allocation"
)

type orders = []allocation.Order

// priced makes orders of prices and energies in turn.
func priced(numbers ...int64) (list orders) {
	for i := 0; i < len(numbers); i += 2 {
		list = append(list, allocation.Order{Price: numbers[i], EnergyWh: numbers[i+1]})
	}
	return list
}

func TestClearByHand(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		name        string
		fee         int64
		buys, sells orders
		want        allocation.Allocation
	}{
		{"nobody", 0, nil, nil, allocation.Allocation{Bought: []int64{}, Sold: []int64{}}},
		{"no buys", 0, nil, priced(1, 1), allocation.Allocation{Bought: []int64{}, Sold: []int64{0}}},
		{"apart", 0, priced(9, 1), priced(10, 1), allocation.Allocation{Bought: []int64{0}, Sold: []int64{0}}},
		{"a fee apart", 1, priced(10, 1), priced(10, 1), allocation.Allocation{Bought: []int64{0}, Sold: []int64{0}}},
		{"fee beyond the bid", 11, priced(10, 1), priced(0, 1), allocation.Allocation{Bought: []int64{0}, Sold: []int64{0}}},
		{"ask + fee at the bid", 1, priced(11, 4), priced(10, 4), allocation.Allocation{Price: 10, EnergyWh: 4, Bought: []int64{4}, Sold: []int64{4}}},
		// From 10 to 17 - 2: the floor of 12.5.
		{"floor of the middle", 2, priced(17, 4), priced(10, 4), allocation.Allocation{Price: 12, EnergyWh: 4, Bought: []int64{4}, Sold: []int64{4}}},
		// The bid of 14 not served and the ask of 16 not served are nearer.
		{"orders not served bound the price", 0, priced(20, 4, 14, 4), priced(10, 4, 17, 4), allocation.Allocation{Price: 15, EnergyWh: 4, Bought: []int64{4, 0}, Sold: []int64{4, 0}}},
		{"a sell served in part sets the price", 0, priced(20, 4), priced(10, 6), allocation.Allocation{Price: 10, EnergyWh: 4, Bought: []int64{4}, Sold: []int64{4}}},
		{"a buy served in part sets it, less the fee", 3, priced(20, 7), priced(10, 6), allocation.Allocation{Price: 17, EnergyWh: 6, Bought: []int64{6}, Sold: []int64{6}}},
		// The marginal asks of 10 share 7 of 5 + 10: 2.33 and 4.67.
		{"marginal pro rata", 0, priced(20, 9), priced(10, 5, 9, 2, 10, 10, 11, 1), allocation.Allocation{Price: 10, EnergyWh: 9, Bought: []int64{9}, Sold: []int64{2, 2, 5, 0}}},
		{"largest numbers", 0, priced(most, most), priced(0, most), allocation.Allocation{Price: most / 2, EnergyWh: most, Bought: []int64{most}, Sold: []int64{most}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Clear(c.fee, c.buys, c.sells)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name string
		fee  int64
		buys orders
	}{{"fee", -1, nil}, {"energy", 0, priced(1, 0)}, {"price", 0, priced(-1, 1)}} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Clear(c.fee, c.buys, nil)
			_, _, second := HighLow(c.fee, c.buys, nil)
			if mistake := (*allocation.OrderError)(nil); !errors.As(err, &mistake) || !errors.As(second, &mistake) {
				t.Errorf("got %v and %v", err, second)
			}
		})
	}
}

func sumIf(list orders, counts func(o allocation.Order) bool) (sum int64) {
	for _, o := range list {
		if counts(o) {
			sum += o.EnergyWh
		}
	}
	return sum
}

// definition finds by trial what Clear computes: the greatest energy that a
// price leads to, and the middle of the prices at which orders strictly within
// their limit are served in full and those beyond not at all.
func definition(fee int64, buys, sells orders) (energy, price int64) {
	const prices = 20
	for p := range int64(prices) {
		supply := sumIf(sells, func(o allocation.Order) bool { return o.Price <= p })
		demand := sumIf(buys, func(o allocation.Order) bool { return o.Price-fee >= p })
		energy = max(energy, min(supply, demand))
	}
	if energy == 0 {
		return 0, 0
	}
	low, high := int64(prices), int64(-1)
	for p := range int64(prices) {
		leastSold := sumIf(sells, func(o allocation.Order) bool { return o.Price < p })
		mostSold := sumIf(sells, func(o allocation.Order) bool { return o.Price <= p })
		leastBought := sumIf(buys, func(o allocation.Order) bool { return o.Price-fee > p })
		mostBought := sumIf(buys, func(o allocation.Order) bool { return o.Price-fee >= p })
		if max(leastSold, leastBought) <= energy && energy <= min(mostSold, mostBought) {
			low, high = min(low, p), max(high, p)
		}
	}
	return energy, (low + high) / 2
}

func drawSide(t *rapid.T, label string) orders {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) allocation.Order {
		return allocation.Order{Price: rapid.Int64Range(0, 15).Draw(t, "price"), EnergyWh: rapid.Int64Range(1, 9).Draw(t, "energy")}
	}), 0, 8).Draw(t, label)
}

func testClear(t *rapid.T) {
	fee := rapid.Int64Range(0, 4).Draw(t, "fee")
	buys, sells := drawSide(t, "buys"), drawSide(t, "sells")
	a, err := Clear(fee, buys, sells)
	if err != nil {
		t.Fatal(err)
	}
	energy, price := definition(fee, buys, sells)
	if a.EnergyWh != energy || a.Price != price {
		t.Fatalf("got %d Wh at %d, want %d Wh at %d", a.EnergyWh, a.Price, energy, price)
	}
	checkSide(t, buys, a.Bought, energy, func(o allocation.Order) int64 { return o.Price - fee - price })
	checkSide(t, sells, a.Sold, energy, func(o allocation.Order) int64 { return price - o.Price })
	checkPermuted(t, fee, buys, sells, a)
	ofBuys, ofSells := a.Rests(fee, buys, sells, a.Pair(func(b, s int) bool { return (b+s)%3 > 0 }))
	for _, r := range slices.Concat(ofBuys, ofSells) {
		if (r.Reason == allocation.NothingTraded) != (energy == 0) {
			t.Fatalf("%d Wh traded, rest %+v", energy, r)
		}
	}
}

// checkSide checks that those are served who gain most, that nobody loses, and
// that who gains alike is served alike.
func checkSide(t *rapid.T, list orders, got []int64, energy int64, gain func(allocation.Order) int64) {
	var sum int64
	for i, o := range list {
		sum += got[i]
		if got[i] < 0 || got[i] > o.EnergyWh || got[i] > 0 && gain(o) < 0 || energy > 0 && got[i] < o.EnergyWh && gain(o) > 0 {
			t.Fatalf("order %d %+v got %d", i, o, got[i])
		}
		for k, other := range list {
			if gain(other) > gain(o) && got[i] > 0 && got[k] < other.EnergyWh {
				t.Fatalf("order %d is served before %d", i, k)
			}
			// Shares differ from the exact ones by less than 1.
			if o.Price == other.Price && max(got[i]*other.EnergyWh-got[k]*o.EnergyWh, 0) >= o.EnergyWh+other.EnergyWh {
				t.Fatalf("orders %d and %d got %d and %d", i, k, got[i], got[k])
			}
		}
	}
	if sum != energy {
		t.Fatalf("served %d of %d", sum, energy)
	}
}

// checkPermuted checks that position decides nothing but a Wh of a tie.
func checkPermuted(t *rapid.T, fee int64, buys, sells orders, a *allocation.Allocation) {
	places := make([]int, len(buys))
	for i := range places {
		places[i] = i
	}
	places = rapid.Permutation(places).Draw(t, "places")
	permuted := make(orders, len(buys))
	for i, p := range places {
		permuted[i] = buys[p]
	}
	other, err := Clear(fee, permuted, sells)
	if err != nil || other.Price != a.Price || other.EnergyWh != a.EnergyWh || !slices.Equal(other.Sold, a.Sold) {
		t.Fatalf("%+v, permuted %+v, %v", a, other, err)
	}
	for i, p := range places {
		if d := other.Bought[i] - a.Bought[p]; d < -1 || d > 1 {
			t.Fatalf("buy %d got %d, permuted %d", p, a.Bought[p], other.Bought[i])
		}
	}
}

func TestClear(t *testing.T) { rapid.Check(t, testClear) }

func FuzzClear(f *testing.F) { f.Fuzz(rapid.MakeFuzz(testClear)) }

func TestHighLowByHand(t *testing.T) {
	buys := priced(15, 5, 30, 7, 22, 9, 22, 3)
	sells := priced(20, 4, 10, 6, 16, 8)
	// 30 with 10, the first 22 with 16; the second 22 with 20 + 3 is too dear.
	price, trades, err := HighLow(3, buys, sells)
	if err != nil || price != 17 { // floor of the middle of 16 and 22 - 3
		t.Errorf("got price %d, %v", price, err)
	}
	if diff := cmp.Diff([]allocation.Trade{{Buy: 1, Sell: 1, EnergyWh: 6}, {Buy: 2, Sell: 2, EnergyWh: 8}}, trades); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if price, trades, err = HighLow(0, priced(9, 1), priced(10, 1)); price != 0 || trades != nil || err != nil {
		t.Errorf("curves apart: got %d, %v, %v", price, trades, err)
	}
}

// BenchmarkClear clears and pairs 10 000 orders, half of them buys: prices all
// different, and few prices, so that many orders are marginal.
func BenchmarkClear(b *testing.B) {
	for _, prices := range []int64{1_000_000, 10} {
		b.Run(fmt.Sprintf("prices=%d", prices), func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 2))
			side := func() orders {
				list := make(orders, 5000)
				for i := range list {
					list[i] = allocation.Order{Price: r.Int64N(prices), EnergyWh: 1 + r.Int64N(20_000)}
				}
				return list
			}
			buys, sells := side(), side()
			for b.Loop() {
				a, err := Clear(0, buys, sells)
				if err != nil {
					b.Fatal(err)
				}
				a.Pair(func(buy, sell int) bool { return buy != sell })
			}
		})
	}
}
