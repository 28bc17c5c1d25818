package matching_test

import (
	"errors"
	"testing"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
)

// byEach runs a test with each mechanism; posted price is 250 000.
func byEach(t *testing.T, test func(t *testing.T, rules func(*market.Genesis))) {
	for name, mechanism := range matchingv1.Mechanism_value {
		if mechanism == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			rules := pairs(matchingv1.Mechanism(mechanism))
			rules.PostedPriceUcoinPerKwh = 250_000
			test(t, by(rules))
		})
	}
}

// asked is a sell that its owner signs or not.
func asked(price, energyWh int64, name string) *matchingv1.MsgPlaceSell {
	return edited(sell(price, energyWh, name), func(o *matchingv1.MsgPlaceSell) { o.Consent = nil })
}

// answer signs or vetoes all pre-matches of a seller.
func answer(m *market.Market, name string, veto bool) {
	m.T.Helper()
	for _, match := range prematchesOf(m, name) {
		m.Must(name, &matchingv1.MsgConfirm{Period: p, Match: match.Id, Veto: veto})
	}
}

// TestSecondRound: home meets sun first, sun vetoes, and the next block, not the
// same, finds mill for home.
func TestSecondRound(t *testing.T) {
	m := market.New(t, nil, "sun", "mill", "home")
	m.Must("sun", asked(290_000, 1000, "sun"))
	m.Must("mill", sell(200_000, 1000, "mill"))
	m.Must("home", edited(buy(300_000, 800), func(o *matchingv1.MsgPlaceBuy) { o.Weights = &matchingv1.Weights{Price: 1000} }))
	m.End()
	m.Block(gate)
	first := prematchesOf(m, "sun")
	if len(first) != 1 || first[0].Round != 1 {
		t.Fatalf("pre-matches %v, want one of sun", first)
	}
	m.Begin(gate + 1_000)
	answer(m, "sun", true)
	m.End()
	if cleared := market.Happened[*matchingv1.PeriodCleared](m); len(cleared) != 0 || book(m).Phase != matchingv1.Phase_PHASE_AGAIN {
		t.Fatalf("cleared %v in the block of the veto", cleared)
	}
	home := market.Address("home")
	orders, err := market.Query[*matchingv1.QueryOrdersResponse](m, &matchingv1.QueryOrdersRequest{Period: p})
	if err != nil || len(orders.Buys) != 1 || !orders.Buys[0].Priority || orders.Buys[0].OpenWh != 800 || orders.Buys[0].EscrowUcoin != 244_000 {
		t.Fatalf("buy of %v: %v, %v: want it back whole, with priority", home, orders, err)
	}
	for _, order := range orders.Sells {
		if order.Priority || order.AvailableWh != 1000 {
			t.Errorf("sell %v: sun declined, and mill was not asked", order)
		}
	}
	m.Block(gate + 1_001)
	got := matchesOf(m, "home")
	if len(got) != 1 || string(got[0].Seller) != string(marketAddress("mill")) || got[0].Round != 2 || got[0].EnergyWh != 800 {
		t.Fatalf("matches %v, want 800 Wh of mill", got)
	}
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.Round != 2 || b.PrematchedWh != 800 || b.MatchedWh != 800 || b.ReturnedWh != 0 || b.SurplusUcoin != 80_000 || b.Auction.GetMatchedWh() != 800 {
		t.Errorf("book %v", b)
	}
	if got := escrow(m, "home"); got != 160_000+4_000 {
		t.Errorf("escrow %d, want that of the match", got)
	}
}

