package settlement

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// measure writes an account's registers and tariff to its tally and returns the
// parts of its obligations.
func measure(ctx *module.Ctx, params *registryv1.Params, tally *settlementv1.Tally, energy *meteringv1.Energy, selling bool, obligations []obligation) ([]int64, error) {
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
	account, _ := registry.AccountOf(ctx.Store, protocol.Address(energy.Account))
	tariff := tariffOf(ctx, account, energy.Period)
	tally.Identity = account.GetIdentity()
	tally.RetailUcoinPerKwh, tally.FeedInUcoinPerKwh = tariff.GetRetailUcoinPerKwh(), tariff.GetFeedInUcoinPerKwh()
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
	// certified is what of s_k the seller's meter shows and certificates may be
	// issued for, and as which energy type.
	certified  int64
	energyType registryv1.EnergyType
	// retail of the buyer's tariff and feed-in of the seller's, in ucoin/kWh.
	retail, feedIn int64
	// Whose registers are missing at the deadline. For a seller the grid stands in
	// and gets the money, if the buyer's are here.
	sellerMissing, buyerMissing bool
}

// settle makes a trade of a match: the buyer pays for what was delivered out of
// the match's escrow, and the rest of the escrow goes back. Who fell short of the
// other then makes it whole, a seller out of its security first. It returns what
// the statements of both sides need.
func settle(ctx *module.Ctx, period *settlementv1.Period, match *matchingv1.Match, d delivered) (sold, bought *settlementv1.AccountTrade, err error) {
	deliveredWh := min(d.seller, d.buyer)
	trade := &settlementv1.Trade{
		Match: match.Id, Seller: match.Seller, Buyer: match.Buyer, ContractedWh: match.EnergyWh,
		SoldWh: deliveredWh, BoughtWh: units.Net(deliveredWh, match.LossPpm), LossPpm: match.LossPpm,
		PriceUcoinPerKwh: match.PriceUcoinPerKwh, FeeUcoinPerKwh: match.FeeUcoinPerKwh,
		Environment: match.Environment, GridStoodIn: d.sellerMissing && !d.buyerMissing,
		SellerMissing: d.sellerMissing, BuyerMissing: d.buyerMissing,
		FromZone: match.FromZone, ToZone: match.ToZone, ZoneFeeUcoinPerKwh: match.ZoneFeeUcoinPerKwh,
	}
	if d.measured {
		nameOrigin(trade, d.certified, d.energyType)
	}
	if trade.AmountUcoin, err = units.Amount(match.PriceUcoinPerKwh, deliveredWh); err != nil {
		return nil, nil, err
	}
	if trade.FeeUcoin, err = units.Amount(match.FeeUcoinPerKwh, deliveredWh); err != nil {
		return nil, nil, err
	}
	if err := matching.Take(ctx, match); err != nil {
		return nil, nil, err
	}
	repaid, err := payOut(ctx, match, trade)
	if err != nil {
		return nil, nil, err
	}
	if d.measured && d.seller != d.buyer {
		if err := setMakeWhole(trade, d, d.retail, d.feedIn); err != nil {
			return nil, nil, err
		}
	}
	if err := makeWhole(ctx, trade, match.SecurityUcoin, &repaid); err != nil {
		return nil, nil, err
	}
	ctx.Emit(&settlementv1.Settled{Period: period.Period, Trade: trade})
	period.OpenMatches--
	sold, bought = rowsOf(period.Period, trade, repaid)
	return sold, bought, addTrade(period.Totals, trade)
}

// repayments are what of a trade's money went at once to older creditors of its
// parties, in ucoin: of the seller's receipt, and of the buyer's escrow that
// came back; what of the seller's receipt then repaid its loans, and what of the
// buyer's payment was lent.
type repayments struct{ seller, buyer, loans, drawn int64 }

