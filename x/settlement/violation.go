package settlement

import (
	"slices"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

// Reasons of the registry's StatusChanged.
const (
	reasonViolations = "violations"
	reasonReadAgain  = "read again and paid"
)

const forViolations = registryv1.FreezeCause_FREEZE_CAUSE_VIOLATIONS

// violate records a violation and charges its penalty to the guarantee fund
// (SPEC 8, 9).
func violate(ctx *module.Ctx, totals *settlementv1.Totals, statement *settlementv1.Statement) error {
	statement.Outcome = reputation.Violated
	reputation.Record(ctx, protocol.Address(statement.Account), statement.Outcome)
	penalty := registry.ParamsAt(ctx.Store, statement.Period).ViolationPenaltyUcoin
	paid, _, err := bank.Pay(ctx, protocol.Address(statement.Account), protocol.GuaranteeAddress, penalty)
	if err != nil {
		return err
	}
	statement.PenaltyUcoin, statement.PenaltyPaidUcoin = penalty, paid
	var sums adder
	sums.add(&statement.PaidUcoin, paid)
	sums.add(&statement.DebtUcoin, penalty-paid)
	sums.add(&totals.FundReceivedUcoin, paid)
	sums.add(&totals.PaidUcoin, paid)
	sums.add(&totals.ReceivedUcoin, paid)
	return sums.err
}

// freezeViolator freezes the account of a violation that had too many.
func freezeViolator(ctx *module.Ctx, statement *settlementv1.Statement) {
	account, params := protocol.Address(statement.Account), registry.ParamsAt(ctx.Store, statement.Period)
	if params.FreezeViolations == 0 || reputation.Violations(ctx.Store, account, params.FreezeWindow) < params.FreezeViolations {
		return
	}
	freeze(ctx, account, statement.Period)
}

// freeze freezes an account for violations, the latest of which was in a period.
// One that the authority froze is the authority's to thaw and stays so.
func freeze(ctx *module.Ctx, account protocol.Address, period int64) {
	registry.FreezeFor(ctx, account, forViolations, reasonViolations)
	if !registry.FrozenFor(ctx.Store, account, forViolations) {
		return
	}
	key := freezeKey(account[:])
	known, _ := freezes.Get(ctx.Store, key)
	freezes.Set(ctx.Store, key, &settlementv1.Freeze{Account: account.Bytes(), Period: max(period, known.GetPeriod())})
}

// stopFrozen cancels the orders of all whom this block froze for violations, in
// one pass through the cleared books: matching has read by now whom messages
// stopped.
func stopFrozen(ctx *module.Ctx) error {
	frozen := slices.DeleteFunc(registry.StoppedThisBlock(ctx.Store, ctx.Height), func(account protocol.Address) bool {
		return !registry.FrozenFor(ctx.Store, account, forViolations)
	})
	return matching.Stop(ctx, frozen)
}

// noteReading takes down that a frozen account reads its meters again.
func noteReading(ctx *module.Ctx, energy *meteringv1.Energy) {
	key := freezeKey(energy.Account)
	frozen, ok := freezes.Get(ctx.Store, key)
	if !ok || energy.Estimated || energy.Period <= frozen.Period {
		return
	}
	frozen.ReadAgain = true
	freezes.Set(ctx.Store, key, frozen)
}

// thaw thaws the accounts that read their meters again and owe nothing, once in a
// period: all rows are read. Those that the authority froze, thawed or revoked
// since are no longer settlement's.
func thaw(ctx *module.Ctx) {
	for _, frozen := range collect(values(freezes.All(ctx.Store, freezes.Key()))) {
		account := protocol.Address(frozen.Account)
		if registry.FrozenFor(ctx.Store, account, forViolations) {
			if !frozen.ReadAgain || bank.DebtOf(ctx.Store, account) > 0 {
				continue
			}
			registry.ThawFrom(ctx, account, forViolations, reasonReadAgain)
		}
		freezes.Delete(ctx.Store, freezeKey(frozen.Account))
	}
}
