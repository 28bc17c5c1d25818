package capacity

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestCutByHand: node 0 is the root.
func TestCutByHand(t *testing.T) {
	star := []int{Root, 0, 0, 0}
	chain := []int{Root, 0, 1, 2}
	for _, c := range []struct {
		name    string
		parent  []int
		limits  []int64
		trades  []Trade
		carried []int64
		cuts    []Cut
	}{
		{"nothing", []int{Root}, []int64{5}, nil, []int64{}, nil},
		{"no limits", star, []int64{0, 0, 0, 0}, []Trade{{1, 2, 100, 1}}, []int64{100}, nil},
		{"at the limit", star, []int64{0, 100, 100, 0}, []Trade{{1, 2, 100, 1}}, []int64{100}, nil},
		{"a limit of the root is none", star, []int64{1, 0, 0, 0}, []Trade{{1, 2, 100, 1}}, []int64{100}, nil},
		{"beyond the seller's line", star, []int64{0, 60, 0, 0}, []Trade{{1, 2, 100, 1}}, []int64{60}, []Cut{{0, 40, 1}}},
		{"beyond the buyer's line", star, []int64{0, 0, 60, 0}, []Trade{{1, 2, 100, 1}}, []int64{60}, []Cut{{0, 40, 2}}},
		{"within one node", star, []int64{0, 1, 0, 0}, []Trade{{1, 1, 100, 1}}, []int64{100}, nil},
		{"least worth first", star, []int64{0, 0, 0, 100}, []Trade{{1, 3, 80, 5}, {2, 3, 80, 6}}, []int64{20, 80}, []Cut{{0, 60, 3}}},
		{"of equals the last", star, []int64{0, 0, 0, 100}, []Trade{{1, 3, 80, 5}, {2, 3, 80, 5}, {1, 3, 80, 5}}, []int64{80, 20, 0}, []Cut{{1, 60, 3}, {2, 80, 3}}},
		{"opposite flows cancel", star, []int64{0, 10, 10, 0}, []Trade{{1, 2, 100, 1}, {2, 1, 95, 1}}, []int64{100, 95}, nil},
		// 2 -> 1 is worth little, but lets 90 Wh of 1 -> 2 through.
		{"worth of making room", star, []int64{0, 10, 0, 20}, []Trade{{1, 2, 100, 5}, {2, 1, 90, 0}, {1, 3, 30, 4}}, []int64{100, 90, 0}, []Cut{{2, 30, 1}}},
		// By worth alone both of 4 would go: 200 x 4 and not 100 x 5.
		{"one long trade rather than two short ones", chain, []int64{0, 100, 100, 100}, []Trade{{3, 2, 100, 4}, {2, 1, 100, 4}, {3, 1, 100, 5}}, []int64{100, 100, 0}, []Cut{{2, 100, 2}}},
		{"two short ones rather than a long one", chain, []int64{0, 100, 100, 100}, []Trade{{3, 2, 100, 4}, {2, 1, 100, 4}, {3, 1, 100, 9}}, []int64{0, 0, 100}, []Cut{{0, 100, 3}, {1, 100, 2}}},
		{"worth nothing, but it fits", star, []int64{0, 50, 50, 0}, []Trade{{1, 2, 40, 0}, {3, 2, 60, 1}}, []int64{0, 50}, []Cut{{0, 40, 2}, {1, 10, 2}}},
		{"worth nothing, elsewhere", chain, []int64{0, 50, 20, 10}, []Trade{{3, 2, 7, 0}, {1, 0, 60, 1}}, []int64{7, 50}, []Cut{{1, 10, 1}}},
		{"two trees", []int{Root, 0, Root, 2}, []int64{0, 10, 0, 20}, []Trade{{1, 0, 30, 1}, {3, 2, 30, 1}}, []int64{10, 20}, []Cut{{0, 20, 1}, {1, 10, 3}}},
		{"beyond any flow", star, []int64{0, math.MaxInt64, 7, 0}, []Trade{{1, 2, maxEnergy, 1}}, []int64{7}, []Cut{{0, maxEnergy - 7, 2}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := &Result{Carried: c.carried, Cuts: c.cuts, Optimal: true}
			if diff := cmp.Diff(want, cutOn(t, c.parent, c.limits, c.trades)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
}

func cutOn(t fataler, parent []int, limits []int64, trades []Trade) *Result {
	t.Helper()
	f, err := NewFeeder(parent, limits)
	if err != nil {
		t.Fatalf("%v", err)
	}
	r, err := f.Cut(trades)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return r
}

func TestErrors(t *testing.T) {
	two, none := []int{Root, 0}, []int64{0, 0}
	most := int64(math.MaxInt64) / 4 / 3
	for _, c := range []struct {
		name   string
		parent []int
		limits []int64
		trades []Trade
		want   string
	}{
		{"valid", two, none, []Trade{{0, 1, maxEnergy, most}}, ""},
		{"capacities", two, []int64{0}, nil, "capacities: expected 2, one per node, got 1"},
		{"parent", []int{Root, 2}, none, nil, "node 1: expected a parent of 0 to 1, or -1 for none, got 2"},
		{"negative parent", []int{Root, -2}, none, nil, "node 1: expected a parent of 0 to 1, or -1 for none, got -2"},
		{"negative capacity", two, []int64{0, -1}, nil, "line of node 1: expected a capacity of 0 Wh or more, got -1"},
		{"own parent", []int{Root, 1}, none, nil, "node 1: expected lines that lead to a root, got a ring"},
		{"ring", []int{1, 2, 0, 0}, []int64{0, 0, 0, 0}, nil, "node 0: expected lines that lead to a root, got a ring"},
		{"from", two, none, []Trade{{2, 1, 1, 1}}, "trade 0: expected nodes 0 to 1, got 2 and 1"},
		{"to", two, none, []Trade{{0, 1, 1, 1}, {0, -1, 1, 1}}, "trade 1: expected nodes 0 to 1, got 0 and -1"},
		{"no line", []int{Root, Root}, none, []Trade{{0, 1, 1, 1}}, "trade 0: expected connected nodes, got 0 and 1, which no lines join"},
		{"energy", two, none, []Trade{{0, 1, -1, 1}}, "trade 0: expected 0 Wh or more, got -1"},
		{"worth", two, none, []Trade{{0, 1, 1, -1}}, "trade 0: expected a worth of 0 to 768614336404564650, got -1"},
		{"great worth", two, none, []Trade{{0, 1, 1, most + 1}}, "trade 0: expected a worth of 0 to 768614336404564650, got 768614336404564651"},
		{"sum", two, none, []Trade{{0, 1, maxEnergy, 1}, {0, 1, 1, 1}}, "trade 1: expected energies that sum to at most 4611686018427387903 Wh, got 1 more than 4611686018427387903"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := NewFeeder(c.parent, c.limits)
			if err == nil {
				_, err = f.Cut(c.trades)
			}
			got := ""
			if err != nil {
				got = err.Error()
			}
			if got != c.want || strings.Contains(got, "\n") {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
		})
	}
}

// drawBook draws a small forest with limits and trades within its trees.
func drawBook(t *rapid.T, maxEnergy, maxWorth int64, maxTrades int) (parent []int, limits []int64, trades []Trade) {
	nodes := rapid.IntRange(1, 7).Draw(t, "nodes")
	top := make([]int, nodes)
	for n := range nodes {
		p := rapid.IntRange(Root, n-1).Draw(t, "parent")
		if n > 0 && p == Root && rapid.IntRange(0, 3).Draw(t, "another root") > 0 {
			p = n - 1
		}
		top[n] = n
		if p != Root {
			top[n] = top[p]
		}
		parent = append(parent, p)
		limits = append(limits, rapid.Int64Range(0, 2*maxEnergy).Draw(t, "limit"))
	}
	for range rapid.IntRange(0, maxTrades).Draw(t, "trades") {
		from, to := rapid.IntRange(0, nodes-1).Draw(t, "from"), rapid.IntRange(0, nodes-1).Draw(t, "to")
		if top[from] == top[to] {
			trades = append(trades, Trade{from, to, rapid.Int64Range(0, maxEnergy).Draw(t, "energy"), rapid.Int64Range(0, maxWorth).Draw(t, "worth")})
		}
	}
	return parent, limits, trades
}

// loads returns the flow on each line by walking to the root from both ends.
func loads(parent []int, trades []Trade, carried []int64) []int64 {
	flow := make([]int64, len(parent))
	for i, trade := range trades {
		for n := trade.From; n != Root; n = parent[n] {
			flow[n] += carried[i]
		}
		for n := trade.To; n != Root; n = parent[n] {
			flow[n] -= carried[i]
		}
	}
	return flow
}

func withinLimits(parent []int, limits, flow []int64) bool {
	for n := range parent {
		if parent[n] != Root && limits[n] > 0 && max(flow[n], -flow[n]) > limits[n] {
			return false
		}
	}
	return true
}

func sum(energies []int64) (total int64) {
	for _, e := range energies {
		total += e
	}
	return total
}

// checkResult checks what must hold of every result.
func checkResult(t fataler, parent []int, limits []int64, trades []Trade, r *Result) {
	t.Helper()
	flow := loads(parent, trades, r.Carried)
	if !withinLimits(parent, limits, flow) {
		t.Fatalf("limits %v, flows %v", limits, flow)
	}
	cuts := r.Cuts
	for i, trade := range trades {
		short := trade.EnergyWh - r.Carried[i]
		if r.Carried[i] < 0 || short < 0 {
			t.Fatalf("trade %d carries %d of %d", i, r.Carried[i], trade.EnergyWh)
		}
		if short == 0 {
			continue
		}
		if len(cuts) == 0 || cuts[0].Trade != i || cuts[0].EnergyWh != short {
			t.Fatalf("trade %d is short of %d, cuts %v", i, short, r.Cuts)
		}
		line := cuts[0].Line
		cuts = cuts[1:]
		one := loads(parent, []Trade{trade}, []int64{1})
		if line < 0 || one[line] == 0 || limits[line] == 0 || flow[line] != one[line]*limits[line] {
			t.Fatalf("trade %d is cut for line %d, which is not full on its way; flows %v", i, line, flow)
		}
	}
	if len(cuts) > 0 {
		t.Fatalf("cuts of nothing: %v", cuts)
	}
}

// bruteForce tries every choice of whole Wh for the most worth, and of that the
// most energy.
func bruteForce(parent []int, limits []int64, trades []Trade) (best, most int64) {
	carried := make([]int64, len(trades))
	for {
		if withinLimits(parent, limits, loads(parent, trades, carried)) {
			w, e := worth(trades, carried), sum(carried)
			if w > best || w == best && e > most {
				best, most = w, e
			}
		}
		i := 0
		for i < len(trades) && carried[i] == trades[i].EnergyWh {
			carried[i] = 0
			i++
		}
		if i == len(trades) {
			return best, most
		}
		carried[i]++
	}
}

func testOptimum(t *rapid.T) {
	parent, limits, trades := drawBook(t, 3, 4, 5)
	r := cutOn(t, parent, limits, trades)
	checkResult(t, parent, limits, trades, r)
	best, most := bruteForce(parent, limits, trades)
	if got, energy := worth(trades, r.Carried), sum(r.Carried); got != best || energy != most || !r.Optimal {
		t.Fatalf("worth %d of %d Wh, the best is %d of %d Wh; optimal %v", got, energy, best, most, r.Optimal)
	}
	if again := cutOn(t, parent, limits, trades); !slices.Equal(again.Carried, r.Carried) {
		t.Fatalf("%v, then %v", r.Carried, again.Carried)
	}
}

func TestOptimum(t *testing.T) { rapid.Check(t, testOptimum) }

func FuzzCut(f *testing.F) { f.Fuzz(rapid.MakeFuzz(testOptimum)) }

// TestLargeNumbers: energies and worths up to their bounds.
func TestLargeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parent, limits, trades := drawBook(t, maxEnergy/12, math.MaxInt64/4/8, 12)
		checkResult(t, parent, limits, trades, cutOn(t, parent, limits, trades))
	})
}

// TestPermuted: the order of the trades decides ties, not what is lost.
func TestPermuted(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 5))
	for _, spread := range []int{300, 3} {
		parent := drawFeeder(r, 300, spread)
		trades := drawTrades(r, 300, 700, 5000, 20)
		limits := drawCapacities(r, parent, trades, 300, 40, 120)
		first := cutOn(t, parent, limits, trades)
		checkResult(t, parent, limits, trades, first)
		want, energy := worth(trades, first.Carried), sum(first.Carried)
		if len(first.Cuts) < 50 {
			t.Fatalf("only %d cuts: the feeder is too strong to test anything", len(first.Cuts))
		}
		r.Shuffle(len(trades), func(i, k int) { trades[i], trades[k] = trades[k], trades[i] })
		permuted := cutOn(t, parent, limits, trades)
		checkResult(t, parent, limits, trades, permuted)
		if got, wh := worth(trades, permuted.Carried), sum(permuted.Carried); got != want || wh != energy {
			t.Errorf("worth %d of %d Wh, permuted %d of %d Wh", want, energy, got, wh)
		}
	}
}

