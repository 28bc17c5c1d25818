package kproto

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// drawMarket draws a book with enough sells for a tree of several levels. Its
// numbers come from one seed: drawn one by one they would take most of the time.
// steps is how many values an attribute takes; few make ties common.
func drawMarket(t *rapid.T) (Params, []Buy, []Sell, Losses) {
	r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
	steps := rapid.SampledFrom([]int64{1, 2, 5, 1 << 30}).Draw(t, "steps")
	between := func(low, high int64) int64 {
		if width := (high - low) / steps; width > 0 {
			return low + width*r.Int64N(steps)
		}
		return low + r.Int64N(high-low+1)
	}
	party := rapid.SampledFrom([]int32{0, 3, 1000}).Draw(t, "parties")
	account := func() int32 { return r.Int32N(party+1) - 1 }
	weighted := rapid.SampledFrom([]int64{0, 1, 1000}).Draw(t, "weights")
	weight := func() int64 { return r.Int64N(2) * r.Int64N(weighted+1) }
	p := thesisParams(rapid.Bool().Draw(t, "limits"))
	p.Fee = rapid.SampledFrom([]int64{0, 50_000}).Draw(t, "fee")
	p.RangeLossPPM = rapid.SampledFrom([]int64{1_000, 100_000}).Draw(t, "range.loss")
	buys, sells := make([]Buy, rapid.IntRange(1, 40).Draw(t, "buys")), make([]Sell, rapid.IntRange(1, 200).Draw(t, "sells"))
	places := Plane{Buys: make([]Place, len(buys)), Sells: make([]Place, len(sells)), PPMPerKM: 10_000}
	place := func() Place { return Place{between(-3000, 4000), between(-3000, 4000)} }
	for i := range buys {
		buys[i] = Buy{
			Price: between(400_000, 700_000), EnergyWh: between(1, 90_000), Environment: between(0, 2), Credit: between(0, 100),
			WantedLossPPM: r.Int64N(2) * between(0, 64_000), EnergyType: r.Int32N(5) - 1,
			Weights:    Weights{weight(), weight(), weight(), weight(), weight(), weight()},
			MaxLossPPM: r.Int64N(2)*between(1, 70_000) - 1, Identity: account(), Point: account(),
		}
		places.Buys[i] = place()
	}
	for i := range sells {
		sells[i] = Sell{
			Price: between(400_000, 700_000), EnergyWh: between(1, 50_000), Environment: between(0, 2), Credit: between(0, 100),
			EnergyType: r.Int32N(4) * 16, Identity: account(), Point: account(),
		}
		places.Sells[i] = place()
	}
	if rapid.Bool().Draw(t, "plane") {
		return p, buys, sells, &places
	}
	return p, buys, sells, LossFunc(func(b, s int) (int64, bool) {
		loss, _ := places.Between(b, s)
		return loss, (b+s)%7 > 0 // not everybody is connected
	})
}

// treeFinds checks that the tree, comparing all sells, going over from the one
// to the other and the naive clearing make the same trades.
func treeFinds(t *rapid.T) {
	p, buys, sells, losses := drawMarket(t)
	if list, at, err := p.CheckBook(buys, sells); err != nil {
		t.Fatalf("%s[%d]: %v", list, at, err)
	}
	want, _ := naive(p, buys, sells, losses.Between)
	for _, treeFrom := range []int{0, 50, math.MaxInt} {
		if diff := cmp.Diff(want, clearWith(p, buys, sells, losses, treeFrom)); diff != "" {
			t.Fatalf("trades, tree from %d (-naive +got):\n%s", treeFrom, diff)
		}
	}
}

func TestTree(t *testing.T) { rapid.Check(t, treeFinds) }

func FuzzTree(f *testing.F) { f.Fuzz(rapid.MakeFuzz(treeFinds)) }

// TestTreeOfManySells is deeper than drawn ones, and built anew several times.
func TestTreeOfManySells(t *testing.T) {
	buys, sells, plane := thesisBook(3000)
	for _, limits := range []bool{true, false} {
		for name, losses := range map[string]Losses{"plane": plane, "func": LossFunc(plane.Between)} {
			p := thesisParams(limits)
			want := clearWith(p, buys, sells, losses, math.MaxInt)
			if len(want) < len(buys) {
				t.Fatalf("%d trades, expected more than buys", len(want))
			}
			if !slices.Equal(want, Clear(p, buys, sells, losses)) {
				t.Errorf("limits %v, %s: the tree finds other trades", limits, name)
			}
		}
	}
}

// TestBounds checks every node after each of some trades: its box, types and
// count are those of the live sells below it, and none of them is nearer to a
// buy than least says.
func TestBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, buys, sells, losses := drawMarket(t)
		tree := newTree(p, sells, losses, 0)
		left := make([]int64, len(sells))
		for i := range sells {
			left[i] = sells[i].EnergyWh
		}
		for b := range buys {
			s := newSearch(tree, b, &buys[b])
			s.best = found{d: math.MaxInt64, sell: -1}
			checkNode(t, &s, 1, left)
			if tree.live == 0 {
				return
			}
			// Any trade will do, not only those that clearing would make.
			leaf := rapid.IntRange(tree.leaves, 2*tree.leaves-1).Draw(t, "leaf")
			if tree.nodes[leaf].live == 0 {
				continue
			}
			i := tree.start(leaf - tree.leaves)
			o := tree.offers[i]
			wh := rapid.SampledFrom([]int64{1, o.at[energy]}).Draw(t, "energy")
			left[o.sell] -= wh
			tree.take(leaf, i, wh)
		}
	})
}

