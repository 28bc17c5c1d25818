package capacity

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkCut cuts 5 000 trades on feeders of 2 000 nodes, bushy ones and such
// with long lines.
func BenchmarkCut(b *testing.B) {
	const nodes, count = 2000, 5000
	for _, c := range []struct {
		name      string
		limited   int
		low, high int64 // per cent of the load
	}{
		{"no limits", 0, 100, 100},
		{"200 limits, most exceeded", 200, 40, 120},
		{"all limited, 2 per cent exceeded", nodes, 90, 590},
		{"all limited, most exceeded", nodes, 40, 120},
	} {
		for _, spread := range []int{nodes, 20, 5} {
			b.Run(fmt.Sprintf("%s/spread=%d", c.name, spread), func(b *testing.B) {
				r := rand.New(rand.NewPCG(7, 7))
				parent := drawFeeder(r, nodes, spread)
				trades := drawTrades(r, nodes, count, 5000, 300_000)
				f, err := NewFeeder(parent, drawCapacities(r, parent, trades, c.limited, c.low, c.high))
				if err != nil {
					b.Fatal(err)
				}
				cuts := 0
				for b.Loop() {
					result, err := f.Cut(trades)
					if err != nil || !result.Optimal {
						b.Fatal(result, err)
					}
					cuts = len(result.Cuts)
				}
				b.ReportMetric(float64(cuts), "cuts")
			})
		}
	}
}
