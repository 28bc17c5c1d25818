package settlement

import (
	"bytes"
	"slices"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
)

// leastFailing is how many accounts must fail together before it is the gateway's
// or the aggregator's doing: an account and two others. With fewer a gateway of
// one or two meters would excuse itself.
const leastFailing = 3

// mostFail says whether so many of a group's accounts fail that they are excused
// (SPEC 9).
func mostFail(failing, accounts int64) bool {
	return failing >= leastFailing && failing > accounts-failing
}

// mayFail says whether most of a group fail if no more registers come.
func mayFail(g *settlementv1.Group) bool { return mostFail(g.Estimated+g.Open, g.Accounts) }

// fails says that most of a group fail, whatever else comes.
func fails(g *settlementv1.Group) bool { return mostFail(g.Estimated, g.Accounts) }

// groupsOf names the groups of an account with the given billing meters: a gateway
// has no other role, so that its account is never an aggregator's as well.
func groupsOf(account *registryv1.Account, meters []*registryv1.Meter) [][]byte {
	if len(meters) == 0 {
		return nil
	}
	var found [][]byte
	if len(account.HomeAggregator) > 0 {
		found = append(found, account.HomeAggregator)
	}
	for _, meter := range meters {
		found = append(found, meter.Gateway)
	}
	slices.SortFunc(found, bytes.Compare)
	return slices.CompactFunc(found, bytes.Equal)
}

// formGroups counts the accounts of a period that is being opened by their groups,
// of which there is one entry for each account.
func formGroups(s state.Store, period int64, entries [][]byte) {
	slices.SortFunc(entries, bytes.Compare)
	for len(entries) > 0 {
		n := slices.IndexFunc(entries, func(id []byte) bool { return !bytes.Equal(id, entries[0]) })
		if n < 0 {
			n = len(entries)
		}
		size := int64(n)
		groups.Set(s, groupKey(period, entries[0]), &settlementv1.Group{Group: entries[0], Period: period, Accounts: size, Open: size})
		entries = entries[n:]
	}
}

// countRegisters counts an account whose registers came in its groups, and notes
// those for which that showed whether most fail.
func (b *block) countRegisters(s state.Store, tally *settlementv1.Tally) error {
	for _, id := range tally.Groups {
		g, ok := groups.Get(s, groupKey(tally.Period, id))
		if !ok {
			return ErrNoRecord.With("period %d: no group %x", tally.Period, id)
		}
		before := mayFail(g) && !fails(g)
		g.Open--
		if tally.Estimated {
			g.Estimated++
		}
		groups.Set(s, groupKey(tally.Period, id), g)
		if before && (fails(g) || !mayFail(g)) {
			b.decided = append(b.decided, id)
		}
	}
	return nil
}

// awaitsGroups says whether an account that is ready for its statement waits until
// it shows whether most of a group of its own fail, and takes that down. Only one
// with matches and estimated registers does.
func awaitsGroups(s state.Store, tally *settlementv1.Tally) bool {
	if !tally.Estimated || !hasMatchTrade(s, tally) {
		return false
	}
	var open [][]byte
	for _, id := range tally.Groups {
		g, _ := groups.Get(s, groupKey(tally.Period, id))
		if fails(g) {
			return false
		}
		if mayFail(g) {
			open = append(open, id)
		}
	}
	for _, id := range open {
		groupWaits.Set(s, groupWaitKey(tally.Period, id, tally.Account), &settlementv1.GroupWait{
			Group: id, Period: tally.Period, Account: tally.Account,
		})
	}
	return len(open) > 0
}

func hasMatchTrade(r state.Reader, tally *settlementv1.Tally) bool {
	for row := range values(trades.All(r, tradesOf(tally.Period, tally.Account))) {
		if len(row.Trade.Match) > 0 {
			return true
		}
	}
	return false
}

// excused says whether most of a group of the account fail. It is asked when that
// shows, or at the deadline, when who is not here is missing.
func excused(r state.Reader, tally *settlementv1.Tally) bool {
	return slices.ContainsFunc(tally.Groups, func(id []byte) bool {
		g, ok := groups.Get(r, groupKey(tally.Period, id))
		return ok && mayFail(g)
	})
}

// endWaiting makes the statements of the accounts that waited for a group, but of
// those that wait for another one as well.
func endWaiting(ctx *module.Ctx, start int64, group []byte) error {
	waiting := collect(values(groupWaits.All(ctx.Store, groupWaits.Key().Int64(start).Bytes(group))))
	if len(waiting) == 0 {
		return nil
	}
	for _, wait := range waiting {
		groupWaits.Delete(ctx.Store, groupWaitKey(start, group, wait.Account))
		// One that waited for two groups may have its statement.
		tally, ok := tallies.Get(ctx.Store, tallyKey(start, wait.Account))
		if !ok || awaitsGroups(ctx.Store, tally) {
			continue
		}
		if err := closeForGood(ctx, tally); err != nil {
			return err
		}
	}
	period, err := loadPeriod(ctx.Store, start)
	if err != nil {
		return err
	}
	return savePeriod(ctx, period)
}

// dropGroups removes the groups of a period whose statements are all made.
func dropGroups(s state.Store, period int64) {
	for key := range groups.All(s, groups.Key().Int64(period)) {
		groups.Delete(s, key)
	}
	for key := range groupWaits.All(s, groupWaits.Key().Int64(period)) {
		groupWaits.Delete(s, key)
	}
}
