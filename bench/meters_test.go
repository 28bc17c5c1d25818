package bench

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// gatewayLoad is what one gateway is given to do: meters at so many TCP ports,
// as many units on each.
type gatewayLoad struct {
	name          string
	ports, units  int
	poll          time.Duration
	interval      time.Duration // between the signed readings of a meter
	warm, measure time.Duration
}

var gatewayLoads = []gatewayLoad{
	{"50-at-10s", 5, 10, 10 * time.Second, time.Minute, 25 * time.Second, 2 * time.Minute},
	{"1000-at-1s", 10, 100, time.Second, 15 * time.Second, 10 * time.Second, time.Minute},
}

// BenchmarkMeters measures a gateway with 50 meters polled every 10 s (at most
// 32 MiB, metering.md 8) and with 1 000 every second (no poll missed): energymeter
// run with simulated meters over TCP in processes of their own, and a chain that
// only takes what it is sent. It reports and does not judge.
//
// ENERGYD_BENCH_DURATION is measured instead of 2 minutes and 1 minute,
// ENERGYD_BENCH_METER names a program instead of building one.
func BenchmarkMeters(b *testing.B) {
	if testing.Short() {
		b.Skip("runs a gateway for minutes: make bench-meters")
	}
	program := os.Getenv("ENERGYD_BENCH_METER")
	if program == "" {
		program = energymeter(b)
	}
	for _, l := range gatewayLoads {
		if text := os.Getenv("ENERGYD_BENCH_DURATION"); text != "" {
			duration, err := time.ParseDuration(text)
			if err != nil {
				b.Fatalf("ENERGYD_BENCH_DURATION: %v", err)
			}
			l.measure = duration
		}
		b.Run(l.name, func(b *testing.B) {
			for range b.N {
				l.run(b, program)
			}
		})
	}
}

// energymeter builds the program as it is released.
func energymeter(tb testing.TB) string {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), "energymeter")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, "../cmd/energymeter")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		tb.Fatalf("build energymeter: %v\n%s", err, out)
	}
	return binary
}

func (l gatewayLoad) run(b *testing.B, program string) {
	chain := newQuietChain(b, "bench-1")
	var urls []string
	for port := range l.ports {
		urls = append(urls, simulator(b, program, l.units, port*l.units))
	}
	dir := b.TempDir()
	passphrase := filepath.Join(dir, "passphrase")
	write(b, passphrase, "a passphrase\n")
	home := filepath.Join(dir, "home")
	if out, err := exec.Command(program, "init", "--home", home, "--chain-id", "bench-1", "--node", chain.URL, "--passphrase-file", passphrase).CombinedOutput(); err != nil {
		b.Fatalf("energymeter init: %v\n%s", err, out)
	}
	write(b, filepath.Join(home, "energymeter.yaml"), l.config(chain.URL, urls))
	pid, metrics := runGateway(b, program, home, passphrase)

	// Polls come at full multiples of the poll time: samples between them count
	// whole rounds.
	time.Sleep(time.Until(time.Now().Add(l.warm).Truncate(l.poll).Add(3 * l.poll / 2)))
	before, used := scrape(b, metrics), usageOfProcess(b, pid)
	time.Sleep(l.measure.Truncate(l.poll))
	after, usage := scrape(b, metrics), usageOfProcess(b, pid)

	meters, rounds := l.ports*l.units, int64(l.measure/l.poll)
	want := int64(meters) * rounds
	measured := after.measured - before.measured
	cpu := float64(usage.CPU-used.CPU) / float64(l.measure) * 100
	fmt.Printf("%s: %d meters, %d rounds, %d of %d polls measured (%d missed, %d with another quality); %d readings signed, %d committed, %d wait; RSS %.1f MiB, at most %.1f MiB, CPU %.1f %% of a core; load average %s\n",
		l.name, meters, rounds, measured, want, want-measured, after.other-before.other,
		after.signed, after.committed, after.signed-after.committed, mebibytes(b, pid, "VmRSS"), mebibytes(b, pid, "VmHWM"), cpu, thisMachine().Load)
	b.ReportMetric(0, "ns/op") // the time of a run says nothing
	b.ReportMetric(float64(want-measured), "missed-polls")
	b.ReportMetric(mebibytes(b, pid, "VmRSS"), "rss-MiB")
	b.ReportMetric(mebibytes(b, pid, "VmHWM"), "peak-rss-MiB")
	b.ReportMetric(cpu, "%-of-a-core")
}

