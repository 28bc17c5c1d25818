package settlement

import (
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// closeRevoked closes the revoked accounts that have no obligation left, once in a
// period, the present one of which is now: all that wait for it are read.
func closeRevoked(ctx *module.Ctx, now int64) {
	for _, account := range registry.Closing(ctx.Store) {
		if !obliged(ctx.Store, account, now) {
			registry.Close(ctx, account)
		}
	}
}

// obliged says whether a revoked account has anything open: a period that had
// begun when it was revoked and is not settled, a match, a contract, a debt, a
// loan. now is the present period. Registers that never came are waited for as long
// as their period's statements are kept.
func obliged(r state.Reader, account protocol.Address, now int64) bool {
	registered, _ := registry.AccountOf(r, account)
	if registry.PeriodOf(r, registered.GetRevokedAtMs()) >= now {
		return true
	}
	held := bank.BalanceOf(r, account)
	if held.EscrowUcoin != 0 || held.ExposedUcoin != 0 || bank.DebtOf(r, account) != 0 || credit.BorrowerOf(r, account).OpenLoans != 0 {
		return true
	}
	for range contractsOf.All(r, contractsOf.Key().Bytes(account[:])) {
		return true
	}
	for period := range matching.Periods(r) {
		if matching.HasMatches(r, period, account) {
			return true
		}
	}
	for period := range values(periods.All(r, periods.Key())) {
		if tallies.Has(r, tallyKey(period.Period, account[:])) {
			return true
		}
	}
	for entry := range values(missing.All(r, missing.Key().Bytes(account[:]))) {
		if entry.Statement == nil {
			return true
		}
	}
	return false
}
