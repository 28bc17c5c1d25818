package matching_test

import (
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// TestAnyRounds lets members sign, veto, sleep and be frozen as they like, in any
// mechanism, and takes the chain through its genesis in between. After every block
// the invariants hold (escrow, energy); in the end no pair was proposed after it
// was declined, no rule was broken, no round came too late, and every buyer's
// escrow is that of its matches. Who knows the events only comes to the same trades
// in each round.
func TestAnyRounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, names := drawMarket(t)
		fast := map[string]bool{}
		for _, name := range names {
			fast[name] = chargedTo(m, name) != charged{}
		}
		declined, rounds := map[string]bool{}, int64(0)
		events := newAudit()
		events.follow(t, m)
		now := int64(gate)
		m.Block(now)
		for {
			events.follow(t, m)
			if cleared := market.Happened[*matchingv1.PeriodCleared](m); len(cleared) > 1 || len(cleared) == 1 && now >= p {
				t.Fatalf("cleared %v at %d", cleared, now)
			}
			for _, event := range m.Events {
				switch event := event.(type) {
				case *matchingv1.PeriodCleared:
					rounds++
				case *matchingv1.ClearingFailed:
					t.Fatalf("%v", event)
				case *matchingv1.PreMatched:
					checkProposed(t, declined, event.Match)
				case *matchingv1.Matched:
					checkProposed(t, declined, event.Match)
				case *matchingv1.MatchLapsed:
					if pair := pairOf(event.Match); declined[pair] || !event.BySeller && !event.ByBuyer || event.Cause == 0 {
						t.Fatalf("lapsed: %v", event)
					} else {
						declined[pair] = true
					}
				}
			}
			if book(m).Phase == matchingv1.Phase_PHASE_FINAL {
				break
			}
			if rapid.IntRange(0, 4).Draw(t, "reborn") == 0 {
				m = m.Reborn()
			}
			now = min(now+rapid.SampledFrom([]int64{1, 500, 2_000}).Draw(t, "later"), p)
			m.Begin(now)
			if now < p {
				behave(t, m, names)
			}
			m.End()
		}
		if rounds > 3 || book(m).Round != rounds || book(m).Declined != int64(len(declined)) {
			t.Fatalf("%d rounds, %d pairs declined: %v", rounds, len(declined), book(m))
		}
		for _, name := range names {
			var held, exposed, matched int64
			for _, match := range matchesOf(m, name) {
				matched += match.EnergyWh
				if string(match.Buyer) == string(marketAddress(name)) {
					held += match.EscrowUcoin
					exposed += match.ExposedUcoin
					if whole := (match.PriceUcoinPerKwh*match.EnergyWh)/1000 + match.FeeUcoinPerKwh*match.EnergyWh/1000; match.EscrowUcoin+match.ExposedUcoin != whole {
						t.Fatalf("%v: %d ucoin stand behind it, it costs %d", match, match.EscrowUcoin+match.ExposedUcoin, whole)
					}
				} else {
					held += match.SecurityUcoin
				}
				if match.BuyerSatisfactionPpm < 300_000 || match.SellerSatisfactionPpm < 300_000 {
					t.Fatalf("%v satisfies less than the rules say", match)
				}
			}
			if got := escrow(m, name); got != held {
				t.Fatalf("%s has %d in escrow, its matches hold %d", name, got, held)
			}
			if got := bank.BalanceOf(m.Store, market.Address(name)).ExposedUcoin; got != exposed {
				t.Fatalf("%s has %d exposed, its matches come to %d", name, got, exposed)
			}
			want := charged{}
			if fast[name] && matched > 0 {
				want = charged{1, matched}
			}
			if got := chargedTo(m, name); got != want {
				t.Fatalf("%s: charged for %+v, matched %+v", name, got, want)
			}
		}
	})
}

func pairOf(match *matchingv1.Match) string { return string(match.SellOrder) + string(match.BuyOrder) }

