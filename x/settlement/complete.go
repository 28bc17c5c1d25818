package settlement

import (
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// maxPruned is the most statements that a block removes.
const maxPruned = 5000

// savePeriod stores a period after accounts or matches of it settled, and
// completes it with its last account.
func savePeriod(ctx *module.Ctx, period *settlementv1.Period) error {
	periods.Set(ctx.Store, periodKey(period.Period), period)
	if period.OpenAccounts > 0 {
		return nil
	}
	deadlines.Delete(ctx.Store, deadlineKey(period.Deadline, period.Period))
	matching.CloseBook(ctx, period.Period)
	if err := formRoot(ctx, period); err != nil {
		return err
	}
	if period.Missing == 0 {
		retire(ctx, period)
	}
	return nil
}

// formRoot forms the next version of the root over a period's statements.
func formRoot(ctx *module.Ctx, period *settlementv1.Period) error {
	var leaves [][]byte
	for statement := range statementsOf(ctx.Store, period.Period) {
		leaf, err := protocol.StatementLeaf(statement)
		if err != nil {
			return err
		}
		leaves = append(leaves, leaf)
	}
	earlier, _ := RootOf(ctx.Store, period.Period)
	root := &settlementv1.StatementsRoot{
		Period: period.Period, Version: earlier.GetVersion() + 1, Root: protocol.TreeRoot(leaves),
		Accounts: period.Accounts, Totals: period.Totals,
	}
	roots.Set(ctx.Store, rootKey(period.Period), root)
	ctx.Emit(&settlementv1.PeriodSettled{Root: root})
	return nil
}

// retire lets go of a period that is complete and waits for nobody; its
// statements stay for the retention time, counted in whole periods.
func retire(ctx *module.Ctx, period *settlementv1.Period) {
	clock, _ := clocks.Get(ctx.Store)
	count := clock.GetCount() + registry.ParamsAt(ctx.Store, period.Period).StatementRetentionPeriods + 1
	periods.Delete(ctx.Store, periodKey(period.Period))
	retirements.Set(ctx.Store, retirementKey(count, period.Period), &settlementv1.Due{Count: count, Period: period.Period})
}

// prune removes statements whose retention time is over, some in each block.
func prune(ctx *module.Ctx, clock *settlementv1.Clock) {
	left := maxPruned
	for _, due := range dueNow(ctx.Store, retirements, clock.Count) {
		for key := range ctx.Store.Range(statements.Key().Int64(due.Period), nil) {
			if left == 0 {
				return
			}
			ctx.Store.Delete(key)
			left--
		}
		retirements.Delete(ctx.Store, retirementKey(due.Count, due.Period))
	}
}