// TestNeverAgain: whatever the mechanism, a pair that was declined is not
// proposed again, and no more rounds than max_rounds are cleared.
func TestNeverAgain(t *testing.T) {
	byEach(t, func(t *testing.T, rules func(*market.Genesis)) {
		m := market.New(t, func(g *market.Genesis) { rules(g); g.Params().MaxRounds = 3 }, "sun", "mill", "home", "shop", "barn")
		m.Must("sun", asked(200_000, 1000, "sun"))
		m.Must("mill", asked(200_000, 1000, "mill"))
		for _, name := range []string{"home", "shop", "barn"} {
			m.Must(name, buy(300_000, 600))
		}
		m.End()
		m.Block(gate)
		seen, rounds := map[string]bool{}, 0
		for now := int64(gate); book(m).Phase != matchingv1.Phase_PHASE_FINAL; now += 2 {
			if now > gate+20 {
				t.Fatalf("no end: %v", book(m))
			}
			if cleared := market.Happened[*matchingv1.PeriodCleared](m); len(cleared) != 1 {
				t.Fatalf("cleared %v, want one round", cleared)
			}
			rounds++
			for _, event := range market.Happened[*matchingv1.PreMatched](m) {
				pair := string(event.Match.SellOrder) + string(event.Match.BuyOrder)
				if seen[pair] || event.Match.Round != int64(rounds) {
					t.Errorf("round %d: %v was declined before", rounds, event.Match)
				}
				seen[pair] = true
			}
			m.Begin(now + 1)
			answer(m, "sun", true)
			answer(m, "mill", true)
			m.End()
			m.Block(now + 2)
		}
		// Two of three rounds find partners: three buys and two sells have six pairs.
		if b := book(m); rounds < 2 || b.Round > 3 || b.MatchedWh != 0 || b.Declined != int64(len(seen)) {
			t.Errorf("%d rounds, pairs %d, book %v", rounds, len(seen), b)
		}
		for _, name := range []string{"home", "shop", "barn"} {
			if got := escrow(m, name); got != 0 {
				t.Errorf("escrow %d of %s is left", got, name)
			}
		}
	})
}

// TestMaxRounds: with one round a veto is final in its block.
func TestMaxRounds(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) { g.Params().MaxRounds = 1 }, "sun", "home")
	m.Must("sun", asked(200_000, 1000, "sun"))
	m.Must("home", buy(300_000, 1000))
	m.End()
	m.Block(gate)
	m.Begin(gate + 1)
	answer(m, "sun", true)
	m.End()
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.Round != 1 || b.PrematchedWh != 1000 || b.ReturnedWh != 1000 || escrow(m, "home") != 0 {
		t.Errorf("book %v, escrow %d: want it final", b, escrow(m, "home"))
	}
}

// TestStartReached: no round begins at or after the start of the period.
func TestStartReached(t *testing.T) {
	for name, last := range map[string]int64{"window ends at the start": p, "the next block is at the start": p - 1} {
		t.Run(name, func(t *testing.T) {
			m := market.New(t, func(g *market.Genesis) { g.Params().RoundLengthMs = g.Params().GateLeadMs }, "sun", "mill", "home")
			m.Must("sun", asked(290_000, 1000, "sun"))
			m.Must("mill", sell(200_000, 1000, "mill"))
			m.Must("home", edited(buy(300_000, 800), func(o *matchingv1.MsgPlaceBuy) { o.Weights = &matchingv1.Weights{Price: 1000} }))
			m.End()
			m.Block(gate)
			m.Begin(last)
			if last < p {
				answer(m, "sun", true)
			}
			m.End()
			if last < p {
				m.Block(p)
			}
			if cleared := market.Happened[*matchingv1.PeriodCleared](m); len(cleared) != 0 {
				t.Errorf("cleared %v at the start", cleared)
			}
			if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.Missed || b.Round != 1 || b.MatchedWh != 0 || escrow(m, "home") != 0 {
				t.Errorf("book %v, want it final after one round", b)
			}
			if cancelled := market.Happened[*matchingv1.OrderCancelled](m); len(cancelled) != 0 {
				t.Errorf("cancelled %v: they were in a clearing", cancelled)
			}
		})
	}
}

