package settlement_test

import (
	"strings"
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/settlement"
)

// TestUnpayable: a match whose escrow does not cover it cannot come from
// clearing. It must not stop the chain or anybody else.
func TestUnpayable(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home", "shop")
	good, bad := market.Match("sun", "shop", p, 1000, 200_000), market.Match("sun", "home", p, 1000, 200_000)
	bad.EscrowUcoin = 1
	m.Stand([]*matchingv1.Match{good, bad})
	m.End()
	deliver(m, map[string]flow{"sun": {0, 2000}, "home": {1000, 0}, "shop": {1000, 0}}, "sun", "home", "shop")
	failed := market.Happened[*settlementv1.SettlementFailed](m)
	if len(failed) != 1 || !strings.Contains(failed[0].Reason, "unpaid") && !strings.Contains(failed[0].Reason, "insufficient") {
		t.Fatalf("events %v, want one failure for lack of coins", failed)
	}
	m.Block(p + 2*length + 500)
	m.Block(overdue)
	if len(market.Happened[*settlementv1.SettlementFailed](m)) != 1 || len(matching.MatchesOf(m.Store, p, market.Address("home"))) != 0 {
		t.Error("want the match given up at the deadline")
	}
	if s := statement(m, "shop"); s.BoughtWh != 999 || s.PaidUcoin < 205_000 {
		t.Errorf("want the other match settled: %v", s)
	}
	if s := statement(m, "home"); s.BoughtWh != 0 || len(s.Trades) != 0 {
		t.Errorf("want nothing bought: %v", s)
	}
	if got := free(m, market.Address("home")); got > market.Coins {
		t.Errorf("home has %d", got)
	}
}

// TestInvariantsNotice: a statement or total with one number changed.
func TestInvariantsNotice(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1500}, "home": {1200, 0}}, "sun", "home")
	good := string(m.Export()["settlement"])
	for _, test := range []struct{ law, from, to string }{
		{"I2", `"import_wh":"1200"`, `"import_wh":"1201"`},
		{"I2", `"export_wh":"1500"`, `"export_wh":"1499"`},
		{"I2", `"grid_paid_ucoin":"100500"`, `"grid_paid_ucoin":"100501"`},
		{"I2", `"grid_received_ucoin":"50000"`, `"grid_received_ucoin":"50001"`},
		{"I2", `"amount_ucoin":"200000"`, `"amount_ucoin":"200001"`},
		{"I2", `"loss_wh":"1"`, `"loss_wh":"2"`},
		{"I2", `"fees_ucoin":"5000"`, `"fees_ucoin":"5001"`},
		{"I2", `"balance_after_ucoin":"99694500"`, `"balance_after_ucoin":"99694501"`},
		{"I3", `"export_wh":"1500","sold_wh":"1000","grid_export_wh":"500"`, `"export_wh":"900","sold_wh":"1000","grid_export_wh":"-100"`},
	} {
		changed := strings.Replace(good, test.from, test.to, 1)
		if changed == good {
			t.Errorf("%s is not in %s", test.from, good)
			continue
		}
		other := market.New(t, nil, "sun", "home")
		if err := settlement.New().InitGenesis(other.Ctx("sun"), []byte(changed)); err != nil {
			t.Fatal(err)
		}
		broken := false
		for _, law := range settlement.New().Invariants() {
			if law.Check(other.Store) != nil && law.Name == test.law {
				broken = true
			}
		}
		if !broken {
			t.Errorf("%s -> %s: %s does not notice", test.from, test.to, test.law)
		}
	}
}
