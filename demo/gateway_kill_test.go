package demo

import (
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/meter/gateway"
	"github.com/energyd/energyd/meter/simulate"
	"github.com/energyd/energyd/meter/spool"
	"github.com/energyd/energyd/testnet"
)

// counter is a simulated meter that counts until it is stopped.
type counter struct {
	beganMs int64
	stopMs  atomic.Int64 // 0 while it counts
}

// at is what the meter shows at a time.
func (c *counter) at(ms int64) simulate.State {
	if stop := c.stopMs.Load(); stop > 0 {
		ms = min(ms, stop)
	}
	passed := max(0, ms-c.beganMs)
	return simulate.State{ImportWh: 1_000_000 + passed*20/1000, ExportWh: 500_000 + passed*5/1000, PowerW: 54_000}
}

// TestGatewayKilled kills an energymeter process at random moments while it reads
// meters over Modbus and sends to a network of real nodes: what the meters
// counted is on chain to the Wh, each reading once and none lost.
func TestGatewayKilled(t *testing.T) {
	rounds, validators := 8, 4
	if os.Getenv("ENERGYD_SLOW") != "" {
		rounds, validators = 200, 1
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d rounds, validators: %d", seed, rounds, validators)
	random := rand.New(rand.NewPCG(seed, 1))
	d := neighbourhood(t, Options{
		Validators: validators, Periods: 1, PeriodLength: 2 * time.Second, Seed: 3, Mechanism: Matrix, Meters: ModbusMeters,
	}, Generate(3, 4, 2), nil)
	c := &counter{beganMs: time.Now().UnixMilli()}
	home, sidecar := gatewayOf(t, d, c)
	for range rounds {
		if err := sidecar.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(50+random.IntN(1950)) * time.Millisecond)
		if sidecar.PID() == 0 {
			t.Fatalf("the gateway ended by itself: %s", sidecar.LastWords())
		}
		if err := sidecar.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	if err := sidecar.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(500 * time.Millisecond)
	c.stopMs.Store(time.Now().UnixMilli())
	length := d.options.PeriodLength.Milliseconds()
	settled(t, d, c.stopMs.Load()+length)
	emptied(t, d, sidecar, home)
	events := happened(t, d)
	for _, m := range d.members {
		if m.gateway == 0 {
			exact(t, d, events, m, c, home)
		}
	}
	lawful(t, d)
}

// gatewayOf makes a sidecar that reads meters of one kind for all members of the
// first gateway.
func gatewayOf(t *testing.T, d *driver, c *counter) (home string, sidecar *testnet.Sidecar) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	units := make(map[byte]simulate.Unit)
	home = filepath.Join(t.TempDir(), "gateway")
	o := testnet.SidecarOptions{
		Name: "gateway0", Binary: d.options.Energymeter, Home: home, Key: d.gateways[0], ChainID: d.sender.ChainID,
		Nodes: d.network.Addresses(), Poll: 200 * time.Millisecond, Interval: time.Second,
	}
	for n, m := range d.members {
		if m.gateway != 0 {
			continue
		}
		model := simulate.Models[n%len(simulate.Models)]
		unit := byte(len(units) + 1)
		units[unit], err = simulate.NewMeter(model, m.Name, func() simulate.State { return c.at(time.Now().UnixMilli()) })
		if err != nil {
			t.Fatal(err)
		}
		o.Meters = append(o.Meters, testnet.SidecarMeter{Name: m.meter, URL: "tcp://" + listener.Addr().String(), Unit: int(unit), Model: model})
	}
	go func() { _ = simulate.Serve(listener, units) }() // ends with the listener
	if sidecar, err = testnet.NewSidecar(o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sidecar.Stop() })
	return home, sidecar
}