// TestPriority: buyers whose sellers declined come before the one who found
// nothing, whatever the hashes of the round say.
func TestPriority(t *testing.T) {
	for later := range int64(8) {
		m := market.New(t, nil, "sun", "mill", "home", "shop", "barn")
		m.Must("sun", asked(200_000, 1000, "sun"))
		m.Must("mill", asked(200_000, 1000, "mill"))
		for _, name := range []string{"home", "shop", "barn"} {
			m.Must(name, buy(300_000, 1000))
		}
		m.End()
		m.Block(gate)
		var waiting []string
		for _, name := range []string{"home", "shop", "barn"} {
			if len(prematchesOf(m, name)) == 1 {
				waiting = append(waiting, name)
			}
		}
		for i := range later {
			m.Block(gate + 1 + i) // other hashes
		}
		m.Begin(gate + 10)
		answer(m, "sun", true)
		answer(m, "mill", true)
		m.End()
		m.Block(gate + 11)
		if len(waiting) != 2 || len(prematchesOf(m, waiting[0])) != 1 || len(prematchesOf(m, waiting[1])) != 1 {
			t.Errorf("%v were declined; round 2: %v", waiting, book(m))
		}
	}
}

// TestRejectionRule: what satisfies a side less than its rule says is declined at
// once; S3 4.2 rejects below 0.43.
func TestRejectionRule(t *testing.T) {
	for _, test := range []struct {
		name             string
		consent          *matchingv1.Consent
		matched, pending int
		declined         bool
	}{
		// Satisfaction is 750 000: half a range off in price alone.
		{"S3", &matchingv1.Consent{RejectBelowPpm: 430_000}, 0, 1, false},
		{"as much as the rule wants", &matchingv1.Consent{RejectBelowPpm: 750_000}, 0, 1, false},
		{"less", &matchingv1.Consent{RejectBelowPpm: 750_001}, 0, 0, true},
		{"consents from there on", &matchingv1.Consent{Standing: true, MinSatisfactionPpm: 750_000, RejectBelowPpm: 750_000}, 1, 0, false},
		{"between rule and consent", &matchingv1.Consent{Standing: true, MinSatisfactionPpm: 750_001, RejectBelowPpm: 750_000}, 0, 1, false},
		{"consents to all else", &matchingv1.Consent{Standing: true, MinSatisfactionPpm: 750_001, RejectBelowPpm: 750_001}, 0, 0, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, nil, "sun", "home")
			// The seller is always satisfied: its rule rejects nothing.
			m.Must("sun", edited(sell(200_000, 1000, "sun"), func(o *matchingv1.MsgPlaceSell) {
				o.Consent = &matchingv1.Consent{Standing: true, MinSatisfactionPpm: 1_000_000, RejectBelowPpm: 1_000_000}
			}))
			m.Must("home", edited(buy(300_000, 1000), func(o *matchingv1.MsgPlaceBuy) {
				o.Weights, o.Consent = &matchingv1.Weights{Price: 700}, test.consent
			}))
			m.End()
			m.Block(gate)
			if matched, pending := len(matchesOf(m, "home")), len(prematchesOf(m, "home")); matched != test.matched || pending != test.pending {
				t.Errorf("%d matched, %d asked, want %d and %d", matched, pending, test.matched, test.pending)
			}
			events := market.Happened[*matchingv1.MatchLapsed](m)
			if declined := len(events) == 1 && events[0].Cause == matchingv1.Cause_CAUSE_RULE && events[0].ByBuyer && !events[0].BySeller; declined != test.declined {
				t.Errorf("events %v, want declined %t", events, test.declined)
			}
			if !test.declined {
				return
			}
			if b := book(m); b.Phase != matchingv1.Phase_PHASE_AGAIN || escrow(m, "home") != 305_000 {
				t.Errorf("book %v, escrow %d: want another round with all of it", b, escrow(m, "home"))
			}
			m.Block(gate + 1)
			if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || b.Round != 2 || escrow(m, "home") != 0 {
				t.Errorf("book %v, want it final", b)
			}
			home := market.Address("home")
			if got, err := market.Query[*matchingv1.QueryLapsesResponse](m, &matchingv1.QueryLapsesRequest{Account: home[:]}); err != nil || got.Lapses != 0 {
				t.Errorf("lapses %v, %v: a rule is none", got, err)
			}
		})
	}
}

