package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/meter/device"
)

// dial is a meter that counts with time: 1 Wh a ms from the chain's start on,
// and a third of it backwards.
type dial struct {
	mu    sync.Mutex
	now   func() time.Time
	edit  func(*device.Snapshot)
	err   error
	shown []time.Time // by each read that gave something
}

func dialAt(at time.Time) device.Snapshot {
	ms := at.UnixMilli() - testkit.Start.UnixMilli()
	return device.Snapshot{ImportWh: ms, ExportWh: ms / 3, StepWh: 1, Quality: device.Measured, At: time.UnixMilli(at.UnixMilli())}
}

func (d *dial) Read(context.Context) (device.Snapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return device.Snapshot{}, d.err
	}
	s := dialAt(d.now())
	d.shown = append(d.shown, s.At)
	if d.edit != nil {
		d.edit(&s)
	}
	return s, nil
}

func (d *dial) be(change func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change()
}

// writeConfig writes a configuration of meters that the csv opener makes.
func writeConfig(t testing.TB, home string, nodes []string, extra string, meters ...string) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "chain_id: %s\nnodes: [%s]\npoll: 100ms\ninterval: 1s\n%smeters:\n", testkit.ChainID, strings.Join(nodes, ", "), extra)
	for _, m := range meters {
		fmt.Fprintf(&text, "  - {name: %s, source: csv, file: %s.csv, rating_w: 10000000}\n", m, m)
	}
	if len(meters) == 0 {
		text.WriteString("  []\n")
	}
	path := filepath.Join(home, "energymeter.yaml")
	must(t, os.WriteFile(path, []byte(text.String()), 0o600))
	return path
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// open opens a gateway whose csv meters are the dials.
func open(t testing.TB, home string, dials map[string]*dial) *Gateway {
	t.Helper()
	return openWith(t, home, func(m Meter) (device.Source, error) {
		if d := dials[m.Name]; d != nil {
			return d, nil
		}
		return nil, errors.New("no such dial")
	})
}

// openWith is open with sources of another kind.
func openWith(t testing.TB, home string, source Opener) *Gateway {
	t.Helper()
	g, err := New(Options{
		Home: home, ConfigFile: filepath.Join(home, "energymeter.yaml"), Key: testkit.NewKey("gateway"), Log: quiet, Now: clockOf(began),
		Open: map[string]Opener{"csv": source},
	})
	must(t, err)
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// run runs a gateway until the function that it returns is called.
func run(t testing.TB, g *Gateway) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.Run(ctx) }()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return ctx, stop
}

// eventually waits for something.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for begin := time.Now(); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatalf("after 30 s: not %s", what)
		}
	}
}

// follows demands sequences one after the other, each once.
func follows(t testing.TB, sequences []uint64) {
	t.Helper()
	for i, s := range sequences {
		if s != sequences[0]+uint64(i) {
			t.Fatalf("sequences %v, want each once and in order", sequences)
		}
	}
}

func newDials(members []*testkit.Member) (map[string]*dial, []string) {
	dials, names := make(map[string]*dial), []string(nil)
	for _, m := range members {
		dials[m.Meter] = &dial{now: clockOf(began)}
		names = append(names, m.Meter)
	}
	return dials, names
}

// TestRun: readings of two meters reach the chain as the meters show them; a
// node that goes away is passed over, and without any the readings wait.
func TestRun(t *testing.T) {
	n, home := newNode(t, 2), t.TempDir()
	dials, names := newDials(n.Members)
	writeConfig(t, home, []string{"tcp://127.0.0.1:1", n.URL}, "", names...)
	g := open(t, home, dials)
	_, stop := run(t, g)
	eventually(t, "two readings of each", func() bool { return len(n.sequences(names[0])) > 1 && len(n.sequences(names[1])) > 1 })
	n.With(func() { n.Down = true })
	eventually(t, "three that wait", func() bool { return g.spool.Pending() > 2 })
	n.With(func() { n.Down = false })
	eventually(t, "none that waits", func() bool { return g.spool.Pending() == 0 })
	stop()
	for _, name := range names {
		follows(t, n.sequences(name))
		for _, r := range n.state(name).Readings {
			if want := dialAt(time.UnixMilli(r.TimeMs)); r.ImportWh != want.ImportWh || r.ExportWh != want.ExportWh {
				t.Errorf("%s at %d: %d and %d on chain, want %d and %d", name, r.TimeMs, r.ImportWh, r.ExportWh, want.ImportWh, want.ExportWh)
			}
		}
	}
}

// strange is a dial on which the model can be asked for.
type strange struct {
	*dial
	is atomic.Bool
}

func (s *strange) Fits(context.Context) error {
	if s.is.Load() {
		return &device.QualityError{Quality: device.WrongDevice, Err: errors.New("another model")}
	}
	return nil
}

