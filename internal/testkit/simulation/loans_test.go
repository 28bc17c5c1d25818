package simulation

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"slices"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// lending is the credit bank (SPEC 10) and its borrowers.
type lending struct {
	terms *creditv1.Terms
	// lines are what borrowers may draw in which period, two periods at most.
	lines   map[string]*line
	priced  int64 // the latest period for which loans were priced
	demands map[string]demand
	loans   map[string][]*loan // not ended, oldest first
	history map[string]*history
}

type line struct{ period, rate, undrawn int64 }

// demand is a curve by two points: q0 at r0, none from r1 on.
type demand struct{ q0, r0, r1 int64 }

type loan struct {
	name                      string
	period, rate, due         int64
	lent, principal, interest int64
	late                      bool
}

type history struct{ loans, defaults int64 }

func lineOf(name string, period int64) string { return fmt.Sprint(name, " ", period) }

// mayBorrow: an active account without debt and without a late loan.
func (m *model) mayBorrow(name string) bool {
	isLate := slices.ContainsFunc(m.loans[name], func(l *loan) bool { return l.late })
	return m.conduct[name].frozenBy == "" && m.owes(name, "") == 0 && !isLate
}

// draw lends what an account lacks for energy, as far as its line of the present
// period reaches; all draws of a period are one loan. The caller pays it out.
func (m *model) draw(name string, lacks int64) int64 {
	line := m.lines[lineOf(name, start(m.nowMs))]
	if lacks <= 0 || line == nil || !m.mayBorrow(name) {
		return 0
	}
	lent := min(lacks, line.undrawn)
	if lent == 0 {
		return 0
	}
	line.undrawn -= lent
	at := slices.IndexFunc(m.loans[name], func(l *loan) bool { return l.period == line.period })
	if at < 0 {
		at = len(m.loans[name])
		m.loans[name] = append(m.loans[name], &loan{name: name, period: line.period, rate: line.rate, due: line.period + m.terms.TermPeriods*market.Period})
	}
	l := m.loans[name][at]
	l.interest -= mulDiv(l.lent, l.rate, 1_000_000)
	l.lent += lent
	l.principal += lent
	l.interest += mulDiv(l.lent, l.rate, 1_000_000)
	m.free[pool] -= lent
	return lent
}

// repayLoans repays an account's loans from a sale, the oldest first.
func (m *model) repayLoans(name string, received int64) (repaid int64) {
	left := min(received, m.free[name])
	for _, l := range m.loans[name] {
		part := m.repay(l, left)
		left -= part
		repaid += part
	}
	return repaid
}

// repay repays a loan with at most so much: interest before principal.
func (m *model) repay(l *loan, most int64) int64 {
	most = max(most, 0)
	interest := min(most, l.interest)
	principal := min(most-interest, l.principal)
	l.interest -= interest
	l.principal -= principal
	m.free[l.name] -= interest + principal
	m.free[pool] += interest + principal
	return interest + principal
}

// judge judges the loans that are due, the longest due first, and lets past lines
// lapse.
func (m *model) judge() {
	now := start(m.nowMs)
	var due []*loan
	for _, name := range m.names {
		for _, l := range m.loans[name] {
			if l.due <= now {
				due = append(due, l)
			}
		}
	}
	slices.SortFunc(due, func(a, b *loan) int {
		return cmp.Or(cmp.Compare(a.due, b.due), m.compare(a.name, b.name), cmp.Compare(a.period, b.period))
	})
	for _, l := range due {
		m.collect(l)
	}
	for key, line := range m.lines {
		if line.period < now {
			delete(m.lines, key)
		}
	}
}

// collect takes what is left of a loan from the balance; else it is late once, then
// in default.
func (m *model) collect(l *loan) {
	m.repay(l, m.free[l.name])
	left, c := l.principal+l.interest, m.conduct[l.name]
	switch {
	case left > 0 && !l.late:
		l.late = true
		l.interest += mulDiv(l.principal, l.rate, 1_000_000)
		l.due += m.terms.GracePeriods * market.Period
		c.violate()
		return
	case left > 0:
		m.owe(l.name, pool, left)
		delete(m.demands, l.name)
		m.history[l.name].defaults++
		c.violate()
	case !l.late:
		m.fulfil(l.name, map[string]int64{operator: l.lent}, m.params.CreditMinOutcomeUcoin)
	}
	m.history[l.name].loans++
	m.loans[l.name] = slices.DeleteFunc(m.loans[l.name], func(other *loan) bool { return other == l })
}

