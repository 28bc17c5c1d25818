package settlement

import (
	"bytes"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// settleRegisters shares an account's registers out over its matches and
// settles those whose other side's are here.
func (b *block) settleRegisters(ctx *module.Ctx, tally *settlementv1.Tally, energy *meteringv1.Energy) error {
	if tally.HasRegisters {
		return nil
	}
	period, err := loadPeriod(ctx.Store, energy.Period)
	if err != nil {
		return err
	}
	all := matching.MatchesOf(ctx.Store, energy.Period, protocol.Address(energy.Account))
	selling := len(all) > 0 && bytes.Equal(all[0].Seller, energy.Account)
	obligations := make([]obligation, len(all))
	for i, match := range all {
		obligations[i] = obligation{match.EnergyWh, match.LossPpm}
	}
	parts, err := measure(ctx.Store, tally, energy, selling, obligations)
	if err != nil {
		return err
	}
	tally.OpenMatches = int64(len(all))
	tallies.Set(ctx.Store, tallyKey(tally.Period, tally.Account), tally)
	if err := b.countRegisters(ctx.Store, tally); err != nil {
		return err
	}
	for i, match := range all {
		other := match.Seller
		if selling {
			other = match.Buyer
		}
		theirs := takeShare(ctx, match, other)
		if theirs == nil {
			shares.Set(ctx.Store, shareKey(match.Period, energy.Account, match.Id), &settlementv1.Share{
				Account: energy.Account, Period: match.Period, Match: match.Id, EnergyWh: parts[i], Estimated: energy.Estimated,
			})
			continue
		}
		seller, buyer := theirs.EnergyWh, parts[i]
		if selling {
			seller, buyer = buyer, seller
		}
		d := delivered{seller: seller, buyer: buyer, measured: !energy.Estimated && !theirs.Estimated}
		if err := settle(ctx, period, match, d); err != nil {
			return err
		}
		if err := b.closeIfDone(ctx, period, other); err != nil {
			return err
		}
	}
	if err := b.closeIfDone(ctx, period, energy.Account); err != nil {
		return err
	}
	return savePeriod(ctx, period)
}

// measure writes an account's registers to its tally and returns the parts of
// its obligations.
func measure(r state.Reader, tally *settlementv1.Tally, energy *meteringv1.Energy, selling bool, obligations []obligation) ([]int64, error) {
	params := registry.ParamsAt(r, energy.Period)
	share, measured := taken, energy.ImportWh
	if selling {
		share, measured = sold, energy.ExportWh
	}
	d, err := share(measured, energy.StepWh, params.SigmaPpm, obligations)
	if err != nil {
		return nil, err
	}
	tally.HasRegisters, tally.Estimated = true, energy.Estimated
	tally.ImportWh, tally.ExportWh, tally.ToleranceWh = energy.ImportWh, energy.ExportWh, d.tolerance
	tally.Violated = violates(d, measured, params.ViolationPpm, params.ViolationWh)
	return d.parts, nil
}

// takeShare removes and returns what an account set aside for a match, nil if
// its registers are not here.
func takeShare(ctx *module.Ctx, match *matchingv1.Match, account []byte) *settlementv1.Share {
	key := shareKey(match.Period, account, match.Id)
	share, ok := shares.Get(ctx.Store, key)
	if !ok {
		return nil
	}
	shares.Delete(ctx.Store, key)
	return share
}

// delivered is what the registers of both sides mean for a match.
type delivered struct {
	// seller and buyer are s_k and g_k, in Wh at the seller's meter.
	seller, buyer int64
	// measured says that both are measured: not estimated, and of no side that
	// is missing.
	measured bool
	// gridStandsIn for the seller, whose registers are missing: it gets the money.
	gridStandsIn bool
}

// settle makes a trade of a match: the buyer pays for what was delivered out of
// the match's escrow, and the rest of the escrow goes back. Who fell short of the
// other then makes it whole.
func settle(ctx *module.Ctx, period *settlementv1.Period, match *matchingv1.Match, d delivered) error {
	deliveredWh := min(d.seller, d.buyer)
	trade := &settlementv1.Trade{
		Match: match.Id, Seller: match.Seller, Buyer: match.Buyer, ContractedWh: match.EnergyWh,
		SoldWh: deliveredWh, BoughtWh: units.Net(deliveredWh, match.LossPpm), LossPpm: match.LossPpm,
		PriceUcoinPerKwh: match.PriceUcoinPerKwh, FeeUcoinPerKwh: match.FeeUcoinPerKwh,
		Environment: match.Environment, GridStoodIn: d.gridStandsIn,
	}
	var err error
	if trade.AmountUcoin, err = units.Amount(match.PriceUcoinPerKwh, deliveredWh); err != nil {
		return err
	}
	if trade.FeeUcoin, err = units.Amount(match.FeeUcoinPerKwh, deliveredWh); err != nil {
		return err
	}
	matching.Take(ctx, match)
	repaid, err := payOut(ctx, match, trade)
	if err != nil {
		return err
	}
	if d.measured && d.seller != d.buyer {
		if err := makeWhole(ctx, period.Period, trade, d, &repaid); err != nil {
			return err
		}
	}
	recordTrade(ctx, period.Period, trade, repaid)
	countSettled(ctx, match)
	ctx.Emit(&settlementv1.Settled{Period: period.Period, Trade: trade})
	period.OpenMatches--
	return addTrade(period.Totals, trade)
}

// repayments are what of a trade's money went at once to older creditors of its
// parties, in ucoin: of the seller's receipt, and of the buyer's escrow that
// came back; what of the seller's receipt then repaid its loans, and what of the
// buyer's payment was lent.
type repayments struct{ seller, buyer, loans, drawn int64 }

// payOut moves the money of a trade out of the match's escrow, which covers it.
func payOut(ctx *module.Ctx, match *matchingv1.Match, trade *settlementv1.Trade) (repayments, error) {
	payee := protocol.Address(trade.Seller)
	if trade.GridStoodIn {
		payee = protocol.GridAddress
	}
	payments := []bank.Payment{
		{To: payee, AmountUcoin: trade.AmountUcoin}, {To: protocol.FeeAddress, AmountUcoin: trade.FeeUcoin},
	}
	repaid, err := bank.PayOut(ctx, protocol.Address(trade.Buyer), match.EscrowUcoin, payments)
	if err != nil {
		return repayments{}, ErrUnpaid.With("match %x: %v", match.Id, err)
	}
	if trade.GridStoodIn {
		return repayments{buyer: repaid}, nil
	}
	loans, err := credit.RepayFromSale(ctx, payee, trade.AmountUcoin-payments[0].RepaidUcoin)
	if err != nil {
		return repayments{}, err
	}
	return repayments{seller: payments[0].RepaidUcoin, buyer: repaid, loans: loans}, nil
}

// recordTrade keeps a trade for the statements of both sides.
func recordTrade(ctx *module.Ctx, period int64, trade *settlementv1.Trade, repaid repayments) {
	for _, side := range []*settlementv1.AccountTrade{
		{Account: trade.Seller, RepaidUcoin: repaid.seller, LoansRepaidUcoin: repaid.loans},
		{Account: trade.Buyer, RepaidUcoin: repaid.buyer, DrawnUcoin: repaid.drawn},
	} {
		side.Period, side.Trade = period, trade
		trades.Set(ctx.Store, tradeKey(period, side.Account, trade), side)
	}
}

// countSettled counts a match as settled for those sides that count theirs.
func countSettled(ctx *module.Ctx, match *matchingv1.Match) {
	for _, side := range [][]byte{match.Seller, match.Buyer} {
		if tally, ok := tallies.Get(ctx.Store, tallyKey(match.Period, side)); ok && tally.HasRegisters {
			tally.OpenMatches--
			tallies.Set(ctx.Store, tallyKey(match.Period, side), tally)
		}
	}
}

// addTrade counts a trade in its period's totals.
func addTrade(totals *settlementv1.Totals, trade *settlementv1.Trade) error {
	var sums adder
	sums.add(&totals.SoldWh, trade.SoldWh)
	sums.add(&totals.BoughtWh, trade.BoughtWh)
	sums.add(&totals.LossWh, trade.SoldWh-trade.BoughtWh)
	if trade.Environment > 0 {
		sums.add(&totals.CleanWh, trade.SoldWh)
	}
	if len(trade.Contract) > 0 {
		sums.add(&totals.ContractWh, trade.SoldWh)
	}
	sums.add(&totals.AmountUcoin, trade.AmountUcoin)
	amount, fee := receivedAmount(trade), trade.FeeUcoin-trade.UnpaidFeeUcoin
	sums.add(&totals.FeesUcoin, fee)
	sums.add(&totals.PaidUcoin, amount, fee)
	sums.add(&totals.ReceivedUcoin, amount, fee)
	whole := madeWhole(trade)
	sums.add(&totals.MakeWholeUcoin, whole)
	sums.add(&totals.PaidUcoin, whole)
	sums.add(&totals.ReceivedUcoin, whole)
	sums.add(&totals.FundPaidUcoin, trade.GuaranteedAmountUcoin, trade.GuaranteedFeeUcoin)
	if trade.GridStoodIn {
		sums.add(&totals.GridSoldWh, trade.SoldWh)
		sums.add(&totals.GridReceivedUcoin, trade.AmountUcoin)
	}
	return sums.err
}

// receivedAmount is what the seller got of a trade's amount when it settled, in
// ucoin.
func receivedAmount(trade *settlementv1.Trade) int64 {
	return trade.AmountUcoin - trade.UnpaidAmountUcoin
}

// paidAmount is what of that the buyer paid itself, in ucoin.
func paidAmount(trade *settlementv1.Trade) int64 {
	return receivedAmount(trade) - trade.GuaranteedAmountUcoin
}

// paidFee is what the buyer paid itself of a trade's fee when it settled, in
// ucoin.
func paidFee(trade *settlementv1.Trade) int64 {
	return trade.FeeUcoin - trade.UnpaidFeeUcoin - trade.GuaranteedFeeUcoin
}

// guaranteed is what the guarantee fund paid of a trade in the buyer's place.
func guaranteed(trade *settlementv1.Trade) int64 {
	return trade.GuaranteedAmountUcoin + trade.GuaranteedFeeUcoin
}

// owed is what of a trade became the buyer's debt, in ucoin: to the seller, the
// fee ledger and the guarantee fund.
func owed(trade *settlementv1.Trade) int64 {
	return trade.UnpaidAmountUcoin + trade.UnpaidFeeUcoin + guaranteed(trade)
}
