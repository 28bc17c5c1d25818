package settlement

import (
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/registry"
)

// maxYearMs is the length of a contract year, 365 days.
const maxYearMs = 365 * 86_400_000

// yearEnd is the first period that a contract year covers no more.
func yearEnd(c *settlementv1.Contract, year *settlementv1.ContractYear) int64 {
	return min(year.FromPeriod+c.YearMs, c.UntilPeriod)
}

// beginYears adds the contract years that have begun by a period, and says whether
// there are any.
func beginYears(c *settlementv1.Contract, period int64) bool {
	if c.YearWh == 0 {
		return false
	}
	from := c.FromPeriod
	if n := len(c.Years); n > 0 {
		from = c.Years[n-1].FromPeriod + c.YearMs
	}
	before := len(c.Years)
	for ; from <= period && from < c.UntilPeriod; from += c.YearMs {
		c.Years = append(c.Years, &settlementv1.ContractYear{FromPeriod: from})
	}
	return len(c.Years) > before
}

// changeYear changes what is known of the contract year in which a period lies.
// There is none of a contract without a year's quantity, and none that is closed.
func changeYear(s state.Store, t *settlementv1.ContractTerms, change func(*settlementv1.ContractYear)) {
	c, ok := contracts.Get(s, contractKey(t.Contract))
	if !ok {
		return
	}
	beginYears(c, t.Period)
	for _, year := range c.Years {
		if t.Period >= year.FromPeriod && t.Period < yearEnd(c, year) {
			change(year)
			contracts.Set(s, contractKey(c.Id), c)
		}
	}
}

// countOpenPeriod counts a period in or out that settles with a contract.
func countOpenPeriod(s state.Store, t *settlementv1.ContractTerms, change int64) {
	changeYear(s, t, func(year *settlementv1.ContractYear) { year.OpenPeriods += change })
}

// countDelivered counts what a contract delivered in a period, and what its seller
// had left after it and all others.
func countDelivered(s state.Store, t *settlementv1.ContractTerms, deliveredWh, leftWh int64) error {
	var sums adder
	changeYear(s, t, func(year *settlementv1.ContractYear) {
		sums.add(&year.DeliveredWh, deliveredWh)
		sums.add(&year.LeftWh, leftWh)
	})
	return sums.err
}

// closeYears begins the years of a contract that have come by the period that
// ended, and closes in their order those that it does not belong to any more and
// of which no period is in settlement.
func closeYears(ctx *module.Ctx, c *settlementv1.Contract, ended int64) {
	changed := beginYears(c, ended)
	for len(c.Years) > 0 && yearEnd(c, c.Years[0]) <= ended && c.Years[0].OpenPeriods == 0 {
		year := c.Years[0]
		err := ctx.Atomic(func(ctx *module.Ctx) error { return closeYear(ctx, c, year) })
		if err != nil {
			ctx.Emit(&settlementv1.SettlementFailed{Period: year.FromPeriod, Contract: c.Id, Reason: err.Error()})
		}
		c.Years, changed = c.Years[1:], true
	}
	if changed {
		contracts.Set(ctx.Store, contractKey(c.Id), c)
	}
}

// closeYear charges the buyer for what it took beyond 110 % of the year's quantity
// and for what it left below 90 % (S4 3.3). Excess is energy and is paid as such;
// the penalty comes from the free balance alone, else it is owed: neither a bank
// nor the guarantee fund pays for energy that never flowed.
func closeYear(ctx *module.Ctx, c *settlementv1.Contract, year *settlementv1.ContractYear) error {
	closed := &settlementv1.ContractYearClosed{
		Contract: c.Id, Seller: c.Seller, Buyer: c.Buyer, Year: year, UntilPeriod: yearEnd(c, year),
	}
	var err error
	if closed.QuantityWh, err = units.MulDiv(c.YearWh, closed.UntilPeriod-year.FromPeriod, c.YearMs); err != nil {
		return err
	}
	last := registry.PeriodOf(ctx.Store, closed.UntilPeriod-1)
	step := max(stepOf(ctx.Store, c.Seller, last), stepOf(ctx.Store, c.Buyer, last))
	closed.ExcessWh, closed.ShortfallWh = yearDeviation(closed.QuantityWh, year.DeliveredWh, year.LeftWh, step)
	if err := payExcess(ctx, c, last, closed); err != nil {
		return err
	}
	penalty, err := units.Amount(c.PenaltyPriceUcoinPerKwh, closed.ShortfallWh)
	if err != nil {
		return err
	}
	paid, _, err := bank.Pay(ctx, protocol.Address(c.Buyer), protocol.Address(c.Seller), penalty)
	if err != nil {
		return err
	}
	closed.AmountUcoin += penalty // one of the two is 0
	closed.PaidUcoin += paid
	ctx.Emit(closed)
	return nil
}

// payExcess pays what the excess price is above the contract's, which was paid
// period by period.
func payExcess(ctx *module.Ctx, c *settlementv1.Contract, period int64, closed *settlementv1.ContractYearClosed) error {
	amount, err := units.Amount(c.ExcessPriceUcoinPerKwh-c.PriceUcoinPerKwh, closed.ExcessWh)
	if err != nil {
		return err
	}
	buyer, seller := protocol.Address(c.Buyer), protocol.Address(c.Seller)
	got, err := pay(ctx, purchase{
		payer: buyer, payee: seller, ucoin: amount, period: period,
		priceUcoinPerKwh: c.ExcessPriceUcoinPerKwh, retailUcoinPerKwh: retailOf(ctx.Store, buyer, period),
	})
	if err != nil {
		return err
	}
	closed.AmountUcoin, closed.PaidUcoin, closed.GuaranteedUcoin = amount, got.ucoin, got.fund
	_, err = credit.RepayFromSale(ctx, seller, got.ucoin+got.fund-got.repaid)
	return err
}

// yearDeviation judges the purchases of a contract year, all in Wh: what was
// delivered beyond 110 % of the quantity, and what is missing to 90 % as far as the
// seller had it left. Limits are rounded in favour of who is judged, and what is
// within a step of the meters is no deviation.
func yearDeviation(quantityWh, deliveredWh, leftWh, stepWh int64) (excessWh, shortfallWh int64) {
	tenth := (quantityWh + 9) / 10
	if excess := deliveredWh - (quantityWh + tenth); excess > stepWh {
		return excess, 0
	}
	if shortfall := quantityWh - tenth - deliveredWh; shortfall > stepWh {
		return 0, min(shortfall, leftWh)
	}
	return 0, 0
}

// stepOf is the greatest step of an account's billing meters in a period, in Wh.
func stepOf(r state.Reader, account []byte, period int64) (stepWh int64) {
	for _, meter := range metering.BillingMeters(r, protocol.Address(account), period) {
		stepWh = max(stepWh, meter.StepWh)
	}
	return stepWh
}