// TestAnotherModel: nothing is signed of a device that is not of its model, however
// well its numbers look.
func TestAnotherModel(t *testing.T) {
	source := &strange{dial: &dial{now: clockOf(began)}}
	source.is.Store(true)
	home := t.TempDir()
	writeConfig(t, home, []string{"tcp://127.0.0.1:1"}, "", "m")
	g := openWith(t, home, func(Meter) (device.Source, error) { return source, nil })
	run(t, g)
	eventually(t, "its problem", func() bool {
		h := g.Health()
		return len(h.Problems) == 1 && strings.Contains(h.Problems[0], "another model")
	})
	time.Sleep(1200 * time.Millisecond)
	if g.spool.Pending() != 0 {
		t.Error("a reading was signed")
	}
	source.is.Store(false)
	eventually(t, "a reading", func() bool { return g.spool.Pending() > 0 })
}

// TestNeverSigned: what is not measured is not signed, and the meter recovers
// with the next good poll.
func TestNeverSigned(t *testing.T) {
	for _, tc := range []struct {
		name string
		edit func(*device.Snapshot)
		err  error
	}{
		{name: "no answer", err: errors.New("time-out")},
		{name: "not a number", err: &device.QualityError{Quality: device.NotANumber, Err: errors.New("NaN")}},
		{name: "went back", edit: func(s *device.Snapshot) { s.ImportWh -= 1e9; s.ImportWh = max(s.ImportWh, 0) }},
		{name: "export went back", edit: func(s *device.Snapshot) { s.ExportWh = 0 }},
		{name: "jumped", edit: func(s *device.Snapshot) { s.ImportWh *= 1000 }},
		{name: "another device", edit: func(s *device.Snapshot) { s.Serial = "other" }},
		{name: "a clock that was never set", edit: func(s *device.Snapshot) { s.At = time.UnixMilli(5000) }},
		{name: "a time to come", edit: func(s *device.Snapshot) { s.At = s.At.Add(time.Minute) }},
		{name: "a clock that was set back", edit: func(s *device.Snapshot) { s.At = s.At.Add(-time.Hour) }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			home := t.TempDir()
			writeConfig(t, home, []string{"tcp://127.0.0.1:1"}, "", "m")
			d := &dial{now: clockOf(began)}
			g := open(t, home, map[string]*dial{"m": d})
			run(t, g)
			eventually(t, "a reading", func() bool { return g.spool.Pending() > 0 })
			d.be(func() { d.edit, d.err = tc.edit, tc.err })
			time.Sleep(250 * time.Millisecond)
			before := g.spool.Pending()
			time.Sleep(1200 * time.Millisecond)
			if now := g.spool.Pending(); now != before {
				t.Fatalf("%d readings were signed", now-before)
			}
			if h := g.Health(); h.OK || len(h.Problems) != 1 || !strings.Contains(h.Problems[0], "meter m") {
				t.Errorf("health %+v, want the meter's problem", h)
			}
			d.be(func() { d.edit, d.err = nil, nil })
			eventually(t, "another reading", func() bool { return g.spool.Pending() > before })
			var last *meteringv1.Reading
			entries, err := g.spool.Peek(100)
			must(t, err)
			for _, e := range entries {
				want := dialAt(time.UnixMilli(e.Reading.TimeMs))
				if e.Reading.ImportWh != want.ImportWh || e.Reading.ExportWh != want.ExportWh {
					t.Errorf("signed %v, the meter showed %d and %d", e.Reading, want.ImportWh, want.ExportWh)
				}
				if last != nil && (e.Reading.Sequence != last.Sequence+1 || e.Reading.TimeMs <= last.TimeMs) {
					t.Errorf("%v after %v", e.Reading, last)
				}
				last = e.Reading
			}
		})
	}
}

// TestSwap: a replaced meter is withheld until the chain knows of the swap.
func TestSwap(t *testing.T) {
	n, home := newNode(t, 1), t.TempDir()
	dials, names := newDials(n.Members)
	d := dials[names[0]]
	d.edit = func(s *device.Snapshot) { s.Serial = "old" }
	writeConfig(t, home, []string{n.URL}, "", names...)
	g := open(t, home, dials)
	ctx, _ := run(t, g)
	eventually(t, "a reading on chain", func() bool { return len(n.sequences(names[0])) > 0 })
	d.be(func() {
		d.edit = func(s *device.Snapshot) { s.ImportWh, s.ExportWh, s.Serial = s.ImportWh/10, s.ExportWh/10, "new" }
	})
	eventually(t, "the problem", func() bool { return g.state.quality(names[0]) == device.Replaced })
	eventually(t, "nothing that waits", func() bool { return g.spool.Pending() == 0 })
	before := len(n.sequences(names[0]))
	time.Sleep(1100 * time.Millisecond)
	must(t, g.look(ctx))
	time.Sleep(1100 * time.Millisecond)
	if got := len(n.sequences(names[0])); got != before || g.spool.Pending() > 0 {
		t.Fatalf("%d readings were signed without a swap", got-before)
	}
	at := n.Now()
	old := dialAt(at)
	var swap []byte
	n.Next()
	n.With(func() {
		swap = n.Chain.Propose(&meteringv1.MsgSwapMeter{
			Meter: names[0], TimeMs: at.UnixMilli(), FinalImportWh: old.ImportWh, FinalExportWh: old.ExportWh,
			InitialImportWh: old.ImportWh / 10, InitialExportWh: old.ExportWh / 10,
		})
	})
	n.Next(swap)
	must(t, g.look(ctx))
	eventually(t, "readings of the new device", func() bool { return len(n.sequences(names[0])) > before+1 })
	if refused := g.spool.Refused(); len(refused) > 0 {
		t.Errorf("refused: %v", refused)
	}
}

