package reputation

import (
	"fmt"

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

var credits = state.NewMap[reputationv1.Credit](protocol.ModuleReputation, 1)

// Module is the reputation as the application wires it.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "reputation" }

// Routes implements module.Module: outcomes come from settlement, not by
// message.
func (Module) Routes() []module.Route { return nil }

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

// Record adds an outcome, Fulfilled or Violated, and returns the new value. Any
// other change is a bug of the caller, and it panics.
func Record(ctx *module.Ctx, account protocol.Address, change int64) int64 {
	if change != Fulfilled && change != Violated {
		panic(fmt.Sprintf("reputation: outcome %d: want %d or %d", change, Fulfilled, Violated))
	}
	credit := creditOf(ctx.Store, account)
	credit.Outcomes = append(credit.Outcomes, byte(int8(change)))
	if excess := len(credit.Outcomes) - kept; excess > 0 {
		credit.Outcomes = credit.Outcomes[excess:]
	}
	credit.Value = fold(credit.Initial, credit.Outcomes)
	credits.Set(ctx.Store, creditKey(account[:]), credit)
	ctx.Emit(&reputationv1.OutcomeRecorded{Account: account.Bytes(), Change: change, Value: credit.Value})
	return credit.Value
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