// payOut pays for a trade out of the match's escrow; what the escrow does not
// cover the buyer owes as for any energy (pay).
func payOut(ctx *module.Ctx, match *matchingv1.Match, trade *settlementv1.Trade) (repayments, error) {
	payee := protocol.Address(trade.Seller)
	if trade.GridStoodIn {
		payee = protocol.GridAddress
	}
	if covered := match.EscrowUcoin + match.ExposedUcoin; trade.AmountUcoin+trade.FeeUcoin > covered {
		return repayments{}, ErrUnpaid.With("match %x: expected a cost of at most %d ucoin, in escrow or exposed, got %d",
			match.Id, covered, trade.AmountUcoin+trade.FeeUcoin)
	}
	amount := min(trade.AmountUcoin, match.EscrowUcoin)
	fee := min(trade.FeeUcoin, match.EscrowUcoin-amount)
	payments := []bank.Payment{{To: payee, AmountUcoin: amount}, {To: protocol.FeeAddress, AmountUcoin: fee}}
	returned, err := bank.PayOut(ctx, protocol.Address(trade.Buyer), match.EscrowUcoin, payments)
	if err != nil {
		return repayments{}, ErrUnpaid.With("match %x: %v", match.Id, err)
	}
	repaid := repayments{seller: payments[0].RepaidUcoin, buyer: returned}
	if amount < trade.AmountUcoin || fee < trade.FeeUcoin {
		if err := payRest(ctx, match.Period, trade, payee, amount, fee, &repaid); err != nil {
			return repayments{}, err
		}
	}
	if trade.GridStoodIn {
		return repayments{buyer: repaid.buyer, drawn: repaid.drawn}, nil
	}
	repaid.loans, err = credit.RepayFromSale(ctx, payee, receivedAmount(trade)-repaid.seller)
	return repaid, err
}

// payRest pays what is left of a trade's amount and fee after so much was paid out
// of escrow.
func payRest(ctx *module.Ctx, period int64, trade *settlementv1.Trade, payee protocol.Address, amount, fee int64, repaid *repayments) error {
	bill := purchase{
		payer: protocol.Address(trade.Buyer), payee: payee, ucoin: trade.AmountUcoin - amount, period: period,
		priceUcoinPerKwh: trade.PriceUcoinPerKwh + trade.FeeUcoinPerKwh, retailUcoinPerKwh: retailOf(ctx.Store, protocol.Address(trade.Buyer), period),
	}
	forEnergy, err := pay(ctx, bill)
	if err != nil {
		return err
	}
	trade.GuaranteedAmountUcoin = forEnergy.fund
	trade.UnpaidAmountUcoin = bill.ucoin - forEnergy.ucoin - forEnergy.fund
	bill.payee, bill.ucoin = protocol.FeeAddress, trade.FeeUcoin-fee
	forFee, err := pay(ctx, bill)
	if err != nil {
		return err
	}
	trade.GuaranteedFeeUcoin = forFee.fund
	trade.UnpaidFeeUcoin = bill.ucoin - forFee.ucoin - forFee.fund
	var sums adder
	sums.add(&repaid.seller, forEnergy.repaid)
	sums.add(&repaid.drawn, forEnergy.drawn, forFee.drawn)
	return sums.err
}

// rowsOf is a trade as the statements of seller and buyer need it.
func rowsOf(period int64, trade *settlementv1.Trade, repaid repayments) (sold, bought *settlementv1.AccountTrade) {
	sold = &settlementv1.AccountTrade{Account: trade.Seller, Period: period, Trade: trade, RepaidUcoin: repaid.seller, LoansRepaidUcoin: repaid.loans}
	bought = &settlementv1.AccountTrade{Account: trade.Buyer, Period: period, Trade: trade, RepaidUcoin: repaid.buyer, DrawnUcoin: repaid.drawn}
	return sold, bought
}

// keepTrade keeps a trade until the account's statement.
func keepTrade(ctx *module.Ctx, row *settlementv1.AccountTrade) {
	trades.Set(ctx.Store, tradeKey(row.Period, row.Account, row.Trade), row)
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
		sums.add(&totals.GridReceivedUcoin, amount)
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
