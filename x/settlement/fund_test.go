package settlement_test

import (
	"testing"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
)

// endow gives the guarantee fund coins, and lets an account owe it up to limit.
func endow(g *market.Genesis, coins, limit int64) {
	g.Params().GuaranteeLimitUcoin = limit
	if coins > 0 {
		g.Bank.Balances = append(g.Bank.Balances, &bankv1.Balance{Account: protocol.GuaranteeAddress.Bytes(), FreeUcoin: coins})
	}
}

// TestFundPaysGrid: after the trade home has 100 000 left; 1000 Wh of the grid
// cost 500 000. The fund pays 150 000, its limit, and the rest is owed to the
// grid.
func TestFundPaysGrid(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		endow(g, 1_000_000, 150_000)
		g.Balance("home").FreeUcoin = 305_000
	}, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1000}, "home": {2000, 0}}, "sun", "home")
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 2000, BoughtWh: 1000, GridImportWh: 1000, PaidUcoin: 205_000 + 100_000, FeesUcoin: 5_000,
		GridPaidUcoin: 100_000, DebtUcoin: 400_000, GuaranteedUcoin: 150_000, GridAloneUcoin: 1_000_000, Outcome: 1,
	})
	// What the fund paid is paid, and received by the grid.
	checkTotals(m, 1, &settlementv1.Totals{
		SoldWh: 1000, BoughtWh: 1000, CleanWh: 1000, AmountUcoin: 200_000, FeesUcoin: 5_000, GridSoldWh: 1000,
		GridReceivedUcoin: 250_000, FundPaidUcoin: 150_000, PaidUcoin: 305_000 + 150_000, ReceivedUcoin: 205_000 + 250_000,
		GridAloneUcoin: 1_000_000 - 100_000,
	})
	home := market.Address("home")
	if fund, grid, toFund := free(m, protocol.GuaranteeAddress), free(m, protocol.GridAddress), bank.OwedToFund(m.Store, home); fund != 850_000 || grid != 250_000 || toFund != 150_000 {
		t.Errorf("fund %d, grid %d, home owes the fund %d; want 850 000, 250 000, 150 000", fund, grid, toFund)
	}
	// 3000 Wh to the grid in the next period repay 250 000 to it, then 50 000 to
	// the fund.
	m.Begin(p + 2*length + 500)
	m.Read("home", p+2*length, 0, 3000)
	m.Read("sun", p+2*length, 0, 0)
	m.End()
	if fund, toFund, owed := free(m, protocol.GuaranteeAddress), bank.OwedToFund(m.Store, home), bank.DebtOf(m.Store, home); fund != 900_000 || toFund != 100_000 || owed != 100_000 {
		t.Errorf("fund %d, home owes it %d of %d; want 900 000, 100 000 of 100 000", fund, toFund, owed)
	}
}

// TestFundPaysContract: shop has 120 000 for 200 000 and a fee of 5 000; the fund
// has 83 000, which go to the seller first.
func TestFundPaysContract(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		endow(g, 83_000, 1_000_000)
		g.Balance("shop").FreeUcoin = 120_000
	}, "sun", "shop")
	agree(m, "sun", "shop", proposal("sun", "shop", 200_000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1000}, "shop": {1000, 0}}, "sun", "shop")
	check(m, "shop", &settlementv1.Statement{
		Version: 1, ImportWh: 1000, BoughtWh: 1000, PaidUcoin: 120_000, DebtUcoin: 85_000, GuaranteedUcoin: 83_000, GridAloneUcoin: 500_000,
	})
	check(m, "sun", &settlementv1.Statement{
		Version: 1, ExportWh: 1000, SoldWh: 1000, ReceivedUcoin: 200_000, GridAloneUcoin: -100_000,
	})
	trade := statement(m, "sun").Trades[0]
	if trade.GuaranteedAmountUcoin != 80_000 || trade.GuaranteedFeeUcoin != 3_000 || trade.UnpaidAmountUcoin != 0 || trade.UnpaidFeeUcoin != 2_000 {
		t.Errorf("want 80 000 and 3 000 by the fund, a fee of 2 000 unpaid: %v", trade)
	}
	checkTotals(m, 1, &settlementv1.Totals{
		SoldWh: 1000, BoughtWh: 1000, CleanWh: 1000, ContractWh: 1000, AmountUcoin: 200_000, FeesUcoin: 3_000,
		FundPaidUcoin: 83_000, PaidUcoin: 203_000, ReceivedUcoin: 203_000, GridAloneUcoin: 400_000,
	})
	if fund := free(m, protocol.GuaranteeAddress); fund != 0 {
		t.Errorf("the fund has %d left, want nothing", fund)
	}
}
