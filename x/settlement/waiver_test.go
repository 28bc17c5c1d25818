package settlement_test

import (
	"testing"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/reputation"
	"github.com/energyd/energyd/x/settlement"
)

// elsewhere has a gateway that reads some members and an aggregator that is the
// home of some.
func elsewhere(gateway, aggregator []string) func(*market.Genesis) {
	return func(g *market.Genesis) {
		g.AddGateway("far gateway")
		g.AddAggregator("far aggregator")
		for _, name := range gateway {
			g.MeterOf(name).Gateway = market.Address("far gateway").Bytes()
		}
		for _, name := range aggregator {
			g.Account(name).HomeAggregator = market.Address("far aggregator").Bytes()
		}
	}
}

func outcomeOf(m *market.Market, name string) (outcome int64, waived bool) {
	s := statement(m, name)
	return s.Outcome, s.Waived
}

// TestWaiver: at the deadline the registers of some of five accounts behind one
// gateway are missing. Two pairs have a match; rest has none.
func TestWaiver(t *testing.T) {
	all := []string{"sun", "home", "wind", "shop", "rest"}
	for _, test := range []struct {
		name   string
		speak  []string
		waived bool
	}{
		{"all", nil, true},
		{"most, and others than the violated count", []string{"home", "shop"}, true},
		{"two of five are not most", []string{"home", "shop", "rest"}, false},
		{"one alone", []string{"home", "shop", "rest", "wind"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, strict(1), all...)
			for _, pair := range [][2]string{{"sun", "home"}, {"wind", "shop"}} {
				m.Must(pair[0], sell(p, 200_000, 1000, pair[0]))
				m.Must(pair[1], buy(p, 300_000, 1000))
			}
			m.End()
			flows := map[string]flow{}
			for _, name := range test.speak {
				flows[name] = flow{1000, 0}
				if name == "wind" {
					flows[name] = flow{0, 1000}
				}
			}
			deliver(m, flows, all...)
			m = m.Reborn()
			m.Block(p + 2*length + 500)
			m.Block(overdue)
			for _, name := range all {
				want := int64(1)
				if _, speaks := flows[name]; !speaks {
					want = -10
				}
				if test.waived && want < 0 || name == "rest" {
					want = 0
				}
				if outcome, waived := outcomeOf(m, name); outcome != want || waived != (want == 0 && name != "rest") {
					t.Errorf("%s: outcome %d, waived %t, want %d", name, outcome, waived, want)
				}
				if frozen := status(m, name) == isFrozen; frozen != (want < 0) {
					t.Errorf("%s is frozen: %t", name, frozen)
				}
				if got := reputation.ValueOf(m.Store, market.Address(name)); got != 60+want {
					t.Errorf("%s: credit value %d, want %d", name, got, 60+want)
				}
			}
			if fund := free(m, protocol.GuaranteeAddress); (fund == 0) != test.waived {
				t.Errorf("the fund has %d", fund)
			}
		})
	}
}

// TestWaiverGroups: of two, both are too few, behind a gateway as with an
// aggregator; three of a gateway are enough, and of an aggregator, however many
// others there are.
func TestWaiverGroups(t *testing.T) {
	silent := []string{"sun", "home", "rest"}
	all := append([]string{"a", "b", "c", "d"}, silent...)
	for _, test := range []struct {
		name                string
		gateway, aggregator []string
		waived              bool
	}{
		{"three of seven", nil, nil, false},
		{"two of a gateway", silent[:2], nil, false},
		{"two of an aggregator", nil, silent[:2], false},
		{"a gateway", silent, nil, true},
		{"an aggregator", nil, silent, true},
		{"half a gateway", append([]string{"a", "b", "c"}, silent...), nil, false},
		{"half an aggregator", nil, append([]string{"a", "b", "c"}, silent...), false},
		{"two of three do not make the third one's gateway fail", silent[:1], silent[1:], false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, strict(0, elsewhere(test.gateway, test.aggregator)), all...)
			m.Gateways = map[string]string{}
			for _, name := range test.gateway {
				m.Gateways[name] = "far gateway"
			}
			m.Must("sun", sell(p, 200_000, 1000, "sun"))
			m.Must("home", buy(p, 300_000, 1000))
			m.End()
			deliver(m, map[string]flow{"a": {}, "b": {}, "c": {}, "d": {}}, all...)
			m.Block(p + 2*length + 500)
			m.Block(overdue)
			if _, waived := outcomeOf(m, "sun"); waived != test.waived {
				t.Errorf("waived: %t, want %t: %v", waived, test.waived, statement(m, "sun"))
			}
		})
	}
}

// gapped reads members two periods after their last reading, so that p and the
// period after it are estimated.
func gapped(m *market.Market, importWh, exportWh int64, names ...string) {
	for _, name := range names {
		m.Read(name, p+2*length+100, importWh, exportWh)
	}
}

