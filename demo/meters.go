package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/meter/simulate"
	"github.com/energyd/energyd/testnet"
)

// Ways in which readings come on chain: signed by the driver, or read off
// simulated meters over Modbus TCP by energymeter processes.
const (
	DirectMeters = "direct"
	ModbusMeters = "modbus"
)

// readingsPerPeriod is how many readings of a meter a gateway signs in a period
// of the demo: one before the boundary and one after it, between which the
// registers hold still, so that the register that the chain interpolates is the
// meter's.
const readingsPerPeriod = 2

const (
	// pollsPerPeriod are the times a gateway reads a meter in a period; a read
	// that fails is made up for by the next.
	pollsPerPeriod = 6
	// firstRegister is where the registers of the first meter begin: a meter's
	// life did not begin with the demo.
	firstRegister = 1_000_000 // Wh
	// floatExactWh is up to where a float32 of kWh shows each Wh: there its steps
	// are of half a Wh.
	floatExactWh = 8_000_000
)

// MetersReport says what the gateways did, of a run with meters read over
// Modbus.
type MetersReport struct {
	Gateways int            `json:"gateways"`
	Meters   int            `json:"meters"`
	Models   map[string]int `json:"models"` // meters by model
	Polls    int64          `json:"polls"`
	Readings int64          `json:"readings"` // that blocks took out of the spools
	Waiting  int64          `json:"waiting"`  // in the spools at the end
	Refused  int64          `json:"refused"`  // set aside
	// DifferencesWh sums up by how much registers on chain differ from what the
	// meters show, and statements from what the meters counted in the period.
	RegisterDifferencesWh  int64 `json:"register_differences_wh"`
	StatementDifferencesWh int64 `json:"statement_differences_wh"`
}

// dial is a meter's registers over time. It counts a period's energy between a
// third and a half of the period and holds still in between (readingsPerPeriod).
// Times are Unix ms of this machine, whose clock the nodes and gateways share.
type dial struct {
	// first is the start of period 0, 0 until that is known; length of a period.
	first  *atomic.Int64
	length int64
	// model that shows the registers.
	model string
	// imported and exported are the registers at each boundary, Wh.
	imported, exported []int64
}

func (m *Market) newDial(participant, first, periods int) *dial {
	start := firstRegister + 1_000*int64(participant)
	d := &dial{imported: []int64{start}, exported: []int64{start / 2}}
	for i := range periods {
		importWh, exportWh := m.Meter(participant, first+i)
		d.imported = append(d.imported, d.imported[i]+importWh)
		d.exported = append(d.exported, d.exported[i]+exportWh)
	}
	// Model by turns, but for what a float32 cannot show.
	d.model = simulate.Models[participant%len(simulate.Models)]
	if max(d.imported[periods], d.exported[periods]) > floatExactWh {
		d.model = simulate.Models[1+participant%(len(simulate.Models)-1)]
	}
	return d
}

// at is what the meter shows at a time.
func (d *dial) at(ms int64) simulate.State {
	first, last := d.first.Load(), len(d.imported)-1
	if first == 0 || ms < first {
		return simulate.State{ImportWh: d.imported[0], ExportWh: d.exported[0]}
	}
	period := (ms - first) / d.length
	if period >= int64(last) {
		return simulate.State{ImportWh: d.imported[last], ExportWh: d.exported[last]}
	}
	from, counting := d.length/3, d.length/6
	passed := min(max((ms-first)%d.length-from, 0), counting)
	imported, exported := d.imported[period+1]-d.imported[period], d.exported[period+1]-d.exported[period]
	state := simulate.State{
		ImportWh: d.imported[period] + imported*passed/counting,
		ExportWh: d.exported[period] + exported*passed/counting,
	}
	if passed > 0 && passed < counting {
		state.PowerW = (imported - exported) * time.Hour.Milliseconds() / counting
	}
	return state
}

// meters are the simulated meters of all members and the gateways that read
// them.
type meters struct {
	first    atomic.Int64
	dials    []*dial // by member
	sidecars []*testnet.Sidecar
	servers  []io.Closer
}

