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
		for _, known := range reliabilities.All(r, reliabilities.Key()) {
			if err := checkReliability(known); err != nil {
				return fmt.Errorf("reliability of %v: %w", protocol.Address(known.Account), err)
			}
		}
		return nil
	}}}
}

// checkReliability is what holds of any record of charges.
func checkReliability(known *reputationv1.Reliability) error {
	if known.Trades < 0 || known.EnergyWh < 0 || known.Verification < 1 {
		return fmt.Errorf("trades, energy_wh: expected 0 or more, verification: 1 or more, got %d, %d and %d", known.Trades, known.EnergyWh, known.Verification)
	}
	return nil
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
	if err := checkPartners(credit); err != nil {
		return err
	}
	if value := fold(credit.Initial, credit.Outcomes); credit.Value != value {
		return fmt.Errorf("value: expected %d, the fold of its outcomes, got %d", value, credit.Value)
	}
	return nil
}

// checkPartners says that each outcome has its counterparty or none, violations
// none, and that no counterparty makes more than its share of the outcomes.
func checkPartners(credit *reputationv1.Credit) error {
	if got, want := len(credit.Partners), partnerSize*len(credit.Outcomes); got != want {
		return fmt.Errorf("partners: expected %d bytes, %d for each outcome, got %d", want, partnerSize, got)
	}
	for i, outcome := range credit.Outcomes {
		with := partner(credit.Partners[i*partnerSize:])
		if with == nobody {
			continue
		}
		if int8(outcome) != Fulfilled {
			return fmt.Errorf("partners[%d]: expected none for a violation, got %x", i, with)
		}
		if n := standsFor(credit, with); n > maxOfOne {
			return fmt.Errorf("partners: expected each at most %d times, got %x %d times", maxOfOne, with, n)
		}
	}
	return nil
}
