package simulation

import settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"

// totals are a period's sums, as their definitions say: over its trades and the
// latest versions of its statements.
func (p *period) totals() *settlementv1.Totals {
	sum := &settlementv1.Totals{}
	unpaid := int64(0) // of what buyers owe sellers
	for _, s := range p.statements {
		for _, t := range s.Trades {
			if string(t.Buyer) == string(s.Account) { // each trade once
				addToTotals(sum, t)
				unpaid += t.UnpaidAmountUcoin
			}
		}
	}
	for _, s := range p.statements {
		sum.GridSoldWh += s.GridImportWh
		sum.GridBoughtWh += s.GridExportWh
		sum.GridAloneUcoin += s.GridAloneUcoin
		sum.GridReceivedUcoin += s.GridPaidUcoin + guaranteedToGrid(s)
		sum.GridPaidUcoin += s.GridReceivedUcoin
		sum.FundPaidUcoin += s.GuaranteedUcoin
		sum.FundReceivedUcoin += s.PenaltyPaidUcoin
		for _, t := range s.Trades {
			if passed := !s.Missing && t.GridStoodIn && string(t.Seller) == string(s.Account); passed {
				sum.GridSoldWh -= t.SoldWh
				sum.GridPaidUcoin += t.AmountUcoin
			}
		}
	}
	// Everybody's payments: those of buyers for energy that members sold, of the
	// grid, to the grid, to make whole and of penalties.
	fromMembers := sum.AmountUcoin - unpaid + sum.FeesUcoin + sum.MakeWholeUcoin + sum.FundReceivedUcoin
	sum.PaidUcoin = fromMembers + sum.GridPaidUcoin
	for _, s := range p.statements {
		sum.PaidUcoin += s.GridPaidUcoin + guaranteedToGrid(s)
	}
	sum.ReceivedUcoin = sum.PaidUcoin
	for i, field := range moneyOf(sum) {
		*field += p.moved[i]
	}
	return sum
}

// guaranteedToGrid is what the guarantee fund paid in an account's place, but for
// its trades.
func guaranteedToGrid(s *settlementv1.Statement) int64 {
	sum := s.GuaranteedUcoin
	for _, t := range s.Trades {
		if string(t.Buyer) == string(s.Account) {
			sum -= t.GuaranteedAmountUcoin + t.GuaranteedFeeUcoin
		}
	}
	return sum
}

// moneyOf are the sums of what was paid, which corrections change by what moved.
func moneyOf(sum *settlementv1.Totals) [6]*int64 {
	return [6]*int64{
		&sum.FeesUcoin, &sum.GridPaidUcoin, &sum.GridReceivedUcoin, &sum.FundPaidUcoin, &sum.PaidUcoin, &sum.ReceivedUcoin,
	}
}

func addToTotals(sum *settlementv1.Totals, t *settlementv1.Trade) {
	sum.SoldWh += t.SoldWh
	sum.BoughtWh += t.BoughtWh
	sum.LossWh += t.SoldWh - t.BoughtWh
	if t.Environment > 0 {
		sum.CleanWh += t.SoldWh
	}
	sum.AmountUcoin += t.AmountUcoin
	sum.FeesUcoin += t.FeeUcoin - t.UnpaidFeeUcoin
	sum.MakeWholeUcoin += t.MakeWholeBySellerUcoin + t.MakeWholeByBuyerUcoin - t.UnpaidMakeWholeUcoin
	if t.GridStoodIn {
		sum.GridSoldWh += t.SoldWh
		sum.GridReceivedUcoin += t.AmountUcoin - t.UnpaidAmountUcoin
	}
}
