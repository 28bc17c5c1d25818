package capacity

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// BenchmarkCut cuts 5 000 trades on feeders of 2 000 nodes: bushy ones and such
// with long lines; with few lines too weak, and with two thirds of all.
func BenchmarkCut(b *testing.B) {
	const nodes, count = 2000, 5000
	for _, spread := range []int{nodes, 200, 20, 5} {
		for _, limited := range []int{0, 20, 200, nodes} {
			b.Run(fmt.Sprintf("spread=%d/limited=%d", spread, limited), func(b *testing.B) {
				r := rand.New(rand.NewPCG(7, 7))
				parent := drawFeeder(r, nodes, spread)
				trades := drawTrades(r, nodes, count, 5000, 300_000)
				f, err := NewFeeder(parent, drawCapacities(r, parent, trades, limited))
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
