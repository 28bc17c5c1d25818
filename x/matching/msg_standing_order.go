package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// Reasons of StandingOrderRemoved beside the sender's.
const (
	reasonExpired = "expired"
	reasonRevoked = "account_revoked"
)

// maxTimeMs bounds the end of a standing order: the year 33658.
const maxTimeMs = 1_000_000_000_000_000

func checkSetStandingOrder(_ string, m *matchingv1.MsgSetStandingOrder) error {
	return checkStanding(statedStanding(m))
}

// statedStanding is a rule as its owner states it.
func statedStanding(m *matchingv1.MsgSetStandingOrder) *matchingv1.StandingOrder {
	rule := &matchingv1.StandingOrder{AsMeasured: m.AsMeasured, KeepWh: m.KeepWh, UntilMs: m.UntilMs}
	if m.Sell != nil {
		rule.Sell = statedSell(m.Sell)
	}
	if m.Buy != nil {
		rule.Buy = statedBuy(m.Buy)
	}
	return rule
}

// checkStanding is the stateless part.
func checkStanding(rule *matchingv1.StandingOrder) error {
	if (rule.Sell == nil) == (rule.Buy == nil) {
		return ErrMalformed.With("sell: expected either a sell or a buy")
	}
	if period := max(rule.Sell.GetPeriod(), rule.Buy.GetPeriod()); period != 0 {
		return ErrBadPeriod.With("period: expected none in a standing order, got %s", units.FormatTime(period))
	}
	if rule.KeepWh < 0 || rule.KeepWh > 0 && (rule.Sell == nil || !rule.AsMeasured) {
		return ErrBadEnergy.With("keep_wh: expected 0 kWh, or more in a sell as measured, got %s", units.FormatKWh(rule.KeepWh))
	}
	if err := checkRange("until_ms", rule.UntilMs, maxTimeMs); err != nil {
		return err
	}
	if rule.Sell != nil {
		return checkStatedSell(rule.Sell)
	}
	return checkStatedBuy(rule.Buy)
}

// setStandingOrder makes or replaces the sender's rule of a side. Whether an
// order can be placed is judged at each gate.
func setStandingOrder(ctx *module.Ctx, m *matchingv1.MsgSetStandingOrder) error {
	rule := statedStanding(m)
	rule.Account, rule.FromPeriod = ctx.Signer.Address().Bytes(), firstOpenGate(ctx)
	if m.UntilMs != 0 && m.UntilMs <= rule.FromPeriod {
		return ErrOutOfRange.With("until_ms: expected a time after the start of the next period to order in, %s, got %s",
			units.FormatTime(rule.FromPeriod), units.FormatTime(m.UntilMs))
	}
	if !standings.Has(ctx.Store, standingKey(rule.Account, sideOf(rule))) {
		clock, ticking := standingClock.Get(ctx.Store)
		if !ticking {
			clock = &matchingv1.StandingClock{NextPeriod: rule.FromPeriod}
		}
		if most := registry.ParamsNow(ctx.Store, ctx.TimeMs).MaxOrders; clock.Orders >= most {
			return ErrTooManyStandingOrders.With("side: expected fewer than %d standing orders on the chain, got %d", most, clock.Orders)
		}
		clock.Orders++
		standingClock.Set(ctx.Store, clock)
	}
	standings.Set(ctx.Store, standingKey(rule.Account, sideOf(rule)), rule)
	ctx.Emit(&matchingv1.StandingOrderSet{Order: rule})
	return nil
}

// firstOpenGate returns the first period whose gate is ahead of the block.
func firstOpenGate(ctx *module.Ctx) int64 {
	length := registry.ChainOf(ctx.Store).PeriodLengthMs
	lead := registry.ParamsNow(ctx.Store, ctx.TimeMs).GateLeadMs
	period := registry.PeriodOf(ctx.Store, ctx.TimeMs+lead) + length
	// One step, but where the lead grows from a coming period on.
	for registry.GateOf(registry.ParamsAt(ctx.Store, period), period) <= ctx.TimeMs {
		period += length
	}
	return period
}

func checkCancelStandingOrder(_ string, m *matchingv1.MsgCancelStandingOrder) error {
	if m.Side != matchingv1.Side_SIDE_SELL && m.Side != matchingv1.Side_SIDE_BUY {
		return ErrMalformed.With("side: expected sell or buy, got %d", m.Side)
	}
	return nil
}

// cancelStandingOrder removes the sender's rule; orders made from it stay.
func cancelStandingOrder(ctx *module.Ctx, m *matchingv1.MsgCancelStandingOrder) error {
	sender := ctx.Signer.Address()
	rule, ok := standings.Get(ctx.Store, standingKey(sender[:], m.Side))
	if !ok {
		return ErrUnknownStandingOrder.With("side: expected one on which the sender has a standing order, got %s", sideName(m.Side))
	}
	removeStanding(ctx, rule, reasonSender)
	return nil
}

func removeStanding(ctx *module.Ctx, rule *matchingv1.StandingOrder, reason string) {
	side := sideOf(rule)
	standings.Delete(ctx.Store, standingKey(rule.Account, side))
	clock, _ := standingClock.Get(ctx.Store)
	if clock.Orders--; clock.Orders == 0 {
		standingClock.Delete(ctx.Store)
	} else {
		standingClock.Set(ctx.Store, clock)
	}
	ctx.Emit(&matchingv1.StandingOrderRemoved{Account: rule.Account, Side: side, Reason: reason})
}

func sideName(side matchingv1.Side) string {
	if side == matchingv1.Side_SIDE_SELL {
		return "sell"
	}
	return "buy"
}
