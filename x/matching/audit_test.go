package matching_test

import (
	"cmp"
	"slices"

	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

// audit knows a period by its events only, and clears each round once more.
type audit struct {
	sells    []*matchingv1.SellOrder
	buys     []*matchingv1.BuyOrder
	gone     map[string]bool // orders that were stopped
	priority map[string]bool // orders that come first in the next round
	declined []*matchingv1.Declined
	matched  []*matchingv1.Match
	proposed []*matchingv1.Match // in the round of which PeriodCleared is to come
	round    int64
}

func newAudit() *audit { return &audit{gone: map[string]bool{}, priority: map[string]bool{}} }

// follow takes up the events of a block.
func (a *audit) follow(t *rapid.T, m *market.Market) {
	t.Helper()
	var matched []*matchingv1.Match
	var lapsed []*matchingv1.MatchLapsed
	for _, event := range m.Events {
		switch event := event.(type) {
		case *matchingv1.SellPlaced:
			a.sells = append(a.sells, proto.CloneOf(event.Order))
		case *matchingv1.BuyPlaced:
			a.buys = append(a.buys, proto.CloneOf(event.Order))
		case *matchingv1.OrderCancelled:
			a.gone[string(event.Order)] = true
		case *matchingv1.PreMatched:
			a.proposed = append(a.proposed, event.Match)
		case *matchingv1.Matched:
			if event.Match.Round > a.round {
				a.proposed = append(a.proposed, event.Match)
			}
			matched = append(matched, event.Match)
		case *matchingv1.MatchLapsed:
			if event.Match.Round > a.round {
				a.proposed = append(a.proposed, event.Match)
			}
			lapsed = append(lapsed, event)
		case *matchingv1.PeriodCleared:
			a.clear(t, m)
		}
	}
	a.matched = append(a.matched, matched...)
	for _, event := range lapsed {
		match := event.Match
		a.declined = append(a.declined, &matchingv1.Declined{SellOrder: match.SellOrder, BuyOrder: match.BuyOrder})
		if !event.BySeller {
			a.priority[string(match.SellOrder)] = true
		}
		if !event.ByBuyer {
			a.priority[string(match.BuyOrder)] = true
		}
	}
}

// clear clears a round and compares.
func (a *audit) clear(t *rapid.T, m *market.Market) {
	t.Helper()
	taken := map[string]int64{}
	for _, match := range a.matched {
		taken[string(match.SellOrder)] += match.EnergyWh
		taken[string(match.BuyOrder)] += match.EnergyWh
	}
	for _, order := range a.sells {
		id := string(order.Id)
		order.Priority, order.AvailableWh = a.priority[id], order.EnergyWh-taken[id]
		if a.gone[id] {
			order.AvailableWh = 0
		}
	}
	for _, order := range a.buys {
		id := string(order.Id)
		order.Priority, order.OpenWh = a.priority[id], order.EnergyWh-taken[id]
		if a.gone[id] {
			order.OpenWh = 0
		}
	}
	entry, err := market.Query[*matchingv1.QueryMarketResponse](m, &matchingv1.QueryMarketRequest{Period: p})
	if err != nil {
		t.Fatal(err)
	}
	params := registry.ParamsAt(m.Store, p)
	c := clearing.New(clearing.Rules{
		Period: p, PeriodLengthMs: length, PrevAppHash: m.Ctx("gateway").PrevAppHash, Params: params, Market: entry.Entry.Market,
		Paths: grid.PathsOf(m.Store, params.DefaultLossPpmPerKm), Declined: a.declined, Standing: a.matched,
	}, a.sells, a.buys)
	found, err := c.Run()
	if err != nil {
		t.Fatal(err)
	}
	type trade struct {
		sell, buy               string
		energy, price, loss     int64
		sellersSide, buyersSide int64
	}
	var got, want []trade
	for _, f := range found.Trades {
		got = append(got, trade{string(c.Sells[f.Sell].Id), string(c.Buys[f.Buy].Id), f.EnergyWh, f.Price, f.LossPPM, f.SellerPPM, f.BuyerPPM})
	}
	for _, match := range a.proposed {
		want = append(want, trade{string(match.SellOrder), string(match.BuyOrder), match.EnergyWh, match.PriceUcoinPerKwh, match.LossPpm, match.SellerSatisfactionPpm, match.BuyerSatisfactionPpm})
	}
	for _, trades := range [][]trade{got, want} {
		slices.SortFunc(trades, func(a, b trade) int { return cmp.Or(cmp.Compare(a.sell, b.sell), cmp.Compare(a.buy, b.buy)) })
	}
	a.round++
	if diff := gocmp.Diff(want, got, gocmp.AllowUnexported(trade{})); diff != "" || book(m).SurplusUcoin != found.SurplusUcoin {
		t.Fatalf("round %d cleared again from the events (-chain +again):\n%s", a.round, diff)
	}
	clear(a.priority)
	a.proposed = nil
}
