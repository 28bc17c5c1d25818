package grid

import (
	"fmt"

	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{
		{Name: "grid_topology", Check: checkTopology},
		{Name: "grid_zones", Check: checkZones},
	}
}

func checkTopology(r state.Reader) error {
	count := 0
	for _, line := range lines.All(r, lines.Key()) {
		if !HasNode(r, line.From) || !HasNode(r, line.To) {
			return fmt.Errorf("line from %q to %q: an end does not exist", line.From, line.To)
		}
		if !ends.Has(r, endKey(line.From, line.To)) {
			return fmt.Errorf("line from %q to %q: not found from %q", line.From, line.To, line.To)
		}
		count++
	}
	for range r.Range(ends.Key(), nil) {
		count--
	}
	if count != 0 {
		return fmt.Errorf("expected as many entries of ends as of lines, got %d fewer", count)
	}
	return nil
}

// checkZones compares the zones with those that fees name.
func checkZones(r state.Reader) error {
	named := map[string]bool{}
	for _, fee := range zoneFees.All(r, zoneFees.Key()) {
		for _, name := range []string{fee.FromZone, fee.ToZone} {
			if !zones.Has(r, zones.Key().Name(name)) {
				return fmt.Errorf("fee from %q to %q: zone %q is not kept", fee.FromZone, fee.ToZone, name)
			}
			named[name] = true
		}
	}
	kept := 0
	for range r.Range(zones.Key(), nil) {
		kept++
	}
	if kept != len(named) {
		return fmt.Errorf("expected the %d zones that fees name, got %d", len(named), kept)
	}
	return nil
}
