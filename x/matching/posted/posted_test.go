package posted

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/energyd/energyd/x/matching/allocation"
)

func TestRatioPrice(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		name                           string
		retail, feedIn, supply, demand int64
		want                           int64 // negative: an error
	}{
		{"balanced", 600_000, 250_000, 100, 100, 250_000},
		{"plenty", 600_000, 250_000, 1000, 100, 250_000},
		{"no demand", 600_000, 250_000, 100, 0, 250_000},
		{"nothing at all", 600_000, 250_000, 0, 0, 250_000},
		{"no supply", 600_000, 250_000, 0, 100, 600_000},
		// 600 x 250 / (350 x 0.5 + 250) = 352.941...
		{"half", 600_000, 250_000, 50, 100, 352_941},
		{"flat tariff", 500_000, 500_000, 50, 100, 500_000},
		{"free feed-in", 600_000, 0, 1, 100, 0},
		{"all free", 0, 0, 1, 100, 0},
		{"large", most, most - 1, most / 2, most, most - 1},
		{"feed-in above retail", 1, 2, 1, 1, -1},
		{"negative feed-in", 1, -1, 1, 1, -1},
		{"negative supply", 1, 1, -1, 1, -1},
		{"negative demand", 1, 1, 1, -1, -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := RatioPrice(c.retail, c.feedIn, c.supply, c.demand)
			if (err != nil) != (c.want < 0) || err == nil && got != c.want {
				t.Errorf("got %d, %v, want %d", got, err, c.want)
			}
		})
	}
}

// TestRatioPriceDefinition computes the formula in fractions, and checks that
// more supply never makes a higher price.
func TestRatioPriceDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Int64Range(1, math.MaxInt64-1)
		feedIn, retail := number.Draw(t, "feed_in"), number.Draw(t, "retail")
		supply, demand := number.Draw(t, "supply"), number.Draw(t, "demand")
		feedIn, retail = min(feedIn, retail), max(feedIn, retail)
		supply, demand = min(supply, demand), max(supply, demand)
		r := new(big.Rat).SetFrac(big.NewInt(supply), big.NewInt(demand))
		rat := func(v int64) *big.Rat { return new(big.Rat).SetInt64(v) }
		divisor := new(big.Rat).Add(r.Mul(r, rat(retail-feedIn)), rat(feedIn))
		price := new(big.Rat).Quo(new(big.Rat).Mul(rat(retail), rat(feedIn)), divisor)
		want := new(big.Int).Quo(price.Num(), price.Denom())
		got, err := RatioPrice(retail, feedIn, supply, demand)
		if err != nil || !want.IsInt64() || got != want.Int64() {
			t.Fatalf("got %d, %v, want %v", got, err, want)
		}
		if more, err := RatioPrice(retail, feedIn, supply+1, demand); err != nil || more > got || more < feedIn || got > retail {
			t.Fatalf("%d, with more supply %d, %v", got, more, err)
		}
	})
}

type orders = []allocation.Order

// priced makes orders of prices and energies in turn.
func priced(numbers ...int64) (list orders) {
	for i := 0; i < len(numbers); i += 2 {
		list = append(list, allocation.Order{Price: numbers[i], EnergyWh: numbers[i+1]})
	}
	return list
}

func TestClearByHand(t *testing.T) {
	for _, c := range []struct {
		name        string
		price, fee  int64
		buys, sells orders
		want        allocation.Allocation
	}{
		{"nobody", 5, 0, nil, nil, allocation.Allocation{Price: 5, Bought: []int64{}, Sold: []int64{}}},
		{"at both limits", 10, 2, priced(12, 5), priced(10, 5), allocation.Allocation{Price: 10, EnergyWh: 5, Bought: []int64{5}, Sold: []int64{5}}},
		{"the fee is beyond the bid", 10, 3, priced(12, 5), priced(10, 5), allocation.Allocation{Price: 10, Bought: []int64{0}, Sold: []int64{0}}},
		{"ask beyond the price", 9, 0, priced(12, 5), priced(10, 5), allocation.Allocation{Price: 9, Bought: []int64{0}, Sold: []int64{0}}},
		// 10 of 4 + 16 sold: 2 and 8; the ask of 11 takes no part.
		{"sells rationed", 10, 0, priced(12, 3, 10, 7), priced(1, 4, 11, 9, 10, 16), allocation.Allocation{Price: 10, EnergyWh: 10, Bought: []int64{3, 7}, Sold: []int64{2, 0, 8}}},
		// 5 of 5 + 5 bought: 2.5 each, the tie to the first; what they bid is alike.
		{"buys rationed", 10, 0, priced(10, 5, 90, 5), priced(1, 5), allocation.Allocation{Price: 10, EnergyWh: 5, Bought: []int64{3, 2}, Sold: []int64{5}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Clear(c.price, c.fee, c.buys, c.sells)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	for _, err := range []error{
		func() error { _, err := Clear(-1, 0, nil, nil); return err }(),
		func() error { _, err := Clear(0, -1, nil, nil); return err }(),
		func() error { _, err := Clear(0, 0, priced(1, 0), nil); return err }(),
	} {
		if mistake := (*allocation.OrderError)(nil); !errors.As(err, &mistake) {
			t.Errorf("got %v", err)
		}
	}
}

// testClear checks limits, sums, that the short side is served in full and the
// long one in proportion, and that nothing depends on the other orders' limits.
func testClear(t *rapid.T) {
	side := func(label string) orders {
		return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) allocation.Order {
			return allocation.Order{Price: rapid.Int64Range(0, 20).Draw(t, "price"), EnergyWh: rapid.Int64Range(1, 50).Draw(t, "energy")}
		}), 0, 8).Draw(t, label)
	}
	price, fee := rapid.Int64Range(0, 20).Draw(t, "price"), rapid.Int64Range(0, 5).Draw(t, "fee")
	buys, sells := side("buys"), side("sells")
	a, err := Clear(price, fee, buys, sells)
	if err != nil {
		t.Fatal(err)
	}
	var wanted, offered, bought, sold int64
	for i, o := range buys {
		if o.Price >= price+fee {
			wanted += o.EnergyWh
		} else if a.Bought[i] != 0 {
			t.Fatalf("buy %d buys beyond its limit", i)
		}
		bought += a.Bought[i]
	}
	for i, o := range sells {
		if o.Price <= price {
			offered += o.EnergyWh
		} else if a.Sold[i] != 0 {
			t.Fatalf("sell %d sells below its limit", i)
		}
		sold += a.Sold[i]
	}
	if least := min(wanted, offered); a.EnergyWh != least || bought != least || sold != least || a.Price != price {
		t.Fatalf("%+v: wanted %d, offered %d", a, wanted, offered)
	}
	for i, o := range buys {
		if o.Price >= price+fee && (a.Bought[i]*wanted <= a.EnergyWh*o.EnergyWh-wanted || a.Bought[i]*wanted >= a.EnergyWh*o.EnergyWh+wanted) {
			t.Fatalf("buy %d got %d of %d", i, a.Bought[i], o.EnergyWh)
		}
	}
	permuted := slices.Clone(sells)
	slices.Reverse(permuted)
	other, err := Clear(price, fee, buys, permuted)
	if err != nil || !slices.Equal(other.Bought, a.Bought) || other.EnergyWh != a.EnergyWh {
		t.Fatalf("%+v, permuted %+v, %v", a, other, err)
	}
}

func TestClear(t *testing.T) { rapid.Check(t, testClear) }

func FuzzClear(f *testing.F) { f.Fuzz(rapid.MakeFuzz(testClear)) }