// TestReload: a meter is added and one removed; the third is polled on, and a
// broken configuration changes nothing.
func TestReload(t *testing.T) {
	home := t.TempDir()
	dials := map[string]*dial{"a": {now: clockOf(began)}, "b": {now: clockOf(began)}, "c": {now: clockOf(began)}}
	nodes := []string{"tcp://127.0.0.1:1"}
	writeConfig(t, home, nodes, "", "a", "b")
	g := open(t, home, dials)
	ctx, _ := run(t, g)
	eventually(t, "polls of both", func() bool { return g.state.quality("a") == device.Measured && g.state.quality("b") == device.Measured })
	kept := g.pollers["a"]
	writeConfig(t, home, nodes, "batch: 7\n", "a", "c")
	must(t, g.Reload(ctx))
	eventually(t, "polls of the new one", func() bool { return g.state.quality("c") == device.Measured })
	if g.pollers["a"] != kept || g.state.quality("b") != device.Unread || g.config().Batch != 7 {
		t.Errorf("kept %t, removed %v, batch %d", g.pollers["a"] == kept, g.state.quality("b"), g.config().Batch)
	}
	for _, tc := range []struct {
		name, extra string
		meters      []string
		says        string
	}{
		{"broken", "batch: x\n", []string{"a"}, ":5: batch: expected a whole number"},
		{"a meter that cannot be opened", "", []string{"a", "d"}, "no such dial"},
		{"what takes a restart", "listen: 127.0.0.1:0\n", []string{"a"}, "listen takes a restart"},
	} {
		writeConfig(t, home, nodes, tc.extra, tc.meters...)
		if err := g.Reload(ctx); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
		if len(g.running()) != 2 || g.config().Batch != 7 {
			t.Errorf("%s: %d meters run, batch %d", tc.name, len(g.running()), g.config().Batch)
		}
	}
}

// TestMetrics: what the gateway counts, and that its health has a status.
func TestMetrics(t *testing.T) {
	home := t.TempDir()
	writeConfig(t, home, []string{"tcp://127.0.0.1:1"}, "", "m")
	d := &dial{now: clockOf(began)}
	g := open(t, home, map[string]*dial{"m": d})
	run(t, g)
	eventually(t, "a reading", func() bool { return g.spool.Pending() > 0 })
	s := httptest.NewServer(g.Handler())
	defer s.Close()
	get := func(path string) (int, string) {
		answer, err := http.Get(s.URL + path)
		must(t, err)
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		must(t, err)
		return answer.StatusCode, string(body)
	}
	if code, body := get("/healthz"); code != 200 || !strings.Contains(body, `"ok":true`) {
		t.Errorf("healthz %d %s", code, body)
	}
	_, body := get("/metrics")
	for _, want := range []string{`energymeter_polls_total{meter="m",quality="measured"}`, "energymeter_readings_pending 1", "energymeter_readings_signed_total 1"} {
		if !strings.Contains(body, want) && !strings.Contains(body, strings.Replace(want, " 1", " 2", 1)) {
			t.Errorf("metrics lack %s:\n%s", want, body)
		}
	}
	d.be(func() { d.err = errors.New("no answer") })
	eventually(t, "ill", func() bool { code, _ := get("/healthz"); return code == 503 })
}

// TestPeriodLength: without an interval in the configuration it is the chain's.
func TestPeriodLength(t *testing.T) {
	n, home := newNode(t, 1), t.TempDir()
	path := writeConfig(t, home, []string{n.URL}, "")
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(data), "interval: 1s\n", "", 1)), 0o600))
	g := open(t, home, nil)
	if g.interval() != unknownInterval {
		t.Errorf("interval %v before the chain was asked", g.interval())
	}
	must(t, g.look(t.Context()))
	if g.interval() != testkit.Period {
		t.Errorf("interval %v, want %v", g.interval(), testkit.Period)
	}
}
