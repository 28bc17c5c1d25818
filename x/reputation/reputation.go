package reputation

import (
	"fmt"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// The changes that outcomes make (S3 3.3.1).
const (
	// Fulfilled: all went well in a period with matches.
	Fulfilled = +1
	// Violated: a deviation, a missing reading, a default.
	Violated = -10
)

const (
	maxValue = 100
	// kept is how many outcomes count.
	kept = 100
)

var (
	credits       = state.NewMap[reputationv1.Credit](protocol.ModuleReputation, 1)
	reliabilities = state.NewMap[reputationv1.Reliability](protocol.ModuleReputation, 2)
)

// Module is the reputation as the application wires it.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "reputation" }

// Routes implements module.Module. Outcomes come from settlement and loans, not
// by message.
func (Module) Routes() []module.Route {
	traders := []registryv1.Role{registryv1.Role_ROLE_PROSUMER, registryv1.Role_ROLE_AGGREGATOR}
	verifiers := []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR, registryv1.Role_ROLE_AUTHORITY}
	return []module.Route{
		module.Handle(module.LaneRest, traders, checkReauthorise, reauthorise),
		module.Handle(module.LaneRest, verifiers, checkCountersign, countersign),
	}
}

// ValueOf returns an account's credit value, 0..100; 0 for an unknown account.
func ValueOf(r state.Reader, account protocol.Address) int64 {
	return creditOf(r, account).Value
}

// creditOf returns what is recorded, or what an account without outcomes has.
func creditOf(r state.Reader, account protocol.Address) *reputationv1.Credit {
	if credit, ok := credits.Get(r, creditKey(account[:])); ok {
		return credit
	}
	admitted, _ := registry.AccountOf(r, account)
	initial := admitted.GetInitialReputation()
	return &reputationv1.Credit{Account: account.Bytes(), Value: initial, Initial: initial}
}

func creditKey(account []byte) state.Key { return credits.Key().Bytes(account) }

// Record adds an outcome, Fulfilled or Violated, that stands for no
// counterparty, and returns the new value. Any other change is a bug of the
// caller, and it panics.
func Record(ctx *module.Ctx, account protocol.Address, change int64) int64 {
	if change != Fulfilled && change != Violated {
		panic(fmt.Sprintf("reputation: outcome %d: want %d or %d", change, Fulfilled, Violated))
	}
	return record(ctx, creditOf(ctx.Store, account), change, nobody)
}

// record adds an outcome to an account's credit.
func record(ctx *module.Ctx, credit *reputationv1.Credit, change int64, with partner) int64 {
	forgetOldest(credit)
	credit.Outcomes = append(credit.Outcomes, byte(int8(change)))
	credit.Partners = append(credit.Partners, with[:]...)
	credit.Value = fold(credit.Initial, credit.Outcomes)
	credits.Set(ctx.Store, creditKey(credit.Account), credit)
	ctx.Emit(&reputationv1.OutcomeRecorded{Account: credit.Account, Change: change, Value: credit.Value})
	return credit.Value
}

// forgetOldest makes room for one more outcome.
func forgetOldest(credit *reputationv1.Credit) {
	if excess := len(credit.Outcomes) + 1 - kept; excess > 0 {
		credit.Outcomes = credit.Outcomes[excess:]
		credit.Partners = credit.Partners[excess*partnerSize:]
	}
}

// Violations returns how many of an account's last outcomes were violations.
func Violations(r state.Reader, account protocol.Address, last int64) (violations int64) {
	outcomes := creditOf(r, account).Outcomes
	for _, outcome := range outcomes[max(0, int64(len(outcomes))-last):] {
		if int8(outcome) == Violated {
			violations++
		}
	}
	return violations
}

// fold applies outcomes, one signed byte each, oldest first.
func fold(initial int64, outcomes []byte) int64 {
	value := initial
	for _, outcome := range outcomes {
		value = max(0, min(maxValue, value+int64(int8(outcome))))
	}
	return value
}
