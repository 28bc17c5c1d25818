package reputation

import (
	"fmt"

	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{{Name: "I6", Check: func(r state.Reader) error {
		for _, credit := range credits.All(r, credits.Key()) {
			if err := checkCredit(credit); err != nil {
				return fmt.Errorf("credit of %v: %w", protocol.Address(credit.Account), err)
			}
		}
		return nil
	}}}
}

// checkCredit is I6 of one account.
func checkCredit(credit *reputationv1.Credit) error {
	if credit.Initial < 0 || credit.Initial > maxValue {
		return fmt.Errorf("initial: expected 0 to %d, got %d", maxValue, credit.Initial)
	}
	if n := len(credit.Outcomes); n == 0 || n > kept {
		return fmt.Errorf("outcomes: expected 1 to %d, got %d", kept, n)
	}
	for i, outcome := range credit.Outcomes {
		if change := int8(outcome); change != Fulfilled && change != Violated {
			return fmt.Errorf("outcomes[%d]: expected %d or %d, got %d", i, Fulfilled, Violated, change)
		}
	}
	if value := fold(credit.Initial, credit.Outcomes); credit.Value != value {
		return fmt.Errorf("value: expected %d, the fold of its outcomes, got %d", value, credit.Value)
	}
	return nil
}