func (l gatewayLoad) config(node string, urls []string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "chain_id: bench-1\nnodes: [%s]\nlisten: 127.0.0.1:0\npoll: %v\ninterval: %v\nmeters:\n", node, l.poll, l.interval)
	for port, url := range urls {
		for unit := range l.units {
			fmt.Fprintf(&out, "  - {name: m-%d-%d, source: modbus, url: %q, unit: %d, model: eastron-sdm630}\n", port, unit+1, url, unit+1)
		}
	}
	return out.String()
}

// simulator starts a server of meters and returns its address.
func simulator(b *testing.B, program string, units, seed int) string {
	line := start(b, exec.Command(program, "simulate", "--listen", "127.0.0.1:0", "--units", strconv.Itoa(units), "--seed", strconv.Itoa(seed+1)), "tcp://")
	return line[strings.Index(line, "tcp://"):]
}

// runGateway starts one and returns its process and where its metrics are.
func runGateway(b *testing.B, program, home, passphrase string) (pid int, metrics string) {
	command := exec.Command(program, "run", "--home", home, "--passphrase-file", passphrase)
	line := start(b, command, "address=")
	return command.Process.Pid, "http://" + line[strings.Index(line, "address=")+len("address="):] + "/metrics"
}

// start runs a program until the benchmark ends and returns the first line of
// its output that holds what it says when it is ready.
func start(b *testing.B, command *exec.Cmd, ready string) string {
	b.Helper()
	read, out, err := os.Pipe()
	if err != nil {
		b.Fatal(err)
	}
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		_ = command.Wait()
		_ = read.Close()
	})
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	lines := bufio.NewScanner(read)
	for lines.Scan() {
		if line := lines.Text(); strings.Contains(line, ready) {
			go func() { _, _ = io.Copy(io.Discard, read) }()
			return line
		}
	}
	b.Fatalf("%v ended before it was ready", command)
	return ""
}

// counts are sums of a gateway's metrics.
type counts struct{ measured, other, signed, committed int64 }

func scrape(b *testing.B, url string) (c counts) {
	b.Helper()
	response, err := http.Get(url)
	if err != nil {
		b.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if strings.HasPrefix(name, "#") || !strings.HasPrefix(name, "energymeter_") {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			b.Fatalf("%s: %v", lines.Text(), err)
		}
		switch {
		case strings.HasPrefix(name, "energymeter_polls_total") && strings.Contains(name, `quality="measured"`):
			c.measured += int64(n)
		case strings.HasPrefix(name, "energymeter_polls_total"):
			c.other += int64(n)
		case name == "energymeter_readings_signed_total":
			c.signed = int64(n)
		case name == "energymeter_readings_committed_total":
			c.committed = int64(n)
		}
	}
	return c
}

func usageOfProcess(b *testing.B, pid int) Usage {
	b.Helper()
	u, err := usageOf(pid)
	if err != nil {
		b.Fatal(err)
	}
	return u
}

// mebibytes returns a size of a process in MiB (2^20 bytes).
func mebibytes(b *testing.B, pid int, name string) float64 {
	b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	kb, err := strconv.ParseFloat(strings.TrimSuffix(field(string(status), name), " kB"), 64)
	if err != nil {
		b.Fatalf("%s: %v", name, err)
	}
	return kb / 1024
}

func write(b *testing.B, path, text string) {
	b.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
}
