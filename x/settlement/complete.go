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
// completes it with its last account; from then on the retention time of its
// statements counts.
func savePeriod(ctx *module.Ctx, period *settlementv1.Period) error {
	periods.Set(ctx.Store, periodKey(period.Period), period)
	if period.OpenAccounts > 0 {
		return nil
	}
	deadlines.Delete(ctx.Store, deadlineKey(period.Deadline, period.Period))
	matching.CloseBooks(ctx, period.Period)
	dropGroups(ctx.Store, period.Period)
	if _, err := formRoot(ctx, period); err != nil {
		return err
	}
	clock, _ := clocks.Get(ctx.Store)
	count := clock.GetCount() + registry.ParamsAt(ctx.Store, period.Period).StatementRetentionPeriods + 1
	retirements.Set(ctx.Store, retirementKey(count, period.Period), &settlementv1.Due{Count: count, Period: period.Period})
	letGo(ctx, period)
	return nil
}

// letGo removes a period that waits for nobody any more.
func letGo(ctx *module.Ctx, period *settlementv1.Period) {
	if period.OpenAccounts == 0 && period.Missing == 0 {
		periods.Delete(ctx.Store, periodKey(period.Period))
	}
}

// formRoot forms the next version of the root over a period's statements and
// returns how many it read. Once they are being removed the root keeps its last
// version.
func formRoot(ctx *module.Ctx, period *settlementv1.Period) (int64, error) {
	var leaves [][]byte
	for _, encoded := range ctx.Store.Range(statements.Key().Int64(period.Period), nil) {
		leaves = append(leaves, protocol.LeafOf(encoded)) // encoded as StatementLeaf would
	}
	earlier, again := RootOf(ctx.Store, period.Period)
	read := int64(len(leaves))
	if again && read != period.Accounts {
		return read, nil
	}
	root := &settlementv1.StatementsRoot{
		Period: period.Period, Version: earlier.GetVersion() + 1, Root: protocol.TreeRoot(leaves),
		Accounts: period.Accounts, Totals: period.Totals,
	}
	roots.Set(ctx.Store, rootKey(period.Period), root)
	ctx.Emit(&settlementv1.PeriodSettled{Root: root})
	return read, nil
}

// prune removes statements whose retention time is over, some in each block. Of
// an account that is still waited for its own stays with the waiting.
func prune(ctx *module.Ctx, clock *settlementv1.Clock) {
	left := maxPruned
	for _, due := range dueNow(ctx.Store, retirements, clock.Count) {
		for key, statement := range statements.All(ctx.Store, statements.Key().Int64(due.Period)) {
			if left == 0 {
				return
			}
			waiting := missingKey(statement.Account, due.Period)
			if entry, ok := missing.Get(ctx.Store, waiting); ok {
				entry.Statement = statement
				missing.Set(ctx.Store, waiting, entry)
			}
			statements.Delete(ctx.Store, key)
			left--
		}
		retirements.Delete(ctx.Store, retirementKey(due.Count, due.Period))
	}
}
