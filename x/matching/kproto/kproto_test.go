package kproto

import (
	"math"
	"math/big"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// market has ranges that make the sums of the tables below easy to follow.
var market = Params{RespectLimits: true, RangePrice: 100, RangeEnergyWh: 100, RangeCredit: 100, RangeLossPPM: 100}

func anyone(b Buy) Buy {
	b.MaxLossPPM, b.Identity, b.Point = -1, None, None
	return b
}

func seller(price, energyWh int64) Sell {
	return Sell{Price: price, EnergyWh: energyWh, Identity: None, Point: None}
}

func flat(ppm int64) LossFunc {
	return func(int, int) (int64, bool) { return ppm, true }
}

// TestClearByHand checks books small enough to compute on paper. With ranges of
// 100, a difference of 50 is t = 16384, of 25 is 8192, of 1 is 327 (327.68).
func TestClearByHand(t *testing.T) {
	price := Weights{Price: 1}
	with := func(p Params, change func(*Params)) Params { change(&p); return p }
	for _, c := range []struct {
		name  string
		p     Params
		buys  []Buy
		sells []Sell
		loss  LossFunc
		want  []Trade
	}{
		{"nobody", market, nil, nil, flat(0), nil},
		{"no sells", market, []Buy{anyone(Buy{Price: 9, EnergyWh: 1})}, nil, flat(0), nil},
		{"no buys", market, nil, []Sell{seller(1, 1)}, flat(0), nil},
		{
			"nearest price, then the next until served", market,
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 30, Weights: price})},
			[]Sell{seller(450, 100), seller(475, 20), seller(499, 5)},
			flat(0),
			[]Trade{{0, 2, 5, 0, 327 * 327}, {0, 1, 20, 0, 8192 * 8192}, {0, 0, 5, 0, 16384 * 16384}},
		},
		{
			"what one buy takes the next misses", market,
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 20, Weights: price}), anyone(Buy{Price: 500, EnergyWh: 20, Weights: price})},
			[]Sell{seller(475, 30)},
			flat(0),
			[]Trade{{0, 0, 20, 0, 8192 * 8192}, {1, 0, 10, 0, 8192 * 8192}},
		},
		{
			"lowest position on ties", market,
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 7, Weights: price})},
			[]Sell{seller(450, 3), seller(450, 3), seller(450, 3)},
			flat(0),
			[]Trade{{0, 0, 3, 0, 16384 * 16384}, {0, 1, 3, 0, 16384 * 16384}, {0, 2, 1, 0, 16384 * 16384}},
		},
		// |75-100| = 25 is nearer than |75-20| = 55; then all of sell 0 is gone.
		{
			"energy nearest", market,
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 75, Weights: Weights{Energy: 2}})},
			[]Sell{seller(9, 20), seller(9, 100)},
			flat(0),
			[]Trade{{0, 1, 75, 0, 2 * 8192 * 8192}},
		},
		// D = 100: sells 0..2 are 40, 50, 90 off, so sell 0 (60) goes first. With
		// D = 40 they are gone, 10 and 30 off: sell 1 (50) comes before sell 2
		// (10). Scaled: t(40) = 13107, t(10) = 3276.
		{
			"demand that remains is compared anew", market,
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 100, Weights: Weights{Energy: 1}})},
			[]Sell{seller(9, 60), seller(9, 50), seller(9, 10)},
			flat(0),
			[]Trade{{0, 0, 60, 0, 13107 * 13107}, {0, 1, 40, 0, 3276 * 3276}},
		},
		// D = 90: |90-95| = 5 wins. It is not compared with the 200 it once had.
		{
			"energy still available counts", market,
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 105, Weights: price}), anyone(Buy{Price: 500, EnergyWh: 90, Weights: Weights{Energy: 1}})},
			[]Sell{seller(490, 200), seller(9, 80)},
			flat(0),
			[]Trade{{0, 0, 105, 0, 3276 * 3276}, {1, 0, 90, 0, 1638 * 1638}},
		},
		{
			"limits: ask + fee at the bid trades, above it not", with(market, func(p *Params) { p.Fee = 10 }),
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 9})},
			[]Sell{seller(491, 5), seller(490, 5)},
			flat(0),
			[]Trade{{0, 1, 5, 0, 0}},
		},
		{
			"no limits: the dear sell is as near as the cheap one", with(market, func(p *Params) { p.RespectLimits = false; p.Fee = 10 }),
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 9, Weights: price})},
			[]Sell{seller(550, 5), seller(450, 5)},
			flat(0),
			[]Trade{{0, 0, 5, 0, 16384 * 16384}, {0, 1, 4, 0, 16384 * 16384}},
		},
		// Environment 1 off: Q^2 = 1073741824, times 3; type: Q^2 times 2;
		// credit 25 off: 8192^2 times 5; loss |50-25| off: (16384-8192)^2 times 7.
		{
			"every other term", market,
			[]Buy{anyone(Buy{
				Price: 500, EnergyWh: 9, Environment: 1, Credit: 75, EnergyType: 2, WantedLossPPM: 50,
				Weights: Weights{Environment: 3, EnergyType: 2, Credit: 5, Loss: 7},
			})},
			[]Sell{{Price: 1, EnergyWh: 9, Credit: 100, EnergyType: 1, Identity: None, Point: None}},
			flat(25),
			[]Trade{{0, 0, 9, 25, 5*1073741824 + 12*67108864}},
		},
		// floor(1*Q/100) - floor(2*Q/100) = 327 - 655 = -328; the floor of the
		// difference would be 327.
		{
			"losses are scaled before they are compared", market,
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 9, WantedLossPPM: 1, Weights: Weights{Loss: 1}})},
			[]Sell{seller(1, 9)},
			flat(2),
			[]Trade{{0, 0, 9, 2, 328 * 328}},
		},
		{
			"greatest loss is inclusive", market,
			[]Buy{{Price: 500, EnergyWh: 9, MaxLossPPM: 2, Identity: None, Point: None}},
			[]Sell{seller(1, 1), seller(1, 2), seller(1, 4)},
			func(_, s int) (int64, bool) { return int64(3 - s), true },
			[]Trade{{0, 1, 2, 2, 0}, {0, 2, 4, 1, 0}},
		},
		{
			"out of reach", market,
			[]Buy{anyone(Buy{Price: 500, EnergyWh: 9})},
			[]Sell{seller(1, 1), seller(1, 2), seller(1, 4)},
			func(_, s int) (int64, bool) { return []int64{0, 6401, 6400}[s], s != 0 },
			[]Trade{{0, 2, 4, 6400, 0}},
		},
		{
			"own identity and own point never match", market,
			[]Buy{{Price: 500, EnergyWh: 9, MaxLossPPM: -1, Identity: 0, Point: 1}},
			[]Sell{{Price: 1, EnergyWh: 1, Identity: 0, Point: 0}, {Price: 1, EnergyWh: 2, Identity: 1, Point: 1}, {Price: 1, EnergyWh: 4, Identity: 1, Point: 0}},
			flat(0),
			[]Trade{{0, 2, 4, 0, 0}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if list, at, err := c.p.CheckBook(c.buys, c.sells); err != nil {
				t.Fatalf("%s[%d]: %v", list, at, err)
			}
			if diff := cmp.Diff(c.want, Clear(c.p, c.buys, c.sells, c.loss)); diff != "" {
				t.Errorf("trades (-want +got):\n%s", diff)
			}
		})
	}
}

