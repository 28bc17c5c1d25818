package credit

import (
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

func checkSetBank(_ string, msg *creditv1.MsgSetBank) error { return checkTerms(msg.Terms) }

// checkTerms checks what holds whatever the parameters are.
func checkTerms(t *creditv1.Terms) error {
	if t == nil {
		return ErrInvalidField.With("terms: expected terms")
	}
	return first(
		within("terms.rate_max_ppm", t.RateMaxPpm, 1, units.PPM),
		within("terms.rate_min_ppm", t.RateMinPpm, 1, t.RateMaxPpm),
		within("terms.cost_ppm", t.CostPpm, 0, units.PPM),
		within("terms.prior_default_ppm", t.PriorDefaultPpm, 0, units.PPM),
		within("terms.term_periods", t.TermPeriods, 1, maxPeriods),
		within("terms.grace_periods", t.GracePeriods, 1, maxPeriods),
	)
}

// maxPeriods is the longest term and grace time that any parameters allow.
const maxPeriods = 10_000

// checkBounds checks terms against the chain's parameters.
func checkBounds(p *registryv1.Params, t *creditv1.Terms) error {
	return first(
		within("terms.rate_min_ppm", t.RateMinPpm, p.CreditRateMinPpm, p.CreditRateMaxPpm),
		within("terms.rate_max_ppm", t.RateMaxPpm, p.CreditRateMinPpm, p.CreditRateMaxPpm),
		within("terms.term_periods", t.TermPeriods, 1, p.CreditMaxTermPeriods),
		within("terms.grace_periods", t.GracePeriods, 1, p.CreditMaxGracePeriods),
	)
}

// setBank opens the sender's bank or sets the terms of offers to come; loans and
// offers keep theirs.
func setBank(ctx *module.Ctx, msg *creditv1.MsgSetBank) error {
	if err := checkBounds(registry.ParamsNow(ctx.Store, ctx.TimeMs), msg.Terms); err != nil {
		return err
	}
	sender := ctx.Signer.Address()
	b, ok := BankOf(ctx.Store, sender)
	if !ok {
		b = &creditv1.Bank{Aggregator: sender.Bytes()}
	}
	b.Terms = msg.Terms
	saveBank(ctx, b)
	return nil
}

// saveBank stores a bank that its aggregator changed, and says so.
func saveBank(ctx *module.Ctx, b *creditv1.Bank) {
	banks.Set(ctx.Store, bankKey(b.Aggregator), b)
	ctx.Emit(&creditv1.BankSet{Bank: b, CapitalUcoin: CapitalOf(ctx.Store, protocol.Address(b.Aggregator))})
}

func within(field string, value, low, high int64) error {
	if value < low || value > high {
		return ErrInvalidField.With("%s: expected %d to %d, got %d", field, low, high, value)
	}
	return nil
}

// first returns the first error of a list.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
