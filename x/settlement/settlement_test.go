package settlement_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/settlement"
)

// Periods of the tests: orders are placed at market.Start for the second one
// after it.
const (
	start  = market.Start
	length = market.Period
	p      = start + 2*length
	gate   = p - 4_000
)

var standing = &matchingv1.Consent{Standing: true}

func sell(period, price, energyWh int64, name string) *matchingv1.MsgPlaceSell {
	return &matchingv1.MsgPlaceSell{Period: period, PriceUcoinPerKwh: price, EnergyWh: energyWh, Meter: market.Meter(name), Consent: standing}
}

func buy(period, price, energyWh int64) *matchingv1.MsgPlaceBuy {
	return &matchingv1.MsgPlaceBuy{Period: period, PriceUcoinPerKwh: price, EnergyWh: energyWh, Consent: standing}
}

// flow is what a meter counts in a period, in Wh.
type flow struct{ in, out int64 }

// deliver runs the blocks of period p and those that follow until the first one
// after it: every member is read at Start, so that earlier periods settle, at p
// and, if it has a flow, at the end of p.
func deliver(m *market.Market, flows map[string]flow, names ...string) {
	m.T.Helper()
	deliverUntil(m, names...)
	m.Begin(p + length + 500)
	for _, name := range names {
		if f, ok := flows[name]; ok {
			m.Read(name, p+length, f.in, f.out)
		}
	}
	m.End()
}

// deliverUntil is deliver until the block after the start of p.
func deliverUntil(m *market.Market, names ...string) {
	m.T.Helper()
	m.Begin(start + length + 500)
	for _, name := range names {
		m.Read(name, start, 0, 0)
		m.Read(name, start+length, 0, 0)
	}
	m.End()
	m.Block(gate)
	m.Begin(p + 500)
	for _, name := range names {
		m.Read(name, p, 0, 0)
	}
	m.End()
}

func statement(m *market.Market, name string) *settlementv1.Statement {
	m.T.Helper()
	s, ok := settlement.StatementOf(m.Store, p, market.Address(name))
	if !ok {
		m.T.Fatalf("no statement of %s", name)
	}
	return s
}

// check compares the numbers of a statement that want names; zero is a number
// as well, but for identity, tariff, trades, certificates and the balances, which
// the invariants check.
func check(m *market.Market, name string, want *settlementv1.Statement) {
	m.T.Helper()
	got := proto.Clone(statement(m, name)).(*settlementv1.Statement)
	got.Account, got.Period, got.Trades = nil, 0, nil
	got.RetailUcoinPerKwh, got.FeedInUcoinPerKwh, got.ToleranceWh = 0, 0, 0
	got.BalanceBeforeUcoin, got.BalanceAfterUcoin, got.Reputation = 0, 0, 0
	got.CertificatesWh, got.CertificatesLostWh = 0, 0 // TestCertificates
	if !proto.Equal(got, want) {
		m.T.Errorf("statement of %s:\n got %v\nwant %v", name, got, want)
	}
}

func checkTotals(m *market.Market, version int64, want *settlementv1.Totals) {
	m.T.Helper()
	root, ok := settlement.RootOf(m.Store, p)
	if !ok || root.Version != version || !proto.Equal(root.Totals, want) {
		m.T.Errorf("root:\n got %v\nwant version %d, %v", root, version, want)
	}
}

func free(m *market.Market, account protocol.Address) int64 {
	return bank.BalanceOf(m.Store, account).FreeUcoin
}

// TestSettle is a day of two: sun sells 1000 Wh of 1500 to home, which draws
// 1200. 1 Wh of 1000 is lost on 100 m, 999 arrive.
func TestSettle(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", sell(p, 200_000, 2000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1500}, "home": {1200, 0}}, "sun", "home")

	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 1200, BoughtWh: 999, GridImportWh: 201,
		PaidUcoin: 200_000 + 5_000 + 100_500, FeesUcoin: 5_000, GridPaidUcoin: 100_500, GridAloneUcoin: 600_000, Outcome: 1,
	})
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 1500, SoldWh: 1000, GridExportWh: 500,
		ReceivedUcoin: 200_000 + 50_000, GridReceivedUcoin: 50_000, GridAloneUcoin: -150_000, Outcome: 1,
	})
	checkTotals(m, 1, &settlementv1.Totals{
		SoldWh: 1000, BoughtWh: 999, LossWh: 1, CleanWh: 1000, AmountUcoin: 200_000, FeesUcoin: 5_000,
		GridBoughtWh: 500, GridSoldWh: 201, GridPaidUcoin: 50_000, GridReceivedUcoin: 100_500,
		PaidUcoin: 305_500 + 50_000, ReceivedUcoin: 250_000 + 5_000 + 100_500, GridAloneUcoin: 450_000,
	})
	for account, want := range map[protocol.Address]int64{
		market.Address("sun"):  market.Coins + 250_000,
		market.Address("home"): market.Coins - 305_500,
		protocol.GridAddress:   100_500 - 50_000,
		protocol.FeeAddress:    5_000,
	} {
		if got := free(m, account); got != want {
			t.Errorf("%v has %d, want %d", account, got, want)
		}
	}
}
