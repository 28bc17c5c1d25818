package simulation

import (
	"cmp"
	"maps"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
)

// book is what the model takes from matching: the orders that live and the matches
// that both sides confirmed and that did not settle, by period.
type book struct {
	live    map[string]bool
	matches map[int64][]*matchingv1.Match
}

func readBook(m *market.Market) book {
	now := book{map[string]bool{}, map[int64][]*matchingv1.Match{}}
	for period := range matching.Periods(m.Store) {
		orders, err := market.Query[*matchingv1.QueryOrdersResponse](m, &matchingv1.QueryOrdersRequest{Period: period})
		if err != nil {
			m.T.Fatal(err)
		}
		for _, order := range orders.Buys {
			now.live[string(order.Id)] = true
		}
		for _, order := range orders.Sells {
			now.live[string(order.Id)] = true
		}
		for match := range matching.Matches(m.Store, period) {
			now.matches[period] = append(now.matches[period], match)
		}
	}
	return now
}

// order is one that the chain accepted, with what stands behind it: of a buy escrow
// and exposure, which are bid + fee for all of its energy, of a sell its security.
type order struct {
	id, account      string
	period, energyWh int64
	buys             bool
	escrow, exposed  int64
	verification     int64 // what it was charged to
	// ended: only its confirmed matches are left of it.
	ended bool
}

// held is what confirmed matches have of an order.
func (o *order) held(matches []*matchingv1.Match) (wh, escrow, exposed int64) {
	for _, match := range matches {
		switch {
		case o.buys && string(match.BuyOrder) == o.id:
			wh, escrow, exposed = wh+match.EnergyWh, escrow+match.EscrowUcoin, exposed+match.ExposedUcoin
		case !o.buys && string(match.SellOrder) == o.id:
			wh, escrow = wh+match.EnergyWh, escrow+match.SecurityUcoin
		}
	}
	return wh, escrow, exposed
}

// giveBack ends what stands behind an order beyond what its confirmed matches hold.
func (m *model) giveBack(o *order, now book) {
	if o.ended {
		return
	}
	o.ended = true
	wh, escrow, exposed := o.held(now.matches[o.period])
	if wh < o.energyWh {
		m.refund(o, o.energyWh-wh)
	}
	m.exposed[o.account] -= o.exposed - exposed
	if o.escrow > escrow {
		m.release(o.account, o.escrow-escrow)
	}
}

// stop takes back what is left of the orders of a frozen account; the energy of
// its unconfirmed pre-matches is left as well.
func (m *model) stop(name string, now book) {
	for _, o := range m.sortedOrders() {
		if wh, _, _ := o.held(now.matches[o.period]); o.account == name && now.live[o.id] && wh < o.energyWh {
			m.giveBack(o, now)
		}
	}
}

// forget ends orders whose book is final.
func (m *model) forget(now book) {
	for _, o := range m.sortedOrders() {
		if !now.live[o.id] {
			m.giveBack(o, now)
			delete(m.orders, o.id)
		}
	}
}

// sortedOrders are all orders as books have them, sells first.
func (m *model) sortedOrders() []*order {
	side := func(o *order) int {
		if o.buys {
			return 1
		}
		return 0
	}
	return slices.SortedFunc(maps.Values(m.orders), func(a, b *order) int {
		return cmp.Or(cmp.Compare(a.period, b.period), cmp.Compare(side(a), side(b)), m.compare(a.account, b.account), cmp.Compare(a.id, b.id))
	})
}
