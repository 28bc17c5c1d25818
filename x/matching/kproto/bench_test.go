package kproto

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
	"unsafe"
)

// thesisBook draws n buys and n sells as in S3 ch. 3 (matching.md 4), with
// weights from 0 to 1000.
func thesisBook(n int) ([]Buy, []Sell, *Plane) {
	r := rand.New(rand.NewPCG(1, 2))
	between := func(low, high int64) int64 { return low + r.Int64N(high-low+1) }
	weight := func() int64 { return between(0, 1000) }
	place := func() Place { return Place{between(0, 7071), between(0, 7071)} }
	buys, sells := make([]Buy, n), make([]Sell, n)
	plane := &Plane{Buys: make([]Place, n), Sells: make([]Place, n), PPMPerKM: 10_000}
	for i := range n {
		buys[i] = anyone(Buy{
			Price: between(400_000, 600_000), EnergyWh: between(10_000, 20_000), Environment: between(0, 1),
			Credit: between(0, 100), EnergyType: int32(between(0, 4)),
			Weights: Weights{weight(), weight(), weight(), weight(), weight(), weight()},
		})
		sells[i] = Sell{
			Price: between(400_000, 500_000), EnergyWh: between(10_000, 50_000),
			Credit: between(0, 100), EnergyType: int32(between(0, 4)), Identity: None, Point: None,
		}
		if sells[i].EnergyType > 0 { // all but fossil are clean, and dearer
			sells[i].Price, sells[i].Environment = sells[i].Price+100_000, 1
		}
		plane.Buys[i], plane.Sells[i] = place(), place()
	}
	return buys, sells, plane
}

func thesisParams(limits bool) Params {
	return Params{RespectLimits: limits, RangePrice: 200_000, RangeEnergyWh: 40_000, RangeCredit: 100, RangeLossPPM: 100_000}
}

// BenchmarkClear clears books whose losses the solver knows to grow with the
// distance, and the same books when it must ask for every loss.
func BenchmarkClear(b *testing.B) {
	for _, n := range []int{500, 2500, 10_000} {
		buys, sells, plane := thesisBook(n)
		for _, limits := range []bool{true, false} {
			for name, losses := range map[string]Losses{"plane": plane, "func": LossFunc(plane.Between)} {
				b.Run(fmt.Sprintf("n=%d/limits=%v/%s", n, limits, name), func(b *testing.B) {
					for b.Loop() {
						Clear(thesisParams(limits), buys, sells, losses)
					}
				})
			}
		}
	}
}

// BenchmarkScale compares the tree with comparing all sells, in one run. The
// latter is measured on a sample of the buys, spread evenly over the clearing,
// and scaled up: a whole one of 100 000 takes minutes.
func BenchmarkScale(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		buys, sells, plane := thesisBook(n)
		for _, limits := range []bool{true, false} {
			p := thesisParams(limits)
			b.Run(fmt.Sprintf("n=%d/limits=%v", n, limits), func(b *testing.B) {
				var trades []Trade
				for b.Loop() {
					trades = Clear(p, buys, sells, plane)
				}
				tree := b.Elapsed() / time.Duration(b.N)
				const sample = 200
				bruteForce := timeBruteForce(b, p, buys, sells, plane, trades, n/sample) * time.Duration(n/sample)
				b.ReportMetric(bruteForce.Seconds(), "brute-force-s")
				b.ReportMetric(float64(bruteForce)/float64(tree), "x-brute-force")
				index := newTree(p, sells, plane, treeFrom)
				bytes := len(index.offers)*int(unsafe.Sizeof(offer{})) + len(index.nodes)*int(unsafe.Sizeof(node{}))
				b.ReportMetric(float64(bytes)/1e6, "index-MB")
			})
		}
	}
}

// timeBruteForce replays trades on a list of all live sells and returns how
// long it took to find those of every step-th buy by comparing all.
func timeBruteForce(b *testing.B, p Params, buys []Buy, sells []Sell, losses Losses, trades []Trade, step int) (total time.Duration) {
	list := newTree(p, sells, losses, math.MaxInt)
	where := make([]int, len(sells)) // of each sell in the list
	for i := range where {
		where[i] = i
	}
	for i := range buys {
		s := newSearch(list, i, &buys[i])
		for s.demand > 0 {
			found, ok := found{}, len(trades) > 0 && trades[0].Buy == i
			if i%step == 0 {
				start := time.Now()
				found, ok = s.nearest()
				total += time.Since(start)
				if ok && int(found.sell) != trades[0].Sell {
					b.Fatalf("brute force: buy %d takes from %d, expected %+v", i, found.sell, trades[0])
				}
			}
			if !ok {
				break
			}
			at := where[trades[0].Sell]
			list.take(1, at, trades[0].EnergyWh)
			if at < list.live {
				where[list.offers[at].sell] = at
			}
			s.demand -= trades[0].EnergyWh
			trades = trades[1:]
		}
	}
	return total
}

// BenchmarkCrossover measures small books both ways: treeFrom is where
// x-brute-force passes 1.
func BenchmarkCrossover(b *testing.B) {
	for _, n := range []int{200, 300, 400, 500, 1000, 2000} {
		buys, sells, plane := thesisBook(n)
		for _, limits := range []bool{true, false} {
			b.Run(fmt.Sprintf("n=%d/limits=%v", n, limits), func(b *testing.B) {
				var took [2]time.Duration
				for b.Loop() {
					for i, from := range []int{0, math.MaxInt} {
						start := time.Now()
						clearWith(thesisParams(limits), buys, sells, plane, from)
						took[i] += time.Since(start)
					}
				}
				b.ReportMetric(float64(took[1])/float64(took[0]), "x-brute-force")
			})
		}
	}
}
