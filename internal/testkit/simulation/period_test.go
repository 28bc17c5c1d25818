package simulation

import (
	"cmp"
	"slices"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
)

// period is one in settlement, or after it.
type period struct {
	start    int64
	deadline int64
	members  int
	matches  []*matchingv1.Match // not settled
	// flows are the registers that are here, parts what falls to each match of
	// whose registers are.
	flows map[string]*flow
	parts map[part]int64
	// metered is what of its parts a seller's meter shows.
	metered map[part]int64
	// sides are the settled trades, by account.
	sides      map[string][]*side
	statements map[string]*settlementv1.Statement
	version    int64
	// moved is what totals differ from the sums over trades and statements as they
	// stand, since corrections.
	moved [6]int64
	// retire is when the statements go, counted as the deadline; 0 before the
	// first root.
	retire  int64
	retired bool
}

type flow struct {
	energy
	toleranceWh int64
	violated    bool
}

type part struct{ name, match string }

// side is a trade of an account, and what of its money in it repaid older debts
// and loans, in ucoin.
type side struct {
	trade         *settlementv1.Trade
	repaid, loans int64
	drawn         int64 // of a buyer's payment
}

func (p *period) open() int { return p.members - len(p.statements) }

// matchesOf are the matches of an account that are not settled.
func (m *model) matchesOf(p *period, name string) []*matchingv1.Match {
	var own []*matchingv1.Match
	for _, match := range p.matches {
		if m.known[string(match.Seller)] == name || m.known[string(match.Buyer)] == name {
			own = append(own, match)
		}
	}
	slices.SortFunc(own, func(a, b *matchingv1.Match) int { return cmp.Compare(string(a.Id), string(b.Id)) })
	return own
}

// open takes down who settles in a period: all members, whose meters were bound
// before the chain began.
func (m *model) open(start int64) {
	if m.periods[start] != nil {
		return
	}
	m.periods[start] = &period{
		start: start, deadline: m.count + m.params.DeadlinePeriods, members: len(m.names), matches: m.now.matches[start],
		flows: map[string]*flow{}, parts: map[part]int64{}, metered: map[part]int64{}, sides: map[string][]*side{}, statements: map[string]*settlementv1.Statement{},
	}
}

// shared is what an account's registers mean for what it owes or is owed.
type shared struct {
	parts       []int64 // s_k or g_k
	toleranceWh int64
	violated    bool
}

// obligation is v_k of a match and the loss of its pair.
type obligation struct{ wh, lossPPM int64 }

// share shares registers out (SPEC 8): all that was matched if they are within
// sigma of the sum, else pro rata.
func (m *model) share(measuredWh int64, selling bool, owed []obligation) shared {
	wants, total := make([]int64, len(owed)), int64(0)
	for i, o := range owed {
		if wants[i] = o.wh; !selling {
			wants[i] = arrives(o.wh, o.lossPPM)
		}
		total += wants[i]
	}
	short := total - measuredWh
	s := shared{parts: wants, toleranceWh: max(m.stepWh, mulDiv(total, m.params.SigmaPpm, 1_000_000))}
	s.violated = short > m.params.ViolationWh && short > mulDiv(total, m.params.ViolationPpm, 1_000_000)
	if short > s.toleranceWh {
		s.parts = proRata(measuredWh, wants, total)
	}
	if !selling {
		for i, o := range owed {
			s.parts[i] = grossFor(s.parts[i], o)
		}
	}
	return s
}

// proRata gives each its part, floored, and a Wh more to those with the largest
// remainders, the first of equal ones.
func proRata(wh int64, wants []int64, total int64) []int64 {
	parts, left := make([]int64, len(wants)), wh
	for i, want := range wants {
		parts[i] = mulDiv(wh, want, total)
		left -= parts[i]
	}
	given := make([]bool, len(wants))
	for ; left > 0; left-- {
		best := -1
		for i, want := range wants {
			if !given[i] && (best < 0 || wh*want%total > wh*wants[best]%total) {
				best = i
			}
		}
		given[best] = true
		parts[best]++
	}
	return parts
}

// grossFor is the greatest v up to v_k of which no more arrives than what the
// buyer took.
func grossFor(arrivedWh int64, o obligation) int64 {
	v := arrivedWh
	for v < o.wh && arrives(v+1, o.lossPPM) <= arrivedWh {
		v++
	}
	return v
}

