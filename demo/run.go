package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"time"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/testnet"
)

// Options of a run.
type Options struct {
	// Binary is the energyd executable whose processes form the network.
	Binary string
	// Data is the scenario folder; empty: one generated from the seed.
	Data string
	// Start is the local time of the first interval; empty: the first whose
	// forecast has a surplus.
	Start      string
	Validators int
	// Periods to trade; 0 with a story: as many as it takes.
	Periods      int
	PeriodLength time.Duration
	// LossPPMPerKm of every line, ppm per km.
	LossPPMPerKm int64
	// Quotas of orders without escrow by user type (testnet.Manifest); what a
	// quota has no room for is escrowed and signed.
	Quotas map[string]string
	Seed   uint64
	// Mechanism is how the market clears; empty: K-prototypes, with a story the
	// auction. Matrix: not at all, members deliver by contracts.
	Mechanism string
	// Story is a disturbance, one of StoryNames; empty: none.
	Story string
	// Meters is how readings come on chain, DirectMeters (also empty) or
	// ModbusMeters, and Energymeter the program that reads the latter.
	Meters, Energymeter string
	// Dir holds the nodes' and the gateways' homes.
	Dir string
	// Out gets the table, Progress (may be nil) a bar on a terminal.
	Out      io.Writer
	Progress func(done, of int, what string)
}

// OptionError is an option that cannot be followed with this scenario.
type OptionError struct {
	Option string // start, periods, period-length, mechanism, meters or scenario
	Err    error
}

func (e *OptionError) Error() string { return e.Option + ": " + e.Err.Error() }

// Unwrap returns what was expected.
func (e *OptionError) Unwrap() error { return e.Err }

func badOption(option, format string, args ...any) error {
	return &OptionError{Option: option, Err: fmt.Errorf(format, args...)}
}

// Shape of the scenario that is generated without a folder.
const (
	generatedMembers = 24
	generatedDays    = 3
)

// Run starts the network, lets the market trade for the periods and returns
// the report. The caller checks it (Report.Check) and writes it.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	o = o.withStory()
	market, plan, first, err := prepare(o)
	if err != nil {
		return nil, err
	}
	o.progress(0, o.Periods, "starting the network")
	network, err := o.network(ctx, o.manifest(plan))
	if err != nil {
		return nil, fmt.Errorf("network: %w", err)
	}
	defer func() { err = errors.Join(err, network.Stop()) }()
	d, stop, err := newDriver(ctx, o, market, plan, first, network)
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := d.register(ctx); err != nil {
		return nil, fmt.Errorf("register: %w", err)
	}
	if o.Mechanism == Matrix {
		if err := d.signContracts(ctx); err != nil {
			return nil, fmt.Errorf("contracts: %w", err)
		}
	}
	if o.Meters == ModbusMeters {
		defer func() { err = errors.Join(err, d.stopMeters()) }()
		if err := d.startMeters(ctx); err != nil {
			return nil, fmt.Errorf("meters: %w", err)
		}
	}
	if plan != nil {
		if err := d.openBanks(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", o.Story, err)
		}
		printCast(o.Out, plan)
	}
	PrintHeader(o.Out)
	if err := d.trade(ctx); err != nil {
		return nil, fmt.Errorf("trade: %w", err)
	}
	PrintTotals(o.Out, d.report)
	PrintComparison(o.Out, d.report)
	if o.Meters == ModbusMeters {
		if err := d.checkMeters(ctx); err != nil {
			return nil, fmt.Errorf("meters: %w", err)
		}
	}
	if err := d.tell(); err != nil {
		return nil, fmt.Errorf("%s: %w", o.Story, err)
	}
	if err := d.audit(ctx); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	return d.report, nil
}

// network starts the nodes and waits for their first block: one without a block
// cannot be asked about accounts.
func (o Options) network(ctx context.Context, manifest testnet.Manifest) (*testnet.Network, error) {
	network, err := testnet.Start(ctx, testnet.Options{
		Binary: o.Binary, Dir: o.Dir, Manifest: manifest, Supervise: true,
		Say: func(text string) { fmt.Fprintln(o.Out, text) },
	})
	if err != nil {
		return nil, err
	}
	for _, node := range network.Nodes() {
		fmt.Fprintf(o.Out, "%s: process %d, RPC %s, home %s\n", node.Name, node.PID, node.RPC, node.Home)
	}
	if err := network.WaitHeight(ctx, 1); err != nil {
		return nil, errors.Join(err, network.Stop())
	}
	return network, nil
}

// deadlinePeriods is how many of the demo's short periods readings may come
// late: enough for a restart of every node.
const deadlinePeriods = 20

