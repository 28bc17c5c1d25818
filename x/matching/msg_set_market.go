package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/registry"
)

func checkSetMarket(_ string, m *matchingv1.MsgSetMarket) error {
	if err := checkNumber("number", m.Number); err != nil {
		return err
	}
	return checkMarket(m.Market)
}

// setMarket opens a market or changes how it clears, from the first period whose
// orders are not open yet, so that nobody's order meets rules it was not made
// for. A second change before that replaces the first.
func setMarket(ctx *module.Ctx, m *matchingv1.MsgSetMarket) error {
	from := registry.FirstUnopened(ctx.Store, ctx.TimeMs)
	if err := checkRevealTime(ctx.Store, m.Market, from); err != nil {
		return err
	}
	entry := &matchingv1.MarketEntry{Number: m.Number, FromPeriod: from, Market: m.Market}
	markets.Set(ctx.Store, marketKey(m.Number, from), entry)
	ctx.Emit(&matchingv1.MarketSet{Entry: entry})
	return nil
}