// TestClear checks the rules that hold for every book, and each trade against
// the naive clearing.
func TestClear(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := drawBook(t, rapid.Bool().Draw(t, "coarse"))
		if list, at, err := k.p.CheckBook(k.buys, k.sells); err != nil {
			t.Fatalf("%s[%d]: %v", list, at, err)
		}
		trades := Clear(k.p, k.buys, k.sells, LossFunc(k.loss))
		want, tied := naive(k.p, k.buys, k.sells, k.loss)
		if diff := cmp.Diff(want, trades); diff != "" {
			t.Fatalf("trades (-naive +got):\n%s", diff)
		}
		checkRules(t, k, trades)
		if !tied {
			checkPermuted(t, k, trades)
		}
	})
}

func checkRules(t *rapid.T, k bookOf, trades []Trade) {
	bought, sold := make([]int64, len(k.buys)), make([]int64, len(k.sells))
	for _, x := range trades {
		buy, sell := k.buys[x.Buy], k.sells[x.Sell]
		bought[x.Buy] += x.EnergyWh
		sold[x.Sell] += x.EnergyWh
		if k.p.RespectLimits && sell.Price+k.p.Fee > buy.Price {
			t.Errorf("%+v: ask %d + fee %d above bid %d", x, sell.Price, k.p.Fee, buy.Price)
		}
		if x.EnergyWh <= 0 || x.Dissimilarity < 0 {
			t.Errorf("%+v: not positive", x)
		}
		if s := Satisfaction(k.p, buy, x); s < 0 || s > 1_000_000 {
			t.Errorf("%+v: satisfaction %d", x, s)
		}
	}
	for b := range bought {
		if bought[b] > k.buys[b].EnergyWh {
			t.Errorf("buy %d got %d of %d", b, bought[b], k.buys[b].EnergyWh)
		}
	}
	for s := range sold {
		if sold[s] > k.sells[s].EnergyWh {
			t.Errorf("sell %d gave %d of %d", s, sold[s], k.sells[s].EnergyWh)
		}
	}
}