// checkNode checks what is below a node and returns it.
func checkNode(t *rapid.T, s *search, n int, left []int64) (below []offer) {
	got := s.nodes[n]
	if n < s.leaves {
		below = append(checkNode(t, s, 2*n, left), checkNode(t, s, 2*n+1, left)...)
	} else {
		start := s.start(n - s.leaves)
		below = slices.Clone(s.offers[start : start+int(got.live)])
	}
	want := node{first: nobody, live: got.live}
	for k := range attributes {
		want.low[k], want.high[k] = math.MaxInt64, math.MinInt64
	}
	least := s.least(n)
	for _, o := range below {
		if o.at[energy] != left[o.sell] {
			t.Fatalf("sell %d has %d Wh in the tree, %d are left", o.sell, o.at[energy], left[o.sell])
		}
		for k, v := range o.at {
			want.low[k], want.high[k] = min(want.low[k], v), max(want.high[k], v)
		}
		want.types |= typeBit(o.energyType)
		want.first = min(want.first, o.sell)
		if s.leaves > 1 { // a list is compared whole
			checkLeast(t, s, &o, least)
		}
	}
	if s.leaves > 1 && got != want {
		t.Fatalf("node %d of %d leaves: got %+v, want %+v", n, s.leaves, got, want)
	}
	return below
}

func checkLeast(t *rapid.T, s *search, o *offer, least int64) {
	loss, ok := s.losses.Between(s.b, int(o.sell))
	if !ok || loss > s.maxLoss || o.at[price] > s.maxAsk {
		return
	}
	if d := dissimilarity(s.p, *s.buy, s.sells[o.sell], s.demand, o.at[energy], loss); d.Int64() < least {
		t.Fatalf("sell %d at %v, bound %d", o.sell, d, least)
	}
}

// TestPlane checks losses at the ends of what is allowed, and that bounds stay
// below them.
func TestPlane(t *testing.T) {
	const far = 1_000_000_000
	for _, c := range []struct {
		name      string
		from, to  Place
		perKM     int64
		want, low int64
	}{
		{"same place", Place{5, 5}, Place{5, 5}, 1_000_000, 0, 0},
		{"a kilometre", Place{}, Place{0, 1000}, 10_000, 10_000, 10_000},
		{"floors", Place{}, Place{1, 1}, 1_999, 1, 1},
		{"no loss", Place{}, Place{7, 7}, 0, 0, 0},
		{"corners", Place{-far, -far}, Place{far, far}, 1_000_000, 2_828_427_124_000, 2_780_000_000_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &Plane{Buys: []Place{c.to}, Sells: []Place{c.from}, PPMPerKM: c.perKM}
			if got, ok := p.Between(0, 0); got != c.want || !ok {
				t.Errorf("got %d, %v, want %d", got, ok, c.want)
			}
			if got := p.atLeast(c.from.X-c.to.X, c.from.Y-c.to.Y); got < c.low || got > c.want {
				t.Errorf("at least %d, want %d to %d", got, c.low, c.want)
			}
		})
	}
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.SampledFrom([]int64{10, 10_000, 2 * far}).Draw(t, "span")
		dx, dy := rapid.Int64Range(-span, span).Draw(t, "dx"), rapid.Int64Range(-span, span).Draw(t, "dy")
		p := &Plane{PPMPerKM: rapid.Int64Range(0, 1_000_000).Draw(t, "ppm")}
		low, exact := p.atLeast(dx, dy), p.over(dx, dy)
		if low > exact {
			t.Fatalf("at least %d, but %d", low, exact)
		}
		// Metres are whole, so that short distances are off by more.
		if step := p.PPMPerKM/1000 + 1; exact-low > exact/50+3*step {
			t.Fatalf("at least %d, far below %d", low, exact)
		}
		if p.atLeast(dx+1, dy) < low && dx >= 0 || p.over(dx, dy-1) < exact && dy <= 0 {
			t.Fatal("farther, but less loss")
		}
	})
}

func TestDivide(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 9), 1, 60).Draw(t, "values")
		checkDivided(t, values, rapid.IntRange(0, len(values)).Draw(t, "n"))
	})
}

// TestDivideOfBadGuesses divides an order that makes every pivot the least of
// what is left, which would take time as the square of its length.
func TestDivideOfBadGuesses(t *testing.T) {
	const n = 1000
	values, at := make([]int64, n), make([]int, n)
	for i := range at {
		at[i] = i
	}
	for i := range n {
		middle := i + (n-i)/2
		values[at[middle]] = int64(i)
		at[i], at[middle] = at[middle], at[i]
	}
	checkDivided(t, values, n-1)
}

func checkDivided(t rapid.TB, values []int64, n int) {
	t.Helper()
	part := make([]offer, len(values))
	for i, v := range values {
		part[i] = offer{at: [attributes]int64{credit: v}, sell: int32(i)}
	}
	divide(part, n, credit)
	slices.Sort(values)
	got := make([]int64, len(part))
	for i := range part {
		got[i] = part[i].at[credit]
	}
	if n > 0 && n < len(got) && slices.Max(got[:n]) > slices.Min(got[n:]) {
		t.Errorf("%v: first %d are not the least", got, n)
	}
	slices.Sort(got)
	if !slices.Equal(got, values) {
		t.Errorf("offers changed: %v", got)
	}
}
