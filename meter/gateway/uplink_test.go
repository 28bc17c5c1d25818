package gateway

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/app"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/meter/spool"
	"github.com/energyd/energyd/module"
)

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
		{"all", map[int]string{
			0: "metering/unknown_meter", 1: "metering/unknown_meter", 2: "metering/unknown_meter", 3: "metering/unknown_meter",
			4: "metering/unknown_meter", 5: "metering/unknown_meter", 6: "metering/unknown_meter", 7: "metering/unknown_meter",
			8: "metering/unknown_meter", 9: "metering/unknown_meter", 10: "metering/unknown_meter", 11: "metering/unknown_meter",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, home := newNode(t, 1), t.TempDir()
			meter := n.Members[0].Meter
			writeConfig(t, home, []string{n.URL}, "")
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
		{"another chain", func(n *node, _ *Gateway) { n.Foreign = true }, `chain "another-chain"`},
		{"a node that is behind", func(n *node, _ *Gateway) { n.Syncing = true }, "syncing"},
		{"no node", func(n *node, _ *Gateway) { n.Down = true }, "no node answers"},
		{"a key nobody knows", func(_ *node, g *Gateway) { g.key = testkit.NewKey("stranger") }, "app/unknown_key"},
		{"a key without the role", func(n *node, g *Gateway) { g.key = n.Members[0].Key }, "app/wrong_role"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			n, home := newNode(t, 1), t.TempDir()
			writeConfig(t, home, []string{n.URL}, "")
			g := open(t, home, nil)
			n.With(func() { tc.hurt(n, g) })
			u := sendAll(t, n, g, []*meteringv1.Reading{{
				Meter: n.Members[0].Meter, Sequence: 1, TimeMs: testkit.Start.UnixMilli() + 10, ImportWh: 1, Quality: meteringv1.Quality_QUALITY_MEASURED,
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
	writeConfig(t, home, []string{n.URL}, "")
	g := open(t, home, nil)
	var readings []*meteringv1.Reading
	for i := range int64(60) {
		readings = append(readings, &meteringv1.Reading{
			Meter: n.Members[0].Meter, Sequence: uint64(i + 1), TimeMs: testkit.Start.UnixMilli() + 10 + i, ImportWh: i, Quality: meteringv1.Quality_QUALITY_MEASURED,
		})
	}
	u := sendAll(t, n, g, readings)
	must(t, u.session(t.Context()))
	got := n.sequences(n.Members[0].Meter)
	follows(t, got)
	if len(got) != 60 || g.spool.Pending() != 0 {
		t.Errorf("%d on chain, %d wait", len(got), g.spool.Pending())
	}
}

// TestRetry: what was refused as of the future is tried again and accepted.
func TestRetry(t *testing.T) {
	n, home := newNode(t, 1), t.TempDir()
	writeConfig(t, home, []string{n.URL}, "")
	g := open(t, home, nil)
	u := sendAll(t, n, g, []*meteringv1.Reading{{
		Meter: n.Members[0].Meter, Sequence: 1, TimeMs: n.Now().UnixMilli() + 40_000, ImportWh: 1, Quality: meteringv1.Quality_QUALITY_MEASURED,
	}})
	must(t, u.session(t.Context()))
	if len(g.spool.Refused()) != 1 {
		t.Fatalf("refused %v, want the reading of the future", g.spool.Refused())
	}
	n.With(func() { n.Now = func() time.Time { return clockOf(began)().Add(time.Minute) } })
	u.retryRefused()
	must(t, u.session(t.Context()))
	if got := n.sequences(n.Members[0].Meter); len(got) != 1 || len(g.spool.Refused()) != 0 {
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
