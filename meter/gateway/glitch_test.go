package gateway

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/device"
)

// TestGlitch: a value or a time that the chain refuses holds back nothing that
// follows, neither at once nor after a restart.
func TestGlitch(t *testing.T) {
	for _, tc := range []struct {
		name, code string
		edit       func(*device.Snapshot)
		ahead      time.Duration
		restart    bool
	}{
		{"a register far too high", "metering/implausible", func(s *device.Snapshot) { s.ImportWh += 1e9 }, 0, false},
		{"and a restart", "metering/implausible", func(s *device.Snapshot) { s.ImportWh += 1e9 }, 0, true},
		{"a clock that jumps", "metering/future_time", nil, time.Hour, false},
		{"and restart", "metering/future_time", nil, time.Hour, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			n, home := newNode(t, 1), t.TempDir()
			dials, names := newDials(n.Members)
			d, name := dials[names[0]], names[0]
			var ahead atomic.Int64
			d.now = func() time.Time { return clockOf(began)().Add(time.Duration(ahead.Load())) }
			path := writeConfig(t, home, []string{n.URL}, "", name)
			data, err := os.ReadFile(path)
			must(t, err)
			must(t, os.WriteFile(filepath.Clean(path), []byte(strings.Replace(string(data), ", rating_w: 10000000", "", 1)), 0o600))
			start := func() (*Gateway, func()) {
				g := open(t, home, dials)
				g.now = d.now
				_, stop := run(t, g)
				return g, stop
			}
			g, stop := start()
			eventually(t, "a reading on chain", func() bool { return len(n.sequences(name)) > 0 })
			d.be(func() { d.edit = tc.edit })
			ahead.Store(int64(tc.ahead))
			eventually(t, "a refusal", func() bool { return len(g.spool.Refused()) > 0 })
			if tc.restart {
				stop()
				must(t, g.Close())
			}
			d.be(func() { d.edit = nil })
			ahead.Store(0)
			if tc.restart {
				g, _ = start()
			}
			before := len(n.sequences(name))
			eventually(t, "readings again", func() bool { return len(n.sequences(name)) > before+1 })
			for _, r := range g.spool.Refused() {
				if r.Code != tc.code {
					t.Errorf("refused: %s, want %s", r.Code, tc.code)
				}
			}
			for _, r := range n.state(name).Readings {
				if want := dialAt(time.UnixMilli(r.TimeMs)); r.ImportWh != want.ImportWh {
					t.Errorf("at %d: %d Wh on chain, want %d", r.TimeMs, r.ImportWh, want.ImportWh)
				}
			}
		})
	}
}
