package demo

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/testnet"
)

// driver plays all members and gateways of a run. It follows block time: what
// it does next depends on the time of the latest block, never on its own
// clock.
type driver struct {
	options Options
	market  *Market
	// first is the data interval that period 0 replays.
	first       int
	network     *testnet.Network
	authority   client.Key
	aggregators []client.Key
	sender      *client.Sender
	report      *Report

	// plan is the story's disturbance; nil without one.
	plan *plan

	members  []*member
	gateways []client.Key
	// meters are simulated and read over Modbus; nil where the driver signs the
	// readings.
	meters *meters
	// firstPeriod is the start of period 0 on the chain, ms.
	firstPeriod int64

	clock *clock
	// outage is held while all nodes are stopped; who needs their answers reads it.
	outage sync.RWMutex

	mu        sync.Mutex
	latencies []time.Duration
	blocks    int64
	txs       int64
	missed    map[int64]bool // periods whose gate an order missed
	books     map[int64]*matchingv1.Book
	trading   map[int64]*client.Trading
	settled   map[int64]int64 // version of the root over a period's statements
	absent    map[int64]int   // statements of a period that wait for registers
	unsigned  []*matchingv1.Match
	chronicle chronicle // of a story
}

// member is a participant with its key, meter and running registers.
type member struct {
	Participant
	key      client.Key
	meter    string
	gateway  int
	imported int64
	exported int64
	sequence uint64
	// unsent are readings that a story keeps back.
	unsent []*meteringv1.Reading
}

func (m *member) address() protocol.Address { return m.key.Address() }

// clock tells the time of the latest block and wakes who waits for one.
type clock struct {
	mu     sync.Mutex
	timeMs int64
	moved  chan struct{}
}

func newClock() *clock { return &clock{moved: make(chan struct{})} }

func (c *clock) set(timeMs int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timeMs = timeMs
	close(c.moved)
	c.moved = make(chan struct{})
}

// now returns the time of the latest block and a channel that closes with the
// next one.
func (c *clock) now() (int64, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.timeMs, c.moved
}

// waitUntil returns once done says so of the latest block's time.
func (c *clock) waitUntil(ctx context.Context, done func(timeMs int64) bool) error {
	for {
		timeMs, moved := c.now()
		if timeMs > 0 && done(timeMs) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

// onBlock notes what a block's events say and moves the clock.
func (d *driver) onBlock(block *client.Block) {
	events, err := block.AllEvents()
	if err != nil {
		events = nil // of a later version of the chain
	}
	d.mu.Lock()
	d.blocks++
	d.txs += int64(len(block.Txs))
	for _, event := range events {
		switch found := event.(type) {
		case *matchingv1.SellPlaced:
			d.follow(found.Order.GetPeriod())
		case *matchingv1.BuyPlaced:
			d.follow(found.Order.GetPeriod())
		case *matchingv1.PreMatched:
			d.unsigned = append(d.unsigned, found.Match)
		case *matchingv1.PeriodFinal:
			d.books[found.Book.Period] = found.Book
		case *settlementv1.StatementMade:
			d.countAbsent(found.Statement)
		case *settlementv1.PeriodSettled:
			d.settled[found.Root.Period] = found.Root.Version
		}
	}
	for _, trading := range d.trading {
		trading.Add(block.Height, events)
	}
	if d.plan != nil {
		d.chronicle.write(block, events)
	}
	d.mu.Unlock()
	d.clock.set(block.TimeMs)
}

// follow begins to gather a period's market with its first order.
func (d *driver) follow(period int64) {
	if d.trading[period] == nil {
		d.trading[period] = client.NewTrading(period, 0)
	}
}

// countAbsent keeps count of the statements that late registers will complete.
func (d *driver) countAbsent(s *settlementv1.Statement) {
	switch {
	case s.Missing:
		d.absent[s.Period]++
	case s.Version > 1:
		d.absent[s.Period]--
	}
}

// takeUnsigned returns the pre-matches announced since the last call.
func (d *driver) takeUnsigned() []*matchingv1.Match {
	d.mu.Lock()
	defer d.mu.Unlock()
	found := d.unsigned
	d.unsigned = nil
	return found
}

// book returns what became of a period's market, empty if nobody ordered.
func (d *driver) book(period int64) *matchingv1.Book {
	d.mu.Lock()
	defer d.mu.Unlock()
	book, ok := d.books[period]
	if !ok {
		return &matchingv1.Book{Period: period}
	}
	if book.Missed {
		d.missed[period] = true
	}
	return book
}

// settledVersion is the version of a period's root once no account waits for
// registers any more; 0 before.
func (d *driver) settledVersion(period int64) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.absent[period] > 0 {
		return 0
	}
	return d.settled[period]
}

// send sends messages and notes the latency of their commit.
func (d *driver) send(ctx context.Context, key client.Key, msgs ...proto.Message) error {
	outcome, err := d.sender.Do(ctx, key, msgs...)
	if err == nil {
		d.mu.Lock()
		d.latencies = append(d.latencies, outcome.Latency)
		d.mu.Unlock()
	}
	return err
}

// quantile returns the p-th per cent of the latencies, in ms.
func (d *driver) quantile(p int) int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.latencies) == 0 {
		return 0
	}
	slices.Sort(d.latencies)
	return d.latencies[(len(d.latencies)-1)*p/100].Milliseconds()
}

// each runs fn for 0..n-1 at once and returns the first error.
func each(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { errs[i] = fn(i) })
	}
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("%d: %w", i, err)
		}
	}
	return nil
}

// periodOf returns the chain's period that replays the i-th interval.
func (d *driver) periodOf(i int) int64 {
	return d.firstPeriod + int64(i)*d.options.PeriodLength.Milliseconds()
}