func checkProposed(t *rapid.T, declined map[string]bool, match *matchingv1.Match) {
	t.Helper()
	if declined[pairOf(match)] {
		t.Fatalf("proposed after it was declined: %v", match)
	}
}

// drawMarket has some sells and buys before the gate; some consent in advance,
// and all reject what satisfies them below 0.3.
func drawMarket(t *rapid.T) (*market.Market, []string) {
	rules := pairs(matchingv1.Mechanism(rapid.IntRange(1, len(matchingv1.Mechanism_name)-1).Draw(t, "mechanism")))
	rules.PostedPriceUcoinPerKwh, rules.FixedScale = 250_000, rapid.Bool().Draw(t, "fixed scale")
	names := make([]string, rapid.IntRange(2, 8).Draw(t, "members"))
	for i := range names {
		names[i] = fmt.Sprintf("n%d", i)
	}
	params := drawReliability(t)
	m := market.New(t, func(g *market.Genesis) {
		by(rules)(g)
		params(g.Params())
	}, names...)
	for i, name := range names {
		consent := &matchingv1.Consent{RejectBelowPpm: 300_000}
		if rapid.Bool().Draw(t, "standing") {
			consent.Standing, consent.MinSatisfactionPpm = true, rapid.SampledFrom([]int64{300_000, 600_000}).Draw(t, "least")
		}
		energy, price := rapid.Int64Range(1, 1000).Draw(t, "energy"), rapid.Int64Range(0, 10).Draw(t, "price")
		if i%2 == 0 {
			m.Must(name, edited(sell(200_000+10_000*price, energy, name), func(o *matchingv1.MsgPlaceSell) { o.Consent = consent }))
			continue
		}
		m.Must(name, edited(buy(220_000+10_000*price, energy), func(o *matchingv1.MsgPlaceBuy) {
			o.Consent, o.Weights = consent, &matchingv1.Weights{Price: 1000, Energy: 10}
		}))
	}
	m.End()
	return m, names
}

// drawReliability draws who is spared what of its escrow.
func drawReliability(t *rapid.T) func(*registryv1.Params) {
	quotas := rapid.Bool().Draw(t, "quotas")
	quota := &registryv1.ReliabilityQuota{
		Trades: rapid.Int64Range(0, 2).Draw(t, "trades"), EnergyWh: rapid.SampledFrom([]int64{0, 500, 1000}).Draw(t, "energy of quota"),
	}
	relief, above := rapid.SampledFrom([]int64{0, 1, 333_333, 1_000_000}).Draw(t, "relief"), rapid.SampledFrom([]int64{0, 50, 60}).Draw(t, "above")
	return func(p *registryv1.Params) {
		p.EscrowReliefPpm, p.EscrowReliefAbove = relief, above
		if quotas {
			p.ReliabilityQuotas = []*registryv1.ReliabilityQuota{quota}
		}
	}
}

// behave lets each member sign, veto or ignore what it is asked; now and then
// one is frozen.
func behave(t *rapid.T, m *market.Market, names []string) {
	for _, name := range names {
		switch rapid.IntRange(0, 4).Draw(t, name) {
		case 0, 1:
			for _, match := range prematchesOf(m, name) {
				_, err := m.Send(name, &matchingv1.MsgConfirm{Period: p, Match: match.Id, Veto: rapid.Bool().Draw(t, "veto")})
				switch {
				case err == nil, errors.Is(err, matching.ErrAlreadyConfirmed), errors.Is(err, matching.ErrWindowClosed):
				default:
					t.Fatalf("%s: %v", name, err)
				}
			}
		case 2:
			address := market.Address(name)
			account, _ := registry.AccountOf(m.Store, address)
			if rapid.IntRange(0, 5).Draw(t, "frozen") == 0 && account.Status == registryv1.Status_STATUS_ACTIVE {
				m.Decree(&registryv1.MsgFreeze{Account: address[:], Reason: "test"})
			}
		}
	}
}
