package demo

import (
	"strings"

	"google.golang.org/protobuf/proto"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

// moment is a block as a story sees it.
type moment struct {
	height, timeMs int64
	txs            int
	events         []proto.Message
}

// refusal is an order that the chain did not take.
type refusal struct {
	participant, period int
	log                 string
}

// code is that of the refusal, such as matching/in_debt.
func (r refusal) code() string {
	for part := range strings.SplitSeq(r.log, ": ") {
		if strings.Contains(part, "/") {
			return part
		}
	}
	return r.log
}

// chronicle is everything that a story is told from: what the blocks' events
// said, in order, and what became of the orders that were refused.
type chronicle struct {
	moments  []moment
	refusals []refusal
	// of says which participant an account is.
	of map[string]int
	// firstPeriod and length place the periods on the chain, gateLead their
	// gates before them; ms.
	firstPeriod, length, gateLead int64
	// lost is what of the chain was found gone after an outage.
	lost []string
}

// number is the number of a period, which may lie outside the run.
func (c *chronicle) number(period int64) int {
	return int((period - c.firstPeriod) / c.length)
}

func (c *chronicle) start(period int) int64 { return c.firstPeriod + int64(period)*c.length }

// all returns the events of a kind for which keep says so, with their moments.
func all[E proto.Message](c *chronicle, keep func(E) bool) []seen[E] {
	var found []seen[E]
	for i := range c.moments {
		for _, event := range c.moments[i].events {
			if e, ok := event.(E); ok && (keep == nil || keep(e)) {
				found = append(found, seen[E]{event: e, at: &c.moments[i]})
			}
		}
	}
	return found
}

// seen is an event and the block it came in.
type seen[E proto.Message] struct {
	event E
	at    *moment
}

// account is a participant's period.
type account struct{ participant, period int }

// bill is a version of a participant's statement, and the block it came in.
type bill struct {
	*settlementv1.Statement
	at *moment
}

// bills are the versions of all statements, in order.
func (c *chronicle) bills() map[account][]bill {
	found := make(map[account][]bill)
	for _, s := range all[*settlementv1.StatementMade](c, nil) {
		if of, known := c.of[string(s.event.Statement.Account)]; known {
			key := account{of, c.number(s.event.Statement.Period)}
			found[key] = append(found[key], bill{s.event.Statement, s.at})
		}
	}
	return found
}

// trades are the settled trades of everybody, of either side.
func (c *chronicle) trades() map[account][]*settlementv1.Trade {
	found := make(map[account][]*settlementv1.Trade)
	for _, s := range all[*settlementv1.Settled](c, nil) {
		for _, side := range [][]byte{s.event.Trade.Seller, s.event.Trade.Buyer} {
			if of, known := c.of[string(side)]; known {
				key := account{of, c.number(s.event.Period)}
				found[key] = append(found[key], s.event.Trade)
			}
		}
	}
	return found
}

func (c *chronicle) is(account []byte, participant int) bool {
	of, known := c.of[string(account)]
	return known && of == participant
}

// roots are the versions of a period's root, in order.
func (c *chronicle) roots(period int) []*settlementv1.StatementsRoot {
	var found []*settlementv1.StatementsRoot
	for _, s := range all(c, func(e *settlementv1.PeriodSettled) bool { return c.number(e.Root.Period) == period }) {
		found = append(found, s.event.Root)
	}
	return found
}

// refused says with what words orders of a participant were refused, by period.
func (c *chronicle) refused(participant int) []refusal {
	var found []refusal
	for _, r := range c.refusals {
		if r.participant == participant {
			found = append(found, r)
		}
	}
	return found
}