// TestWaiverOfEstimates: sun and home of four have estimated registers, which is
// not most. They wait for the other two and for nothing else; their match settles
// at once. With a third one estimated they are excused, each by its own statement.
func TestWaiverOfEstimates(t *testing.T) {
	all := []string{"sun", "home", "wind", "rest"}
	for _, test := range []struct {
		name      string
		rest      string // what comes in the next block: "gap", "read", or nothing
		soon      bool   // whether it shows then
		waived    bool
		readsWind bool
	}{
		{"a third one fails", "gap", true, true, false},
		{"two measured are half", "read", true, false, true},
		{"one is missing at the deadline", "", false, true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, strict(0), all...)
			m.Must("sun", sell(p, 200_000, 1000, "sun"))
			m.Must("home", buy(p, 300_000, 1000))
			m.End()
			flows := map[string]flow{}
			if test.readsWind {
				flows["wind"] = flow{7, 0}
			}
			deliver(m, flows, all...)
			m.Begin(p + 2*length + 500)
			gapped(m, 0, 3000, "sun")
			gapped(m, 3000, 0, "home")
			m.End()
			for _, name := range []string{"sun", "home"} {
				if _, made := settlement.StatementOf(m.Store, p, market.Address(name)); made {
					t.Fatalf("%s has its statement before it shows whether most fail", name)
				}
			}
			if settled := market.Happened[*settlementv1.Settled](m); len(settled) != 1 {
				t.Errorf("settled %v, want the match", settled)
			}
			m = m.Reborn()
			m.Begin(p + 2*length + 600)
			switch test.rest {
			case "gap":
				gapped(m, 0, 0, "rest")
			case "read":
				m.Read("rest", p+length, 0, 0)
			}
			m.End()
			if _, made := settlement.StatementOf(m.Store, p, market.Address("sun")); made != test.soon {
				t.Fatalf("sun has its statement: %t", made)
			}
			m.Block(overdue)
			for _, name := range []string{"sun", "home"} {
				if outcome, waived := outcomeOf(m, name); waived != test.waived || outcome != 0 == test.waived {
					t.Errorf("%s: outcome %d, waived %t", name, outcome, waived)
				}
				if s := statement(m, name); !s.Estimated || s.ImportWh+s.ExportWh == 0 || len(s.Trades) != 1 {
					t.Errorf("%s: %v, want estimated registers and the match", name, s)
				}
			}
			if root, ok := settlement.RootOf(m.Store, p); !ok || root.Accounts != 4 {
				t.Errorf("root %v, want one over four", root)
			}
		})
	}
}

// TestWaiverWaitsAfterContracts: nobody of a component waits for a group of
// another's, and what it had by contract is in the statement that waited.
func TestWaiverWaitsAfterContracts(t *testing.T) {
	all := []string{"sun", "home", "shop", "wind", "rest"}
	m := market.New(t, strict(0), all...)
	m.Must("sun", sell(p, 200_000, 100, "sun"))
	m.Must("home", buy(p, 300_000, 100))
	agree(m, "sun", "shop", proposal("sun", "shop", 150_000))
	m.End()
	deliver(m, map[string]flow{"home": {100, 0}, "shop": {1000, 0}}, all...)
	m.Begin(p + 2*length + 500)
	gapped(m, 0, 3000, "sun")
	m.End()
	if s := statement(m, "shop"); s.BoughtWh == 0 {
		t.Errorf("shop: %v, want what sun left", s)
	}
	if _, made := settlement.StatementOf(m.Store, p, market.Address("sun")); made {
		t.Fatal("sun has its statement while two of five are out and may fail with it")
	}
	m = m.Reborn()
	m.Begin(p + 2*length + 600)
	m.Read("wind", p+length, 0, 0)
	m.End()
	if s := statement(m, "sun"); s.Outcome != -10 || len(s.Trades) != 2 {
		t.Errorf("sun: %v, want it violated, with a match and a contract", s)
	}
}

// TestWaiverEndsWithTheTruth: a shortfall of measured registers is not waived
// because they came after the deadline; what is no shortfall stays waived, as do
// estimated ones.
func TestWaiverEndsWithTheTruth(t *testing.T) {
	for _, test := range []struct {
		name     string
		at       int64
		exportWh int64
		outcome  int64
	}{
		{"short", p + length, 100, -10},
		{"not short", p + length, 1000, 0},
		{"short by an estimate", p + 2*length + 100, 100, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := []string{"sun", "home", "rest"}
			m := market.New(t, strict(1), all...)
			m.Must("sun", sell(p, 200_000, 1000, "sun"))
			m.Must("home", buy(p, 300_000, 1000))
			m.End()
			deliver(m, nil, all...)
			m.Block(p + 2*length + 500)
			m.Block(overdue)
			if outcome, waived := outcomeOf(m, "sun"); outcome != 0 || !waived {
				t.Fatalf("outcome %d, waived %t", outcome, waived)
			}
			m.Begin(overdue + 1000)
			m.Read("sun", test.at, 0, test.exportWh)
			m.End()
			s, punished := statement(m, "sun"), test.outcome < 0
			if s.Outcome != test.outcome || s.Waived == punished || s.PenaltyPaidUcoin > 0 != punished || s.Version != 2 {
				t.Errorf("statement %v", s)
			}
			if frozen := status(m, "sun") == isFrozen; frozen != punished {
				t.Errorf("frozen: %t", frozen)
			}
			if got := reputation.ValueOf(m.Store, market.Address("sun")); got != 60+test.outcome {
				t.Errorf("credit value %d", got)
			}
		})
	}
}