// settled waits until each meter of the first gateway has a boundary at or after
// a time, and its account's statements up to it.
func settled(t *testing.T, d *driver, atMs int64) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; {
		waiting := 0
		for _, m := range d.members {
			state := new(meteringv1.QueryMeterStateResponse)
			_, err := d.sender.Query(t.Context(), &meteringv1.QueryMeterStateRequest{Meter: m.meter}, state, 0)
			if m.gateway == 0 && (err != nil || state.State.FixedUntil < atMs) {
				waiting++
			}
		}
		if err := d.nextBlock(t.Context()); err != nil {
			t.Fatal(err)
		}
		if waiting == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d meters wait for their boundary", waiting)
		}
	}
	// The node that answered may be ahead of the blocks that were seen.
	for range 3 {
		if err := d.nextBlock(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// emptied stops the gateway at a moment when nothing waits in its spool.
func emptied(t *testing.T, d *driver, sidecar *testnet.Sidecar, home string) {
	t.Helper()
	for range 100 { // blocks
		waiting, err := sidecar.Count(t.Context(), "energymeter_readings_pending")
		if err == nil && waiting == 0 {
			if err := sidecar.Stop(); err != nil {
				t.Fatal(err)
			}
			status, _, err := spool.Inspect(gateway.SpoolDir(home))
			if err != nil {
				t.Fatal(err)
			}
			if status.Pending == 0 {
				return
			}
			// One was signed just then.
			if err := sidecar.Start(); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.nextBlock(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatal("readings wait in the spool")
}

// answering is how long before a reading's time, that of its answer, the meter may
// have been asked.
const answering = 3 * time.Second

// exact demands that blocks hold every sequence of a meter once up to the last
// that was signed, each with what the meter showed, that the latest boundary has
// the registers at which the meter stopped, and that the statements add up to
// what it counted between its first boundary and that.
func exact(t *testing.T, d *driver, events []proto.Message, m *member, c *counter, home string) {
	t.Helper()
	kept, err := spool.Open(gateway.SpoolDir(home), spool.Options{MaxBytes: spool.DefaultMaxBytes})
	if err != nil {
		t.Fatal(err)
	}
	pending, refused, signed := kept.Pending(), kept.Refused(), kept.Last(m.meter)
	if err := kept.Close(); err != nil {
		t.Fatal(err)
	}
	if pending > 0 || len(refused) > 0 || signed == nil {
		t.Fatalf("%s: %d readings wait, %d refused, last signed %v", m.meter, pending, len(refused), signed)
	}
	var readings []*meteringv1.ReadingAccepted
	var boundaries []*meteringv1.BoundaryFixed
	var importWh, exportWh int64
	address := m.address()
	for _, event := range events {
		switch e := event.(type) {
		case *meteringv1.ReadingAccepted:
			if e.Meter == m.meter {
				readings = append(readings, e)
			}
		case *meteringv1.BoundaryFixed:
			if e.Meter == m.meter {
				boundaries = append(boundaries, e)
			}
		case *settlementv1.StatementMade:
			if string(e.Statement.Account) == string(address[:]) && !e.Statement.Missing {
				importWh, exportWh = importWh+e.Statement.ImportWh, exportWh+e.Statement.ExportWh
			}
		}
	}
	for i, r := range readings {
		if i > 0 && (r.Sequence != readings[i-1].Sequence+1 || r.TimeMs <= readings[i-1].TimeMs) {
			t.Errorf("%s: sequence %d at %d follows %d at %d", m.meter, r.Sequence, r.TimeMs, readings[i-1].Sequence, readings[i-1].TimeMs)
		}
		low, high := c.at(r.TimeMs-answering.Milliseconds()), c.at(r.TimeMs)
		if r.ImportWh < low.ImportWh || r.ImportWh > high.ImportWh || r.ExportWh < low.ExportWh || r.ExportWh > high.ExportWh {
			t.Errorf("%s at %d: blocks hold %d and %d, the meter showed %+v to %+v", m.meter, r.TimeMs, r.ImportWh, r.ExportWh, low, high)
		}
	}
	if len(readings) == 0 || len(boundaries) < 2 {
		t.Fatalf("%s: %d readings, %d boundaries", m.meter, len(readings), len(boundaries))
	}
	if last := readings[len(readings)-1].Sequence; last != signed.Sequence {
		t.Errorf("%s: %d was the last that was signed, blocks end with %d", m.meter, signed.Sequence, last)
	}
	first, last, stopped := boundaries[0], boundaries[len(boundaries)-1], c.at(c.stopMs.Load())
	if last.ImportWh != stopped.ImportWh || last.ExportWh != stopped.ExportWh {
		t.Errorf("%s: registers on chain %d and %d, the meter stopped at %+v", m.meter, last.ImportWh, last.ExportWh, stopped)
	}
	if importWh != last.ImportWh-first.ImportWh || exportWh != last.ExportWh-first.ExportWh {
		t.Errorf("%s: statements of %d and %d Wh, between the boundaries it counted %d and %d", m.meter, importWh, exportWh, last.ImportWh-first.ImportWh, last.ExportWh-first.ExportWh)
	}
	t.Logf("%s: %d readings, %d periods, %d Wh imported and %d exported", m.meter, len(readings), len(boundaries)-1, importWh, exportWh)
}