func TestBadConsent(t *testing.T) {
	m := market.New(t, nil, "home")
	for _, test := range []struct {
		consent *matchingv1.Consent
		want    error
	}{
		{&matchingv1.Consent{Standing: true, MinSatisfactionPpm: 500_000, RejectBelowPpm: 500_001}, matching.ErrBadConsent},
		{&matchingv1.Consent{Standing: true, MinSatisfactionPpm: 500_000, RejectBelowPpm: 500_000}, nil},
		{&matchingv1.Consent{RejectBelowPpm: 500_001}, nil},
		{&matchingv1.Consent{RejectBelowPpm: -1}, matching.ErrOutOfRange},
		{&matchingv1.Consent{RejectBelowPpm: 1_000_001}, matching.ErrOutOfRange},
	} {
		_, err := m.Send("home", edited(buy(300_000, 1), func(o *matchingv1.MsgPlaceBuy) { o.Consent = test.consent }))
		if !errors.Is(err, test.want) {
			t.Errorf("%v: got %v, want %v", test.consent, err, test.want)
		}
	}
}

// TestFrozenInRoundTwo: what a frozen account had goes, its partner's energy
// stays for the round after.
func TestFrozenInRoundTwo(t *testing.T) {
	m := market.New(t, nil, "sun", "mill", "plant", "home")
	price := &matchingv1.Weights{Price: 1000}
	m.Must("sun", asked(290_000, 1000, "sun"))
	m.Must("mill", asked(280_000, 1000, "mill"))
	m.Must("plant", sell(200_000, 1000, "plant"))
	m.Must("home", edited(buy(300_000, 800), func(o *matchingv1.MsgPlaceBuy) { o.Weights = price }))
	m.End()
	m.Block(gate)
	m.Begin(gate + 1)
	answer(m, "sun", true)
	m.End()
	m.Block(gate + 2)
	if len(prematchesOf(m, "mill")) != 1 {
		t.Fatalf("round 2: %v, want mill asked", book(m))
	}
	mill := market.Address("mill")
	m.Begin(gate + 3)
	m.Decree(&registryv1.MsgFreeze{Account: mill[:], Reason: "test"})
	m.End()
	events := market.Happened[*matchingv1.MatchLapsed](m)
	if len(events) != 1 || events[0].Cause != matchingv1.Cause_CAUSE_STOPPED || !events[0].BySeller || events[0].ByBuyer {
		t.Errorf("events %v, want mill stopped", events)
	}
	m.Block(gate + 4)
	if got := matchesOf(m, "home"); len(got) != 1 || got[0].Round != 3 || string(got[0].Seller) != string(marketAddress("plant")) {
		t.Errorf("matches %v, want plant in round 3", got)
	}
	if b := book(m); b.Phase != matchingv1.Phase_PHASE_FINAL || escrow(m, "home") != 164_000 {
		t.Errorf("book %v, escrow %d", b, escrow(m, "home"))
	}
}

// TestGenesisInRoundTwo: a chain that is exported within a round goes on alike.
func TestGenesisInRoundTwo(t *testing.T) {
	byEach(t, func(t *testing.T, rules func(*market.Genesis)) {
		m := market.New(t, rules, "sun", "mill", "home", "shop")
		m.Must("sun", asked(200_000, 1000, "sun"))
		m.Must("mill", asked(210_000, 1000, "mill"))
		m.Must("home", buy(300_000, 600))
		m.Must("shop", buy(300_000, 600))
		m.End()
		m.Block(gate)
		for i := range int64(5) {
			again := m.Reborn()
			for _, one := range []*market.Market{m, again} {
				one.Begin(gate + 1 + i*900)
				if i == 0 {
					answer(one, "sun", true)
				}
				one.End()
			}
			if before, after := m.Export()["matching"], again.Export()["matching"]; string(before) != string(after) {
				t.Fatalf("step %d: the chains part:\n%s\n%s", i, before, after)
			}
		}
		if b := book(m); b.Round < 2 {
			t.Errorf("book %v: the second round is missing", b)
		}
	})
}

