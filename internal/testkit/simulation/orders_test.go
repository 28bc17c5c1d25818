package simulation

import (
	"cmp"
	"maps"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
)

// book is what the model takes from matching: the buys that live and the matches
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
		for match := range matching.Matches(m.Store, period) {
			now.matches[period] = append(now.matches[period], match)
		}
	}
	return now
}

// buyOrder is one that the chain accepted and that holds bid + fee for all of its
// energy.
type buyOrder struct {
	id, account      string
	period, energyWh int64
	escrow           int64
	stopped          bool
}

// held is what matches hold in escrow, of one order if it is named.
func held(order string, matches []*matchingv1.Match) (wh, ucoin int64) {
	for _, match := range matches {
		if order == "" || string(match.BuyOrder) == order {
			wh += match.EnergyWh
			ucoin += escrowOf(match)
		}
	}
	return wh, ucoin
}

// escrowOf is price x v + fee x v, each truncated.
func escrowOf(match *matchingv1.Match) int64 {
	return amount(match.PriceUcoinPerKwh, match.EnergyWh) + amount(match.FeeUcoinPerKwh, match.EnergyWh)
}

// giveBack releases what an order's confirmed matches do not hold.
func (m *model) giveBack(order *buyOrder, now book) {
	_, taken := held(order.id, now.matches[order.period])
	if order.escrow > taken {
		m.release(order.account, order.escrow-taken)
	}
	order.escrow = taken
}

// stop takes back what is left of the orders of a frozen account; the energy of
// its unconfirmed pre-matches is left as well.
func (m *model) stop(name string, now book) {
	for _, order := range m.sortedBuys() {
		if order.account != name || !now.live[order.id] || order.stopped {
			continue
		}
		if taken, _ := held(order.id, now.matches[order.period]); taken < order.energyWh {
			m.giveBack(order, now)
			order.stopped = true
		}
	}
}

// forget releases what is left of orders whose book is final.
func (m *model) forget(now book) {
	for _, order := range m.sortedBuys() {
		if !now.live[order.id] {
			m.giveBack(order, now)
			delete(m.buys, order.id)
		}
	}
}

func (m *model) sortedBuys() []*buyOrder {
	return slices.SortedFunc(maps.Values(m.buys), func(a, b *buyOrder) int {
		return cmp.Or(cmp.Compare(a.period, b.period), m.compare(a.account, b.account), cmp.Compare(a.id, b.id))
	})
}
