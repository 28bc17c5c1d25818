package bench

import (
	"sync"
	"time"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
)

// watch follows the blocks: it tells orders their fate and counts what the
// chain did while it was measured.
type watch struct {
	mu        sync.Mutex
	waiting   map[[32]byte]*order
	measuring bool
	last      time.Time // when the latest block was seen
	seen      Chain
	// accepted are the readings of the measured time by when their block was
	// seen, settled the periods.
	accepted []time.Time
	settled  map[int64]time.Time
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

// onBlock is called with every block in order.
func (w *watch) onBlock(block *client.Block) {
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, tx := range block.Txs {
		hash := protocol.TxHash(tx)
		o := w.waiting[hash]
		if o == nil {
			continue
		}
		delete(w.waiting, hash)
		o.settle(func() {
			o.latency, o.err, o.done = now.Sub(o.intended), nil, true
			if r := block.Results[i]; r.Code != 0 {
				o.refused = &client.Rejected{Codespace: r.Codespace, Code: r.Code, Log: r.Log, Height: block.Height}
			}
		})
	}
	if w.measuring {
		w.seen.count(block)
		w.seen.intervals = append(w.seen.intervals, now.Sub(w.last))
		w.note(block, now)
	}
	w.last = now
}

// note remembers when readings were accepted and which periods settled when.
func (w *watch) note(block *client.Block, now time.Time) {
	for _, result := range block.Results {
		for _, event := range result.Events {
			if event.Type == "energy.metering.v1.ReadingAccepted" {
				w.accepted = append(w.accepted, now)
			}
		}
	}
	for _, event := range block.Events {
		found := new(settlementv1.PeriodSettled)
		if event.Type == "energy.settlement.v1.PeriodSettled" && event.Decode(found) == nil {
			w.settled[found.Root.Period] = now
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

func (c *Chain) count(block *client.Block) {
	c.Blocks++
	c.Txs += int64(len(block.Txs))
	c.MostTxs = max(c.MostTxs, int64(len(block.Txs)))
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