// TestCertificatePerRound: each round's is kept.
func TestCertificatePerRound(t *testing.T) {
	m := market.New(t, by(pairs(matchingv1.Mechanism_MECHANISM_WELFARE)), "sun", "mill", "home")
	m.Must("sun", asked(200_000, 1000, "sun"))
	m.Must("mill", sell(210_000, 1000, "mill"))
	m.Must("home", buy(300_000, 600))
	m.End()
	m.Block(gate)
	m.Begin(gate + 1)
	answer(m, "sun", true)
	m.End()
	m.Block(gate + 2)
	for asked, want := range map[int64]int64{0: 2, 1: 1, 2: 2, 3: 0} {
		got, err := market.Query[*matchingv1.QueryCertificateResponse](m, &matchingv1.QueryCertificateRequest{Period: p, Round: asked})
		if (err == nil) != (want > 0) || got.GetCertificate().GetRound() != want {
			t.Errorf("round %d: %v, %v, want that of round %d", asked, got, err, want)
		}
	}
}

// TestLinesOverRounds: what stands on a line is not there for later rounds.
func TestLinesOverRounds(t *testing.T) {
	const watts = 300 * 3_600_000 / length
	byEach(t, func(t *testing.T, rules func(*market.Genesis)) {
		m := market.New(t, func(g *market.Genesis) {
			rules(g)
			g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: "hill"}, &gridv1.Node{Node: "town"})
			line := func(from, to string, capacity int64) {
				g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: from, To: to, LengthMm: 1000, CapacityW: capacity})
			}
			line("hill", "town", watts)
			line("hill", market.Node("sun"), 0)
			line("hill", market.Node("mill"), 0)
			line("town", market.Node("home"), 0)
			line("town", market.Node("shop"), 0)
		}, "sun", "mill", "home", "shop")
		m.Must("sun", sell(200_000, 250, "sun"))
		m.Must("mill", asked(240_000, 250, "mill"))
		m.Must("home", buy(400_000, 500))
		m.Must("shop", buy(390_000, 500))
		m.End()
		m.Block(gate)
		for round := range int64(3) {
			m.Begin(gate + 1 + 2*round)
			answer(m, "mill", round == 0)
			m.End()
			m.Block(gate + 2 + 2*round)
		}
		var crossing int64
		for match := range matching.Matches(m.Store, p) {
			crossing += match.EnergyWh
		}
		if b := book(m); crossing > 300 || crossing < 250 || b.Phase != matchingv1.Phase_PHASE_FINAL || b.Round < 2 {
			t.Errorf("%d Wh cross a line for 300, book %v", crossing, b)
		}
	})
}

// TestRest: who sells to the grid hears nothing, the others' gateways hear what
// is left once the book is final.
func TestRest(t *testing.T) {
	m := market.New(t, nil, "sun", "mill", "plant", "home")
	for _, offer := range []struct {
		name  string
		price int64
		rest  matchingv1.Rest
	}{
		{"sun", 290_000, matchingv1.Rest_REST_STORE}, // home's first choice
		{"mill", 280_000, matchingv1.Rest_REST_GRID},
		{"plant", 200_000, matchingv1.Rest_REST_WITHHOLD},
	} {
		m.Must(offer.name, edited(sell(offer.price, 1000, offer.name), func(o *matchingv1.MsgPlaceSell) { o.Rest = offer.rest }))
	}
	refused(t, m, "sun", edited(sell(200_000, 1, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Rest = 4 }), matching.ErrMalformed)
	m.Must("home", edited(buy(300_000, 400), func(o *matchingv1.MsgPlaceBuy) { o.Weights = &matchingv1.Weights{Price: 1000} }))
	m.End()
	m.Block(gate)
	want := map[string]int64{market.Meter("sun"): 600, market.Meter("plant"): 1000}
	events := market.Happened[*matchingv1.RestLeft](m)
	for _, event := range events {
		if event.EnergyWh != want[event.Meter] || (event.Rest == matchingv1.Rest_REST_STORE) != (event.Meter == market.Meter("sun")) || event.Period != p {
			t.Errorf("event %v, want %v", event, want)
		}
	}
	if len(events) != 2 {
		t.Errorf("events %v, want %v", events, want)
	}
}
