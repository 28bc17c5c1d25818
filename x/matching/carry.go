package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/matching/capacity"
	"github.com/energyd/energyd/x/registry"
)

// carry cuts what the mechanism found to what the lines of a radial grid carry
// (SPEC 4), so that the least worth is lost, and says which line was in the way.
// A certificate proves the clearing as it was before.
func (c *clearing) carry(ctx *module.Ctx, book *matchingv1.Book, found *outcome) error {
	if !c.paths.Limited() || len(found.trades) == 0 {
		return nil
	}
	parent, limits, ok := c.paths.Feeder(registry.ChainOf(ctx.Store).PeriodLengthMs)
	if !ok {
		book.LimitsNotHeld = true
		return nil
	}
	feeder, err := capacity.NewFeeder(parent, limits)
	if err != nil {
		return err
	}
	flows := make([]capacity.Trade, len(found.trades))
	for i, t := range found.trades {
		flows[i] = capacity.Trade{
			From: int(c.sellers[t.sell].point), To: int(c.buyers[t.buy].point), EnergyWh: t.energyWh, Worth: max(t.worth, 0),
		}
	}
	result, err := feeder.Cut(flows)
	if err != nil {
		return err
	}
	book.CutNotOptimal = !result.Optimal
	for _, cut := range result.Cuts {
		t := found.trades[cut.Trade]
		book.CutWh += cut.EnergyWh // no more than the book's energy, which was added up
		ctx.Emit(&matchingv1.Cut{
			Period: book.Period, SellOrder: c.sells[t.sell].Id, BuyOrder: c.buys[t.buy].Id, EnergyWh: cut.EnergyWh,
			LineFrom: c.paths.Name(cut.Line), LineTo: c.paths.Name(parent[cut.Line]),
		})
	}
	carried := found.trades[:0]
	for i, t := range found.trades {
		if t.energyWh = result.Carried[i]; t.energyWh > 0 {
			carried = append(carried, t)
		}
	}
	found.trades = carried
	return nil
}
