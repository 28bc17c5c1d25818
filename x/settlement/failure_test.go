package settlement_test

import (
	"bytes"
	"slices"
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

// TestFailsAfterOthers: a seller whose second match cannot be settled had settled
// the first one with a buyer that came in the same block and waited for it. That is
// taken back as well: the buyer waits on, and the grid stands in for the seller.
func TestFailsAfterOthers(t *testing.T) {
	names := []string{"sun", "home", "shop"}
	slices.SortFunc(names, func(a, b string) int { return bytes.Compare(market.Address(a).Bytes(), market.Address(b).Bytes()) })
	fine, broke, seller := names[0], names[1], names[2] // registers come in this order
	m := market.New(t, noLoss, names...)
	good, bad := market.Match(seller, fine, p, 1000, 200_000), market.Match(seller, broke, p, 1000, 200_000)
	good.Id[0], bad.Id[0], bad.EscrowUcoin = 0, 1, 1
	m.Stand([]*matchingv1.Match{good, bad})
	m.End()
	deliver(m, map[string]flow{seller: {0, 2000}, fine: {1000, 0}, broke: {1000, 0}}, names...)
	failed := market.Happened[*settlementv1.SettlementFailed](m)
	if len(failed) != 1 || !bytes.Equal(failed[0].Account, market.Address(seller).Bytes()) {
		t.Fatalf("events %v, want one failure of the seller", failed)
	}
	for _, buyer := range []string{fine, broke} {
		if _, made := settlement.StatementOf(m.Store, p, market.Address(buyer)); made {
			t.Errorf("%s has a statement, want it to wait", buyer)
		}
	}
	m.Block(p + 2*length + 500)
	m.Block(overdue)
	if s := statement(m, fine); s.BoughtWh != 999 || len(s.Trades) != 1 || !s.Trades[0].GridStoodIn || s.PaidUcoin < 205_000 {
		t.Errorf("want the match settled with the grid in the seller's place: %v", s)
	}
	if s := statement(m, broke); s.BoughtWh != 0 || len(s.Trades) != 0 {
		t.Errorf("want the other match given up: %v", s)
	}
	if s := statement(m, seller); !s.Missing {
		t.Errorf("want the seller missing: %v", s)
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

// signed returns a market with a contract of sun and home whose record was
// edited in the export.
func signed(t *testing.T, from, to string) (*market.Market, error) {
	t.Helper()
	m := market.New(t, noLoss, "sun", "home", "shop")
	agree(m, "sun", "home", proposal("sun", "home", 123_456))
	good := string(m.Export()["settlement"])
	changed := strings.Replace(good, from, to, 1)
	if changed == good {
		t.Fatalf("%s is not in %s", from, good)
	}
	other := market.New(t, noLoss, "sun", "home", "shop")
	return other, settlement.New().InitGenesis(other.Ctx("sun"), []byte(changed))
}

// TestUnsettleableContract: amounts beyond int64 cannot come from messages. The
// contract delivers nothing then, and its accounts settle with the grid.
func TestUnsettleableContract(t *testing.T) {
	m, err := signed(t, `"123456"`, `"9223372036854775807"`)
	if err != nil {
		t.Fatal(err)
	}
	m.End()
	deliver(m, map[string]flow{"sun": {0, 2000}, "home": {2000, 0}}, "sun", "home", "shop")
	failed := market.Happened[*settlementv1.SettlementFailed](m)
	if len(failed) != 1 || len(failed[0].Component) == 0 {
		t.Fatalf("events %v, want one failure of a component", failed)
	}
	if s := statement(m, "home"); s.BoughtWh != 0 || s.GridImportWh != 2000 || s.Missing {
		t.Errorf("statement of home: %v, want all from the grid", s)
	}
}

func TestContractGenesisRefused(t *testing.T) {
	for _, test := range []struct{ from, to, want string }{
		{`"123456"`, `"-1"`, "contracts[0]: settlement/bad_price"},
		{`"priority":"1"`, `"priority":"1001"`, "priority"},
		{`"until_period":"`, `"until_period":"-`, "until_period"},
		{`"seller":"`, `"seller":"AAAA`, "contracts[0].account"},
		{`"proposer":"`, `"id":"AAAA","proposer":"`, ""},
		{`"contracts":[`, `"components":[{"component":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","period":"5","open_accounts":"1"}],"contracts":[`, "waits for 0 accounts"},
	} {
		_, err := signed(t, test.from, test.to)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s -> %s: got %v, want %q", test.from, test.to, err, test.want)
		}
	}
}
