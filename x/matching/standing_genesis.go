package matching

import (
	"fmt"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// initStanding loads the standing orders and their clock, which counts them.
func initStanding(ctx *module.Ctx, genesis *matchingv1.GenesisState) error {
	for i, rule := range genesis.StandingOrders {
		if _, err := protocol.AddressFrom(rule.Account); err != nil {
			return fmt.Errorf("matching.standing_orders[%d].account: %w", i, err)
		}
		if err := checkStanding(rule); err != nil {
			return fmt.Errorf("matching.standing_orders[%d]: %w", i, err)
		}
		key := standingKey(rule.Account, sideOf(rule))
		if standings.Has(ctx.Store, key) {
			return fmt.Errorf("matching.standing_orders[%d]: expected one of an account and side, got another", i)
		}
		standings.Set(ctx.Store, key, rule)
	}
	next := genesis.NextStandingPeriod
	if next < 0 || registry.PeriodOf(ctx.Store, next) != next || (next == 0) != (len(genesis.StandingOrders) == 0) {
		return fmt.Errorf("matching.next_standing_period: expected the start of a period if there are standing orders, else 0, got %d", next)
	}
	if next != 0 {
		standingClock.Set(ctx.Store, &matchingv1.StandingClock{NextPeriod: next, Orders: int64(len(genesis.StandingOrders))})
	}
	return nil
}

func exportStanding(r state.Reader, genesis *matchingv1.GenesisState) {
	genesis.StandingOrders = collect(values(standings.All(r, standings.Key())))
	clock, _ := standingClock.Get(r)
	genesis.NextStandingPeriod = clock.GetNextPeriod()
}

// checkStandingCount compares what the clock says with the rules.
func checkStandingCount(r state.Reader) error {
	var rules int64
	for range standings.All(r, standings.Key()) {
		rules++
	}
	clock, ticking := standingClock.Get(r)
	if clock.GetOrders() != rules || ticking != (rules > 0) {
		return fmt.Errorf("the clock counts %d standing orders, there are %d", clock.GetOrders(), rules)
	}
	return nil
}