// TestSearchStops: a search that meets its bound says so, and has kept within
// the limits until then.
func TestSearchStops(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 9))
	parent := drawFeeder(r, 300, 30)
	trades := drawTrades(r, 300, 700, 5000, 300)
	limits := drawCapacities(r, parent, trades, 300, 40, 120)
	f, err := NewFeeder(parent, limits)
	if err != nil {
		t.Fatal(err)
	}
	binding := make([]bool, len(parent))
	for n := range binding {
		binding[n] = limits[n] > 0
	}
	last := int64(-1)
	for _, pivots := range []int{1, 100, 1_000_000} {
		s, carried := newSearch(f, trades, mostWorthFirst(trades), binding), energies(trades)
		s.pivots = pivots
		if optimal := s.solve(); optimal != (pivots == 1_000_000) {
			t.Errorf("%d pivots: optimal %v", pivots, optimal)
		}
		for _, a := range s.arcs {
			if a.trade != none {
				carried[a.trade] = a.flow
			}
		}
		if !withinLimits(parent, limits, loads(parent, trades, carried)) {
			t.Errorf("%d pivots: beyond the limits", pivots)
		}
		if now := worth(trades, carried); now <= last {
			t.Errorf("%d pivots: worth %d, with fewer %d", pivots, now, last)
		} else {
			last = now
		}
	}
}

