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
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// settleRegisters shares an account's registers out over its matches and
// settles those whose other side's are here.
func settleRegisters(ctx *module.Ctx, tally *settlementv1.Tally, energy *meteringv1.Energy) error {
	if tally.HasRegisters {
		return nil
	}
	period, err := loadPeriod(ctx.Store, energy.Period)
	if err != nil {
		return err
	}
	all := matching.MatchesOf(ctx.Store, energy.Period, protocol.Address(energy.Account))
	selling := len(all) > 0 && bytes.Equal(all[0].Seller, energy.Account)
	contracts := make([]contract, len(all))
	for i, match := range all {
		contracts[i] = contract{match.EnergyWh, match.LossPpm}
	}
	parts, err := measure(ctx.Store, tally, energy, selling, contracts)
	if err != nil {
		return err
	}
	tally.OpenMatches = int64(len(all))
	tallies.Set(ctx.Store, tallyKey(tally.Period, tally.Account), tally)
	for i, match := range all {
		other := match.Seller
		if selling {
			other = match.Buyer
		}
		theirs, here := takeShare(ctx, match, other)
		if !here {
			shares.Set(ctx.Store, shareKey(match.Period, energy.Account, match.Id), &settlementv1.Share{
				Account: energy.Account, Period: match.Period, Match: match.Id, EnergyWh: parts[i],
			})
			continue
		}
		if err := settle(ctx, period, match, min(parts[i], theirs), false); err != nil {
			return err
		}
		if err := closeIfDone(ctx, period, other); err != nil {
			return err
		}
	}
	if err := closeIfDone(ctx, period, energy.Account); err != nil {
		return err
	}
	return savePeriod(ctx, period)
}

// measure writes an account's registers to its tally and returns the parts of
// its contracts.
func measure(r state.Reader, tally *settlementv1.Tally, energy *meteringv1.Energy, selling bool, contracts []contract) ([]int64, error) {
	params := registry.ParamsAt(r, energy.Period)
	share, measured := taken, energy.ImportWh
	if selling {
		share, measured = sold, energy.ExportWh
	}
	d, err := share(measured, energy.StepWh, params.SigmaPpm, contracts)
	if err != nil {
		return nil, err
	}
	tally.HasRegisters, tally.Estimated = true, energy.Estimated
	tally.ImportWh, tally.ExportWh, tally.ToleranceWh = energy.ImportWh, energy.ExportWh, d.tolerance
	tally.Violated = violates(d, measured, params.ViolationPpm, params.ViolationWh)
	return d.parts, nil
}

// takeShare removes and returns what an account set aside for a match.
func takeShare(ctx *module.Ctx, match *matchingv1.Match, account []byte) (int64, bool) {
	key := shareKey(match.Period, account, match.Id)
	share, ok := shares.Get(ctx.Store, key)
	if ok {
		shares.Delete(ctx.Store, key)
	}
	return share.GetEnergyWh(), ok
}

// settle makes a trade of a match: the buyer pays for what was delivered out of
// the match's escrow, and the rest of the escrow goes back. When the grid
// stands in for the seller it gets the money.
func settle(ctx *module.Ctx, period *settlementv1.Period, match *matchingv1.Match, deliveredWh int64, gridStandsIn bool) error {
	trade := &settlementv1.Trade{
		Match: match.Id, Seller: match.Seller, Buyer: match.Buyer, ContractedWh: match.EnergyWh,
		SoldWh: deliveredWh, BoughtWh: units.Net(deliveredWh, match.LossPpm), LossPpm: match.LossPpm,
		PriceUcoinPerKwh: match.PriceUcoinPerKwh, FeeUcoinPerKwh: match.FeeUcoinPerKwh,
		Environment: match.Environment, GridStoodIn: gridStandsIn,
	}
	var err error
	if trade.AmountUcoin, err = units.Amount(match.PriceUcoinPerKwh, deliveredWh); err != nil {
		return err
	}
	if trade.FeeUcoin, err = units.Amount(match.FeeUcoinPerKwh, deliveredWh); err != nil {
		return err
	}
	matching.Take(ctx, match)
	var repaid repayments
	if repaid, err = payOut(ctx, match, trade); err != nil {
		return err
	}
	if err := recordTrade(ctx, period.Period, trade, repaid); err != nil {
		return err
	}
	ctx.Emit(&settlementv1.Settled{Period: period.Period, Trade: trade})
	period.OpenMatches--
	return addTrade(period.Totals, trade)
}

