package origin

import (
	"errors"
	"fmt"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
)

var errBroken = errors.New("certificates do not add up")

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{{Name: "origin", Check: checkTotals}}
}

// checkTotals says that each Wh that was issued is held by one account, was retired
// once or cancelled into one stock, and that no more leaves stocks than was cancelled.
func checkTotals(r state.Reader) error {
	held, retired := map[kind]int64{}, map[kind]int64{}
	stored, err := inStocks(r)
	if err != nil {
		return err
	}
	for _, h := range holdings.All(r, holdings.Key()) {
		k := kindOfHolding(h)
		if h.HeldWh < 0 || h.RetiredWh < 0 {
			return fmt.Errorf("%w: %v has less than nothing: %v", errBroken, protocol.Address(h.Account), h)
		}
		if !totals.Has(r, totalKey(k)) {
			return fmt.Errorf("%w: there is no total of %v", errBroken, h)
		}
		if err := firstError(addTo(held, k, h.HeldWh), addTo(retired, k, h.RetiredWh)); err != nil {
			return err
		}
	}
	owed := map[registryv1.EnergyType]int64{}
	for _, t := range totals.All(r, totals.Key()) {
		k := kind{t.EnergyType, t.Month}
		if err := checkStored(t, stored[k]); err != nil {
			return err
		}
		rest, err := units.Sum(t.IssuedWh, -t.LostWh, -t.RetiredWh, -t.StoredWh, -held[k])
		if err != nil || rest != 0 || t.RetiredWh != retired[k] || t.LostWh < 0 || t.NettedWh < 0 || t.ReclaimedWh < 0 {
			return fmt.Errorf("%w: %v, and accounts hold %d and retired %d Wh", errBroken, t, held[k], retired[k])
		}
		if err := firstError(addTo(owed, t.EnergyType, t.ReclaimedWh), addTo(owed, t.EnergyType, -t.NettedWh)); err != nil {
			return err
		}
	}
	for _, e := range excesses.All(r, excesses.Key()) {
		if e.EnergyWh <= 0 {
			return fmt.Errorf("%w: expected an excess of more than nothing, got %v", errBroken, e)
		}
		if err := addTo(owed, e.EnergyType, -e.EnergyWh); err != nil {
			return err
		}
	}
	return checkNetted(owed)
}

// checkNetted says that sellers have in excess what was reclaimed and not netted.
func checkNetted(owed map[registryv1.EnergyType]int64) error {
	for number := range int32(len(registryv1.EnergyType_name)) {
		if wh := owed[registryv1.EnergyType(number)]; wh != 0 {
			return fmt.Errorf("%w: of energy type %d %d Wh are reclaimed, not netted and nobody's excess", errBroken, number, wh)
		}
	}
	return nil
}

func addTo[K comparable](sums map[K]int64, key K, wh int64) error {
	sum, err := units.Add(sums[key], wh)
	sums[key] = sum
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkHolding checks a row by itself.
func checkHolding(h *originv1.Holding) error {
	if err := checkKind(h.EnergyType, h.Month); err != nil {
		return err
	}
	if h.HeldWh < 0 || h.RetiredWh < 0 || h.HeldWh == 0 && h.RetiredWh == 0 {
		return fmt.Errorf("expected held_wh and retired_wh of 0 or more, not both 0, got %d and %d", h.HeldWh, h.RetiredWh)
	}
	return nil
}
