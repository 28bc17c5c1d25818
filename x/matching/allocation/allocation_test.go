package allocation

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func everybody(int, int) bool { return true }

func TestPairByHand(t *testing.T) {
	not := func(pairs ...[2]int) func(b, s int) bool {
		return func(b, s int) bool { return !slices.Contains(pairs, [2]int{b, s}) }
	}
	for _, c := range []struct {
		name             string
		bought, sold     []int64
		eligible         func(b, s int) bool
		trades           []Trade
		unbought, unsold []int64
	}{
		{"nothing", []int64{0}, []int64{0, 0}, everybody, nil, []int64{0}, []int64{0, 0}},
		{"northwest corner", []int64{5, 0, 7}, []int64{3, 4, 0, 5}, everybody, []Trade{{0, 0, 3}, {0, 1, 2}, {2, 1, 2}, {2, 3, 5}}, []int64{0, 0, 0}, []int64{0, 0, 0, 0}},
		{"passed over, not lost", []int64{5, 5}, []int64{5, 5}, not([2]int{0, 0}), []Trade{{0, 1, 5}, {1, 0, 5}}, []int64{0, 0}, []int64{0, 0}},
		{"nobody else left", []int64{5, 5}, []int64{5, 5}, not([2]int{1, 1}), []Trade{{0, 0, 5}}, []int64{0, 5}, []int64{0, 5}},
		{"nobody at all", []int64{5}, []int64{2, 3}, not([2]int{0, 0}, [2]int{0, 1}), nil, []int64{5}, []int64{2, 3}},
		{"a gap in the list", []int64{4, 4}, []int64{2, 2, 2, 2}, not([2]int{0, 0}, [2]int{0, 2}), []Trade{{0, 1, 2}, {0, 3, 2}, {1, 0, 2}, {1, 2, 2}}, []int64{0, 0}, []int64{0, 0, 0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := Allocation{Bought: c.bought, Sold: c.sold}
			if diff := cmp.Diff(Pairing{c.trades, c.unbought, c.unsold}, a.Pair(c.eligible)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestRests: bids 20, fee 2, price 10. Buy 1 is beyond its limit, buy 0 rationed
// and partly unpaired.
func TestRests(t *testing.T) {
	buys, sells := []Order{{12, 9}, {11, 4}, {20, 2}}, []Order{{10, 3}, {11, 6}, {1, 5}}
	a := Allocation{Price: 10, EnergyWh: 8, Bought: []int64{6, 0, 2}, Sold: []int64{3, 0, 5}}
	p := a.Pair(func(b, s int) bool { return b != 0 || s != 0 })
	ofBuys, ofSells := a.Rests(2, buys, sells, p)
	wantBuys := []Rest{{0, 3, Rationed}, {0, 1, Unpaired}, {1, 4, BeyondLimit}}
	if diff := cmp.Diff(wantBuys, ofBuys); diff != "" {
		t.Errorf("buys (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]Rest{{0, 1, Unpaired}, {1, 6, BeyondLimit}}, ofSells); diff != "" {
		t.Errorf("sells (-want +got):\n%s", diff)
	}
	none := Allocation{Bought: []int64{0}, Sold: []int64{}}
	ofBuys, _ = none.Rests(0, []Order{{1, 7}}, nil, none.Pair(everybody))
	if diff := cmp.Diff([]Rest{{0, 7, NothingTraded}}, ofBuys); diff != "" {
		t.Errorf("nothing traded (-want +got):\n%s", diff)
	}
	if got := Unpaired.String() + ", " + Reason(77).String(); got != "no eligible partner, unknown" {
		t.Errorf("got %q", got)
	}
}

func TestCheck(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		name        string
		fee         int64
		buys, sells []Order
		want        string
	}{
		{"nothing", 0, nil, nil, ""},
		{"greatest", most, []Order{{most, most}}, []Order{{0, most}}, ""},
		{"fee", -1, nil, nil, "field fee: expected 0 or more, got -1"},
		{"price", 0, []Order{{1, 1}, {-1, 1}}, nil, "field buys[1].price: expected 0 or more, got -1"},
		{"no energy", 0, nil, []Order{{1, 0}}, "field sells[0].energy_wh: expected 1 or more, got 0"},
		{"sum", 0, nil, []Order{{1, most}, {1, 1}}, "field sells[1].energy_wh: expected energies whose sum fits int64, got 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err, got := Check(c.fee, c.buys, c.sells), ""
			if mistake := (*OrderError)(nil); errors.As(err, &mistake) {
				got = mistake.Error()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// greatestPairing finds the most that can be paired: a maximum flow by
// augmenting a Wh at a time.
func greatestPairing(bought, sold []int64, eligible [][]bool) (total int64) {
	flow := make([][]int64, len(bought))
	for b := range flow {
		flow[b] = make([]int64, len(sold))
	}
	unbought, unsold := slices.Clone(bought), slices.Clone(sold)
	var reach func(b int, seen []bool) bool
	reach = func(b int, seen []bool) bool {
		for s := range sold {
			if !eligible[b][s] || seen[s] {
				continue
			}
			seen[s] = true
			if unsold[s] > 0 {
				unsold[s]--
				flow[b][s]++
				return true
			}
			for other := range bought {
				if flow[other][s] > 0 && other != b && reach(other, seen) {
					flow[other][s]--
					flow[b][s]++
					return true
				}
			}
		}
		return false
	}
	for b := range bought {
		for unbought[b] > 0 && reach(b, make([]bool, len(sold))) {
			unbought[b]--
			total++
		}
	}
	return total
}

// testPair checks that all energy is accounted for, that no two unpaired orders
// may trade, and that at least half of the possible is paired.
func testPair(t *rapid.T) {
	bought := rapid.SliceOfN(rapid.Int64Range(0, 6), 0, 6).Draw(t, "bought")
	sold := rapid.SliceOfN(rapid.Int64Range(0, 6), 0, 6).Draw(t, "sold")
	eligible, complete := make([][]bool, len(bought)), true
	for b := range eligible {
		eligible[b] = rapid.SliceOfN(rapid.Bool(), len(sold), len(sold)).Draw(t, "eligible")
		complete = complete && !slices.Contains(eligible[b], false)
	}
	a := Allocation{Bought: slices.Clone(bought), Sold: slices.Clone(sold)}
	p := a.Pair(func(b, s int) bool { return eligible[b][s] })
	if !slices.Equal(a.Bought, bought) || !slices.Equal(a.Sold, sold) {
		t.Fatal("the allocation was changed")
	}
	var paired int64
	restB, restS := slices.Clone(bought), slices.Clone(sold)
	for _, trade := range p.Trades {
		if trade.EnergyWh < 1 || !eligible[trade.Buy][trade.Sell] {
			t.Fatalf("bad trade %+v", trade)
		}
		paired += trade.EnergyWh
		restB[trade.Buy] -= trade.EnergyWh
		restS[trade.Sell] -= trade.EnergyWh
	}
	if !slices.Equal(restB, p.Unbought) || !slices.Equal(restS, p.Unsold) {
		t.Fatalf("rests %v %v, trades leave %v %v", p.Unbought, p.Unsold, restB, restS)
	}
	for b := range bought {
		for s := range sold {
			if eligible[b][s] && p.Unbought[b] > 0 && p.Unsold[s] > 0 {
				t.Fatalf("%d and %d could still trade", b, s)
			}
		}
	}
	best := greatestPairing(bought, sold, eligible)
	if paired > best || 2*paired < best || complete && paired != best {
		t.Fatalf("paired %d, possible %d", paired, best)
	}
}

func TestPair(t *testing.T) { rapid.Check(t, testPair) }

func FuzzPair(f *testing.F) { f.Fuzz(rapid.MakeFuzz(testPair)) }
