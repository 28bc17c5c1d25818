package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/energyd/energyd/client"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
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

const (
	// patience is how long the gateways may take.
	patience = 2 * time.Minute
	// askEvery is how often it is asked whether all is settled.
	askEvery = time.Second / 2
)

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
	if err := c.orderUntilSettled(ctx, began, periods, with); err != nil {
		return nil, err
	}
	c.watch.end()
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
	if r.Committed, r.Settled, err = c.reached(ctx, began, periods); err != nil {
		return nil, err
	}
	r.Without, r.Failed = sent(without)
	var failed int
	r.With, failed = sent(with)
	r.Orders, r.Failed = len(without.all)+len(with.all), r.Failed+failed
	return r, nil
}

// orderUntilSettled sends orders until all the periods are settled and the watch has
// seen the blocks that did it.
func (c *catchUp) orderUntilSettled(ctx context.Context, began time.Time, periods []int64, into *orders) error {
	for at := began; ; at = at.Add(askEvery) {
		if time.Since(began) > patience {
			return fmt.Errorf("expected %d periods settled within %s: %s", c.missed, patience, c.sidecars[0].LastWords())
		}
		if err := c.order(ctx, at, at.Add(askEvery), into); err != nil {
			return err
		}
		settled, err := c.settledBy(ctx, periods)
		if err != nil {
			return err
		}
		if settled > 0 {
			return c.watch.sees(ctx, settled)
		}
	}
}

// settledBy returns a height by which all the periods were settled, 0 if some are
// not yet. The last one, which mostly is the last to settle, is asked for first.
func (c *catchUp) settledBy(ctx context.Context, periods []int64) (height int64, err error) {
	for _, period := range slices.Backward(periods) {
		answer := new(settlementv1.QueryPeriodResponse)
		at, err := c.setup.Query(ctx, &settlementv1.QueryPeriodRequest{Period: period}, answer, 0)
		if _, unknown := errors.AsType[*client.Rejected](err); unknown || err == nil && answer.Root == nil {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		height = max(height, at)
	}
	return height, nil
}

// reached reads the measured blocks and returns how long after a time they held all
// readings, and the periods were settled.
func (c *catchUp) reached(ctx context.Context, began time.Time, periods []int64) (committed, settled time.Duration, err error) {
	if err := c.watch.read(ctx, c.setup.Block); err != nil {
		return 0, 0, err
	}
	readings := c.missed * c.Accounts
	committed, settled = c.watch.reached(began, readings, periods)
	if committed == 0 || settled == 0 {
		return 0, 0, fmt.Errorf("expected %d readings and the settlement of %d periods in the blocks of the measured time", readings, c.missed)
	}
	return committed, settled, nil
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
