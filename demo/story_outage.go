package demo

import (
	"bytes"
	"fmt"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

// outageStory stops every node while markets are open.
var outageStory = story{
	name:    "outage",
	about:   "all nodes stop before a period begins and start again two periods later",
	periods: 7,
	rules: []string{
		"What is in a block stays: matches confirmed before an outage settle as they would have.",
		"A period that began before its market could be cleared goes to the grid; its escrow is released.",
		"Deadlines count periods with blocks: nobody is late, charged or frozen for an outage. Gateways keep their readings until it is over.",
	},
	plan: func(p *plan, starts []int, periods int) (ok bool) {
		p.first, _, ok = best(starts, func(at int) ([]int, int64) { return nil, p.market.liveliest(at, periods) })
		p.down = &outage{from: 2, until: 4}
		return ok
	},
	tell: tellOutage,
}

// gap is the longest time without a block: the last one before, the first after.
func (t *teller) gap() (before, after moment) {
	for i := 1; i < len(t.moments); i++ {
		if a, b := t.moments[i-1], t.moments[i]; b.timeMs-a.timeMs > after.timeMs-before.timeMs {
			before, after = a, b
		}
	}
	return before, after
}

func tellOutage(t *teller) {
	before, after := t.gap()
	length := after.timeMs - before.timeMs
	down := t.plan.down
	t.line(down.from, everybody, 1, 0, 0, "no block for %s s between heights %d and %d; %d transactions were in blocks before",
		fixed(length, 3, 1), before.height, after.height, t.txsUntil(before.height))
	t.law("the chain stood still for a period at least", expect(length >= t.length, "longest time without a block: %d ms", length))
	t.law("every node kept each block that it had before", t.lost)
	t.confirmedSettle(before)
	t.missedMarkets(before, after)
	t.onlyViolated("nobody is charged a violation for it")
	t.law("no reading is lost: no statement is marked missing or estimated", t.unread())
}

// everybody stands for all participants.
const everybody = -1

func (t *teller) txsUntil(height int64) int {
	total := 0
	for _, m := range t.moments {
		if m.height <= height {
			total += m.txs
		}
	}
	return total
}

// confirmedSettle tells of the matches that an outage came after, and requires
// that each match of the run settled with its own seller.
func (t *teller) confirmedSettle(before moment) {
	settled := make(map[string]*settlementv1.Trade)
	for _, s := range all[*settlementv1.Settled](t.chronicle, nil) {
		settled[string(s.event.Trade.Match)] = s.event.Trade
	}
	var wrong []string
	waiting := make(map[int]*settlementv1.Totals) // by period: what was confirmed and not yet delivered
	count := make(map[int]int64)
	for _, s := range all[*matchingv1.Matched](t.chronicle, nil) {
		match, period := s.event.Match, t.number(s.event.Match.Period)
		if period >= t.periods {
			continue
		}
		trade := settled[string(match.Id)]
		if trade == nil || trade.GridStoodIn || trade.ContractedWh != match.EnergyWh || !bytes.Equal(trade.Seller, match.Seller) {
			wrong = append(wrong, fmt.Sprintf("match %x of period %d did not settle as confirmed", match.Id, period))
			continue
		}
		if s.at.height <= before.height && t.start(period+1) > before.timeMs {
			if waiting[period] == nil {
				waiting[period] = new(settlementv1.Totals)
			}
			count[period]++
			waiting[period].SoldWh += trade.SoldWh
			waiting[period].AmountUcoin += trade.AmountUcoin
		}
	}
	for period := range t.periods {
		if w := waiting[period]; w != nil {
			t.line(period, everybody, 1, w.SoldWh, 0, "%d matches confirmed before settled as confirmed: %s coins from buyers to sellers", count[period], fixed(w.AmountUcoin, 6, 6))
		}
	}
	wrong = append(wrong, expect(len(waiting) > 0, "none waited for the outage's end")...)
	t.law("every confirmed match settled, those that the outage came after too", wrong)
}

// missedMarkets tells of the periods whose market could not be cleared.
func (t *teller) missedMarkets(before, after moment) {
	var wrong []string
	missed := 0
	for period := range t.periods {
		gate := t.start(period) - t.gateLead
		if gate <= before.timeMs || gate > after.timeMs {
			continue
		}
		cleared := t.start(period) > after.timeMs // late, but before its start
		missed++
		for _, root := range t.roots(period) {
			totals := root.Totals
			t.line(period, everybody, 2, totals.GridSoldWh+totals.GridBoughtWh, 0, "its gate fell into the outage: %s kWh sold, from and to the grid this; members paid it %s and got %s coins",
				fixed(totals.SoldWh, 3, 3), fixed(totals.GridReceivedUcoin, 6, 6), fixed(totals.GridPaidUcoin, 6, 6))
			wrong = append(wrong, expect(cleared || totals.SoldWh == 0, "period %d sold %d Wh", period, totals.SoldWh)...)
		}
		wrong = append(wrong, expect(len(t.roots(period)) > 0, "period %d was never settled", period)...)
	}
	wrong = append(wrong, expect(missed > 0, "no gate fell into the outage")...)
	t.law("periods whose gate fell into the outage and that began before it was over are the grid's", wrong)
	for _, s := range all(t.chronicle, func(e *matchingv1.PeriodFinal) bool { return e.Book.Missed }) {
		if period := t.number(s.event.Book.Period); period < t.periods {
			t.line(period, everybody, 2, 0, 0, "%d orders placed before were cancelled, their escrow released", s.event.Book.Orders)
		}
	}
}

// unread lists statements without measured registers.
func (t *teller) unread() (wrong []string) {
	t.each(func(n, period int) {
		for _, b := range t.bills[account{n, period}] {
			wrong = append(wrong, expect(!b.Missing && !b.Estimated, "%s in period %d", t.name(n), period)...)
		}
	})
	return wrong
}
