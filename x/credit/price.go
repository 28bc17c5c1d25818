package credit

import (
	"crypto/sha256"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit/stackelberg"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

// priceLoans finds the rate at which a bank gains most from its borrowers in a
// period (x/credit/stackelberg) and gives them their lines.
func priceLoans(ctx *module.Ctx, b *creditv1.Bank, period int64) error {
	aggregator := protocol.Address(b.Aggregator)
	pricing := &creditv1.Pricing{
		Bank: b.Aggregator, Period: period, Terms: b.Terms,
		CapitalUcoin: CapitalOf(ctx.Store, aggregator) - undrawn(ctx.Store, b.Aggregator),
	}
	for demand := range values(demands.All(ctx.Store, demands.Key().Bytes(b.Aggregator))) {
		if mayBorrow(ctx, protocol.Address(demand.Borrower), b.Aggregator) == nil {
			pricing.Borrowers = append(pricing.Borrowers, curveOf(ctx, demand, period))
		}
	}
	if len(pricing.Borrowers) == 0 {
		return nil
	}
	if err := solve(pricing); err != nil {
		return err
	}
	record, err := protocol.Marshal(pricing)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(record)
	ctx.Emit(&creditv1.LoansPriced{Pricing: pricing, Digest: digest[:]})
	if pricing.LentUcoin == 0 {
		return nil
	}
	offers.Set(ctx.Store, offerKey(b.Aggregator, period), &creditv1.Offer{
		Bank: b.Aggregator, Period: period, RatePpm: pricing.RatePpm, TermPeriods: b.Terms.TermPeriods,
		GracePeriods: b.Terms.GracePeriods, UndrawnUcoin: pricing.LentUcoin, Digest: digest[:],
	})
	for _, part := range pricing.Borrowers {
		if part.LineUcoin == 0 {
			continue
		}
		lines.Set(ctx.Store, lineKey(b.Aggregator, period, part.Borrower), &creditv1.Line{
			Bank: b.Aggregator, Period: period, Borrower: part.Borrower, UndrawnUcoin: part.LineUcoin,
		})
	}
	return nil
}

// curveOf takes down a demand and what its borrower is judged by.
func curveOf(ctx *module.Ctx, demand *creditv1.Demand, period int64) *creditv1.Priced {
	known := BorrowerOf(ctx.Store, protocol.Address(demand.Borrower))
	history := min(known.Loans, stackelberg.MaxLoans)
	return &creditv1.Priced{
		Borrower: demand.Borrower, AmountUcoin: demand.AmountUcoin, RatePpm: demand.RatePpm, NoneFromPpm: demand.NoneFromPpm,
		LimitUcoin: limitOf(ctx, known, period), Loans: history, Defaults: min(known.Defaults, history),
	}
}

// limitOf is the most that an account may draw in a period (SPEC 10): the lesser
// of its cap less what it owes and may still draw in the running period, and of
// its uncovered obligations. What it will have to pay is not known before its
// meters are read: each period since the last one that they closed, the running
// one included, is taken to cost what that one imported, at retail. The account's
// coins, escrow included, cover that first.
func limitOf(ctx *module.Ctx, borrower *creditv1.Borrower, period int64) int64 {
	account := protocol.Address(borrower.Borrower)
	now := registry.PeriodOf(ctx.Store, ctx.TimeMs)
	measured, ok := metering.Latest(ctx.Store, account, now)
	if !ok {
		return 0
	}
	registered, _ := registry.AccountOf(ctx.Store, account)
	tariff, ok := grid.TariffAt(ctx.Store, registered.GetTariffClass(), period)
	if !ok {
		return 0
	}
	bill, err := units.Amount(tariff.RetailUcoinPerKwh, measured.ImportWh)
	if err != nil {
		return 0
	}
	since := (now - measured.Period) / registry.ChainOf(ctx.Store).PeriodLengthMs
	// A silent meter's counterparties are settled at the deadline.
	most := registry.ParamsAt(ctx.Store, period).DeadlinePeriods + 1
	if bill, err = units.MulDiv(bill, max(1, min(since, most)), 1); err != nil {
		return 0
	}
	held := bank.BalanceOf(ctx.Store, account)
	uncovered := bill - held.FreeUcoin - held.EscrowUcoin
	running, _ := lines.Get(ctx.Store, lineKey(registered.GetHomeAggregator(), now, account[:]))
	room := capOf(ctx.Store, account, period) - borrower.OutstandingUcoin - running.GetUndrawnUcoin()
	return max(0, min(room, uncovered))
}

// capOf is the most that an account may owe in principal, by its credit value.
func capOf(r state.Reader, account protocol.Address, period int64) int64 {
	caps := registry.ParamsAt(r, period).CreditCapsUcoin
	if len(caps) == 0 {
		return 0
	}
	return caps[min(reputation.ValueOf(r, account)/10, int64(len(caps)-1))]
}

// solve prices the loans and completes the record.
func solve(p *creditv1.Pricing) error {
	followers := make([]stackelberg.Borrower, len(p.Borrowers))
	for i, b := range p.Borrowers {
		followers[i] = stackelberg.Borrower{
			AmountUcoin: b.AmountUcoin, RatePPM: b.RatePpm, NoneFromPPM: b.NoneFromPpm,
			LimitUcoin: b.LimitUcoin, Loans: b.Loans, Defaults: b.Defaults,
		}
	}
	offer, _, err := stackelberg.Price(stackelberg.Bank{
		CapitalUcoin: p.CapitalUcoin, CostPPM: p.Terms.CostPpm, PriorDefaultPPM: p.Terms.PriorDefaultPpm,
		RateMinPPM: p.Terms.RateMinPpm, RateMaxPPM: p.Terms.RateMaxPpm,
	}, followers)
	if err != nil {
		return err
	}
	p.RatePpm, p.DemandUcoin, p.LentUcoin = offer.RatePPM, offer.DemandUcoin, offer.LentUcoin
	p.ExpectedProfitUcoin, p.Rationed, p.Reason = offer.ProfitUcoin, offer.Rationed, string(offer.Reason)
	for i, loan := range offer.Loans {
		p.Borrowers[i].LineUcoin, p.Borrowers[i].DefaultPpm, p.Borrowers[i].Branch = loan.Ucoin, loan.DefaultPPM, string(loan.Branch)
	}
	return nil
}
