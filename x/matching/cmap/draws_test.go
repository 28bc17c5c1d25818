package cmap

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/energyd/energyd/x/matching/transport"
)

// drawS3Ch4 draws a book as S3 4.4.1 does, by the reading of matching.md 4.
func drawS3Ch4(n int, seed uint64) *testBook {
	r := rand.New(rand.NewPCG(seed, 4))
	k := &testBook{p: Params{PriceMin: 302_300, PriceMax: 1_416_700, RMaxM: 20_000}}
	price := func() int64 { return 302_300 + r.Int64N(1_416_700-302_300+1) }
	buyerPrefers := []Preference{{Price, 500}, {Loss, 300}, {Environment, 200}}
	sellerPrefers := []Preference{{Price, 500}, {Demand, 300}, {Loss, 200}}
	for demand, supply := int64(1), int64(0); supply < demand; {
		k.buys, k.sells, demand, supply = nil, nil, 0, 0
		for range n {
			b := Buy{price(), 48_960 + r.Int64N(453_620-48_960+1), 60 + r.Int64N(41), r.Int32N(5), buyerPrefers}
			s := Sell{price(), 48_960 + r.Int64N(453_620-48_960+1), 60 + r.Int64N(41), r.Int32N(5), false, sellerPrefers}
			s.Clean = s.EnergyType > 0
			k.buys, k.sells = append(k.buys, b), append(k.sells, s)
			demand, supply = demand+b.EnergyWh, supply+s.EnergyWh
		}
	}
	at := make([][4]int64, n)
	for i := range at {
		at[i] = [4]int64{r.Int64N(51_100), r.Int64N(51_100), r.Int64N(51_100), r.Int64N(51_100)}
	}
	k.link = func(b, s int) Link {
		return Link{DistanceM: straight(at[b][0]-at[s][2], at[b][1]-at[s][3]), Eligible: true}
	}
	return k
}

func BenchmarkSolve(b *testing.B) {
	for _, n := range []int{500, 1000} {
		for _, limit := range []bool{false, true} {
			k := drawS3Ch4(n, 1)
			k.p.Limit = limit
			c, err := newClearing(k.p, k.buys, k.sells, k.link)
			if err != nil {
				b.Fatal(err)
			}
			r := &Result{}
			for name, p := range map[string]*transport.Problem{
				"combined": c.problem(c.combined(1<<20, 1<<20)), "a": c.problem(c.a), "-a": c.problem(negated(c.a)), "b": c.problem(c.b), "-b": c.problem(negated(c.b)),
			} {
				_ = r
				b.Run(fmt.Sprint(n, limit, name), func(b *testing.B) {
					var s *transport.Solution
					for b.Loop() {
						s, _ = transport.Solve(p)
					}
					b.ReportMetric(float64(s.Pivots), "pivots")
				})
			}
		}
	}
}

func BenchmarkClear(b *testing.B) {
	for _, limit := range []bool{false, true} {
		b.Run(fmt.Sprint(limit), func(b *testing.B) {
			k := drawS3Ch4(500, 1)
			k.p.Limit = limit
			for b.Loop() {
				if _, err := Clear(k.p, k.buys, k.sells, k.link); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