// startMeters serves the members' meters over Modbus, each model of each gateway
// on a bus of its own, starts the gateways, and returns once blocks hold a reading
// of every meter.
func (d *driver) startMeters(ctx context.Context) (err error) {
	d.meters = &meters{}
	plans := make([][]testnet.SidecarMeter, len(d.gateways))
	buses := make([]map[string]map[byte]simulate.Unit, len(d.gateways))
	for g := range buses {
		buses[g] = make(map[string]map[byte]simulate.Unit)
	}
	for n, member := range d.members {
		dial := d.market.newDial(n, d.first, d.options.Periods)
		dial.first, dial.length = &d.meters.first, d.options.PeriodLength.Milliseconds()
		d.meters.dials = append(d.meters.dials, dial)
		units := buses[member.gateway][dial.model]
		if units == nil {
			units = make(map[byte]simulate.Unit)
			buses[member.gateway][dial.model] = units
		}
		if len(units) == mostUnits {
			return fmt.Errorf("gateway%d: expected at most %d meters of model %s, which a bus has room for", member.gateway, mostUnits, dial.model)
		}
		unit := byte(len(units) + 1)
		units[unit], err = simulate.NewMeter(dial.model, member.Name, func() simulate.State { return dial.at(time.Now().UnixMilli()) })
		if err != nil {
			return err
		}
		plans[member.gateway] = append(plans[member.gateway], testnet.SidecarMeter{Name: member.meter, Unit: int(unit), Model: dial.model})
	}
	for g, plan := range plans {
		if err := d.startGateway(g, plan, buses[g]); err != nil {
			return fmt.Errorf("gateway%d: %w", g, err)
		}
	}
	return d.firstReadings(ctx, plans)
}

// mostUnits is how many meters a bus has room for.
const mostUnits = 247

// startGateway serves a gateway's buses and starts it.
func (d *driver) startGateway(g int, plan []testnet.SidecarMeter, buses map[string]map[byte]simulate.Unit) error {
	addresses := make(map[string]string)
	for _, model := range simulate.Models {
		if len(buses[model]) == 0 {
			continue
		}
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		d.meters.servers = append(d.meters.servers, listener)
		addresses[model] = "tcp://" + listener.Addr().String()
		go func() { _ = simulate.Serve(listener, buses[model]) }() // ends with the listener
	}
	for i := range plan {
		plan[i].URL = addresses[plan[i].Model]
	}
	// Each begins with its own aggregator's node.
	nodes := d.network.Addresses()
	begin := g % len(nodes)
	o := testnet.SidecarOptions{
		Name: fmt.Sprintf("gateway%d", g), Binary: d.options.Energymeter, Home: filepath.Join(d.options.Dir, fmt.Sprintf("gateway%d", g)),
		Key: d.gateways[g], ChainID: d.sender.ChainID, Nodes: append(nodes[begin:len(nodes):len(nodes)], nodes[:begin]...),
		Poll: d.options.PeriodLength / pollsPerPeriod, Interval: d.options.PeriodLength / readingsPerPeriod,
		Meters: plan, Supervise: true, Say: func(line string) { fmt.Fprintln(d.options.Out, line) },
	}
	sidecar, err := testnet.NewSidecar(o)
	if err != nil {
		return err
	}
	d.meters.sidecars = append(d.meters.sidecars, sidecar)
	if err := sidecar.Start(); err != nil {
		return err
	}
	fmt.Fprintf(d.options.Out, "%s: process %d, %d meters, home %s\n", o.Name, sidecar.PID(), len(plan), o.Home)
	return nil
}

// firstReadings waits until blocks hold a reading of every meter.
func (d *driver) firstReadings(ctx context.Context, plans [][]testnet.SidecarMeter) error {
	const patience = 60 * time.Second
	end := time.Now().Add(patience)
	for g, sidecar := range d.meters.sidecars {
		for {
			read, err := sidecar.Count(ctx, "energymeter_readings_committed_total")
			if err == nil && read >= int64(len(plans[g])) {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("gateway%d: expected readings of its %d meters within %s, got %d: %s", g, len(plans[g]), patience, read, sidecar.LastWords())
			}
			if err := d.nextBlock(ctx); err != nil {
				return err
			}
		}
		d.options.progress(g+1, len(d.meters.sidecars), "first readings")
	}
	return nil
}

