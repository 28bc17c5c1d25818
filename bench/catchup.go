package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/energyd/energyd/meter/spool"
	"github.com/energyd/energyd/testnet"
)

// CatchUpOptions of a run: gateways without a connection for some periods, whose
// readings wait in their spools, come back while orders go on.
type CatchUpOptions struct {
	Options
	// Energymeter is the program whose processes are the gateways.
	Energymeter string
	// Missed is how many periods they miss.
	Missed int
}

// CatchUpFigure returns the options of the figure that the project promises: 12
// periods of 1000 meters. One gateway, and 100 orders a second.
func CatchUpFigure() CatchUpOptions {
	o := Figure()
	o.Accounts, o.MetersPerGateway, o.OrdersPerSecond = 1000, 1000, 100
	o.PeriodLength, o.WarmUp = 3*time.Second, 9*time.Second
	return CatchUpOptions{Options: o, Missed: 12}
}

// CatchUp is what such a run measured.
type CatchUp struct {
	Machine  Machine `json:"machine"`
	Gateways int     `json:"gateways"`
	Readings int     `json:"readings"`
	// Committed is how long after the gateways began blocks held all readings,
	// Settled until all missed periods were settled.
	Committed time.Duration `json:"committed_ns"`
	Settled   time.Duration `json:"settled_ns"`
	// Without are latencies of orders while the gateways were away, With from
	// their return until all was settled.
	Without Quantiles `json:"without_latency_ms"`
	With    Quantiles `json:"with_latency_ms"`
	// Orders sent in both times, and those of them that no block holds with code
	// 0.
	Orders int `json:"orders"`
	Failed int `json:"failed"`
	// Processes: memory at the end, CPU time used from the gateways' return until
	// all was settled; the load generator, which the gateways count to, and all
	// else on the machine come last.
	Processes []Usage `json:"processes"`

	options CatchUpOptions
}

// patience is how long the gateways may take.
const patience = 2 * time.Minute

// RunCatchUp starts a network, registers the accounts, lets their meters be
// silent for the missed periods and starts the gateways then, with the readings
// in their spools. Orders are sent all the time. All processes are stopped before
// it returns.
func RunCatchUp(ctx context.Context, o CatchUpOptions) (report *CatchUp, err error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	machine := thisMachine()
	// Nobody may be late for good before the gateways are back.
	l, stop, err := o.start(ctx, map[string]int64{"deadline_periods": int64(o.Missed) + 60})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	c := &catchUp{load: l, energymeter: o.Energymeter, missed: o.Missed}
	defer func() { err = errors.Join(err, c.stopGateways()) }()
	if err := c.makeGateways(); err != nil {
		return nil, fmt.Errorf("gateways: %w", err)
	}
	report, err = c.measure(ctx)
	if err != nil {
		return nil, err
	}
	report.Machine, report.Gateways, report.options = machine, len(c.sidecars), o
	return report, nil
}

// catchUp is such a run in progress.
type catchUp struct {
	*load
	energymeter string
	missed      int
	sidecars    []*testnet.Sidecar
	spools      []*spool.Spool
}

// makeGateways makes the homes of the gateways, which poll nothing: what they
// send is in their spools.
func (c *catchUp) makeGateways() error {
	for i, g := range c.gateways {
		home := filepath.Join(c.Dir, fmt.Sprintf("gateway%d", i))
		sidecar, err := testnet.NewSidecar(testnet.SidecarOptions{
			Name: fmt.Sprintf("gateway%d", i), Binary: c.energymeter, Home: home, Key: g.key, ChainID: c.setup.ChainID,
			Nodes: c.network.Addresses(), Poll: c.PeriodLength,
		})
		if err != nil {
			return err
		}
		stock, err := spool.Open(filepath.Join(home, "spool"), spool.Options{MaxBytes: spool.DefaultMaxBytes})
		if err != nil {
			return err
		}
		c.sidecars, c.spools = append(c.sidecars, sidecar), append(c.spools, stock)
	}
	return nil
}

func (c *catchUp) stopGateways() error {
	var errs []error
	for _, sidecar := range c.sidecars {
		errs = append(errs, sidecar.Stop())
	}
	return errors.Join(errs...)
}

