package credit

import (
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/credit/stackelberg"
	"github.com/energyd/energyd/x/registry"
)

// Bounds of the work of a block; the rest waits for the next one.
const (
	// maxJudged is the most loans that a block judges.
	maxJudged = 1_000
	// maxPriced is how many demands a block prices before it turns to no
	// further bank, which has as many at most.
	maxPriced = stackelberg.MaxBorrowers
)

// EndBlock implements module.EndBlocker: it judges the loans that are due, which
// gives banks their capital back, and then prices the next period's.
func (Module) EndBlock(ctx *module.Ctx) error {
	now := registry.PeriodOf(ctx.Store, ctx.TimeMs)
	if err := judgeDue(ctx, now); err != nil {
		return err
	}
	next := now + registry.ChainOf(ctx.Store).PeriodLengthMs
	var waiting []*creditv1.Bank
	for b := range values(banks.All(ctx.Store, banks.Key())) {
		if b.PricedFor < next {
			waiting = append(waiting, b)
		}
	}
	work := int64(0)
	for _, b := range waiting {
		if work >= maxPriced {
			break
		}
		work += 1 + b.Demands
		err := ctx.Atomic(func(ctx *module.Ctx) error { return turnPeriod(ctx, b.Aggregator, now, next) })
		if err != nil {
			b.PricedFor = next
			banks.Set(ctx.Store, bankKey(b.Aggregator), b)
			ctx.Emit(&creditv1.PricingFailed{Bank: b.Aggregator, Period: next, Reason: err.Error()})
		}
	}
	return nil
}

// judgeDue judges the loans that are due by a period, the longest due first.
func judgeDue(ctx *module.Ctx, now int64) error {
	var due []*creditv1.Loan
	for key, row := range dues.All(ctx.Store, dues.Key()) {
		loan, ok := loans.Get(ctx.Store, loanKey(row.Borrower, row.Period))
		if !ok {
			return ErrNoRecord.With("due %x: no loan", []byte(key))
		}
		if loan.DuePeriod > now || len(due) == maxJudged {
			break
		}
		due = append(due, loan)
	}
	for _, loan := range due {
		if err := ctx.Atomic(func(ctx *module.Ctx) error { return collect(ctx, loan) }); err != nil {
			return err
		}
	}
	return nil
}

// turnPeriod lets a bank's lines of past periods lapse and prices its loans of
// the next one. The bank of a revoked aggregator gives its capital back.
func turnPeriod(ctx *module.Ctx, aggregator []byte, now, next int64) error {
	if err := lapse(ctx, aggregator, now); err != nil {
		return err
	}
	b, _ := banks.Get(ctx.Store, bankKey(aggregator))
	b.PricedFor = next
	account, _ := registry.AccountOf(ctx.Store, protocol.Address(aggregator))
	if account.GetStatus() == registryv1.Status_STATUS_REVOKED {
		free := CapitalOf(ctx.Store, protocol.Address(aggregator)) - undrawn(ctx.Store, aggregator)
		if free > 0 {
			if err := takeCapital(ctx, b, free); err != nil {
				return err
			}
		}
	}
	banks.Set(ctx.Store, bankKey(aggregator), b)
	if !lends(ctx.Store, aggregator) {
		return nil
	}
	return priceLoans(ctx, b, next)
}

// lapse removes the lines of periods before now; what they had not drawn is
// capital again.
func lapse(ctx *module.Ctx, aggregator []byte, now int64) error {
	var past []*creditv1.Offer
	for offer := range values(offers.All(ctx.Store, offersOf(aggregator))) {
		if offer.Period >= now {
			break
		}
		if !offer.Lapsed {
			past = append(past, offer)
		}
	}
	for _, offer := range past {
		var granted []*creditv1.Line
		for line := range values(lines.All(ctx.Store, linesOf(aggregator, offer.Period))) {
			granted = append(granted, line)
		}
		for _, line := range granted {
			lines.Delete(ctx.Store, lineKey(line.Bank, line.Period, line.Borrower))
			offer.UndrawnUcoin -= line.UndrawnUcoin
		}
		if offer.UndrawnUcoin != 0 {
			return ErrNoRecord.With("offer of period %d: %d ucoin are in no line", offer.Period, offer.UndrawnUcoin)
		}
		offer.Lapsed = true
		saveOffer(ctx, offer)
	}
	return nil
}
