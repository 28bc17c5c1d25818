package grid

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"testing"

	"pgregory.net/rapid"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

// unreachable stands for the loss where no path leads; lossScale is by how much
// the undivided sums of the reference exceed ppm.
const (
	unreachable = -1
	lossScale   = 1_000_000
)

// The network of the hand-computed cases:
//
//	a --1.5 km-- r(200) --2 km, 300 ppm/km-- b
//	a --5 km, one way-- b          c  (no line)
func TestLoss(t *testing.T) {
	c := newChain(t)
	c.must(&gridv1.MsgSetTopology{
		Nodes: []*gridv1.Node{node("a", 0), node("r", 200), node("b", 30), node("c", 0)},
		Lines: []*gridv1.Line{
			line("a", "r", 1_500_000), lossy("r", "b", 2_000_001, 300), oneWay(lossy("a", "b", 5_000_000, 1000)),
		},
	})
	for _, test := range []struct {
		from, to string
		want     int64
	}{
		{"a", "a", 0},
		{"r", "r", 0},                      // nothing is converted within a node
		{"a", "r", 5_000 + 600 + 30 + 200}, // by b, less than 15 000 + 200
		{"r", "a", 15_000 + 200},
		{"r", "b", 600 + 200 + 30}, // floor(600.0003)
		{"a", "b", 5_000 + 30},     // one way, less than 15 000 + 600 + 230
		{"b", "a", 15_600 + 230},   // the way back
		{"a", "c", unreachable},
		{"c", "a", unreachable},
		{"c", "c", 0},
		{"a", "x", unreachable},
		{"x", "a", unreachable},
	} {
		if got := c.loss(test.from, test.to); got != test.want {
			t.Errorf("%s to %s: expected %d ppm, got %d", test.from, test.to, test.want, got)
		}
	}
}

// Divided line by line, three lines of 0.6 ppm would lose nothing and the
// detour of 1 ppm would seem longer than the way of 3 x 0.6 ppm.
func TestLossIsDividedOnce(t *testing.T) {
	c := newChain(t)
	c.must(&gridv1.MsgSetTopology{
		Nodes: []*gridv1.Node{node("a", 0), node("b", 0), node("c", 0), node("d", 0), node("e", 0)},
		Lines: []*gridv1.Line{
			lossy("a", "b", 600_000, 1), lossy("b", "c", 600_000, 1), lossy("c", "d", 600_000, 1),
			lossy("a", "e", 1_000_000, 1), lossy("e", "d", 700_000, 1),
		},
	})
	for _, test := range []struct {
		from, to string
		want     int64
	}{{"a", "b", 0}, {"a", "c", 1}, {"a", "d", 1}, {"b", "d", 1}, {"b", "e", 1}} {
		if got := c.loss(test.from, test.to); got != test.want {
			t.Errorf("%s to %s: expected %d ppm, got %d", test.from, test.to, test.want, got)
		}
	}
	// 1.7 against 1.8 ppm: both floor to 1, the undivided sum decides.
	loss, length, _ := PathsOf(c.Store, 0).Path("a", "d")
	if loss != 1 || length != 1_700_000 {
		t.Errorf("a to d: expected the way by e, got %d ppm over %d mm", loss, length)
	}
}

func TestLossOfEverything(t *testing.T) {
	c := newChain(t)
	c.must(&gridv1.MsgSetTopology{
		Nodes: []*gridv1.Node{node("a", 0), node("b", 1_000_000), node("c", 1)},
		Lines: []*gridv1.Line{lossy("a", "b", 1_000_000_000, 0), lossy("b", "c", 0, 0), lossy("c", "a", 1_000_000_000, 1_000_000)},
	})
	if got := c.loss("a", "b"); got != 1_000_000 {
		t.Errorf("a to b: expected all to be lost, got %d", got)
	}
	if got := c.loss("a", "c"); got != unreachable {
		t.Errorf("a to c: expected more than everything to lead nowhere, got %d", got)
	}
}

