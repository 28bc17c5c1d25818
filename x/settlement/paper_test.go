package settlement_test

import (
	"testing"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
)

// TestPaperPriceMatrix: S3 table 2.1 as contracts on chain. A has 10 kWh, B needs
// 7, C 5: A serves B with 7 kWh at 0.3, C with 3 at 0.4, the grid has the rest at
// 0.5 (S3 2.3.2).
func TestPaperPriceMatrix(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.Params().FeeUcoinPerKwh = 0 // the thesis has none
		g.Grid.Tariffs = []*gridv1.Tariff{{TariffClass: "home", RetailUcoinPerKwh: 500_000, FeedInUcoinPerKwh: 500_000}}
	}, "a", "b", "c", "d")
	for _, cell := range []struct {
		seller, buyer   string
		priority, price int64
	}{
		{"a", "b", 1, 300_000},
		{"a", "c", 2, 400_000},
		{"a", "d", 3, 500_000},
		{"b", "a", 3, 500_000},
		{"b", "c", 1, 200_000},
		{"b", "d", 2, 400_000},
		{"c", "a", 3, 400_000},
		{"c", "b", 2, 300_000},
		{"c", "d", 1, 300_000},
		{"d", "a", 1, 200_000},
		{"d", "b", 2, 400_000},
		{"d", "c", 3, 400_000},
	} {
		msg := proposal(cell.seller, cell.buyer, cell.price)
		msg.Priority = cell.priority
		agree(m, cell.seller, cell.buyer, msg)
	}
	m.End()
	deliver(m, map[string]flow{"a": {0, 10_000}, "b": {7_000, 0}, "c": {5_000, 0}, "d": {0, 0}}, "a", "b", "c", "d")
	delivered := map[protocol.Address][2]int64{} // energy and amount, by buyer
	for _, trade := range statement(m, "a").Trades {
		delivered[protocol.Address(trade.Buyer)] = [2]int64{trade.SoldWh, trade.AmountUcoin}
	}
	for buyer, want := range map[string][2]int64{"b": {7_000, 2_100_000}, "c": {3_000, 1_200_000}} {
		if got := delivered[market.Address(buyer)]; got != want {
			t.Errorf("A to %s: got %d Wh for %d ucoin, want %d for %d", buyer, got[0], got[1], want[0], want[1])
		}
	}
	if s := statement(m, "a"); s.SoldWh != 10_000 || s.ReceivedUcoin != 3_300_000 || s.GridExportWh != 0 {
		t.Errorf("A: %v", s)
	}
	if s := statement(m, "c"); s.BoughtWh != 3_000 || s.GridImportWh != 2_000 || s.GridPaidUcoin != 1_000_000 {
		t.Errorf("C: %v", s)
	}
}

// TestPaperTolerance: S3 3.4.2: "若偏差 d 小于容忍偏差 σ ，则按照匹配记录中的交易电量 v_m
// 进行结算；若偏差 d 不小于容忍偏差 σ ，则按照实际供/用电量 v_a 进行结算". A deviation below
// sigma settles at the energy that was matched, any other at what was measured. Of
// 1000 Wh at 0.2, sigma is 100. Here a deviation of just sigma is within it
// (SPEC 8), and more than was matched goes to the grid, not to the buyer.
func TestPaperTolerance(t *testing.T) {
	for _, test := range []struct {
		name          string
		out, in, want int64
	}{
		{"as matched", 1000, 1000, 1000},
		{"seller below sigma", 901, 1000, 1000},
		{"buyer below sigma", 1000, 901, 1000},
		{"both below sigma", 901, 901, 1000},
		{"sigma itself, not so in the thesis", 900, 1000, 1000},
		{"seller beyond sigma", 899, 1000, 899},
		{"buyer beyond sigma", 1000, 899, 899},
		{"both beyond sigma", 700, 800, 700},
		{"more than matched", 1500, 1500, 1000},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, func(g *market.Genesis) {
				noLoss(g)
				g.Params().SigmaPpm = 100_000
			}, "sun", "home")
			m.Must("sun", sell(p, 200_000, 1000, "sun"))
			m.Must("home", buy(p, 300_000, 1000))
			m.End()
			deliver(m, map[string]flow{"sun": {0, test.out}, "home": {test.in, 0}}, "sun", "home")
			sun, home := statement(m, "sun"), statement(m, "home")
			if sun.SoldWh != test.want || home.BoughtWh != test.want || sun.Trades[0].AmountUcoin != test.want*200 {
				t.Errorf("settled %d Wh for %d ucoin, want %d Wh", sun.SoldWh, sun.Trades[0].AmountUcoin, test.want)
			}
			if sun.GridExportWh != test.out-test.want || home.GridImportWh != test.in-test.want {
				t.Errorf("grid: %d from sun, %d to home", sun.GridExportWh, home.GridImportWh)
			}
		})
	}
}
