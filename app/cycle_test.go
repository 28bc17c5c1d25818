package app_test

import (
	"testing"
	"time"

	"github.com/energyd/energyd/app"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit"
)

const coins = 100_000_000

// market starts a chain with a seller and two buyers.
func market(t testing.TB) (c *testkit.Chain, seller, buyer, other *testkit.Member) {
	t.Helper()
	c = testkit.New(t, func(g *app.Genesis) {
		seller = testkit.AddMember(g, 1, coins)
		buyer = testkit.AddMember(g, 2, coins)
		other = testkit.AddMember(g, 3, coins)
	})
	return c, seller, buyer, other
}

func sell(period int64, m *testkit.Member, price, energy int64) *matchingv1.MsgPlaceSell {
	return &matchingv1.MsgPlaceSell{
		Period: period, PriceUcoinPerKwh: price, EnergyWh: energy, Meter: m.Meter,
		Consent: &matchingv1.Consent{Standing: true},
	}
}

func buy(period, price, energy int64, standing bool) *matchingv1.MsgPlaceBuy {
	clean, credit := int64(1), int64(60)
	return &matchingv1.MsgPlaceBuy{
		Period: period, PriceUcoinPerKwh: price, EnergyWh: energy,
		WantedEnvironment: &clean, WantedCredit: &credit, WantedEnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR,
		Weights: &matchingv1.Weights{Price: 500, Energy: 100, Environment: 100, Credit: 100, Loss: 100, EnergyType: 100},
		Consent: &matchingv1.Consent{Standing: standing},
	}
}

// nextPeriod is the first period after the chain's time whose gate is open.
func nextPeriod(c *testkit.Chain) time.Time {
	return c.Time.Truncate(testkit.Period).Add(2 * testkit.Period)
}

// One whole trading cycle: order, clear, confirm, deliver, read, settle.
func TestTradingCycle(t *testing.T) {
	c, seller, buyer, other := market(t)
	start := nextPeriod(c)
	end := start.Add(testkit.Period)
	period := start.UnixMilli()

	c.Must(time.Second,
		c.Tx(seller.Key, sell(period, seller, 400_000, 3_000)),
		c.Tx(buyer.Key, buy(period, 500_000, 2_000, true)),
		c.Tx(other.Key, buy(period, 450_000, 2_000, false)))
	c.Until(start.Add(-4 * time.Second)) // the gate

	var matches matchingv1.QueryMatchesResponse
	c.Query(&matchingv1.QueryMatchesRequest{Period: period}, &matches)
	if len(matches.Matches)+len(matches.Prematches) != 2 || len(matches.Prematches) != 1 {
		t.Fatalf("got %d matches and %d pre-matches, want 1 and 1", len(matches.Matches), len(matches.Prematches))
	}
	waiting := matches.Prematches[0]
	c.Must(time.Second, c.Tx(other.Key, &matchingv1.MsgConfirm{Period: period, Match: waiting.Id}))

	at := start.UnixMilli()
	c.Until(start)
	c.Must(time.Second, c.Readings(c.Reading(seller, at, 0, 0), c.Reading(buyer, at, 0, 0), c.Reading(other, at, 0, 0)))
	c.Until(end)
	at = end.UnixMilli()
	c.Must(time.Second, c.Readings(c.Reading(seller, at, 0, 3_500), c.Reading(buyer, at, 2_500, 0), c.Reading(other, at, 900, 0)))

	var settled settlementv1.QueryPeriodResponse
	c.Query(&settlementv1.QueryPeriodRequest{Period: period}, &settled)
	totals := settled.GetRoot().GetTotals()
	if totals == nil {
		t.Fatal("the period has no root although all registers are there")
	}
	if totals.SoldWh == 0 || totals.SoldWh != totals.BoughtWh+totals.LossWh {
		t.Errorf("sold %d, bought %d, loss %d: want sold = bought + loss > 0", totals.SoldWh, totals.BoughtWh, totals.LossWh)
	}
	if totals.PaidUcoin != totals.ReceivedUcoin {
		t.Errorf("paid %d, received %d", totals.PaidUcoin, totals.ReceivedUcoin)
	}
	var statements settlementv1.QueryStatementsResponse
	c.Query(&settlementv1.QueryStatementsRequest{Period: period}, &statements)
	if len(statements.Statements) != 3 {
		t.Fatalf("got %d statements, want 3", len(statements.Statements))
	}
	for _, s := range statements.Statements {
		if s.ImportWh != s.BoughtWh+s.GridImportWh || s.ExportWh != s.SoldWh+s.GridExportWh {
			t.Errorf("statement does not add up: %v", s)
		}
	}
}
