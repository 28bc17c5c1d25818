package client

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// Trading is what the events of blocks say of a market's book of a period, from the
// first order to the end of its book. Events are no part of what validators
// sign: who wants to know whether they are true clears the book again.
type Trading struct {
	Period, Market int64
	// Sells and Buys are all that were placed, oldest first.
	Sells []*matchingv1.SellOrder
	Buys  []*matchingv1.BuyOrder
	// Cancelled says by order id why an order left the book without a clearing,
	// Withdrawn why what was left of one went after a clearing.
	Cancelled, Withdrawn map[string]string
	// Seals say by order id what became of orders that nobody could read; of those
	// that were revealed they say nothing.
	Seals map[string]Seal
	// Clearings are those of the book's rounds, in their order.
	Clearings []*Clearing
	// Failed says why the book could not be cleared, empty if it could.
	Failed string
	// Fates say by match id what became of the matches.
	Fates map[string]Fate
	// Revealing is the height whose hook opened the reveal of sealed orders, 0 if
	// none were: the header of that height holds the hash that decides ties.
	Revealing int64
	// Final is the book at its end, nil before it.
	Final *matchingv1.Book

	// What the orders still have, as the chain keeps it.
	sells []*matchingv1.SellOrder
	buys  []*matchingv1.BuyOrder
	// Pairs that are not proposed again, matches that stand.
	declined []*matchingv1.Declined
	standing []*matchingv1.Match
	// Of the clearing whose PeriodCleared is still to come.
	found []found
	cuts  []*matchingv1.Cut
	// Of other markets in the period: where orders are connected, matches on the
	// lines. What lapses after a clearing in the same hook leaves with its block.
	nodes   map[string]string
	others  []*matchingv1.Match
	leaving map[string]bool
	cleared bool // some market of the period, since the lines were looked at
}

// found is a match as a clearing found it, and how a rule declined it, or nil.
type found struct {
	match    *matchingv1.Match
	declined *matchingv1.MatchLapsed
}

// Clearing is the clearing of a round: what went into it and what came out.
type Clearing struct {
	// Height of the block whose hook cleared; the header of that height holds the
	// app hash that decided ties.
	Height int64
	// Sells and Buys are all orders of the book with what each still had.
	Sells []*matchingv1.SellOrder
	Buys  []*matchingv1.BuyOrder
	// Of earlier rounds: pairs that were not to be proposed again, and matches
	// that stood.
	Declined []*matchingv1.Declined
	Standing []*matchingv1.Match
	// Beside is what other markets had on the lines.
	Beside  []Flow
	Matches []*matchingv1.Match // whatever became of them
	Cuts    []*matchingv1.Cut
	Book    *matchingv1.Book // as it was reported
}

// Flow is energy on its way between two nodes of the grid.
type Flow struct {
	From, To string
	EnergyWh int64 // at the seller's meter
}

// Seal is what became of a sealed order that was not revealed.
type Seal int

// An order is sealed until it is revealed, cancelled, or lost its bond.
const (
	Sealed   Seal = iota
	Unsealed      // cancelled, its bond came back
	Forfeited
)

// Fate is what became of a match.
type Fate int

// A match waits for signatures until both sides confirmed it, a side vetoed it or
// did not sign in time, or a side's account was stopped; the rule of a side may
// reject it at once.
const (
	Waits Fate = iota
	Confirmed
	Declined
	Vetoed
	Lapsed
	Stopped
)

func (f Fate) String() string {
	return [...]string{"waits", "confirmed", "rejected by a rule", "vetoed", "lapsed", "stopped"}[f]
}

// fates are those of causes.
var fates = map[matchingv1.Cause]Fate{
	matchingv1.Cause_CAUSE_RULE: Declined, matchingv1.Cause_CAUSE_VETO: Vetoed,
	matchingv1.Cause_CAUSE_LAPSE: Lapsed, matchingv1.Cause_CAUSE_STOPPED: Stopped,
}

// NewTrading returns a market's book of a period before its first order.
func NewTrading(period, market int64) *Trading {
	return &Trading{
		Period: period, Market: market, Cancelled: make(map[string]string), Withdrawn: make(map[string]string),
		Seals: make(map[string]Seal), Fates: make(map[string]Fate),
		nodes: make(map[string]string), leaving: make(map[string]bool),
	}
}

