package grid

import (
	"fmt"

	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{{Name: "grid_topology", Check: checkTopology}}
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