func TestLossWithoutLines(t *testing.T) {
	c := newChain(t)
	place := func(name string, x, y int64) *gridv1.Node { return &gridv1.Node{Node: name, XMm: &x, YMm: &y} }
	both := place("both", 0, 0)
	both.PathMm = new(int64(1_000_000))
	c.must(&gridv1.MsgSetTopology{Nodes: []*gridv1.Node{
		both, place("p34", 3_000_000, 4_000_000), place("p11", 1, 1), place("far", 1_000_000_000, -1_000_000_000),
		{Node: "t", PathMm: new(int64(500_000)), RouterLossPpm: 70},
		node("none", 0),
	}})
	for _, test := range []struct {
		from, to string
		want     int64
	}{
		{"both", "t", 15_000 + 70}, // 1.5 km by the transformer
		{"both", "p34", 50_000},    // 5 km in a straight line
		{"both", "p11", 0},         // floor(sqrt 2) mm
		{"t", "t", 0},
		{"t", "p34", unreachable}, // a path here, a place there
		{"none", "both", unreachable},
		{"none", "none", 0},
		{"both", "far", unreachable}, // 1414 km at 1 % per km
		{"both", "x", unreachable},
	} {
		if got := c.loss(test.from, test.to); got != test.want {
			t.Errorf("%s to %s: expected %d ppm, got %d", test.from, test.to, test.want, got)
		}
	}
}

// floydWarshall is the reference: undivided sums over all paths, in which every
// node but the first adds its router when it is entered.
func floydWarshall(routers []int64, edges map[[2]int]int64) [][]int64 {
	n := len(routers)
	const none = math.MaxInt64
	sum := make([][]int64, n)
	for i := range sum {
		sum[i] = make([]int64, n)
		for j := range sum[i] {
			sum[i][j] = none
			if cost, ok := edges[[2]int{i, j}]; ok {
				sum[i][j] = cost + routers[j]*lossScale
			}
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				if sum[i][k] != none && sum[k][j] != none {
					sum[i][j] = min(sum[i][j], sum[i][k]+sum[k][j])
				}
			}
		}
	}
	loss := make([][]int64, n)
	for i := range loss {
		loss[i] = make([]int64, n)
		for j := range loss[i] {
			switch {
			case i == j:
				loss[i][j] = 0
			case sum[i][j] == none || (sum[i][j]+routers[i]*lossScale)/lossScale > units.PPM:
				loss[i][j] = unreachable
			default:
				loss[i][j] = (sum[i][j] + routers[i]*lossScale) / lossScale
			}
		}
	}
	return loss
}

func TestLossIsLeast(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		n := rapid.IntRange(2, 12).Draw(r, "nodes")
		// names[i] is the name of node i: a permutation must not matter.
		names := rapid.Permutation(seq(n)).Draw(r, "names")
		routers := make([]int64, n)
		db := state.OpenMemory()
		defer db.Close()
		store := db.Branch()
		set := &gridv1.MsgSetTopology{}
		for i := range n {
			routers[i] = rapid.SampledFrom([]int64{0, 0, 1, 50, 300_000}).Draw(r, "router")
			set.Nodes = append(set.Nodes, node(fmt.Sprint("n", names[i]), routers[i]))
		}
		edges := map[[2]int]int64{}
		// A radial grid: each node hangs on one before it, if on any.
		radial := rapid.Bool().Draw(r, "radial")
		twoWay := rapid.Bool().Draw(r, "two ways only") // with radial: no search is made
		count := rapid.IntRange(1, 3*n).Draw(r, "lines")
		for i := range count {
			from, to := rapid.IntRange(0, n-1).Draw(r, "from"), rapid.IntRange(0, n-1).Draw(r, "to")
			if radial {
				if i+1 >= n {
					break
				}
				from, to = rapid.IntRange(0, i).Draw(r, "parent"), i+1
			}
			_, there := edges[[2]int{from, to}]
			_, back := edges[[2]int{to, from}]
			if from == to || there || back {
				continue
			}
			length := rapid.Int64Range(0, 30_000_000).Draw(r, "length")
			loss := rapid.SampledFrom([]int64{0, 1, 999, 10_000, 40_000}).Draw(r, "loss")
			l := lossy(fmt.Sprint("n", names[from]), fmt.Sprint("n", names[to]), length, loss)
			edges[[2]int{from, to}] = length * loss
			if l.OneWay = !twoWay && rapid.Bool().Draw(r, "one way"); !l.OneWay {
				edges[[2]int{to, from}] = length * loss
			}
			set.Lines = append(set.Lines, l)
		}
		if len(edges) == 0 {
			return
		}
		if err := writeTopology(store, set.Nodes, set.Lines); err != nil {
			r.Fatal(err)
		}
		want := floydWarshall(routers, edges)
		paths := PathsOf(store, 10_000)
		if _, _, forest := paths.Feeder(1); radial && !forest {
			r.Fatal("a radial grid is not taken for one")
		}
		for i := range n {
			for j := range n {
				got, ok := paths.Loss(fmt.Sprint("n", names[i]), fmt.Sprint("n", names[j]))
				if !ok {
					got = unreachable
				}
				if got != want[i][j] {
					r.Fatalf("%d to %d: expected %d, got %d", i, j, want[i][j], got)
				}
			}
		}
	})
}