// Add takes the events of a block, those of its transactions first, and leaves
// out those of other periods. Other markets of the period only count as what they
// have on the lines. Blocks are added in their order.
func (t *Trading) Add(height int64, events []proto.Message) {
	for _, event := range events {
		period, market := placeOf(event, t.Market)
		switch {
		case period != t.Period:
			if _, cleared := event.(*matchingv1.PeriodCleared); cleared {
				t.leave() // the lines of this period are looked at anew after another's
			}
		case market != t.Market:
			t.beside(event)
		default:
			t.own(height, event)
		}
		if _, failed := event.(*matchingv1.ClearingFailed); failed {
			t.leave() // they are looked at anew as well
		}
	}
	t.leave()
}

// leave takes off the lines what lapsed since they were looked at.
func (t *Trading) leave() {
	t.others = slices.DeleteFunc(t.others, func(match *matchingv1.Match) bool { return t.leaving[string(match.Id)] })
	clear(t.leaving)
	t.cleared = false
}

// own takes an event of the own book, from the block at a height.
func (t *Trading) own(height int64, event proto.Message) {
	switch e := event.(type) {
	case *matchingv1.SellPlaced:
		t.Sells, t.sells = append(t.Sells, e.Order), append(t.sells, proto.CloneOf(e.Order))
		delete(t.Seals, string(e.Order.Id))
	case *matchingv1.BuyPlaced:
		t.Buys, t.buys = append(t.Buys, e.Order), append(t.buys, proto.CloneOf(e.Order))
		delete(t.Seals, string(e.Order.Id))
	case *matchingv1.OrderSealed:
		t.Seals[string(e.Seal.Id)] = Sealed
	case *matchingv1.BondForfeited:
		t.Seals[string(e.Seal.Id)] = Forfeited
	case *matchingv1.OrderCancelled:
		t.cancel(e)
	case *matchingv1.PreMatched:
		t.match(e.Match, Waits)
	case *matchingv1.Matched:
		t.match(e.Match, Confirmed)
	case *matchingv1.MatchLapsed:
		t.lapse(e)
	case *matchingv1.Cut:
		if slices.ContainsFunc(t.Sells, func(order *matchingv1.SellOrder) bool { return bytes.Equal(order.Id, e.SellOrder) }) {
			t.cuts = append(t.cuts, e)
		}
	case *matchingv1.ClearingFailed:
		t.Failed = e.Reason
	case *matchingv1.RevealStarted:
		t.Revealing = height
	case *matchingv1.PeriodCleared:
		t.clear(height, e.Book)
	case *matchingv1.PeriodFinal:
		t.Final = e.Book
	}
}

// placeOf returns period and market that an event is about, 0 for none. Events
// without a market are taken for this one's: they name orders by their ids.
func placeOf(event proto.Message, this int64) (period, market int64) {
	var about interface {
		GetPeriod() int64
		GetMarket() int64
	}
	switch e := event.(type) {
	case *matchingv1.SellPlaced:
		about = e.Order
	case *matchingv1.BuyPlaced:
		about = e.Order
	case *matchingv1.PreMatched:
		about = e.Match
	case *matchingv1.Matched:
		about = e.Match
	case *matchingv1.MatchLapsed:
		about = e.Match
	case *matchingv1.RevealStarted:
		about = e.Book
	case *matchingv1.PeriodCleared:
		about = e.Book
	case *matchingv1.PeriodFinal:
		about = e.Book
	case *matchingv1.ClearingFailed:
		about = e
	case *matchingv1.OrderSealed:
		about = e.Seal
	case *matchingv1.BondForfeited:
		about = e.Seal
	case *matchingv1.OrderCancelled:
		return e.Period, this
	case *matchingv1.Cut:
		return e.Period, this
	}
	if about == nil {
		return 0, 0
	}
	return about.GetPeriod(), about.GetMarket()
}

// beside follows what another market of the period has on the lines.
func (t *Trading) beside(event proto.Message) {
	switch e := event.(type) {
	case *matchingv1.SellPlaced:
		t.nodes[string(e.Order.Id)] = e.Order.GridNode
	case *matchingv1.BuyPlaced:
		t.nodes[string(e.Order.Id)] = e.Order.GridNode
	case *matchingv1.PreMatched:
		t.occupy(e.Match)
	case *matchingv1.Matched:
		t.occupy(e.Match)
	case *matchingv1.MatchLapsed:
		if t.leaving[string(e.Match.Id)] = true; !t.cleared {
			t.others = slices.DeleteFunc(t.others, func(match *matchingv1.Match) bool { return bytes.Equal(match.Id, e.Match.Id) })
		}
	case *matchingv1.PeriodCleared:
		t.cleared = true
	}
}

func (t *Trading) occupy(match *matchingv1.Match) {
	if !slices.ContainsFunc(t.others, func(other *matchingv1.Match) bool { return bytes.Equal(other.Id, match.Id) }) {
		t.others = append(t.others, match)
	}
}

