package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/registry"
)

func checkSetMarket(_ string, m *matchingv1.MsgSetMarket) error { return checkMarket(m.Market) }

// setMarket changes how periods are cleared from the first one whose orders are
// not open yet, so that nobody's order meets rules it was not made for. A second
// change before that replaces the first.
func setMarket(ctx *module.Ctx, m *matchingv1.MsgSetMarket) error {
	from := registry.FirstUnopened(ctx.Store, ctx.TimeMs)
	if err := checkRevealTime(ctx.Store, m.Market, from); err != nil {
		return err
	}
	entry := &matchingv1.MarketEntry{FromPeriod: from, Market: m.Market}
	markets.Set(ctx.Store, marketKey(from), entry)
	ctx.Emit(&matchingv1.MarketSet{Entry: entry})
	return nil
}
