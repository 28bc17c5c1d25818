package welfare

import (
	"errors"
	"fmt"
	"slices"

	"github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/transport"
)

// ErrUnproven is wrapped by errors of Verify.
var ErrUnproven = errors.New("clearing not proven")

// Verify checks a result against its book: that the certificate proves the
// solution optimal, and that trades, prices and sums follow from it. Errors wrap
// ErrUnproven or transport.ErrUnproven, or are those of Clear.
func Verify(p Params, buys []cmap.Buy, sells []cmap.Sell, link func(buy, sell int) Link, r *Result) error {
	b, err := newBook(p, buys, sells, link)
	if err != nil {
		return err
	}
	s := r.Solution
	if s == nil || s.Fallback {
		return fmt.Errorf("%w: no solution, or a fallback", ErrUnproven)
	}
	if err := transport.Verify(b.problem, s.Flows, s.Certificate); err != nil {
		return err
	}
	// The certificate is proven, so that duals follow from it; sums and trades do
	// from the flows.
	want := b.result(&transport.Solution{Flows: s.Flows, Certificate: s.Certificate})
	for _, f := range s.Flows {
		want.EnergyWh += f.EnergyWh
	}
	want.Objective = transport.Total(b.problem.Worth, len(sells), s.Flows)
	switch {
	case r.Objective == nil || r.Objective.Cmp(want.Objective) != 0 || r.EnergyWh != want.EnergyWh:
		return fmt.Errorf("%w: %d Wh with objective %s, expected %d with %s", ErrUnproven, r.EnergyWh, r.Objective, want.EnergyWh, want.Objective)
	case !slices.Equal(r.Premiums, want.Premiums):
		return fmt.Errorf("%w: premiums do not follow from the certificate", ErrUnproven)
	case !slices.Equal(r.Trades, want.Trades):
		return fmt.Errorf("%w: trades do not follow from flows and premiums", ErrUnproven)
	}
	return nil
}
