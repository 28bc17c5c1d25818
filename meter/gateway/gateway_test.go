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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/energyd/energyd/app"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/spool"
	"github.com/energyd/energyd/module"
)

// dial is a meter that counts with time: 1 Wh a ms from the chain's start on,
// and a third of it backwards.
type dial struct {
	mu    sync.Mutex
	now   func() time.Time
	edit  func(*device.Snapshot)
	err   error
	reads int
}

func dialAt(at time.Time) device.Snapshot {
	ms := at.UnixMilli() - testkit.Start.UnixMilli()
	return device.Snapshot{ImportWh: ms, ExportWh: ms / 3, StepWh: 1, Quality: device.Measured, At: time.UnixMilli(at.UnixMilli())}
}

func (d *dial) Read(context.Context) (device.Snapshot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reads++
	if d.err != nil {
		return device.Snapshot{}, d.err
	}
	s := dialAt(d.now())
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
	g, err := New(Options{
		Home: home, ConfigFile: filepath.Join(home, "energymeter.yaml"), Key: testkit.NewKey("gateway"), Log: quiet, Now: clockOf(began),
		Open: map[string]Opener{"csv": func(m Meter) (device.Source, error) {
			if d := dials[m.Name]; d != nil {
				return d, nil
			}
			return nil, errors.New("no such dial")
		}},
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
	dials, names := newDials(n.members)
	writeConfig(t, home, []string{"tcp://127.0.0.1:1", n.url}, "", names...)
	g := open(t, home, dials)
	_, stop := run(t, g)
	eventually(t, "two readings of each", func() bool { return len(n.sequences(names[0])) > 1 && len(n.sequences(names[1])) > 1 })
	n.be(func() { n.down = true })
	eventually(t, "three that wait", func() bool { return g.spool.Pending() > 2 })
	n.be(func() { n.down = false })
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
	dials, names := newDials(n.members)
	d := dials[names[0]]
	d.edit = func(s *device.Snapshot) { s.Serial = "old" }
	writeConfig(t, home, []string{n.url}, "", names...)
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
	n.be(func() {
		at := n.now()
		old := dialAt(at)
		n.produce()
		n.produce(n.chain.Propose(&meteringv1.MsgSwapMeter{
			Meter: names[0], TimeMs: at.UnixMilli(), FinalImportWh: old.ImportWh, FinalExportWh: old.ExportWh,
			InitialImportWh: old.ImportWh / 10, InitialExportWh: old.ExportWh / 10,
		}))
	})
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
	path := writeConfig(t, home, []string{n.url}, "")
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

// sendAll fills the spool with readings signed as a gateway would, but for
// what edit does to them, and sends them.
func sendAll(t *testing.T, n *node, g *Gateway, readings []*meteringv1.Reading) *uplink {
	t.Helper()
	for _, r := range readings {
		must(t, g.key.SignReading(testkit.ChainID, r))
		must(t, g.spool.Append(r))
	}
	return &uplink{Gateway: g, pauses: backoff{first: firstPause, longest: longestPause}, retry: backoff{first: firstRetry, longest: longestRetry}}
}

// TestPoisoned: whichever readings of a batch the chain refuses, they are set
// aside with their codes, and all others are on chain, in order.
func TestPoisoned(t *testing.T) {
	for _, tc := range []struct {
		name string
		bad  map[int]string // place: kind
	}{
		{"none", nil},
		{"first", map[int]string{0: "metering/register_back"}},
		{"last", map[int]string{11: "metering/implausible"}},
		{"some", map[int]string{3: "metering/unknown_meter", 4: "metering/future_time", 9: "metering/invalid_field"}},
		{"all", map[int]string{0: "metering/unknown_meter", 1: "metering/unknown_meter", 2: "metering/unknown_meter", 3: "metering/unknown_meter",
			4: "metering/unknown_meter", 5: "metering/unknown_meter", 6: "metering/unknown_meter", 7: "metering/unknown_meter",
			8: "metering/unknown_meter", 9: "metering/unknown_meter", 10: "metering/unknown_meter", 11: "metering/unknown_meter"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, home := newNode(t, 1), t.TempDir()
			meter := n.members[0].Meter
			writeConfig(t, home, []string{n.url}, "")
			g := open(t, home, nil)
			startMs := testkit.Start.UnixMilli()
			readings := []*meteringv1.Reading{{Meter: meter, Sequence: 1, TimeMs: startMs + 10, ImportWh: 1000, Quality: meteringv1.Quality_QUALITY_MEASURED}}
			want := []uint64{1}
			for i := range 12 {
				r := &meteringv1.Reading{
					Meter: meter, Sequence: uint64(i + 2), TimeMs: startMs + 20 + int64(i), ImportWh: 1001 + int64(i), Quality: meteringv1.Quality_QUALITY_MEASURED,
				}
				switch tc.bad[i] {
				case "":
					want = append(want, r.Sequence)
				case "metering/register_back":
					r.ImportWh = 5
				case "metering/implausible":
					r.ImportWh = 1e9
				case "metering/unknown_meter":
					r.Meter = "stranger"
				case "metering/future_time":
					r.TimeMs += 1e9
				case "metering/invalid_field":
					r.ImportWh = -1
				}
				readings = append(readings, r)
			}
			u := sendAll(t, n, g, readings)
			must(t, u.session(t.Context()))
			if got := n.sequences(meter); !slices.Equal(got, want) {
				t.Errorf("on chain %v, want %v", got, want)
			}
			refused := g.spool.Refused()
			if g.spool.Pending() != 0 || len(refused) != len(tc.bad) {
				t.Errorf("%d wait, refused %v, want %v", g.spool.Pending(), refused, tc.bad)
			}
			for _, r := range refused {
				if i := int(r.Reading.Sequence) - 2; tc.bad[i] != r.Code || !strings.Contains(r.Reason, r.Code) {
					t.Errorf("reading %d: %s (%s), want %s", i, r.Code, r.Reason, tc.bad[i])
				}
			}
		})
	}
}

// TestCodes: the numbers mean what the chain means by them.
func TestCodes(t *testing.T) {
	declared := make(map[string]string)
	for _, e := range module.Declared() {
		declared[fmt.Sprintf("%s/%d", e.Codespace, e.Code)] = e.Name
	}
	for code, name := range meteringCodes {
		if got := declared[fmt.Sprintf("metering/%d", code)]; got != name {
			t.Errorf("metering/%d is %q, want %q", code, got, name)
		}
	}
	if declared[fmt.Sprintf("app/%d", codePanic)] != "panic" || declared[fmt.Sprintf("app/%d", codeTooLarge)] != "too_large" {
		t.Error("the application's codes differ")
	}
}

// TestDivide: without a place in the words, or with a wrong one, nothing is
// lost.
func TestDivide(t *testing.T) {
	for _, tc := range []struct {
		log  string
		want string
	}{
		{"metering/too_late: readings[2] of meter", "[[0 1] [2] [3 4]]"},
		{"metering/too_late: readings[0]: x", "[[0] [1 2 3 4]]"},
		{"metering/too_late: readings[4]: x", "[[0 1 2 3] [4]]"},
		{"metering/too_late: readings[9]: x", "[[0 1] [2 3 4]]"},
		{"app/panic", "[[0 1] [2 3 4]]"},
	} {
		entries := entriesOf(5)
		var got [][]uint64
		for _, part := range divide(entries, tc.log) {
			var indices []uint64
			for _, e := range part {
				indices = append(indices, e.Index)
			}
			got = append(got, indices)
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%s: %v, want %s", tc.log, got, tc.want)
		}
	}
}

// TestNotTheReadingsFault: refusals of the gateway keep all readings waiting.
func TestNotTheReadingsFault(t *testing.T) {
	for _, tc := range []struct {
		name string
		hurt func(n *node, g *Gateway)
		says string
	}{
		{"another chain", func(n *node, _ *Gateway) { n.foreign = true }, `chain "another-chain"`},
		{"a node that is behind", func(n *node, _ *Gateway) { n.syncing = true }, "syncing"},
		{"no node", func(n *node, _ *Gateway) { n.down = true }, "no node answers"},
		{"a key nobody knows", func(_ *node, g *Gateway) { g.key = testkit.NewKey("stranger") }, "app/unknown_key"},
		{"a key without the role", func(n *node, g *Gateway) { g.key = n.members[0].Key }, "app/wrong_role"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, home := newNode(t, 1), t.TempDir()
			writeConfig(t, home, []string{n.url}, "")
			g := open(t, home, nil)
			n.be(func() { tc.hurt(n, g) })
			u := sendAll(t, n, g, []*meteringv1.Reading{{
				Meter: n.members[0].Meter, Sequence: 1, TimeMs: testkit.Start.UnixMilli() + 10, ImportWh: 1, Quality: meteringv1.Quality_QUALITY_MEASURED,
			}})
			if err := u.session(t.Context()); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
			if g.spool.Pending() != 1 || len(g.spool.Refused()) != 0 {
				t.Errorf("%d wait, %d refused, want the reading to wait", g.spool.Pending(), len(g.spool.Refused()))
			}
		})
	}
}

// TestTooLarge: where an envelope of a whole batch is too large for the chain,
// smaller ones are sent.
func TestTooLarge(t *testing.T) {
	n, home := newNode(t, 1, func(g *app.Genesis) { g.Registry.Params[0].Params.MaxTxBytes = 4096 }), t.TempDir()
	writeConfig(t, home, []string{n.url}, "")
	g := open(t, home, nil)
	var readings []*meteringv1.Reading
	for i := range int64(60) {
		readings = append(readings, &meteringv1.Reading{
			Meter: n.members[0].Meter, Sequence: uint64(i + 1), TimeMs: testkit.Start.UnixMilli() + 10 + i, ImportWh: i, Quality: meteringv1.Quality_QUALITY_MEASURED,
		})
	}
	u := sendAll(t, n, g, readings)
	must(t, u.session(t.Context()))
	got := n.sequences(n.members[0].Meter)
	follows(t, got)
	if len(got) != 60 || g.spool.Pending() != 0 {
		t.Errorf("%d on chain, %d wait", len(got), g.spool.Pending())
	}
}

// TestRetry: what was refused as of the future is tried again and accepted.
func TestRetry(t *testing.T) {
	n, home := newNode(t, 1), t.TempDir()
	writeConfig(t, home, []string{n.url}, "")
	g := open(t, home, nil)
	u := sendAll(t, n, g, []*meteringv1.Reading{{
		Meter: n.members[0].Meter, Sequence: 1, TimeMs: n.now().UnixMilli() + 40_000, ImportWh: 1, Quality: meteringv1.Quality_QUALITY_MEASURED,
	}})
	must(t, u.session(t.Context()))
	if len(g.spool.Refused()) != 1 {
		t.Fatalf("refused %v, want the reading of the future", g.spool.Refused())
	}
	n.be(func() { n.now = func() time.Time { return clockOf(began)().Add(time.Minute) } })
	u.retryRefused()
	must(t, u.session(t.Context()))
	if got := n.sequences(n.members[0].Meter); len(got) != 1 || len(g.spool.Refused()) != 0 {
		t.Errorf("on chain %v, refused %v", got, g.spool.Refused())
	}
}

// TestBackoff: pauses grow to their limit and differ.
func TestBackoff(t *testing.T) {
	b := backoff{first: time.Second, longest: 30 * time.Second}
	for i := range 20 {
		full := min(time.Second<<i, 30*time.Second)
		if i > 5 {
			full = 30 * time.Second
		}
		if got := b.after(); got < full/2 || got > full {
			t.Errorf("pause %d is %v, want %v to %v", i, got, full/2, full)
		}
	}
	b.reset()
	if got := b.after(); got > time.Second {
		t.Errorf("%v after a success", got)
	}
}
func entriesOf(n int) []spool.Entry {
	entries := make([]spool.Entry, n)
	for i := range entries {
		entries[i].Index = uint64(i)
	}
	return entries
}
