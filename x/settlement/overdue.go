package settlement

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// settleOverdue settles what is open in a period for good (SPEC 8, abnormal
// settlement).
func settleOverdue(ctx *module.Ctx, due *settlementv1.Due) error {
	deadlines.Delete(ctx.Store, deadlineKey(due.Count, due.Period))
	for _, match := range collect(matching.Matches(ctx.Store, due.Period)) {
		err := ctx.Atomic(func(ctx *module.Ctx) error { return settleForGood(ctx, match) })
		if err == nil {
			continue
		}
		ctx.Emit(&settlementv1.SettlementFailed{Period: due.Period, Match: match.Id, Reason: err.Error()})
		if err := void(ctx, match); err != nil {
			return err
		}
	}
	for _, component := range collect(values(components.All(ctx.Store, components.Key().Int64(due.Period)))) {
		serve(ctx, due.Period, component.Component)
	}
	for _, tally := range collect(values(tallies.All(ctx.Store, tallies.Key().Int64(due.Period)))) {
		if err := closeForGood(ctx, tally); err != nil {
			return err
		}
	}
	period, err := loadPeriod(ctx.Store, due.Period)
	if err != nil {
		return err
	}
	period.Overdue = true
	ctx.Emit(&settlementv1.PeriodOverdue{Period: period.Period, Missing: period.Missing})
	return savePeriod(ctx, period)
}

// settleForGood settles a match of which at least one side's registers are
// missing.
func settleForGood(ctx *module.Ctx, match *matchingv1.Match) error {
	period, err := loadPeriod(ctx.Store, match.Period)
	if err != nil {
		return err
	}
	seller, buyer := takeShare(ctx, match, match.Seller), takeShare(ctx, match, match.Buyer)
	d := delivered{
		seller: seller.GetEnergyWh(), buyer: buyer.GetEnergyWh(),
		sellerMissing: seller == nil, buyerMissing: buyer == nil,
	}
	switch {
	case d.sellerMissing && !d.buyerMissing:
		d.seller = match.EnergyWh
	case d.buyerMissing && !d.sellerMissing:
		d.buyer = match.EnergyWh
	}
	sold, bought, err := settle(ctx, period, match, d)
	if err != nil {
		return err
	}
	sold.WithIdentity = registry.IdentityOf(ctx.Store, protocol.Address(match.Buyer))
	bought.WithIdentity = registry.IdentityOf(ctx.Store, protocol.Address(match.Seller))
	for _, row := range []*settlementv1.AccountTrade{sold, bought} {
		keepTrade(ctx, row)
		countSettled(ctx, row)
	}
	periods.Set(ctx.Store, periodKey(period.Period), period)
	return nil
}

// countSettled counts a trade as settled for its account, if that counts its own.
func countSettled(ctx *module.Ctx, row *settlementv1.AccountTrade) {
	key := tallyKey(row.Period, row.Account)
	if tally, ok := tallies.Get(ctx.Store, key); ok && tally.HasRegisters {
		tally.OpenMatches--
		tallies.Set(ctx.Store, key, tally)
	}
}

// void ends a match that cannot be settled: nothing is delivered, the escrow
// goes back.
func void(ctx *module.Ctx, match *matchingv1.Match) error {
	period, err := loadPeriod(ctx.Store, match.Period)
	if err != nil {
		return err
	}
	takeShare(ctx, match, match.Seller)
	takeShare(ctx, match, match.Buyer)
	if err := matching.Take(ctx, match); err != nil {
		return err
	}
	period.OpenMatches--
	periods.Set(ctx.Store, periodKey(period.Period), period)
	if err := bank.Release(ctx, protocol.Address(match.Seller), match.SecurityUcoin); err != nil {
		return err
	}
	return bank.Release(ctx, protocol.Address(match.Buyer), match.EscrowUcoin)
}

// closeForGood makes the statement of an account at the deadline, if its
// registers are not here or cannot be settled one marked missing.
func closeForGood(ctx *module.Ctx, tally *settlementv1.Tally) error {
	err := ctx.Atomic(func(ctx *module.Ctx) error { return closeOne(ctx, tally) })
	if err == nil || !tally.HasRegisters {
		return err
	}
	ctx.Emit(&settlementv1.SettlementFailed{Period: tally.Period, Account: tally.Account, Reason: err.Error()})
	return closeOne(ctx, &settlementv1.Tally{Account: tally.Account, Period: tally.Period})
}

func closeOne(ctx *module.Ctx, tally *settlementv1.Tally) error {
	period, err := loadPeriod(ctx.Store, tally.Period)
	if err != nil {
		return err
	}
	if err := closeAccount(ctx, registry.ParamsAt(ctx.Store, tally.Period), period, tally, takeTrades(ctx, tally)); err != nil {
		return err
	}
	periods.Set(ctx.Store, periodKey(period.Period), period)
	return nil
}
