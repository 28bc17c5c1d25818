package cmap

import (
	"bufio"
	"fmt"
	"math"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/energyd/energyd/x/matching/transport"
)

// combinedProblem returns the last of the five problems of a drawn book.
func combinedProblem(tb testing.TB, n int, limit bool) *transport.Problem {
	tb.Helper()
	k := drawS3Ch4(n, 1)
	k.p.Limit = limit
	c, err := newClearing(k.p, k.buys, k.sells, k.link)
	if err != nil {
		tb.Fatal(err)
	}
	r, err := Clear(k.p, k.buys, k.sells, k.link)
	if err != nil {
		tb.Fatal(err)
	}
	return c.problem(c.combined(r.Buyers.K, r.Sellers.K))
}

// BenchmarkSolve solves one problem, and reports how many times as long that
// takes as checking the solution.
func BenchmarkSolve(b *testing.B) {
	for _, n := range []int{500, 1000} {
		for _, mode := range []string{"paper", "limit"} {
			b.Run(fmt.Sprintf("%s/%dx%d", mode, n, n), func(b *testing.B) {
				p := combinedProblem(b, n, mode == "limit")
				var s *transport.Solution
				for b.Loop() {
					s, _ = transport.Solve(p)
				}
				solve := b.Elapsed() / time.Duration(b.N)
				start := time.Now()
				const checks = 20
				for range checks {
					if err := transport.Verify(p, s.Flows, s.Certificate); err != nil {
						b.Fatal(err)
					}
				}
				check := time.Since(start) / checks
				b.ReportMetric(float64(s.Pivots), "pivots")
				b.ReportMetric(float64(check.Microseconds()), "µs/check")
				b.ReportMetric(float64(solve)/float64(check), "solve/check")
			})
		}
	}
}

// BenchmarkClear clears a book: scores, five problems, trades.
func BenchmarkClear(b *testing.B) {
	for _, mode := range []string{"paper", "limit"} {
		b.Run(mode+"/500x500", func(b *testing.B) {
			k := drawS3Ch4(500, 1)
			k.p.Limit = mode == "limit"
			for b.Loop() {
				if _, err := Clear(k.p, k.buys, k.sells, k.link); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkClp reports how many times as long the dual simplex of COIN-OR's Clp
// takes for the same problem, by its own account and without reading the file.
func BenchmarkClp(b *testing.B) {
	clp, err := exec.LookPath("clp")
	if err != nil {
		b.Skip("SKIPPED: clp is not installed (Debian: coinor-clp)")
	}
	const n = 500
	p := combinedProblem(b, n, false)
	path := filepath.Join(b.TempDir(), "problem.mps")
	writeMPS(b, p, path)
	output, err := exec.Command(clp, path, "-dualsimplex").CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, output)
	}
	found := regexp.MustCompile(`Optimal objective (\S+) - \d+ iterations time (\S+)`).FindSubmatch(output)
	if found == nil {
		b.Fatalf("no optimum in: %s", output)
	}
	objective, _ := strconv.ParseFloat(string(found[1]), 64)
	seconds, _ := strconv.ParseFloat(string(found[2]), 64)

	var s *transport.Solution
	for b.Loop() {
		s, _ = transport.Solve(p)
	}
	ours, _ := new(big.Float).SetInt(s.Objective).Float64()
	if math.Abs(ours+objective) > 1e-6*ours {
		b.Fatalf("objective %s, Clp found %g", s.Objective, -objective)
	}
	b.ReportMetric(seconds*1000, "clp-ms")
	b.ReportMetric(seconds/(b.Elapsed().Seconds()/float64(b.N)), "clp/solve")
}

// writeMPS writes a problem of which the buys are the short side, as a minimum.
func writeMPS(b *testing.B, p *transport.Problem, path string) {
	b.Helper()
	file, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	defer file.Close()
	w := bufio.NewWriter(file)
	fmt.Fprint(w, "NAME transport\nROWS\n N cost\n")
	for i := range p.Demand {
		fmt.Fprintf(w, " E b%d\n", i)
	}
	for j := range p.Supply {
		fmt.Fprintf(w, " L s%d\n", j)
	}
	fmt.Fprint(w, "COLUMNS\n")
	for k, worth := range p.Worth {
		i, j := k/len(p.Supply), k%len(p.Supply)
		fmt.Fprintf(w, " x%d cost %d b%d 1\n x%d s%d 1\n", k, -worth, i, k, j)
	}
	fmt.Fprint(w, "RHS\n")
	for i, energy := range p.Demand {
		fmt.Fprintf(w, " rhs b%d %d\n", i, energy)
	}
	for j, energy := range p.Supply {
		fmt.Fprintf(w, " rhs s%d %d\n", j, energy)
	}
	fmt.Fprint(w, "ENDATA\n")
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
}
