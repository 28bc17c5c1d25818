package bench

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
)

// watch follows the chain by outcomes: it tells orders their fate and notes when
// which block was seen. What the events of those blocks say is read afterwards,
// from the whole blocks: fetching them meanwhile would be a load of its own.
type watch struct {
	mu        sync.Mutex
	waiting   map[[32]byte]*order
	measuring bool
	height    int64     // of the latest block that was seen
	last      time.Time // when it was
	seen      Chain
	measured  []sighting
	// accepted are the readings of the measured time by when their block was
	// seen, settled the periods. Both are empty before read.
	accepted []time.Time
	settled  map[int64]time.Time
}

// sighting is when a block of the measured time was seen.
type sighting struct {
	height int64
	at     time.Time
}

// Chain is what the chain did in the measured time.
type Chain struct {
	Blocks int64 `json:"blocks"`
	Txs    int64 `json:"txs"`
	// MostTxs is the greatest number of transactions in one block.
	MostTxs int64 `json:"most_txs_in_block"`
	// Periods whose market was cleared, those that missed their gate, and
	// those that were settled whole.
	Cleared int64 `json:"periods_cleared"`
	Missed  int64 `json:"periods_missed"`
	Settled int64 `json:"periods_settled"`
	// MostOrders is the greatest book at its gate; MatchedWh and SettledWh are
	// sums over periods.
	MostOrders int64 `json:"most_orders_in_book"`
	MatchedWh  int64 `json:"matched_wh"`
	SettledWh  int64 `json:"settled_wh"`

	intervals []time.Duration // between blocks
}

func newWatch() *watch {
	return &watch{waiting: make(map[[32]byte]*order), settled: make(map[int64]time.Time)}
}

func (w *watch) expect(hash [32]byte, o *order) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.waiting[hash] = o
}

func (w *watch) forget(hash [32]byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, hash)
}

func (w *watch) begin() { w.measure(true) }

func (w *watch) end() { w.measure(false) }

func (w *watch) measure(on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.measuring = on
}

// onOutcomes is called with what became of the transactions of every block in
// order.
func (w *watch) onOutcomes(block *txv1.BlockOutcomes) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, tx := range block.Txs {
		hash := [32]byte(tx.Hash)
		o := w.waiting[hash]
		if o == nil {
			continue
		}
		delete(w.waiting, hash)
		o.settle(func() {
			o.latency, o.err, o.done = now.Sub(o.intended), nil, true
			if tx.Code != 0 {
				o.refused = &client.Rejected{Codespace: tx.Codespace, Code: uint32(tx.Code), Log: tx.Log, Height: block.Height}
			}
		})
	}
	if w.measuring {
		w.seen.Blocks++
		w.seen.Txs += int64(len(block.Txs))
		w.seen.MostTxs = max(w.seen.MostTxs, int64(len(block.Txs)))
		w.seen.intervals = append(w.seen.intervals, now.Sub(w.last))
		w.measured = append(w.measured, sighting{block.Height, now})
	}
	w.height, w.last = block.Height, now
}

// sees returns once the block at a height was seen.
func (w *watch) sees(ctx context.Context, height int64) error {
	for {
		w.mu.Lock()
		seen := w.height >= height
		w.mu.Unlock()
		if seen {
			return nil
		}
		if err := sleepUntil(ctx, time.Now().Add(10*time.Millisecond)); err != nil {
			return err
		}
	}
}

// read adds what the events of the measured blocks say; it is called once, after
// the measured time. What happened in a block counts as of when it was seen.
func (w *watch) read(ctx context.Context, fetch func(ctx context.Context, height int64) (*client.Block, error)) error {
	w.mu.Lock()
	measured := w.measured
	w.mu.Unlock()
	for _, m := range measured {
		block, err := fetch(ctx, m.height)
		if err != nil {
			return fmt.Errorf("events of the measured time: %w", err)
		}
		w.mu.Lock()
		w.seen.count(block)
		w.note(block, m.at)
		w.mu.Unlock()
	}
	return nil
}

// note remembers when readings were accepted and which periods settled when.
func (w *watch) note(block *client.Block, at time.Time) {
	for _, result := range block.Results {
		for _, event := range result.Events {
			if event.Type == "energy.metering.v1.ReadingAccepted" {
				w.accepted = append(w.accepted, at)
			}
		}
	}
	for _, event := range block.Events {
		found := new(settlementv1.PeriodSettled)
		if event.Type == "energy.settlement.v1.PeriodSettled" && event.Decode(found) == nil {
			w.settled[found.Root.Period] = at
		}
	}
}

// reached returns how long after a time the last of so many readings was in a
// block, and the last of the periods settled; 0 before.
func (w *watch) reached(began time.Time, readings int, periods []int64) (committed, settled time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.accepted) >= readings {
		committed = w.accepted[readings-1].Sub(began)
	}
	for _, period := range periods {
		at, ok := w.settled[period]
		if !ok {
			return committed, 0
		}
		settled = max(settled, at.Sub(began))
	}
	return committed, settled
}

// count adds what the hooks of a block did.
func (c *Chain) count(block *client.Block) {
	for _, event := range block.Events {
		switch event.Type {
		case "energy.matching.v1.PeriodFinal":
			found := new(matchingv1.PeriodFinal)
			if event.Decode(found) != nil {
				continue
			}
			c.Cleared++
			if found.Book.Missed {
				c.Missed++
			}
			c.MostOrders = max(c.MostOrders, found.Book.Orders)
			c.MatchedWh += found.Book.MatchedWh
		case "energy.settlement.v1.PeriodSettled":
			found := new(settlementv1.PeriodSettled)
			if event.Decode(found) == nil {
				c.Settled++
				c.SettledWh += found.Root.Totals.GetSoldWh()
			}
		}
	}
}