// TestLoad: what stands on the lines leaves less room in its direction, and more
// against it.
func TestLoad(t *testing.T) {
	star := []int{Root, 0, 0, 0}
	for _, c := range []struct {
		name     string
		limits   []int64
		standing []Trade
		trades   []Trade
		carried  []int64
	}{
		{"nothing", []int64{0, 100, 0, 0}, nil, []Trade{{1, 2, 150, 1}}, []int64{100}},
		{"the rest of the line", []int64{0, 100, 0, 0}, []Trade{{1, 2, 70, 0}}, []Trade{{1, 3, 50, 1}}, []int64{30}},
		{"against it", []int64{0, 100, 0, 0}, []Trade{{1, 2, 70, 0}}, []Trade{{3, 1, 500, 1}}, []int64{170}},
		{"full", []int64{0, 100, 0, 0}, []Trade{{1, 2, 100, 0}}, []Trade{{1, 3, 50, 9}, {3, 1, 20, 1}}, []int64{20, 20}},
		{"beyond the limit", []int64{0, 100, 0, 0}, []Trade{{1, 2, 130, 0}}, []Trade{{1, 3, 50, 1}, {2, 1, 10, 1}}, []int64{10, 10}},
		{"the greatest flows", []int64{0, maxEnergy, 0, 0}, []Trade{{1, 2, maxEnergy, 0}}, []Trade{{2, 1, maxEnergy, 1}}, []int64{maxEnergy}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := NewFeeder(star, c.limits)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Load(c.standing); err != nil {
				t.Fatal(err)
			}
			r, err := f.Cut(c.trades)
			if err != nil || !slices.Equal(r.Carried, c.carried) || !r.Optimal {
				t.Errorf("carried %+v, %v, want %v", r, err, c.carried)
			}
		})
	}
	f, err := NewFeeder(star, make([]int64, 4))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Load([]Trade{{0, 9, 1, 0}}); err == nil {
		t.Error("a node that is not there was accepted")
	}
}