// arrive takes an account's registers and settles its matches with those whose
// registers are here.
func (m *model) arrive(p *period, e energy) {
	own := m.matchesOf(p, e.name)
	selling := len(own) > 0 && m.known[string(own[0].Seller)] == e.name
	measured := e.importWh
	if selling {
		measured = e.exportWh
	}
	owed := make([]obligation, len(own))
	for i, match := range own {
		owed[i] = obligation{match.EnergyWh, match.LossPpm}
	}
	s := m.share(measured, selling, owed)
	p.flows[e.name] = &flow{e, s.toleranceWh, s.violated}
	for i, match := range own {
		p.parts[part{e.name, string(match.Id)}] = s.parts[i]
		p.metered[part{e.name, string(match.Id)}] = metered(e.exportWh, s.parts)[i]
	}
	for _, match := range own {
		seller, buyer := m.known[string(match.Seller)], m.known[string(match.Buyer)]
		if p.flows[seller] == nil || p.flows[buyer] == nil {
			continue
		}
		d := delivery{
			sellerWh: p.parts[part{seller, string(match.Id)}], buyerWh: p.parts[part{buyer, string(match.Id)}],
			meteredWh: p.metered[part{seller, string(match.Id)}],
		}
		m.trade(p, match, d, !p.flows[seller].estimated && !p.flows[buyer].estimated)
		other := seller
		if selling {
			other = buyer
		}
		m.closeIfDone(p, other)
	}
	m.closeIfDone(p, e.name)
	for _, name := range m.names { // who waited to see whether most fail
		m.closeIfDone(p, name)
	}
	m.complete(p)
}

func (m *model) closeIfDone(p *period, name string) {
	if p.flows[name] != nil && len(m.matchesOf(p, name)) == 0 && p.statements[name] == nil && !p.awaitsOthers(name) {
		m.bill(p, name)
	}
}

// failing counts the members whose registers are estimated, and those of whom none
// are here. All are behind one gateway and in one region.
func (p *period) failing() (estimated, absent int) {
	for _, f := range p.flows {
		if f.estimated {
			estimated++
		}
	}
	return estimated, p.members - len(p.flows)
}

// mostFail: more than half of a group, and three at least.
func (p *period) mostFail(failing int) bool { return failing >= 3 && 2*failing > p.members }

// awaitsOthers says whether an account with matches and estimated registers waits
// until it shows whether most of its group fail.
func (p *period) awaitsOthers(name string) bool {
	estimated, absent := p.failing()
	return p.flows[name].estimated && len(p.sides[name]) > 0 && !p.mostFail(estimated) && p.mostFail(estimated+absent)
}

// overdue settles what is open for good.
func (m *model) overdue(p *period) {
	all := slices.Clone(p.matches)
	slices.SortFunc(all, func(a, b *matchingv1.Match) int {
		return cmp.Or(cmp.Compare(string(a.Seller), string(b.Seller)), cmp.Compare(string(a.Id), string(b.Id)))
	})
	for _, match := range all {
		seller, buyer := m.known[string(match.Seller)], m.known[string(match.Buyer)]
		d := delivery{
			sellerWh: p.parts[part{seller, string(match.Id)}], buyerWh: p.parts[part{buyer, string(match.Id)}],
			sellerMissing: p.flows[seller] == nil, buyerMissing: p.flows[buyer] == nil,
		}
		switch {
		case d.sellerMissing && d.buyerMissing:
		case d.sellerMissing:
			d.sellerWh, d.byGrid = match.EnergyWh, true
		default:
			d.buyerWh = match.EnergyWh
		}
		m.trade(p, match, d, false)
	}
	for _, name := range m.names {
		if p.statements[name] == nil {
			m.bill(p, name)
		}
	}
	m.complete(p)
}

// complete forms the first root with the last account's statement.
func (m *model) complete(p *period) {
	if p.open() == 0 && p.version == 0 {
		m.formRoot(p)
		p.retire = m.count + m.params.StatementRetentionPeriods + 1
	}
}

// formRoot forms the next version of the root while the statements are kept.
func (m *model) formRoot(p *period) {
	if p.retired {
		return
	}
	p.version++
	var leaves [][]byte
	for _, name := range m.names {
		encoded, err := proto.MarshalOptions{Deterministic: true}.Marshal(p.statements[name])
		if err != nil {
			panic(err)
		}
		leaves = append(leaves, hash(0, encoded))
	}
	m.roots = append(m.roots, &settlementv1.StatementsRoot{
		Period: p.start, Version: p.version, Root: merkle(leaves), Accounts: int64(p.members), Totals: p.totals(),
	})
}

// merkle is the RFC 6962 root: the left subtree has the greatest power of two that
// leaves something for the right one.
func merkle(leaves [][]byte) []byte {
	if len(leaves) == 1 {
		return leaves[0]
	}
	left := 1
	for left*2 < len(leaves) {
		left *= 2
	}
	return hash(1, append(merkle(leaves[:left]), merkle(leaves[left:])...))
}

func hash(prefix byte, data []byte) []byte {
	sum := protocol.TxHash(append([]byte{prefix}, data...))
	return sum[:]
}

func addressOf(name string) []byte {
	address := market.Address(name)
	return address[:]
}
