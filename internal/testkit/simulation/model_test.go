package simulation

import (
	"bytes"
	"cmp"
	"maps"
	"slices"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// model is the plain model of a chain.
type model struct {
	ledger
	lending
	params *registryv1.Params
	stepWh int64
	// names are the members', in the order of their addresses; byIdentity are they
	// and the operator in the order of their identities.
	names      []string
	byIdentity []string
	known      map[string]string // names by address
	meters     map[string]*meter
	conduct    map[string]*conduct
	orders     map[string]*order
	// reliability and exposed: SPEC 9.
	reliability map[string]*reliability
	exposed     map[string]int64
	certificates
	nowMs int64

	// first, last and count: the period in which the chain began, the present one,
	// and how many had blocks.
	first, last, count int64
	periods            map[int64]*period
	ready              []energy
	// corrections are by how much corrected readings change what settlement took.
	corrections []*energy
	now         book
	made        []*settlementv1.Statement
	settled     []*settlementv1.Trade
	roots       []*settlementv1.StatementsRoot
	frozen      []string // for violations in this block
}

func newModel(genesis *market.Genesis, stepWh int64, names []string) *model {
	params := genesis.Params()
	m := &model{
		ledger:  ledger{free: map[string]int64{}, escrow: map[string]int64{}, debts: map[string][]debt{}, guarantee: params.GuaranteeLimitUcoin},
		lending: lending{lines: map[string]*line{}, demands: map[string]demand{}, loans: map[string][]*loan{}, history: map[string]*history{}},
		params:  params, stepWh: stepWh, names: slices.Clone(names), known: map[string]string{},
		meters: map[string]*meter{}, conduct: map[string]*conduct{}, orders: map[string]*order{}, reliability: map[string]*reliability{}, exposed: map[string]int64{}, periods: map[int64]*period{},
		certificates: certificates{held: map[string]int64{}, retired: map[string]int64{}, excess: map[string]int64{}},
	}
	m.byIdentity = append(slices.Clone(names), operator)
	slices.SortFunc(m.byIdentity, func(a, b string) int { return bytes.Compare(genesis.Account(a).Identity, genesis.Account(b).Identity) })
	slices.SortFunc(m.names, m.compare)
	for _, name := range names {
		address := market.Address(name)
		m.known[string(address[:])] = name
		m.reliability[name] = &reliability{verification: 1}
		m.meters[name], m.conduct[name], m.history[name] = &meter{fixed: map[int64]*boundary{}}, &conduct{initial: 60}, &history{}
	}
	return m
}

// compare orders members by address, as the chain does.
func (m *model) compare(a, b string) int {
	x, y := market.Address(a), market.Address(b)
	return bytes.Compare(x[:], y[:])
}

func start(timeMs int64) int64 { return timeMs - timeMs%market.Period }

// endBlock predicts what the hooks do. before is what matching knew after the
// messages, now what its hook made of it; stopped are whom the authority froze.
func (m *model) endBlock(nowMs int64, stopped []string, before, now book) {
	m.nowMs, m.now = nowMs, now
	m.made, m.settled, m.roots, m.frozen = nil, nil, nil, nil
	for _, name := range m.names {
		m.ready = append(m.ready, m.meters[name].fix(name)...)
	}
	for _, name := range m.names {
		if slices.Contains(stopped, name) {
			m.stop(name, before)
		}
	}
	m.forget(now)
	m.settle()
}

// tick counts periods with blocks, and returns the one that ended if it is not the
// one in which the chain began.
func (m *model) tick() (ended int64) {
	period := start(m.nowMs)
	if m.count > 0 && period <= m.last {
		return 0
	}
	if m.count == 0 {
		m.first = period
	} else if m.last > m.first {
		ended = m.last
	}
	m.last = period
	m.count++
	return ended
}

// settle is the hook of settlement (SPEC 8), in the order of its doc.go.
func (m *model) settle() {
	ended := m.tick()
	if ended > 0 {
		m.open(ended)
	}
	for _, at := range slices.Sorted(maps.Keys(m.now.matches)) {
		if at < m.last && len(m.now.matches[at]) > 0 {
			m.open(at)
		}
	}
	m.takeRegisters()
	var due []*period
	for _, p := range m.periods {
		if p.open() > 0 && p.deadline <= m.count {
			due = append(due, p)
		}
	}
	slices.SortFunc(due, func(a, b *period) int {
		return cmp.Or(cmp.Compare(a.deadline, b.deadline), cmp.Compare(a.start, b.start))
	})
	for _, p := range due {
		m.overdue(p)
	}
	m.takeCorrections()
	slices.SortFunc(m.frozen, m.compare)
	for _, name := range m.frozen {
		m.stop(name, m.now)
	}
	if ended > 0 {
		m.thaw()
	}
	for _, p := range m.periods {
		if p.retire > 0 && p.retire <= m.count {
			p.retired = true
		}
	}
}

// takeRegisters settles with the registers of periods that have ended, the oldest
// first.
func (m *model) takeRegisters() {
	slices.SortStableFunc(m.ready, func(a, b energy) int {
		return cmp.Or(cmp.Compare(a.period, b.period), m.compare(a.name, b.name))
	})
	var changed *period // by late registers
	for len(m.ready) > 0 && m.ready[0].period < m.last {
		e := m.ready[0]
		m.ready = m.ready[1:]
		if changed != nil && changed.start != e.period {
			m.formRoot(changed)
			changed = nil
		}
		if e.period >= m.first {
			m.open(e.period)
		}
		if c := m.conduct[e.name]; c.frozenBy == forViolations && !e.estimated && e.period > c.violatedIn {
			c.readAgain = true
		}
		p := m.periods[e.period]
		if p == nil {
			continue
		}
		switch s := p.statements[e.name]; {
		case s == nil:
			m.arrive(p, e)
		case s.Missing:
			m.arriveLate(p, e)
			changed = p
		}
	}
	if changed != nil {
		m.formRoot(changed)
	}
}

// thaw thaws who read its meters again after its latest violation and owes
// nothing.
func (m *model) thaw() {
	for _, name := range m.names {
		c := m.conduct[name]
		if c.frozenBy == forViolations && c.readAgain && m.owes(name, "") == 0 {
			c.frozenBy = ""
		}
		if c.frozenBy != forViolations { // no longer the chain's to thaw
			c.violatedIn = 0
		}
	}
}

// violate records a violation and charges it.
func (m *model) violate(s *settlementv1.Statement, name string) {
	s.Outcome = -10
	m.conduct[name].violate()
	s.PenaltyUcoin = m.params.ViolationPenaltyUcoin
	s.PenaltyPaidUcoin, _ = m.pay(name, fund, s.PenaltyUcoin)
	s.PaidUcoin += s.PenaltyPaidUcoin
	s.DebtUcoin += s.PenaltyUcoin - s.PenaltyPaidUcoin
}

// freezeViolator freezes who had too many; its orders go at the end of the hook.
func (m *model) freezeViolator(name string, period int64) {
	c := m.conduct[name]
	if most := m.params.FreezeViolations; most == 0 || c.violations(m.params.FreezeWindow) < most || c.frozenBy == byAuthority {
		return
	}
	if c.frozenBy == "" {
		m.frozen = append(m.frozen, name)
	}
	c.frozenBy, c.violatedIn, c.readAgain = forViolations, max(c.violatedIn, period), false
}
