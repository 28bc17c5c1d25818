// Package bench measures what the whole system bears: a network of real
// processes under a steady stream of signed orders, while readings, clearing
// and settlement go on as on any other day. Benchmarks of single parts lie
// beside their code; README.md says how to run them all.
package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/testnet"
)

// Options of a run.
type Options struct {
	// Binary is the energyd executable whose processes form the network, Dir
	// the empty folder for their homes.
	Binary, Dir   string
	Validators    int
	TimeoutCommit time.Duration
	PeriodLength  time.Duration
	// Accounts is the number of prosumers; every other one sells.
	Accounts int
	// MetersPerGateway readings travel in one envelope, at most 1000.
	MetersPerGateway int
	// OrdersPerSecond are sent at fixed times, whether or not earlier ones
	// have been answered.
	OrdersPerSecond int
	// MaxOpenOrders is max_orders of the chain: the greatest book.
	MaxOpenOrders int64
	// WarmUp is how long orders flow before Duration, which is measured.
	WarmUp, Duration time.Duration
	// Seed decides prices, energies and keys.
	Seed uint64
	// Say, if set, gets a line for people at each stage.
	Say func(line string)
}

// Figure returns the options of the figure that the project promises: four
// processes and the load on two cores, blocks every 200 ms, periods of 10 s,
// 2000 accounts, 500 orders a second, at most 5000 open.
func Figure() Options {
	return Options{
		Validators: 4, TimeoutCommit: 200 * time.Millisecond, PeriodLength: 10 * time.Second,
		Accounts: 2000, MetersPerGateway: 100, OrdersPerSecond: 500, MaxOpenOrders: 5000,
		WarmUp: 15 * time.Second, Duration: time.Minute, Seed: 1,
	}
}

// load is a run in progress.
type load struct {
	Options
	network *testnet.Network
	// setup sends and waits; nodes send only, one for each node.
	setup *client.Sender
	nodes []*client.Sender

	authority   client.Key
	aggregators []client.Key
	gateways    []*gateway
	accounts    []*account
	gateLead    time.Duration

	watch *watch
}

// drain is how long orders may be under way after the last one was sent,
// before they count as lost.
const drain = 15 * time.Second

// Run starts a network, registers the accounts, sends orders and readings, and
// says what became of them. The network is stopped before it returns.
func Run(ctx context.Context, o Options) (report *Report, err error) {
	if o.Say == nil {
		o.Say = func(string) {}
	}
	machine := thisMachine()
	l, stop, err := o.start(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stop()) }()
	o.Say(fmt.Sprintf("sending %d orders a second: %s to warm up, %s measured", o.OrdersPerSecond, o.WarmUp, o.Duration))
	report, err = l.run(ctx)
	if err != nil {
		return nil, err
	}
	report.Machine, report.Options = machine, o
	return report, nil
}

// start starts a network, with parameters beside those of the options, and
// registers the accounts; stop ends it.
func (o Options) start(ctx context.Context, params map[string]int64) (l *load, stop func() error, err error) {
	manifest := testnet.Simple()
	manifest.ChainID, manifest.Validators = "energy-bench", o.Validators
	manifest.PeriodLength, manifest.TimeoutCommit = o.PeriodLength, o.TimeoutCommit
	manifest.Params = map[string]int64{"max_orders": o.MaxOpenOrders}
	maps.Copy(manifest.Params, params)
	network, err := testnet.Start(ctx, testnet.Options{Binary: o.Binary, Dir: filepath.Join(o.Dir, "net"), Manifest: manifest})
	if err != nil {
		return nil, nil, fmt.Errorf("network: %w", err)
	}
	l = &load{Options: o, network: network}
	disconnect, err := l.connect(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, network.Stop())
	}
	stop = func() error { disconnect(); return network.Stop() }
	o.Say(fmt.Sprintf("registering %d accounts", o.Accounts))
	if err := l.register(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("register: %w", err), stop())
	}
	return l, stop, nil
}

// connect makes the clients and follows the chain until stop is called.
func (l *load) connect(ctx context.Context) (stop func(), err error) {
	if l.authority, l.aggregators, err = l.network.Keys(); err != nil {
		return nil, err
	}
	chainID := l.network.Folder().ChainID
	all, err := client.New(l.network.Addresses()...)
	if err != nil {
		return nil, err
	}
	for _, address := range l.network.Addresses() {
		one, err := client.New(address)
		if err != nil {
			return nil, err
		}
		l.nodes = append(l.nodes, client.NewSender(one, chainID))
	}
	l.watch = newWatch()
	l.setup = client.NewSender(all, chainID)
	l.setup.OnOutcomes = l.watch.onOutcomes
	running, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = l.setup.Run(running) // ends with ctx only
	}()
	return func() { cancel(); <-done }, nil
}

// run sends orders and readings for the warm-up and the measured time, and
// waits for what is under way.
func (l *load) run(ctx context.Context) (*Report, error) {
	// Begin with a period's orders: just after the gate of the one before.
	length := l.PeriodLength
	now := time.Now().Add(l.gateLead + gateMargin)
	begin := now.Truncate(length).Add(length - l.gateLead - gateMargin)
	reading, stopReading := context.WithCancel(ctx)
	defer stopReading()
	readings := make(chan error, 1)
	go func() { readings <- l.readAll(reading, begin) }()

	if err := l.order(ctx, begin, begin.Add(l.WarmUp), nil); err != nil {
		return nil, err
	}
	measured := begin.Add(l.WarmUp)
	before, err := l.usage()
	if err != nil {
		return nil, err
	}
	l.watch.begin()
	sent := newOrders(int(l.Duration.Seconds() * float64(l.OrdersPerSecond)))
	if err := l.order(ctx, measured, measured.Add(l.Duration), sent); err != nil {
		return nil, err
	}
	after, err := l.usage()
	if err != nil {
		return nil, err
	}
	l.watch.end()
	if err := sent.wait(ctx, drain); err != nil {
		return nil, err
	}
	stopReading()
	if err := <-readings; err != nil && !errors.Is(err, context.Canceled) {
		return nil, fmt.Errorf("readings: %w", err)
	}
	if err := l.watch.read(ctx, l.setup.Block); err != nil {
		return nil, err
	}
	return l.report(sent, before, after), nil
}
