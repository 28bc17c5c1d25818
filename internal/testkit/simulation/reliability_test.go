package simulation

import (
	"errors"
	"fmt"

	"pgregory.net/rapid"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/reputation"
)

// Members whose names end with an odd number are of a user type of their own.
const plant = "plant"

func userType(name string) string {
	if (name[len(name)-1]-'0')%2 == 1 {
		return plant
	}
	return ""
}

// drawReliability draws quotas of user types and the relief of escrow, often none.
func drawReliability(rt *rapid.T, p *registryv1.Params) {
	draw := func(what string, from ...int64) int64 { return rapid.SampledFrom(from).Draw(rt, what) }
	p.EscrowReliefPpm, p.EscrowReliefAbove = draw("relief", 0, 400_000, 1_000_000), draw("relief above", 0, 55)
	for _, kind := range []string{"", plant} {
		if draw("quota of "+kind, 0, 1) == 1 {
			p.ReliabilityQuotas = append(p.ReliabilityQuotas, &registryv1.ReliabilityQuota{
				UserType: kind, Trades: draw("trades", 20, 2, 5, 0), EnergyWh: draw("quota's energy", 100_000, 5_000),
			})
		}
	}
}

// reliability is what was charged to an account's quota since its latest
// verification (SPEC 9), and whether it asked for the next.
type reliability struct {
	trades, wh, verification int64
	asked                    bool
}

// quotaOf is the quota of an account's type, else that of all without their own.
func (m *model) quotaOf(name string) (found *registryv1.ReliabilityQuota) {
	for _, quota := range m.params.ReliabilityQuotas {
		if quota.UserType == userType(name) {
			return quota
		}
		if quota.UserType == "" {
			found = quota
		}
	}
	return found
}

// cover finds what stands behind an order that may cost so much: nothing if it
// fits into the quota, which it is charged to; else what the credit value does not
// spare of it. A seller gives security only where a quota has no room.
func (m *model) cover(o *order, whole int64) {
	share := int64(1_000_000)
	if above := m.conduct[o.account].value() - m.params.EscrowReliefAbove; above > 0 {
		share -= m.params.EscrowReliefPpm * above / (100 - m.params.EscrowReliefAbove)
	}
	r, quota := m.reliability[o.account], m.quotaOf(o.account)
	fits := quota != nil && r.trades < quota.Trades && r.wh+o.energyWh <= quota.EnergyWh
	if fits {
		r.trades++
		r.wh += o.energyWh
		o.verification, share = r.verification, 0
	}
	spared := mulDiv(whole, 1_000_000-share, 1_000_000)
	switch {
	case o.buys:
		o.escrow, o.exposed = whole-spared, spared
	case quota != nil && !fits:
		o.escrow = whole - spared
	}
}

// refund gives back to the quota what of an order was not matched, unless it was
// verified since.
func (m *model) refund(o *order, restWh int64) {
	r := m.reliability[o.account]
	if o.verification == 0 || o.verification != r.verification {
		return
	}
	r.wh -= restWh
	if restWh == o.energyWh {
		r.trades--
	}
}

// line is what an account's credit lines add to its coins for what it orders.
func (m *model) line(name string) int64 {
	present, next := m.lines[lineOf(name, start(m.nowMs))], m.lines[lineOf(name, start(m.nowMs)+market.Period)]
	if present == nil || next == nil || !m.mayBorrow(name) {
		return 0
	}
	return min(present.undrawn, next.undrawn)
}

// spendable is what of a free balance orders and matches may not cost: that it may
// send, and put into escrow or security.
func (m *model) spendable(name string) int64 { return max(0, m.free[name]-m.exposed[name]) }

// accept takes down an order that the chain accepted, and says why it should not
// have been.
func (m *model) accept(o *order, price, fee int64) error {
	if o.buys {
		m.cover(o, amount(price, o.energyWh)+amount(fee, o.energyWh))
	} else {
		m.cover(o, amount(market.Retail-market.FeedIn, o.energyWh))
	}
	if m.owes(o.account, "") > 0 || m.spendable(o.account) < o.escrow {
		return fmt.Errorf("%s orders with an escrow of %d, %d free and %d owed", o.account, o.escrow, m.free[o.account], m.owes(o.account, ""))
	}
	m.hold(o.account, o.escrow)
	m.exposed[o.account] += o.exposed
	covered := m.free[o.account]
	if price+fee <= market.Retail {
		covered += m.line(o.account)
	}
	if o.exposed > 0 && m.exposed[o.account] > covered {
		return fmt.Errorf("%s is exposed by %d, %d free", o.account, m.exposed[o.account], m.free[o.account])
	}
	m.orders[o.id] = o
	return nil
}

// compareCover says that what matches hold is that of their orders, in proportion:
// rounded each time, from what the order has left.
func (s *simulation) compareCover() error {
	const rounded = 20
	near := func(what string, got, want int64) error {
		if got < want-rounded || got > want+rounded {
			return fmt.Errorf("%s: got %d, want %d or near it", what, got, want)
		}
		return nil
	}
	check := func(match *matchingv1.Match) error {
		cost := amount(match.PriceUcoinPerKwh, match.EnergyWh) + amount(match.FeeUcoinPerKwh, match.EnergyWh)
		err := expect("escrow and exposure of a match", match.EscrowUcoin+match.ExposedUcoin, cost)
		buy, sell := s.model.orders[string(match.BuyOrder)], s.model.orders[string(match.SellOrder)]
		if buy != nil && !buy.ended && buy.escrow+buy.exposed > 0 {
			err = errors.Join(err, near("exposure of a match", match.ExposedUcoin, mulDiv(cost, buy.exposed, buy.escrow+buy.exposed)))
		}
		if sell != nil && !sell.ended {
			err = errors.Join(err, near("security of a match", match.SecurityUcoin, mulDiv(sell.escrow, match.EnergyWh, sell.energyWh)))
		}
		return err
	}
	for _, matches := range s.now.matches {
		for _, match := range matches {
			if err := check(match); err != nil {
				return err
			}
		}
	}
	return nil
}

// reauthorise asks for a full verification, countersign completes one: only the
// home aggregator may.
func (s *simulation) reauthorise() {
	name := s.active("asks")
	if name == "" {
		return
	}
	r := s.model.reliability[name]
	if s.send(name, &reputationv1.MsgReauthorise{}, !r.asked && s.model.owes(name, "") == 0) {
		r.asked = true
	}
}

func (s *simulation) countersign() {
	name, by := s.pick("countersigned"), operator
	if below(s.rt, "by another", 8) == 7 {
		by = name
	}
	r := s.model.reliability[name]
	wanted := by == operator && r.asked && s.model.conduct[name].frozenBy == "" && s.model.owes(name, "") == 0
	if s.send(by, &reputationv1.MsgCountersign{Account: addressOf(name)}, wanted) {
		*r = reliability{verification: r.verification + 1}
		seen.verified.Add(1)
	}
}

func (s *simulation) compareReliability(name string) error {
	got, want := reputation.ReliabilityOf(s.Store, market.Address(name)), s.model.reliability[name]
	return expect("reliability of "+name, reliability{got.Trades, got.EnergyWh, got.Verification, got.Asked}, *want)
}