// cancel takes an order out: before the gate with all it is, later with what it
// still has. Another market's is not known here.
func (t *Trading) cancel(e *matchingv1.OrderCancelled) {
	left := t.Cancelled
	if len(t.Clearings) > 0 {
		left = t.Withdrawn
	}
	for _, order := range t.sells {
		if bytes.Equal(order.Id, e.Order) {
			order.AvailableWh, left[string(e.Order)] = 0, e.Reason
		}
	}
	for _, order := range t.buys {
		if bytes.Equal(order.Id, e.Order) {
			order.OpenWh, left[string(e.Order)] = 0, e.Reason
		}
	}
	if _, sealed := t.Seals[string(e.Order)]; sealed {
		t.Seals[string(e.Order)] = Unsealed
	}
}

// match notes a match that a clearing found, or that was confirmed since.
func (t *Trading) match(match *matchingv1.Match, fate Fate) {
	if _, known := t.Fates[string(match.Id)]; !known {
		t.found = append(t.found, found{match: match})
	} else if fate == Confirmed {
		t.standing = append(t.standing, match)
	}
	t.Fates[string(match.Id)] = fate
}

// lapse gives the energy of a match back to its orders. What a rule rejects never
// left them: the clearing under way found it.
func (t *Trading) lapse(e *matchingv1.MatchLapsed) {
	t.Fates[string(e.Match.GetId())] = fates[e.Cause]
	if e.Cause == matchingv1.Cause_CAUSE_RULE {
		t.found = append(t.found, found{e.Match, e})
		return
	}
	t.move(e.Match, -e.Match.EnergyWh)
	t.decline(e)
}

// move takes energy of a match out of its orders.
func (t *Trading) move(match *matchingv1.Match, energyWh int64) {
	for _, order := range t.sells {
		if bytes.Equal(order.Id, match.SellOrder) {
			order.AvailableWh -= energyWh
		}
	}
	for _, order := range t.buys {
		if bytes.Equal(order.Id, match.BuyOrder) {
			order.OpenWh -= energyWh
		}
	}
}

// decline notes who is not proposed to each other again, and who comes first in
// the next round.
func (t *Trading) decline(e *matchingv1.MatchLapsed) {
	t.declined = append(t.declined, &matchingv1.Declined{Period: t.Period, SellOrder: e.Match.SellOrder, BuyOrder: e.Match.BuyOrder})
	for _, order := range t.sells {
		if bytes.Equal(order.Id, e.Match.SellOrder) {
			order.Priority = order.Priority || !e.BySeller
		}
	}
	for _, order := range t.buys {
		if bytes.Equal(order.Id, e.Match.BuyOrder) {
			order.Priority = order.Priority || !e.ByBuyer
		}
	}
}

// clear ends a clearing, whose matches and cuts came before.
func (t *Trading) clear(height int64, book *matchingv1.Book) {
	c := &Clearing{Height: height, Cuts: t.cuts, Book: book, Declined: slices.Clone(t.declined), Standing: slices.Clone(t.standing)}
	for _, order := range t.sells {
		if _, gone := t.Cancelled[string(order.Id)]; !gone {
			c.Sells = append(c.Sells, proto.CloneOf(order))
		}
		order.Priority = false
	}
	for _, order := range t.buys {
		if _, gone := t.Cancelled[string(order.Id)]; !gone {
			c.Buys = append(c.Buys, proto.CloneOf(order))
		}
		order.Priority = false
	}
	for _, f := range t.found {
		c.Matches = append(c.Matches, f.match)
		if f.declined != nil {
			t.decline(f.declined)
			continue
		}
		t.move(f.match, f.match.EnergyWh)
		if t.Fates[string(f.match.Id)] == Confirmed {
			t.standing = append(t.standing, f.match)
		}
	}
	for _, match := range t.others {
		c.Beside = append(c.Beside, Flow{t.nodes[string(match.SellOrder)], t.nodes[string(match.BuyOrder)], match.EnergyWh})
	}
	t.found, t.cuts, t.cleared = nil, nil, true
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

// Trading reads a market's book of a period from the blocks since its orders opened
// (opensMs), up to the end of its book or the latest block.
func (c *Client) Trading(ctx context.Context, period, market, opensMs int64) (*Trading, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return nil, err
	}
	head := status.Height
	at, err := c.firstBlock(ctx, max(1, status.Earliest), head, opensMs)
	if err != nil {
		return nil, err
	}
	t := NewTrading(period, market)
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
