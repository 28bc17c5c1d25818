package client

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// Trading is what the events of blocks say of one period's market, from the
// first order to the end of its book. Events are no part of what validators
// sign: who wants to know whether they are true clears the book again.
type Trading struct {
	Period int64
	// Sells and Buys are all that were placed, oldest first.
	Sells []*matchingv1.SellOrder
	Buys  []*matchingv1.BuyOrder
	// Cancelled says by order id why an order left the book without a clearing.
	Cancelled map[string]string
	// Clearings are those of the book, in their order.
	Clearings []*Clearing
	// Failed says why the book could not be cleared, empty if it could.
	Failed string
	// Fates say by match id what became of the matches.
	Fates map[string]Fate
	// Final is the book at its end, nil before it.
	Final *matchingv1.Book

	found []*matchingv1.Match // of the clearing whose PeriodCleared is still to come
	cuts  []*matchingv1.Cut
}

// Clearing is one clearing of a book: what went into it and what came out.
type Clearing struct {
	// Height of the block whose hook cleared; the header of that height holds the
	// app hash that decided ties.
	Height  int64
	Sells   []*matchingv1.SellOrder
	Buys    []*matchingv1.BuyOrder
	Matches []*matchingv1.Match // confirmed or not
	Cuts    []*matchingv1.Cut
	Book    *matchingv1.Book // as it was reported
}

// Fate is what became of a match.
type Fate int

// A match waits for signatures until both sides confirmed it, it lapsed, or one
// of them vetoed it.
const (
	Waits Fate = iota
	Confirmed
	Lapsed
	Vetoed
)

func (f Fate) String() string { return [...]string{"waits", "confirmed", "lapsed", "vetoed"}[f] }

// NewTrading returns the market of a period before its first order.
func NewTrading(period int64) *Trading {
	return &Trading{Period: period, Cancelled: make(map[string]string), Fates: make(map[string]Fate)}
}

// Add takes the events of a block, those of its transactions first, and leaves
// out those of other periods. Blocks are added in their order.
func (t *Trading) Add(height int64, events []proto.Message) {
	for _, event := range events {
		if about, ok := event.(interface{ GetPeriod() int64 }); ok && about.GetPeriod() != t.Period {
			continue
		}
		switch e := event.(type) {
		case *matchingv1.SellPlaced:
			if e.Order.GetPeriod() == t.Period {
				t.Sells = append(t.Sells, e.Order)
			}
		case *matchingv1.BuyPlaced:
			if e.Order.GetPeriod() == t.Period {
				t.Buys = append(t.Buys, e.Order)
			}
		case *matchingv1.OrderCancelled:
			t.Cancelled[string(e.Order)] = e.Reason
		case *matchingv1.PreMatched:
			t.match(e.Match, Waits)
		case *matchingv1.Matched:
			t.match(e.Match, Confirmed)
		case *matchingv1.MatchLapsed:
			t.Fates[string(e.Match)] = Lapsed
			if e.Vetoed {
				t.Fates[string(e.Match)] = Vetoed
			}
		case *matchingv1.Cut:
			t.cuts = append(t.cuts, e)
		case *matchingv1.ClearingFailed:
			t.Failed = e.Reason
		case *matchingv1.PeriodCleared:
			if e.Book.GetPeriod() == t.Period {
				t.cleared(height, e.Book)
			}
		case *matchingv1.PeriodFinal:
			if e.Book.GetPeriod() == t.Period {
				t.Final = e.Book
			}
		}
	}
}

// match notes a match that was found, or confirmed since.
func (t *Trading) match(match *matchingv1.Match, fate Fate) {
	if match.GetPeriod() != t.Period {
		return
	}
	if _, known := t.Fates[string(match.Id)]; !known {
		t.found = append(t.found, match)
	}
	t.Fates[string(match.Id)] = fate
}

// cleared ends a clearing, whose matches and cuts came before.
func (t *Trading) cleared(height int64, book *matchingv1.Book) {
	c := &Clearing{Height: height, Matches: t.found, Cuts: t.cuts, Book: book}
	t.found, t.cuts = nil, nil
	for _, order := range t.Sells {
		if _, gone := t.Cancelled[string(order.Id)]; !gone {
			c.Sells = append(c.Sells, proto.CloneOf(order))
		}
	}
	for _, order := range t.Buys {
		if _, gone := t.Cancelled[string(order.Id)]; !gone {
			c.Buys = append(c.Buys, proto.CloneOf(order))
		}
	}
	t.Clearings = append(t.Clearings, c)
}

// AllEvents decodes the chain's events of a block, those of its transactions
// first.
func (b *Block) AllEvents() ([]proto.Message, error) {
	var all []proto.Message
	for _, result := range b.Results {
		events, err := DecodeEvents(result.Events)
		if err != nil {
			return nil, fmt.Errorf("block %d: %w", b.Height, err)
		}
		all = append(all, events...)
	}
	events, err := DecodeEvents(b.Events)
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", b.Height, err)
	}
	return append(all, events...), nil
}

// askedAtOnce is how many blocks, or nodes of the grid, are asked for at a time.
const askedAtOnce = 16

// Trading reads a period's market from the blocks since its orders opened
// (opensMs), up to the end of its book or the latest block.
func (c *Client) Trading(ctx context.Context, period, opensMs int64) (*Trading, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	head := status.SyncInfo.LatestBlockHeight
	at, err := c.firstBlock(ctx, max(1, status.SyncInfo.EarliestBlockHeight), head, opensMs)
	if err != nil {
		return nil, err
	}
	t := NewTrading(period)
	for at <= head && t.Final == nil {
		blocks := make([]*Block, min(askedAtOnce, head-at+1))
		if err := together(len(blocks), func(i int) (err error) {
			blocks[i], err = c.Block(ctx, at+int64(i))
			return err
		}); err != nil {
			return nil, err
		}
		for _, block := range blocks {
			events, err := block.AllEvents()
			if err != nil {
				return nil, err
			}
			t.Add(block.Height, events)
			// The first block at or after the start ends a book that still is open.
			if t.Final != nil || block.TimeMs >= period {
				return t, nil
			}
		}
		at += int64(len(blocks))
	}
	return t, nil
}

// firstBlock finds the first height of low..high whose block time is at or after
// a time; high + 1 if there is none. Block times grow.
func (c *Client) firstBlock(ctx context.Context, low, high, timeMs int64) (int64, error) {
	for low <= high {
		middle := low + (high-low)/2
		block, err := c.Block(ctx, middle)
		if err != nil {
			return 0, err
		}
		if block.TimeMs >= timeMs {
			high = middle - 1
		} else {
			low = middle + 1
		}
	}
	return low, nil
}

// together runs fn for 0..n-1 at once and returns one of their errors.
func together(n int, fn func(i int) error) error {
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- fn(i) }()
	}
	var failed error
	for range n {
		if err := <-errs; err != nil {
			failed = err
		}
	}
	return failed
}
