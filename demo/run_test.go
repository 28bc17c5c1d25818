package demo

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The whole demo on four processes, with line losses, and one validator killed
// as kill -9 does while it trades: everything still adds up, every period is
// settled, and the meters' values are those of the scenario.
func TestRunSurvivesKilledValidator(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: starts four processes; make e2e runs it")
	}
	binary := filepath.Join(t.TempDir(), "energyd")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/energyd").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out := new(transcript)
	o := Options{
		Binary: binary, Dir: filepath.Join(t.TempDir(), "net"), Validators: 4, Periods: 6, PeriodLength: 3 * time.Second,
		LossPPMPerKm: 100_000, Seed: 7, Out: out,
	}
	killed := false
	o.Progress = func(done, _ int, what string) {
		if what == "trading" && done == 2 && !killed {
			killed = true
			if err := syscall.Kill(out.process(t, "node1"), syscall.SIGKILL); err != nil {
				t.Errorf("kill: %v", err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	report, err := Run(ctx, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !killed {
		t.Fatal("no validator was killed: the test shows nothing")
	}
	if broken := report.Check(); len(broken) > 0 {
		t.Errorf("laws broken: %v\n%s", broken, out)
	}
	if len(report.Periods) != o.Periods || report.Totals.SoldWh == 0 || report.Totals.LossWh == 0 {
		t.Errorf("got %d periods, %d Wh sold, %d Wh lost", len(report.Periods), report.Totals.SoldWh, report.Totals.LossWh)
	}
	if len(report.AppHashes) != o.Validators {
		t.Errorf("got app hashes of %d nodes, want %d", len(report.AppHashes), o.Validators)
	}
	checkMeters(t, o, report)
}

// A run without a market: members deliver by contracts, with losses, and the
// rest is the grid's.
func TestRunMatrix(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: starts a process; make e2e runs it")
	}
	binary := filepath.Join(t.TempDir(), "energyd")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/energyd").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out := new(transcript)
	o := Options{
		Binary: binary, Dir: filepath.Join(t.TempDir(), "net"), Validators: 1, Periods: 3, PeriodLength: 3 * time.Second,
		LossPPMPerKm: 300_000, Seed: 7, Mechanism: Matrix, Out: out,
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	report, err := Run(ctx, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if broken := report.Check(); len(broken) > 0 {
		t.Errorf("laws broken: %v\n%s", broken, out)
	}
	if sums := report.Totals; sums.Orders != 0 || sums.SoldWh == 0 || sums.LossWh == 0 || sums.MatchedWh != sums.SoldWh {
		t.Errorf("got %d orders, %d Wh sold of %d, %d Wh lost", sums.Orders, sums.SoldWh, sums.MatchedWh, sums.LossWh)
	}
	checkMeters(t, o, report)
}

// The outage of every node, told by its story: its laws hold on four processes
// that were stopped and started again.
func TestRunOutage(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: starts four processes; make e2e runs it")
	}
	binary := filepath.Join(t.TempDir(), "energyd")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/energyd").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out := new(transcript)
	o := Options{
		Binary: binary, Dir: filepath.Join(t.TempDir(), "net"), Validators: 4, PeriodLength: 3 * time.Second,
		LossPPMPerKm: 10_000, Seed: 1, Story: "outage", Out: out,
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	report, err := Run(ctx, o)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if broken := report.Check(); len(broken) > 0 {
		t.Errorf("laws broken: %v\n%s", broken, out)
	}
	if report.Story == nil || len(report.Story.Laws) != 7 || report.MissedGates == 0 || len(report.AppHashes) != 4 {
		t.Errorf("got %+v, %d missed gates, app hashes of %d nodes", report.Story, report.MissedGates, len(report.AppHashes))
	}
}

// checkMeters compares what was settled with the scenario's meters.
func checkMeters(t *testing.T, o Options, report *Report) {
	t.Helper()
	market, _, first, err := prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range report.Periods {
		for n, row := range p.Members {
			imported, exported := market.Meter(n, first+i)
			if row.ImportWh != imported || row.ExportWh != exported {
				t.Errorf("period %d, %s: settled %d and %d Wh, measured %d and %d", i, row.Member, row.ImportWh, row.ExportWh, imported, exported)
			}
		}
	}
}

// transcript collects what a run prints.
type transcript struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *transcript) Write(data []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(data)
}

func (w *transcript) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// process finds a node's process in what the run printed.
func (w *transcript) process(t *testing.T, node string) int {
	t.Helper()
	found := regexp.MustCompile(node + `: process (\d+)`).FindStringSubmatch(w.String())
	if found == nil {
		t.Fatalf("no process of %s in:\n%s", node, w)
	}
	pid, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func TestPrepareRefusals(t *testing.T) {
	generated := Generate(0, generatedMembers, generatedDays)
	for _, tc := range []struct {
		o    Options
		want string
	}{
		{Options{Periods: 0}, "periods: expected at least 1"},
		{Options{Periods: 1, Start: "noon"}, "start: local time: expected the start of an interval"},
		{Options{Periods: 1, Start: generated.LocalTime(0)}, "start: expected a time on or after " + generated.LocalTime(96)},
		{Options{Periods: 1, Start: generated.LocalTime(95)}, "start: expected a time on or after " + generated.LocalTime(96)},
		{Options{Periods: 1, Start: generated.LocalTime(96)}, ""},
		{Options{Periods: 1_000_000}, "periods: expected at most"},
		{Options{Periods: 1, Data: "no-such-folder"}, "no-such-folder"},
		{Options{Periods: 9, Story: "flood"}, `scenario: expected outage, late-data, short-of-coins, deviation, got "flood"`},
		{Options{Periods: 6, Story: "outage"}, "periods: expected at least 7, which outage takes, got 6"},
		{Options{Periods: 7, Story: "outage", Mechanism: Matrix}, "mechanism: expected one that clears orders, which outage is about, got matrix"},
		{Options{Periods: 9, Story: "short-of-coins", Start: generated.LocalTime(96)}, "start: expected a time with households that short-of-coins can be told of"},
		{Options{Periods: 8, Story: "deviation"}, ""},
	} {
		_, _, _, err := prepare(tc.o)
		if tc.want == "" {
			if err != nil {
				t.Errorf("%+v: %v", tc.o, err)
			}
			continue
		}
		if err == nil || !bytes.Contains([]byte(err.Error()), []byte(tc.want)) {
			t.Errorf("%+v: got %v, want %q", tc.o, err, tc.want)
		}
	}
}
