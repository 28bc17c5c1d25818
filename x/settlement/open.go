package settlement

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/registry"
)

// maxOpened is the most periods that a block opens after the chain stood still;
// each makes a tally for every account.
const maxOpened = 100

// openEnded opens the period that just ended, and ended periods with matches.
// Books without matches go: nothing in them waits for settlement.
func (b *block) openEnded(ctx *module.Ctx, ended int64) error {
	if ended != 0 {
		b.open(ctx, ended)
	}
	for period := range matching.Periods(ctx.Store) {
		if period >= b.clock.LastPeriod || b.opened >= maxOpened {
			break
		}
		switch {
		case periods.Has(ctx.Store, periodKey(period)):
		case matching.MatchCount(ctx.Store, period) == 0:
			matching.CloseBooks(ctx, period)
		default:
			b.open(ctx, period)
		}
	}
	return nil
}

// mustOpen says whether registers belong to a period of this chain that passed
// without blocks and is not open yet.
func (b *block) mustOpen(r state.Reader, period int64) bool {
	return period >= b.clock.FirstPeriod && !periods.Has(r, periodKey(period)) && !roots.Has(r, rootKey(period))
}

// open takes down who settles in a period.
func (b *block) open(ctx *module.Ctx, start int64) {
	b.opened++
	period := &settlementv1.Period{
		Period:   start,
		Deadline: b.clock.Count + registry.ParamsAt(ctx.Store, start).DeadlinePeriods,
		Totals:   &settlementv1.Totals{},
	}
	var inGroups [][]byte
	for account := range registry.Accounts(ctx.Store) {
		meters := metering.BillingMeters(ctx.Store, protocol.Address(account.Account), start)
		if !takesPart(ctx.Store, account, meters, start) {
			continue
		}
		tally := &settlementv1.Tally{Account: account.Account, Period: start, Groups: groupsOf(account, meters)}
		tallies.Set(ctx.Store, tallyKey(start, account.Account), tally)
		inGroups = append(inGroups, tally.Groups...)
		period.Accounts++
	}
	if period.Accounts == 0 {
		matching.CloseBooks(ctx, start)
		return
	}
	formGroups(ctx.Store, start, inGroups)
	b.connect(ctx, start)
	period.OpenAccounts = period.Accounts
	period.OpenMatches = matching.MatchCount(ctx.Store, start)
	periods.Set(ctx.Store, periodKey(start), period)
	deadlines.Set(ctx.Store, deadlineKey(period.Deadline, start), &settlementv1.Due{Count: period.Deadline, Period: start})
}

func takesPart(r state.Reader, account *registryv1.Account, meters []*registryv1.Meter, period int64) bool {
	if account.Status == registryv1.Status_STATUS_PENDING {
		return false
	}
	// What a revoked account drew before it was revoked it still owes.
	billed := account.Status != registryv1.Status_STATUS_REVOKED || period <= account.RevokedAtMs
	return billed && len(meters) > 0 || matching.HasMatches(r, period, protocol.Address(account.Account))
}
