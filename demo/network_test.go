package demo

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
)

// built is the folder of the programs that the tests run; TestMain removes it.
var built string

// build builds the real programs once for all tests.
var build = sync.OnceValue(func() error {
	dir, err := os.MkdirTemp("", "energyd-")
	if err != nil {
		return err
	}
	built = dir
	for _, program := range []string{"energyd", "energymeter"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, program), "../cmd/"+program).CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", program, err, out)
		}
	}
	return nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built) // only a copy of what make build makes
	}
	os.Exit(code)
}

// programs returns options with the programs, and skips the test where only
// quick ones run.
func programs(t *testing.T, o Options) Options {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIPPED: starts a network of processes; make e2e runs it")
	}
	if err := build(); err != nil {
		t.Fatal(err)
	}
	o.Binary, o.Energymeter = filepath.Join(built, "energyd"), filepath.Join(built, "energymeter")
	if o.Dir == "" {
		o.Dir = filepath.Join(t.TempDir(), "net")
	}
	return o
}

// neighbourhood starts a network with a scenario's members registered and
// nothing else going on. Everything ends with the test.
func neighbourhood(t *testing.T, o Options, scenario *Scenario, params map[string]int64) *driver {
	t.Helper()
	o = programs(t, o)
	if o.Out == nil {
		o.Out = new(transcript)
	}
	market, err := NewMarket(scenario, DefaultTariff, o.Seed)
	if err != nil {
		t.Fatal(err)
	}
	manifest := o.manifest(nil)
	for name, value := range params {
		manifest.Params[name] = value
	}
	network, err := o.network(t.Context(), manifest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := network.Stop(); err != nil {
			t.Error(err)
		}
	})
	d, stop, err := newDriver(t.Context(), o, market, nil, scenario.firstForecast(), network)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	if err := d.register(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// happened returns the events of all blocks, in order.
func happened(t *testing.T, d *driver) (found []proto.Message) {
	t.Helper()
	for height := int64(2); height <= d.sender.Head(); height++ {
		block, err := d.sender.Block(t.Context(), height)
		if err != nil {
			t.Fatal(err)
		}
		events, err := block.AllEvents()
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, events...)
	}
	return found
}

// lawful demands that no invariant is broken.
func lawful(t *testing.T, d *driver) {
	t.Helper()
	laws := new(txv1.QueryInvariantsResponse)
	if _, err := d.sender.Query(t.Context(), &txv1.QueryInvariantsRequest{}, laws, 0); err != nil {
		t.Fatal(err)
	}
	if len(laws.Invariants) == 0 {
		t.Error("no invariant was checked")
	}
	for _, law := range laws.Invariants {
		if law.Broken != "" {
			t.Errorf("invariant %s: %s", law.Name, law.Broken)
		}
	}
}