// borrowers are those whose demands are priced.
func (m *model) borrowers() (names []string) {
	for _, name := range m.names {
		if _, ok := m.demands[name]; ok && m.mayBorrow(name) {
			names = append(names, name)
		}
	}
	return names
}

// undrawn is what of the bank's capital lines may still draw.
func (m *model) undrawn() (sum int64) {
	for _, line := range m.lines {
		sum += line.undrawn
	}
	return sum
}

// limit is the lesser of the cap by credit value less what is owed and what the
// present line may still draw, and of the obligations that coins do not cover: what the last closed period imported, at
// retail, for each period since it.
func (m *model) limit(name string) int64 {
	last := m.meters[name].last
	if last.period == 0 {
		return 0
	}
	since := min(max((start(m.nowMs)-last.period)/market.Period, 1), m.params.DeadlinePeriods+1)
	most := m.params.CreditCapsUcoin[m.conduct[name].value()/10]
	for _, l := range m.loans[name] {
		most -= l.principal
	}
	if line := m.lines[lineOf(name, start(m.nowMs))]; line != nil {
		most -= line.undrawn
	}
	return max(0, min(most, since*amount(market.Retail, last.importWh)-m.free[name]-m.escrow[name]))
}

// lends is what a borrower takes at a rate: clamp(theta/r - k, 0, L), with
// k = q0 r0/(r1 - r0) and theta = k r1; nothing below what a loan costs the bank,
// c + (10^6 defaults + 10 delta_0)/(loans + 10).
func (m *model) lends(name string, rate int64) int64 {
	d, h := m.demands[name], m.history[name]
	costs := m.terms.CostPpm*(h.loans+10) + 1_000_000*h.defaults + 10*m.terms.PriorDefaultPpm
	if rate*(h.loans+10) < costs || rate >= d.r1 {
		return 0
	}
	wants := new(big.Rat).Mul(big.NewRat(d.q0, 1), big.NewRat(d.r0, d.r1-d.r0))
	wants.Mul(wants, big.NewRat(d.r1-rate, rate))
	floor := new(big.Int).Quo(wants.Num(), wants.Denom())
	return min(floor.Int64(), m.limit(name))
}

// price lets the bank lend for the period after the present one. The rate is the
// chain's, of its record; everything else in that must be what the model says.
func (m *model) price(record *creditv1.Pricing) error {
	next := start(m.nowMs) + market.Period
	if m.priced >= next {
		return expect("loans priced again", record == nil, true)
	}
	m.priced = next
	names := m.borrowers()
	if err := expect("loans priced", record != nil, len(names) > 0); err != nil || record == nil {
		return err
	}
	capital, sum := m.free[pool]-m.undrawn(), int64(0)
	if err := expect("capital", record.CapitalUcoin, capital); err != nil {
		return err
	}
	if err := expect("borrowers", len(record.Borrowers), len(names)); err != nil {
		return err
	}
	for i, name := range names {
		got := record.Borrowers[i]
		sum += got.LineUcoin
		if err := errors.Join(expect("borrower", m.known[string(got.Borrower)], name), expect("limit of "+name, got.LimitUcoin, m.limit(name))); err != nil {
			return err
		}
		switch most := m.lends(name, record.RatePpm); {
		case got.LineUcoin > most || got.LineUcoin < most && record.LentUcoin > 0 && !record.Rationed:
			return fmt.Errorf("line of %s: got %d, want %d", name, got.LineUcoin, most)
		case got.LineUcoin > 0:
			m.lines[lineOf(name, next)] = &line{next, record.RatePpm, got.LineUcoin}
		}
	}
	if sum != record.LentUcoin || sum > capital {
		return fmt.Errorf("lent: got %d in lines of a record of %d, capital is %d", sum, record.LentUcoin, capital)
	}
	return nil
}

func expect[V comparable](what string, got, want V) error {
	if got != want {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}
