package settlement

import (
	"bytes"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/registry"
)

// settleLate completes a statement that was marked missing: of what the grid
// sold in the account's place min(s_k, v_f) passes to it, then its residual
// settles. The outcome stays, but for a shortfall that had been waived. After the retention time only an event tells of
// the new version.
func settleLate(ctx *module.Ctx, energy *meteringv1.Energy) error {
	entry, _ := missing.Get(ctx.Store, missingKey(energy.Account, energy.Period))
	statement, retained := StatementOf(ctx.Store, energy.Period, protocol.Address(energy.Account))
	if !retained {
		statement = entry.GetStatement()
	}
	if statement == nil {
		return ErrNoRecord.With("period %d: no statement of %v", energy.Period, protocol.Address(energy.Account))
	}
	period, err := loadPeriod(ctx.Store, energy.Period)
	if err != nil {
		return err
	}
	matched := matchTrades(statement)
	selling := len(matched) > 0 && bytes.Equal(matched[0].Seller, energy.Account)
	obligations := make([]obligation, len(matched))
	for i, trade := range matched {
		obligations[i] = obligation{trade.ContractedWh, trade.LossPpm}
	}
	tally, params := &settlementv1.Tally{}, registry.ParamsAt(ctx.Store, energy.Period)
	parts, err := measure(ctx, params, tally, energy, selling, obligations)
	if err != nil {
		return err
	}
	statement.Missing, statement.Estimated = false, tally.Estimated
	statement.ImportWh, statement.ExportWh, statement.ToleranceWh = tally.ImportWh, tally.ExportWh, tally.ToleranceWh
	statement.RetailUcoinPerKwh, statement.FeedInUcoinPerKwh = tally.RetailUcoinPerKwh, tally.FeedInUcoinPerKwh
	for i, trade := range matched {
		if !trade.GridStoodIn {
			continue
		}
		if err := passOn(ctx, period.Totals, statement, trade, parts[i]); err != nil {
			return err
		}
	}
	if err := settleResidual(ctx, period.Totals, statement); err != nil {
		return err
	}
	// What was waived was that nobody knew; now the registers say it.
	unmasked := statement.Waived && !tally.Estimated && tally.Violated
	if unmasked {
		statement.Waived = false
		if err := violate(ctx, period.Totals, statement); err != nil {
			return err
		}
	}
	if err := keepStock(ctx, params, statement, false); err != nil { // as late registers certify nothing
		return err
	}
	missing.Delete(ctx.Store, missingKey(energy.Account, energy.Period))
	period.Missing--
	periods.Set(ctx.Store, periodKey(period.Period), period)
	issue(ctx, statement)
	if unmasked {
		freezeViolator(ctx, statement)
	}
	if !retained {
		statements.Delete(ctx.Store, statementKey(statement.Period, statement.Account))
	}
	return nil
}

// passOn gives the seller its part of a trade that the grid made in its place;
// the trade in its statement then says what that part is.
func passOn(ctx *module.Ctx, totals *settlementv1.Totals, statement *settlementv1.Statement, trade *settlementv1.Trade, partWh int64) error {
	trade.SoldWh = min(trade.SoldWh, partWh)
	trade.BoughtWh = units.Net(trade.SoldWh, trade.LossPpm)
	// The grid pays in full, whatever it got of the buyer, who owes it the rest.
	trade.GuaranteedAmountUcoin, trade.GuaranteedFeeUcoin, trade.UnpaidAmountUcoin, trade.UnpaidFeeUcoin = 0, 0, 0, 0
	var err error
	if trade.AmountUcoin, err = units.Amount(trade.PriceUcoinPerKwh, trade.SoldWh); err != nil {
		return err
	}
	if trade.FeeUcoin, err = units.Amount(trade.FeeUcoinPerKwh, trade.SoldWh); err != nil {
		return err
	}
	paid, repaid, err := bank.Pay(ctx, protocol.GridAddress, protocol.Address(statement.Account), trade.AmountUcoin)
	if err != nil {
		return err
	}
	if paid != trade.AmountUcoin {
		return ErrUnpaid.With("match %x: expected %d ucoin from the grid, got %d", trade.Match, trade.AmountUcoin, paid)
	}
	loans, err := credit.RepayFromSale(ctx, protocol.Address(statement.Account), paid-repaid)
	if err != nil {
		return err
	}
	var sums adder
	sums.add(&statement.SoldWh, trade.SoldWh)
	sums.add(&statement.LoansRepaidUcoin, loans)
	sums.add(&statement.ReceivedUcoin, paid)
	sums.add(&statement.RepaidUcoin, repaid)
	sums.add(&totals.GridSoldWh, -trade.SoldWh)
	sums.add(&totals.GridPaidUcoin, paid)
	sums.add(&totals.PaidUcoin, paid)
	sums.add(&totals.ReceivedUcoin, paid)
	return sums.err
}