// repayments are what of a trade's money went at once to older creditors of its
// parties, in ucoin: of the seller's receipt, and of the buyer's escrow that
// came back.
type repayments struct{ seller, buyer int64 }

// payOut moves the money of a trade out of the match's escrow, which covers it.
func payOut(ctx *module.Ctx, match *matchingv1.Match, trade *settlementv1.Trade) (repaid repayments, err error) {
	buyer, payee := protocol.Address(trade.Buyer), protocol.Address(trade.Seller)
	if trade.GridStoodIn {
		payee = protocol.GridAddress
	}
	paid, toSeller, err := pay(ctx, buyer, payee, trade.AmountUcoin, trade.AmountUcoin)
	if err != nil {
		return repaid, err
	}
	fee, _, err := pay(ctx, buyer, protocol.FeeAddress, trade.FeeUcoin, trade.FeeUcoin)
	if err != nil {
		return repaid, err
	}
	rest := match.EscrowUcoin - paid - fee
	if paid != trade.AmountUcoin || fee != trade.FeeUcoin || rest < 0 {
		return repaid, ErrUnpaid.With("match %x: expected %d + %d ucoin out of %d in escrow", match.Id, trade.AmountUcoin, trade.FeeUcoin, match.EscrowUcoin)
	}
	owed := bank.DebtOf(ctx.Store, buyer)
	if err := bank.Release(ctx, buyer, rest); err != nil {
		return repaid, err
	}
	return repayments{seller: toSeller, buyer: owed - bank.DebtOf(ctx.Store, buyer)}, nil
}

// pay moves coins and says how much was paid now and how much of it went at
// once to the receiver's own creditors.
func pay(ctx *module.Ctx, from, to protocol.Address, amount, fromEscrow int64) (paid, repaid int64, err error) {
	if amount == 0 {
		return 0, 0, nil
	}
	owed := bank.DebtOf(ctx.Store, to)
	if paid, err = bank.Pay(ctx, from, to, amount, fromEscrow); err != nil {
		return 0, 0, err
	}
	return paid, owed - bank.DebtOf(ctx.Store, to), nil
}

// recordTrade books a trade on both sides' tallies.
func recordTrade(ctx *module.Ctx, period int64, trade *settlementv1.Trade, repaid repayments) error {
	for _, account := range [][]byte{trade.Seller, trade.Buyer} {
		tally, ok := tallies.Get(ctx.Store, tallyKey(period, account))
		if !ok {
			return ErrNoRecord.With("period %d: %v takes no part", period, protocol.Address(account))
		}
		var sums adder
		switch {
		case bytes.Equal(account, trade.Buyer):
			sums.add(&tally.PaidUcoin, trade.AmountUcoin, trade.FeeUcoin)
			sums.add(&tally.FeesUcoin, trade.FeeUcoin)
			sums.add(&tally.RepaidUcoin, repaid.buyer)
		case !trade.GridStoodIn:
			sums.add(&tally.ReceivedUcoin, trade.AmountUcoin)
			sums.add(&tally.RepaidUcoin, repaid.seller)
		}
		if sums.err != nil {
			return sums.err
		}
		if tally.HasRegisters {
			tally.OpenMatches--
		}
		tallies.Set(ctx.Store, tallyKey(period, account), tally)
		trades.Set(ctx.Store, tradeKey(period, account, trade.Match), &settlementv1.AccountTrade{Account: account, Period: period, Trade: trade})
	}
	return nil
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
	sums.add(&totals.AmountUcoin, trade.AmountUcoin)
	sums.add(&totals.FeesUcoin, trade.FeeUcoin)
	sums.add(&totals.PaidUcoin, trade.AmountUcoin, trade.FeeUcoin)
	sums.add(&totals.ReceivedUcoin, trade.AmountUcoin, trade.FeeUcoin)
	if trade.GridStoodIn {
		sums.add(&totals.GridSoldWh, trade.SoldWh)
		sums.add(&totals.GridReceivedUcoin, trade.AmountUcoin)
	}
	return sums.err
}
