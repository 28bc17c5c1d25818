package settlement_test

import (
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/reputation"
)

// farm trades in each of so many periods what pairs says, all of it delivered, and
// returns by how much name's credit value rose. It begins at 0.
func farm(t *testing.T, edit func(*market.Genesis), name string, periods int64, pairs func(i int64) []*matchingv1.Match) int64 {
	t.Helper()
	names := []string{"sun", "home", "shop", "mill", "roof"}
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.Account(name).InitialReputation = 0
		if edit != nil {
			edit(g)
		}
	}, names...)
	m.Begin(start + 500)
	for _, each := range names {
		m.Read(each, start, 0, 0)
	}
	m.End()
	flows := map[string]flow{}
	for i := int64(1); i <= periods+1; i++ {
		period := start + i*length
		m.Begin(period + 500)
		for _, each := range names {
			m.Read(each, period, flows[each].in, flows[each].out)
		}
		flows = map[string]flow{}
		if i <= periods {
			matches := pairs(i)
			for _, match := range matches {
				match.Period, match.LossPpm = period, 0
				for _, each := range names {
					f, address := flows[each], market.Address(each)
					switch string(address[:]) {
					case string(match.Seller):
						f.out += match.EnergyWh
					case string(match.Buyer):
						f.in += match.EnergyWh
					}
					flows[each] = f
				}
			}
			m.Stand(matches)
		}
		m.End()
	}
	return reputation.ValueOf(m.Store, market.Address(name))
}

func trade(seller, buyer string, energyWh int64) *matchingv1.Match {
	return market.Match(seller, buyer, 0, energyWh, 200_000)
}

// TestFarmingWithOnePartner: two that trade with each other only rise by 10,
// however many accounts one of them has, and a little trade with a third does not
// help for long.
func TestFarmingWithOnePartner(t *testing.T) {
	one := func(g *market.Genesis) { g.Account("shop").Identity = g.Account("home").Identity }
	for _, test := range []struct {
		name  string
		edit  func(*market.Genesis)
		pairs func(i int64) []*matchingv1.Match
		want  int64
	}{
		{"one buyer", nil, func(int64) []*matchingv1.Match { return []*matchingv1.Match{trade("sun", "home", 1000)} }, 10},
		{"one buyer with two accounts, by turns", one, func(i int64) []*matchingv1.Match {
			return []*matchingv1.Match{trade("sun", []string{"home", "shop"}[i%2], 1000)}
		}, 10},
		{"one buyer with two accounts, at once", one, func(int64) []*matchingv1.Match {
			return []*matchingv1.Match{trade("sun", "home", 500), trade("sun", "shop", 500)}
		}, 10},
		{"two buyers, by turns", nil, func(i int64) []*matchingv1.Match {
			return []*matchingv1.Match{trade("sun", []string{"home", "shop"}[i%2], 1000)}
		}, 20},
		// The third stands for the outcomes once the first does for its 10.
		{"one buyer and a third with 1 Wh", nil, func(int64) []*matchingv1.Match {
			return []*matchingv1.Match{trade("sun", "home", 1000), trade("sun", "mill", 1)}
		}, 20},
		{"the same where 2 Wh are the least", func(g *market.Genesis) { g.Params().LeastOutcomeWh = 2 }, func(int64) []*matchingv1.Match {
			return []*matchingv1.Match{trade("sun", "home", 1000), trade("sun", "mill", 1)}
		}, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := farm(t, test.edit, "sun", 25, test.pairs); got != test.want {
				t.Errorf("sun rose by %d, want %d", got, test.want)
			}
		})
	}
}

// TestFarmingWithLittleEnergy: periods in which less than the least was traded
// make no +1, over all partners.
func TestFarmingWithLittleEnergy(t *testing.T) {
	for _, test := range []struct{ least, wh, want int64 }{{0, 1, 5}, {1000, 499, 0}, {1000, 500, 5}, {1001, 500, 0}} {
		edit := func(g *market.Genesis) { g.Params().LeastOutcomeWh = test.least }
		got := farm(t, edit, "sun", 5, func(int64) []*matchingv1.Match {
			return []*matchingv1.Match{trade("sun", "home", test.wh), trade("sun", "shop", test.wh)}
		})
		if got != test.want {
			t.Errorf("twice %d Wh with a least of %d: sun rose by %d, want %d", test.wh, test.least, got, test.want)
		}
	}
}

// TestWashTrade: two accounts of one identity do not meet in a market, so there is
// no outcome to farm; and if they did, it would not count.
func TestWashTrade(t *testing.T) {
	one := func(g *market.Genesis) { g.Account("home").Identity = g.Account("sun").Identity }
	m := market.New(t, one, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	m.Block(gate)
	if got := matching.MatchesOf(m.Store, p, market.Address("sun")); len(got) != 0 {
		t.Errorf("one identity traded with itself: %v", got)
	}
	got := farm(t, one, "sun", 5, func(int64) []*matchingv1.Match { return []*matchingv1.Match{trade("sun", "home", 1000)} })
	if got != 0 {
		t.Errorf("sun rose by %d", got)
	}
}

// TestWithheld: a period that makes no +1 says so, and its statement has no
// outcome.
func TestWithheld(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.Params().LeastOutcomeWh = 1001
	}, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, whole, "sun", "home")
	if withheld := market.Happened[*reputationv1.OutcomeWithheld](m); len(withheld) != 2 || withheld[0].Counted != 1000 {
		t.Errorf("events %v, want one for either side", withheld)
	}
	if s := statement(m, "sun"); s.Outcome != 0 || s.Reputation != 60 {
		t.Errorf("statement %v", s)
	}
}
