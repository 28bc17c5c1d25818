package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/x/matching/capacity"
)

// Carried is what the lines made of the trades.
type Carried struct {
	// Cuts say what was cut and which line was in the way; CutWh is their sum.
	Cuts  []*matchingv1.Cut
	CutWh int64
	// LimitsNotHeld: lines have limits that were not held, as the grid has a ring.
	LimitsNotHeld bool
	// NotOptimal: limits are held, but perhaps at more than the least loss.
	NotOptimal bool
}

// carry cuts what the mechanism found to what the lines of a radial grid carry
// (SPEC 4), so that the least worth is lost.
func (c *Clearing) carry(found *Outcome) error {
	grid := c.rules.Paths
	if !grid.Limited() || len(found.Trades) == 0 {
		return nil
	}
	parent, limits, ok := grid.Feeder(c.rules.PeriodLengthMs)
	if !ok {
		found.Carried.LimitsNotHeld = true
		return nil
	}
	feeder, err := capacity.NewFeeder(parent, limits)
	if err != nil {
		return err
	}
	if err := c.load(feeder); err != nil {
		return err
	}
	flows := make([]capacity.Trade, len(found.Trades))
	for i, t := range found.Trades {
		flows[i] = capacity.Trade{
			From: int(c.sellers[t.Sell].point), To: int(c.buyers[t.Buy].point), EnergyWh: t.EnergyWh, Worth: max(t.Worth, 0),
		}
	}
	result, err := feeder.Cut(flows)
	if err != nil {
		return err
	}
	found.Carried.NotOptimal = !result.Optimal
	for _, cut := range result.Cuts {
		t := found.Trades[cut.Trade]
		found.Carried.CutWh += cut.EnergyWh // no more than the book's energy, which was added up
		found.Carried.Cuts = append(found.Carried.Cuts, &matchingv1.Cut{
			Period: c.rules.Period, SellOrder: c.Sells[t.Sell].Id, BuyOrder: c.Buys[t.Buy].Id, EnergyWh: cut.EnergyWh,
			LineFrom: grid.Name(cut.Line), LineTo: grid.Name(parent[cut.Line]),
		})
	}
	carried := found.Trades[:0]
	for i, t := range found.Trades {
		if t.EnergyWh = result.Carried[i]; t.EnergyWh > 0 {
			carried = append(carried, t)
		}
	}
	found.Trades = carried
	return nil
}