// measure sends orders through the silence and the return.
func (c *catchUp) measure(ctx context.Context) (*CatchUp, error) {
	length := c.PeriodLength
	now := time.Now().Add(c.gateLead + gateMargin)
	begin := now.Truncate(length).Add(length - c.gateLead - gateMargin)
	first := begin.Truncate(length).Add(length)
	back := first.Add(time.Duration(c.missed)*length + length/4)
	c.Say(fmt.Sprintf("%d meters are silent for %d periods of %s; %d orders a second", c.Accounts, c.missed, length, c.OrdersPerSecond))
	stocked := make(chan error, 1)
	go func() { stocked <- c.stock(ctx, first) }()
	if err := c.order(ctx, begin, begin.Add(c.WarmUp), nil); err != nil {
		return nil, err
	}
	without, with := newOrders(0), newOrders(0)
	if err := c.order(ctx, begin.Add(c.WarmUp), back, without); err != nil {
		return nil, err
	}
	if err := <-stocked; err != nil {
		return nil, fmt.Errorf("readings: %w", err)
	}
	var periods []int64
	for i := range c.missed {
		periods = append(periods, first.Add(time.Duration(i)*length).UnixMilli())
	}
	r := &CatchUp{Readings: c.missed * c.Accounts}
	c.watch.begin()
	defer c.watch.end()
	c.Say(fmt.Sprintf("the gateways are back with %d readings", r.Readings))
	before, err := c.usage()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	for _, sidecar := range c.sidecars {
		if err := sidecar.Start(); err != nil {
			return nil, err
		}
	}
	for at := began; r.Settled == 0; at = at.Add(time.Second) {
		if time.Since(began) > patience {
			return nil, fmt.Errorf("expected %d readings in blocks and %d periods settled within %s: %s", r.Readings, c.missed, patience, c.sidecars[0].LastWords())
		}
		if err := c.order(ctx, at, at.Add(time.Second), with); err != nil {
			return nil, err
		}
		r.Committed, r.Settled = c.watch.reached(began, r.Readings, periods)
	}
	after, err := c.usage()
	if err != nil {
		return nil, err
	}
	for i, u := range after {
		u.CPU = max(0, u.CPU-before[i].CPU)
		r.Processes = append(r.Processes, u)
	}
	for _, sent := range []*orders{without, with} {
		if err := sent.wait(ctx, drain); err != nil {
			return nil, err
		}
	}
	r.Without, r.Failed = sent(without)
	var failed int
	r.With, failed = sent(with)
	r.Orders, r.Failed = len(without.all)+len(with.all), r.Failed+failed
	return r, nil
}

// sent returns the latencies of orders that were committed and counts others.
func sent(all *orders) (Quantiles, int) {
	var latencies []time.Duration
	for _, o := range all.all {
		o.settle(func() {
			if o.done && o.err == nil && o.refused == nil {
				latencies = append(latencies, o.latency)
			}
		})
	}
	return quantiles(latencies), len(all.all) - len(latencies)
}

// stock has the meters' registers on chain at the first boundary, and puts their
// readings of those after it into the spools, as a gateway does that finds no
// node.
func (c *catchUp) stock(ctx context.Context, first time.Time) error {
	for i := range c.missed + 1 {
		boundary := first.Add(time.Duration(i) * c.PeriodLength)
		if err := sleepUntil(ctx, boundary); err != nil {
			return err
		}
		for n, g := range c.gateways {
			msg, err := c.readings(g, boundary)
			if err != nil {
				return err
			}
			if i == 0 {
				_, err = c.setup.Do(ctx, g.key, msg)
			} else {
				err = c.spools[n].Append(msg.Readings...)
			}
			if err != nil {
				return err
			}
		}
	}
	for _, stock := range c.spools {
		if err := stock.Close(); err != nil {
			return err
		}
	}
	return nil
}

// JSON returns the report as JSON.
func (r *CatchUp) JSON() ([]byte, error) {
	data, err := json.MarshalIndent(r, "", "  ")
	return append(data, '\n'), err
}

// String returns the report as a table for people.
func (r *CatchUp) String() string {
	var out strings.Builder
	o := r.options
	fmt.Fprintf(&out, "machine      %s, %d cores, %s, %s, load before %s\n", r.Machine.CPU, r.Machine.Cores, r.Machine.OS, r.Machine.Go, r.Machine.Load)
	fmt.Fprintf(&out, "network      %d processes, timeout_commit %s, periods of %s, %d orders a second\n",
		o.Validators, o.TimeoutCommit, o.PeriodLength, o.OrdersPerSecond)
	fmt.Fprintf(&out, "catch-up     %d readings (%d periods of %d meters) by %d gateways: in blocks after %.1f s, settled after %.1f s\n",
		r.Readings, o.Missed, o.Accounts, r.Gateways, r.Committed.Seconds(), r.Settled.Seconds())
	fmt.Fprintf(&out, "orders       %d sent, %d of them not committed with code 0\n", r.Orders, r.Failed)
	for _, line := range []struct {
		name string
		q    Quantiles
	}{{"without", r.Without}, {"with", r.With}} {
		fmt.Fprintf(&out, "%-12s p50 %d ms, p95 %d ms, p99 %d ms, max %d ms\n", line.name, line.q.P50, line.q.P95, line.q.P99, line.q.Max)
	}
	if r.Without.P95 > 0 {
		fmt.Fprintf(&out, "ratio        p95 %.2f\n", float64(r.With.P95)/float64(r.Without.P95))
	}
	for _, u := range r.Processes {
		fmt.Fprintf(&out, "%-12s RSS %d MB, CPU %.1f s\n", u.Name, u.RSS, u.CPU.Seconds())
	}
	return out.String()
}
