package transport

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func randomProblem(m, n int, seed uint64) *Problem {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &Problem{Demand: make([]int64, m), Supply: make([]int64, n), Worth: make([]int64, m*n)}
	for i := range p.Demand {
		p.Demand[i] = 48960 + r.Int64N(453620-48960)
	}
	for i := range p.Supply {
		p.Supply[i] = 48960 + r.Int64N(453620-48960)
	}
	for i := range p.Worth {
		p.Worth[i] = r.Int64N(1000000)
	}
	return p
}

func BenchmarkSolve(b *testing.B) {
	for _, size := range []int{500, 1000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			p := randomProblem(size, size, 1)
			var s *Solution
			for b.Loop() {
				s, _ = Solve(p)
			}
			b.ReportMetric(float64(s.Pivots), "pivots")
			b.Log(s.Objective, s.EnergyWh, len(s.Flows))
		})
	}
}