// stopMeters stops the gateways and their meters.
func (d *driver) stopMeters() error {
	if d.meters == nil {
		return nil
	}
	errs := []error{each(len(d.meters.sidecars), func(g int) error { return d.meters.sidecars[g].Stop() })}
	for _, server := range d.meters.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

// checkMeters compares, at the end of a run, what the chain has of the meters
// with what they show and counted. The registers stand still by then.
func (d *driver) checkMeters(ctx context.Context) error {
	r := &MetersReport{Gateways: len(d.meters.sidecars), Meters: len(d.members), Models: make(map[string]int)}
	d.report.Meters = r
	for n, m := range d.members {
		dial := d.meters.dials[n]
		r.Models[dial.model]++
		answer := new(meteringv1.QueryMeterStateResponse)
		if _, err := d.sender.Query(ctx, &meteringv1.QueryMeterStateRequest{Meter: m.meter}, answer, 0); err != nil {
			return fmt.Errorf("%s: %w", m.meter, err)
		}
		shown := dial.at(answer.State.FixedUntil)
		r.RegisterDifferencesWh += distance(answer.State.ImportWh, shown.ImportWh) + distance(answer.State.ExportWh, shown.ExportWh)
		for i, p := range d.report.Periods {
			importWh, exportWh := d.market.Meter(n, d.first+i)
			r.StatementDifferencesWh += distance(p.Members[n].ImportWh, importWh) + distance(p.Members[n].ExportWh, exportWh)
		}
	}
	if err := d.countMeters(ctx, r); err != nil {
		return err
	}
	PrintMeters(d.options.Out, r)
	return nil
}

// countMeters asks the gateways for their counts, once nothing waits any more.
func (d *driver) countMeters(ctx context.Context, r *MetersReport) error {
	for _, count := range []struct {
		metric string
		to     *int64
	}{
		{"energymeter_readings_pending", &r.Waiting},
		{"energymeter_readings_refused_total", &r.Refused},
		{"energymeter_readings_committed_total", &r.Readings},
		{"energymeter_polls_total", &r.Polls},
	} {
		for range 30 { // blocks
			*count.to = 0
			for _, sidecar := range d.meters.sidecars {
				n, err := sidecar.Count(ctx, count.metric)
				if err != nil {
					return err
				}
				*count.to += n
			}
			if count.to != &r.Waiting || r.Waiting == 0 {
				break
			}
			if err := d.nextBlock(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// check demands that chain and meters agree.
func (r *MetersReport) check(c *checker) {
	if r == nil {
		return
	}
	c.equal("meters", "readings that wait", r.Waiting, "none", 0)
	c.equal("meters", "readings refused", r.Refused, "none", 0)
	c.equal("meters", "differences of registers on chain from the meters', in Wh,", r.RegisterDifferencesWh, "none", 0)
	c.equal("meters", "differences of statements from what meters counted, in Wh,", r.StatementDifferencesWh, "none", 0)
}

// PrintMeters prints what the gateways did and whether the chain has what the
// meters show.
func PrintMeters(w io.Writer, r *MetersReport) {
	models := make([]string, 0, len(r.Models))
	for _, model := range slices.Sorted(maps.Keys(r.Models)) {
		models = append(models, fmt.Sprintf("%d %s", r.Models[model], model))
	}
	fmt.Fprintf(w, "%d gateways read %d meters (%s) over Modbus TCP: %d polls, %d readings through their spools, %d waiting, %d refused.\n",
		r.Gateways, r.Meters, strings.Join(models, ", "), r.Polls, r.Readings, r.Waiting, r.Refused)
	if r.RegisterDifferencesWh == 0 && r.StatementDifferencesWh == 0 {
		fmt.Fprintln(w, "Registers on chain are the meters', and statements what they counted in each period, to the Wh.")
		return
	}
	fmt.Fprintf(w, "Registers on chain differ from the meters' by %d Wh, statements from what they counted by %d Wh.\n",
		r.RegisterDifferencesWh, r.StatementDifferencesWh)
}

// checkMeters refuses what simulated meters cannot do.
func (o Options) checkMeters() error {
	switch {
	case o.Meters == "" || o.Meters == DirectMeters:
		return nil
	case o.Meters != ModbusMeters:
		return badOption("meters", "expected %s or %s, got %q", DirectMeters, ModbusMeters, o.Meters)
	case o.Story != "":
		return badOption("meters", "expected %s with --scenario, whose story says which reading is sent when, got %s", DirectMeters, o.Meters)
	case o.PeriodLength%(readingsPerPeriod*time.Millisecond) != 0:
		return badOption("period-length", "expected an even number of ms, as meters are read %d times a period, got %s", readingsPerPeriod, o.PeriodLength)
	}
	return nil
}

func distance(a, b int64) int64 { return max(a-b, b-a) }