func (o Options) manifest(p *plan) testnet.Manifest {
	m := testnet.Simple()
	m.ChainID, m.Validators, m.PeriodLength, m.Quotas = "energy-demo", o.Validators, o.PeriodLength, o.Quotas
	if o.Mechanism != Matrix {
		m.Mechanism = o.Mechanism
	}
	m.Params = map[string]int64{"default_loss_ppm_per_km": o.LossPPMPerKm, "deadline_periods": deadlinePeriods}
	if p != nil {
		maps.Copy(m.Params, p.params)
	}
	return m
}

// withStory fills in what a story's run has by default.
func (o Options) withStory() Options {
	s, err := findStory(o.Story)
	if o.Story == "" || err != nil {
		return o // prepare refuses a name that is none
	}
	if o.Periods == 0 {
		o.Periods = s.periods
	}
	if o.Mechanism == "" {
		// The highest bids and lowest asks trade for sure: so does the cast.
		o.Mechanism = mechanismName(matchingv1.Mechanism_MECHANISM_AUCTION)
	}
	return o
}

// prepare loads or generates the scenario, lays the story out and finds the first
// interval.
func prepare(o Options) (market *Market, p *plan, first int, err error) {
	if o.Story != "" {
		if _, err := findStory(o.Story); err != nil {
			return nil, nil, 0, err
		}
		if o.Mechanism == Matrix {
			return nil, nil, 0, badOption("mechanism", "expected one that clears orders, which %s is about, got %s", o.Story, Matrix)
		}
	}
	if err := o.checkMeters(); err != nil {
		return nil, nil, 0, err
	}
	if o.Periods < 1 {
		return nil, nil, 0, badOption("periods", "expected at least 1, got %d", o.Periods)
	}
	scenario := Generate(o.Seed, generatedMembers, generatedDays)
	if o.Data != "" {
		if scenario, err = Load(o.Data); err != nil {
			return nil, nil, 0, err
		}
	}
	if first, err = firstInterval(scenario, o.Start); err != nil {
		return nil, nil, 0, err
	}
	if left := scenario.Intervals() - first; o.Periods > left {
		return nil, nil, 0, badOption("periods", "expected at most %d, which the scenario has from %s on, got %d", left, scenario.LocalTime(first), o.Periods)
	}
	if market, err = NewMarket(scenario, DefaultTariff, o.Seed); err != nil || o.Story == "" {
		return market, nil, first, err
	}
	start := first
	if o.Start == "" {
		start = anyStart
	}
	if p, err = newPlan(o.Story, market, start, o.Periods); err != nil {
		return nil, nil, 0, err
	}
	return market, p, p.first, nil
}

// firstInterval returns the interval that starts at a local time, or without
// one the first whose forecast has a surplus.
func firstInterval(scenario *Scenario, start string) (int, error) {
	known := scenario.firstForecast()
	if known >= scenario.Intervals() {
		return 0, &InputError{
			File: "load_wh.csv", Want: "more than one day: the forecast is the day before",
			Got: fmt.Sprintf("%d intervals of %s", scenario.Intervals(), scenario.Interval),
		}
	}
	if start == "" {
		first, ok := scenario.FirstSurplus()
		if !ok {
			return 0, badOption("start", "expected a time, as no interval's forecast has a surplus, got none")
		}
		return first, nil
	}
	first, err := scenario.IntervalAt(start)
	if err != nil {
		return 0, badOption("start", "%w", err)
	}
	if first < known {
		return 0, badOption("start", "expected a time on or after %s, the forecast is the day before, got %s", scenario.LocalTime(known), scenario.LocalTime(first))
	}
	return first, nil
}

func (o Options) progress(done, of int, what string) {
	if o.Progress != nil {
		o.Progress(done, of, what)
	}
}

// newDriver connects to the network; stop ends the connection.
func newDriver(ctx context.Context, o Options, market *Market, p *plan, first int, network *testnet.Network) (*driver, func(), error) {
	connection, err := client.New(network.Addresses()...)
	if err != nil {
		return nil, nil, err
	}
	authority, aggregators, err := network.Keys()
	if err != nil {
		return nil, nil, err
	}
	d := &driver{
		options: o, market: market, plan: p, first: first, network: network, authority: authority, aggregators: aggregators,
		sender: client.NewSender(connection, network.Folder().ChainID), report: NewReport(DefaultTariff),
		missed: make(map[int64]bool), books: make(map[int64]*matchingv1.Book), settled: make(map[int64]int64), absent: make(map[int64]int), trading: make(map[int64]*client.Trading),
	}
	d.clock = newClock()
	d.sender.OnBlock = d.onBlock
	running, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = d.sender.Run(running) // ends with ctx only
	}()
	return d, func() { cancel(); <-done }, nil
}
