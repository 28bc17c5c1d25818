package gateway

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/meter/device"
)

// Variables that make the test binary a gateway: its home, and when the clock
// began, Unix ns.
const (
	childHome  = "ENERGYD_TEST_GATEWAY"
	childBegan = "ENERGYD_TEST_BEGAN"
)

func TestMain(m *testing.M) {
	if home := os.Getenv(childHome); home != "" {
		fmt.Fprintln(os.Stderr, child(home))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// child runs a gateway on dials until it is killed.
func child(home string) error {
	ns, err := strconv.ParseInt(os.Getenv(childBegan), 10, 64)
	if err != nil {
		return err
	}
	now := clockOf(time.Unix(0, ns))
	g, err := New(Options{
		Home: home, ConfigFile: filepath.Join(home, "energymeter.yaml"), Key: testkit.NewKey("gateway"), Log: quiet, Now: now,
		Open: map[string]Opener{"csv": func(Meter) (device.Source, error) { return &dial{now: now}, nil }},
	})
	if err != nil {
		return err
	}
	fmt.Println("running")
	return g.Run(context.Background())
}

// TestKill kills a gateway at random moments while the chain comes and goes:
// what the meters showed is on chain, each reading once and none lost.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute: make e2e")
	}
	rounds := 20
	if os.Getenv("ENERGYD_SLOW") != "" {
		rounds = 200
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	n, home := newNode(t, 3), t.TempDir()
	dials, names := newDials(n.Members)
	writeConfig(t, home, []string{"tcp://127.0.0.1:1", n.URL}, "batch: 4\n", names...)
	for round := range rounds {
		down, silent := random.IntN(4) == 0, random.IntN(4) == 0
		n.With(func() { n.Down, n.Silent = down, silent })
		killChild(t, home, time.Duration(200+random.IntN(1800))*time.Millisecond)
		if round%5 == 4 {
			t.Logf("round %d: %d readings on chain", round+1, len(n.sequences(names[0])))
		}
	}
	n.With(func() { n.Down, n.Silent = false, false })
	g := open(t, home, dials)
	_, stop := run(t, g)
	eventually(t, "a reading after the last kill", func() bool {
		last := g.spool.Last(names[0])
		return last != nil && n.Now().UnixMilli()-last.TimeMs < 1000
	})
	eventually(t, "nothing that waits", func() bool { return g.spool.Pending() == 0 })
	stop()
	if g.spool.Pending() != 0 {
		u := &uplink{Gateway: g}
		must(t, u.session(t.Context()))
	}
	for _, name := range names {
		exact(t, n, g, name)
	}
}

func killChild(t *testing.T, home string, after time.Duration) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childHome+"="+home, fmt.Sprintf("%s=%d", childBegan, began.UnixNano()))
	var words strings.Builder
	cmd.Stderr = &words
	must(t, cmd.Start())
	time.Sleep(after)
	must(t, cmd.Process.Kill())
	_ = cmd.Wait()
	if words.Len() > 0 {
		t.Fatalf("the gateway ended: %s", words.String())
	}
}

// exact demands that blocks hold every sequence of a meter once, with what the
// meter showed, and that the energy of the closed periods adds up to its
// registers.
func exact(t *testing.T, n *node, g *Gateway, meter string) {
	t.Helper()
	follows(t, n.sequences(meter))
	last := g.spool.Last(meter)
	if got := n.sequences(meter); len(got) < 10 || got[len(got)-1] != last.Sequence {
		t.Errorf("%s: blocks hold %d readings, the last is not the last that was signed", meter, len(got))
	}
	if refused := g.spool.Refused(); len(refused) > 0 {
		t.Errorf("refused: %v", refused)
	}
	var previous int64
	for _, accepted := range n.accepted() {
		if accepted.Meter != meter {
			continue
		}
		want := dialAt(time.UnixMilli(accepted.TimeMs))
		if accepted.ImportWh != want.ImportWh || accepted.ExportWh != want.ExportWh {
			t.Errorf("%s at %d: blocks hold %d and %d, the meter showed %d and %d", meter, accepted.TimeMs, accepted.ImportWh, accepted.ExportWh, want.ImportWh, want.ExportWh)
		}
		if accepted.TimeMs <= previous {
			t.Errorf("%s: a reading at %d after one at %d", meter, accepted.TimeMs, previous)
		}
		previous = accepted.TimeMs
	}
	state := n.state(meter).State
	if state.LastSequence != last.Sequence || state.LastTimeMs != last.TimeMs {
		t.Errorf("%s: the chain's last reading is %d at %d, the gateway's %d at %d", meter, state.LastSequence, state.LastTimeMs, last.Sequence, last.TimeMs)
	}
	// Import is linear in time, so even an interpolated boundary is exact.
	if want := dialAt(time.UnixMilli(state.FixedUntil)); state.ImportWh != want.ImportWh || state.FixedUntil == 0 {
		t.Errorf("%s: register at the boundary %d is %d on chain, want %d", meter, state.FixedUntil, state.ImportWh, want.ImportWh)
	}
}
