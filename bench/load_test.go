package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// energyd builds the program.
func energyd(tb testing.TB) string {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), "energyd")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/energyd").CombinedOutput(); err != nil {
		tb.Fatalf("build energyd: %v\n%s", err, out)
	}
	return binary
}

// BenchmarkLoad measures the figure of Figure: 500 orders a second with p95 of
// their latency at most 1 s, and validators of at most 250 MB. It reports and
// does not judge; README.md compares.
//
// ENERGYD_BENCH_BINARY names a program to measure instead of building one,
// ENERGYD_BENCH_DURATION another time, ENERGYD_BENCH_RATE another number of
// orders a second, ENERGYD_BENCH_JSON a file for the report.
func BenchmarkLoad(b *testing.B) {
	if testing.Short() {
		b.Skip("runs a network of real processes: make bench")
	}
	for range b.N {
		o := Figure()
		o.Binary, o.Dir = os.Getenv("ENERGYD_BENCH_BINARY"), b.TempDir()
		if o.Binary == "" {
			o.Binary = energyd(b)
		}
		if text := os.Getenv("ENERGYD_BENCH_DURATION"); text != "" {
			duration, err := time.ParseDuration(text)
			if err != nil {
				b.Fatalf("ENERGYD_BENCH_DURATION: %v", err)
			}
			o.Duration = duration
		}
		if text := os.Getenv("ENERGYD_BENCH_RATE"); text != "" {
			rate, err := strconv.Atoi(text)
			if err != nil || rate < 1 || rate > 1000 {
				b.Fatalf("ENERGYD_BENCH_RATE: expected 1 to 1000 orders a second, got %q", text)
			}
			o.OrdersPerSecond = rate
		}
		o.Say = func(line string) { fmt.Println(line) }
		r, err := Run(b.Context(), o)
		if r != nil {
			fmt.Print(r)
		}
		if err != nil {
			b.Fatal(err)
		}
		if file := os.Getenv("ENERGYD_BENCH_JSON"); file != "" {
			data, err := r.JSON()
			if err == nil {
				err = os.WriteFile(file, data, 0o600)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(0, "ns/op") // the time of a run says nothing
		b.ReportMetric(r.Rate, "orders/s")
		b.ReportMetric(float64(r.Latency.P50), "p50-ms")
		b.ReportMetric(float64(r.Latency.P95), "p95-ms")
		b.ReportMetric(float64(r.PeakRSS()), "peak-rss-MB")
	}
}