// checkPermuted clears the book with its sells in another order: without ties
// positions decide nothing.
func checkPermuted(t *rapid.T, k bookOf, trades []Trade) {
	order := make([]int, len(k.sells))
	for i := range order {
		order[i] = i
	}
	order = rapid.Permutation(order).Draw(t, "order")
	sells := make([]Sell, len(order))
	for i, s := range order {
		sells[i] = k.sells[s]
	}
	permuted := Clear(k.p, k.buys, sells, LossFunc(func(b, s int) (int64, bool) { return k.loss(b, order[s]) }))
	for i := range permuted {
		permuted[i].Sell = order[permuted[i].Sell]
	}
	if diff := cmp.Diff(trades, permuted); diff != "" {
		t.Errorf("sells permuted (-before +after):\n%s", diff)
	}
}

// TestScaled checks the division by the inverse against the definition,
// also at the ends of what is allowed.
func TestScaled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		by := rapid.OneOf(rapid.Int64Range(1, 9), rapid.Int64Range(1, maxRange), rapid.Just(int64(maxRange))).Draw(t, "by")
		x := rapid.OneOf(rapid.Int64Range(-maxValue, maxValue), rapid.Just(int64(maxValue)), rapid.Just(MaxRanges*by), rapid.Just(-by)).Draw(t, "x")
		want := new(big.Int).Mul(big.NewInt(max(x, -x)), big.NewInt(Q))
		want.Div(want, big.NewInt(by))
		if got := newDivisor(by).scaled(x); got != want.Int64() {
			t.Fatalf("t(%d, %d) = %d, want %v", x, by, got, want)
		}
	})
}

// TestGreatestDissimilarity drives every term to the bound that CheckBook
// keeps: the sum is exact, not wrapped.
func TestGreatestDissimilarity(t *testing.T) {
	p := Params{RangePrice: maxRange, RangeEnergyWh: maxRange, RangeCredit: maxRange, RangeLossPPM: maxRange}
	buys := []Buy{anyone(Buy{
		Price: maxValue, EnergyWh: maxValue, Environment: 64, Credit: maxValue, WantedLossPPM: maxValue,
		EnergyType: 1, Weights: Weights{1000, 1000, 1000, 1000, 1000, 1000},
	})}
	sells := []Sell{seller(0, 1)}
	if list, at, err := p.CheckBook(buys, sells); err != nil {
		t.Fatalf("%s[%d]: %v", list, at, err)
	}
	got := Clear(p, buys, sells, flat(0))
	want, _ := naive(p, buys, sells, flat(0))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("(-naive +got):\n%s", diff)
	}
	if least := int64(5_000) << 41; got[0].Dissimilarity < least {
		t.Errorf("dissimilarity %d, expected to come near its bound", got[0].Dissimilarity)
	}
}

func TestSatisfaction(t *testing.T) {
	for _, c := range []struct {
		name    string
		weights Weights
		d, want int64
	}{
		{"no weights", Weights{}, 0, 1_000_000},
		{"equal", Weights{Price: 500}, 0, 1_000_000},
		{"half a range off", Weights{Price: 500}, 500 * 16384 * 16384, 750_000},
		{"floor of what is off", Weights{Price: 1}, 1, 1_000_000},
		{"one ppm off", Weights{Price: 1}, 1074, 999_999},
		{"a range off", Weights{Price: 200, Loss: 300}, 500 * Q * Q, 0},
		{"beyond", Weights{Price: 1}, math.MaxInt64, 0},
		{"all at the bound", Weights{1000, 1000, 1000, 1000, 1000, 1000}, 6000 << 42, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Satisfaction(market, Buy{Weights: c.weights}, Trade{Dissimilarity: c.d}); got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}

func FuzzClear(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		k := drawBook(t, rapid.Bool().Draw(t, "coarse"))
		want, _ := naive(k.p, k.buys, k.sells, k.loss)
		if diff := cmp.Diff(want, Clear(k.p, k.buys, k.sells, LossFunc(k.loss))); diff != "" {
			t.Fatalf("trades (-naive +got):\n%s", diff)
		}
	}))
}