func seq(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// BenchmarkFeeder searches from all 55 customers of the IEEE European low
// voltage feeder, 906 nodes.
func BenchmarkFeeder(b *testing.B) {
	store, homes := feeder(b)
	for b.Loop() {
		paths := PathsOf(store, 10_000)
		for _, from := range homes {
			for _, to := range homes {
				if _, ok := paths.Loss(from, to); !ok {
					b.Fatalf("%s to %s is unreachable", from, to)
				}
			}
		}
	}
}

func feeder(tb testing.TB) (state.Store, []string) {
	tb.Helper()
	db := state.OpenMemory()
	tb.Cleanup(func() { db.Close() })
	store := db.Branch()
	seen := map[string]bool{}
	var set gridv1.MsgSetTopology
	for _, row := range rows(tb, "lines.csv") {
		for _, bus := range row[1:3] {
			if !seen[bus] {
				seen[bus] = true
				set.Nodes = append(set.Nodes, node("bus"+bus, 0))
			}
		}
		metres, err := units.ParseScaled(row[4], 6)
		if err != nil {
			tb.Fatal(err)
		}
		set.Lines = append(set.Lines, line("bus"+row[1], "bus"+row[2], metres/1000))
	}
	if err := checkSetTopology("", &set); err != nil {
		tb.Fatal(err)
	}
	if err := writeTopology(store, set.Nodes, set.Lines); err != nil {
		tb.Fatal(err)
	}
	var homes []string
	for _, row := range rows(tb, "loads.csv") {
		homes = append(homes, "bus"+row[1])
	}
	return store, homes
}

func rows(tb testing.TB, name string) [][]string {
	tb.Helper()
	file, err := os.Open("../../../shared/data/feeder_eulv/" + name)
	if err != nil {
		tb.Skip("SKIPPED: the data of the feeder are absent: ", err)
	}
	defer file.Close()
	all, err := csv.NewReader(file).ReadAll()
	if err != nil {
		tb.Fatal(err)
	}
	return all[1:]
}

// The paths of the feeder are known: from the transformer to each customer.
func TestFeeder(t *testing.T) {
	store, homes := feeder(t)
	paths := PathsOf(store, 10_000)
	for i, row := range rows(t, "loads.csv") {
		_, length, ok := paths.Path("bus1", homes[i])
		metres, err := units.ParseScaled(row[6], 2)
		if err != nil {
			t.Fatal(err)
		}
		// Lengths of lines were cut to mm, one line at a time.
		if difference := metres*10 - length; !ok || difference < -10 || difference > 1000 {
			t.Errorf("%s: expected %d mm, got %d", homes[i], metres*10, length)
		}
		if loss, _ := paths.Loss("bus1", homes[i]); loss != length/100 {
			t.Errorf("%s: expected 1 %% per km of %d mm, got %d ppm", homes[i], length, loss)
		}
	}
}
