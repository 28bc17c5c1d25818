package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/energyd/energyd/app"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/internal/testkit"
)

func TestDefaultGenesisSuitsThePeriod(t *testing.T) {
	for _, tc := range []struct{ period, gate, round, horizon, retention int64 }{
		{900_000, 300_000, 120_000, 86_400_000, 96},
		{60_000, 30_000, 30_000, 5_760_000, 96},
		{10_000, 5_000, 5_000, 960_000, 1000},
		{3_000, 1_500, 1_500, 288_000, 1000},
	} {
		g := app.DefaultGenesis("c", tc.period)
		p := g.Registry.Params[0].Params
		if p.GateLeadMs != tc.gate || p.RoundLengthMs != tc.round || p.OrderHorizonMs != tc.horizon || p.StatementRetentionPeriods != tc.retention {
			t.Errorf("period %d ms: got %v, want %+v", tc.period, p, tc)
		}
	}
}

// A chain in the middle of everything (orders, matches, unsettled periods)
// exports; what is imported from that exports the same, to the byte.
func TestExportImportExport(t *testing.T) {
	c, seller, buyer, other := market(t)
	start := nextPeriod(c)
	period := start.UnixMilli()
	c.Must(time.Second,
		c.Tx(seller.Key, sell(period, seller, 400_000, 3_000)),
		c.Tx(buyer.Key, buy(period, 500_000, 2_000, true)),
		c.Tx(other.Key, buy(period, 450_000, 2_000, false)))
	c.Until(start)
	c.Must(time.Second, c.Readings(c.Reading(seller, period, 0, 0), c.Reading(buyer, period, 0, 0)))
	next := period + testkit.Period.Milliseconds()
	c.Until(start.Add(testkit.Period))
	c.Must(time.Second,
		c.Readings(c.Reading(seller, next, 0, 3_000), c.Reading(seller, next+500, 0, 10)),
		c.Tx(seller.Key, sell(next+2*testkit.Period.Milliseconds(), seller, 400_000, 500)))

	first, _, err := c.App().Export()
	if err != nil {
		t.Fatal(err)
	}
	before, err := json.Marshal(first)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"balances", "windows", "sells", "points", "tallies"} {
		if !bytes.Contains(before, []byte(`"`+part+`":[{`)) {
			t.Errorf("the export has no %s: the test shows too little", part)
		}
	}
	imported := testkit.New(t, func(g *app.Genesis) { *g = *first })
	_ = imported // its first block ran the hooks and the invariants

	a, err := app.Open(app.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Close() }()
	if _, err := a.InitChain(context.Background(), &abci.RequestInitChain{ChainId: testkit.ChainID, Time: c.Time, AppStateBytes: before}); err != nil {
		t.Fatal(err)
	}
	second, err := a.ExportPending()
	if err != nil {
		t.Fatal(err)
	}
	after, err := json.Marshal(second)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(before, after) {
		t.Errorf("export -> import -> export differs:\n%s\n%s", before, after)
	}
}

func TestGenesisRefusals(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{`{`, "unexpected end"},
		{`{"registry":{},"nonsense":{}}`, "unknown modules"},
		{`{"registry":{"no_such":1}}`, "no_such"},
		{`{"bank":{"balances":"x"}}`, "bank"},
	} {
		if err := json.Unmarshal([]byte(tc.text), new(app.Genesis)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want %q", tc.text, err, tc.want)
		}
	}
	g := app.DefaultGenesis("c", 10_000)
	g.Bank.Supply = &bankv1.Supply{MintedUcoin: 1}
	if err := g.Validate(); err == nil {
		t.Error("coins that nobody has pass")
	}
}