// TestLoadedOptimum: what is carried beside trades that stand is worth the most
// that whole Wh can be.
func TestLoadedOptimum(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	cut := 0
	for range 3000 {
		parent, limits := []int{Root}, []int64{0}
		for n := 1; n < 5; n++ {
			parent, limits = append(parent, r.IntN(n)), append(limits, r.Int64N(5))
		}
		draw := func(n int) (trades []Trade) {
			for range n {
				trades = append(trades, Trade{r.IntN(5), r.IntN(5), r.Int64N(4), r.Int64N(4)})
			}
			return trades
		}
		standing, offered := draw(2), draw(4)
		if cutBeside(t, parent, limits, standing, offered) {
			cut++
		}
	}
	if cut < 500 {
		t.Errorf("only %d books were cut", cut)
	}
}

// cutBeside checks the cut against every choice of whole Wh, and says whether
// anything was cut.
func cutBeside(t *testing.T, parent []int, limits []int64, standing, offered []Trade) bool {
	t.Helper()
	f, err := NewFeeder(parent, limits)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Load(standing); err != nil {
		t.Fatal(err)
	}
	r, err := f.Cut(offered)
	if err != nil {
		t.Fatal(err)
	}
	whole := make([]int64, len(standing))
	for i, trade := range standing {
		whole[i] = trade.EnergyWh
	}
	before := loads(parent, standing, whole)
	within := func(carried []int64) bool {
		for n, flow := range loads(parent, offered, carried) {
			if limit := limits[n]; limit > 0 && (flow > max(0, limit-before[n]) || flow < min(0, -limit-before[n])) {
				return false
			}
		}
		return true
	}
	if !within(r.Carried) {
		t.Fatalf("limits %v, %v beside %v is too much", limits, r.Carried, before)
	}
	best, carried := int64(0), make([]int64, len(offered))
	for i := 0; i < len(offered); {
		if carried[i] == offered[i].EnergyWh {
			carried[i] = 0
			i++
			continue
		}
		carried[i]++
		i = 0
		if within(carried) {
			best = max(best, worth(offered, carried))
		}
	}
	if got := worth(offered, r.Carried); got != best || !r.Optimal {
		t.Fatalf("worth %d, the best is %d; optimal %v", got, best, r.Optimal)
	}
	return len(r.Cuts) > 0
}
