package dispatch

import (
	"bytes"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// maxPruned is the most rows of either kind that a block removes for their age; the
// rest waits for the next one.
const maxPruned = 1_000

// EndBlock implements module.EndBlocker: it plans the periods whose books became
// final, lets go of the devices of accounts that were revoked, and forgets what is
// old.
func (Module) EndBlock(ctx *module.Ctx) error {
	for _, account := range registry.StoppedThisBlock(ctx.Store, ctx.Height) {
		found, ok := registry.AccountOf(ctx.Store, account)
		if ok && found.Status == registryv1.Status_STATUS_REVOKED {
			if err := letGo(ctx, account[:]); err != nil {
				return err
			}
		}
	}
	present := presentPeriod(ctx)
	for _, book := range matching.TakeFinals(ctx) {
		if book.Period >= present {
			planBook(ctx, book)
		}
	}
	prune(ctx)
	return nil
}

// planBook plans a period for the accounts of a market that let devices be steered.
// An account whose matches cannot be planned holds up no other.
func planBook(ctx *module.Ctx, book matching.FinalBook) {
	var accounts [][]byte
	for _, owner := range fleets.All(ctx.Store, fleets.Key().Int64(book.Market)) {
		accounts = append(accounts, owner.Account)
	}
	for _, account := range accounts {
		err := ctx.Atomic(func(ctx *module.Ctx) error { return planAgain(ctx, account, book.Period) })
		if err != nil {
			ctx.Emit(&dispatchv1.PlanningFailed{Account: account, Period: book.Period, Reason: err.Error()})
		}
	}
}

// prune removes plans and acknowledgements of periods that are not kept any more,
// and commands that ended before those.
func prune(ctx *module.Ctx) {
	const first, second = 2 + 8, 2 + 8 + protocol.AddressSize // parts of the keys of ages and ends
	oldest := oldestKept(ctx)
	for _, key := range keysBefore(ctx.Store, ages.Key(), oldest) {
		period, account := key[2:first], key[first:second]
		plans.Delete(ctx.Store, plans.Key().Bytes(account, period))
		for _, done := range keysOf(ctx.Store, acks.Key().Bytes(account, period)) {
			acks.Delete(ctx.Store, done)
		}
		ages.Delete(ctx.Store, key)
	}
	for _, key := range keysBefore(ctx.Store, ends.Key(), oldest) {
		if command, ok := commands.Get(ctx.Store, commands.Key().Bytes(key[first:])); ok {
			forget(ctx, command)
		}
	}
}

// keysBefore returns the first maxPruned keys of a table whose first part is a
// period before the one given.
func keysBefore(r state.Reader, table state.Key, period int64) []state.Key {
	var found []state.Key
	before := table.Int64(period)
	for key := range r.Range(table, nil) {
		if bytes.Compare(key, before) >= 0 || len(found) == maxPruned {
			break
		}
		found = append(found, key)
	}
	return found
}

func keysOf(r state.Reader, prefix state.Key) []state.Key {
	var found []state.Key
	for key := range r.Range(prefix, nil) {
		found = append(found, key)
	}
	return found
}
