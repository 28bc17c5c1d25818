package matching_test

import (
	"testing"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/matching"
)

// TestLineCapacity: sun and mill sit behind one line that carries 300 Wh a
// period. Whatever the mechanism, no more crosses it, what is worth least is
// cut, the reason names the line, and the escrow of what was cut goes back.
func TestLineCapacity(t *testing.T) {
	const watts = 300 * 3_600_000 / length
	for name, mechanism := range matchingv1.Mechanism_value {
		if mechanism == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := market.New(t, func(g *market.Genesis) {
				rules := pairs(matchingv1.Mechanism(mechanism))
				rules.PostedPriceUcoinPerKwh = 250_000
				by(rules)(g)
				g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: "hill"}, &gridv1.Node{Node: "town"})
				line := func(from, to string, capacity int64) {
					g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: from, To: to, LengthMm: 1000, CapacityW: capacity})
				}
				line("hill", "town", watts)
				line("hill", market.Node("sun"), 0)
				line("hill", market.Node("mill"), 0)
				line("town", market.Node("home"), 0)
			}, "sun", "mill", "home")
			m.Must("sun", sell(200_000, 250, "sun"))
			m.Must("mill", sell(240_000, 250, "mill"))
			m.Must("home", buy(400_000, 500))
			m.End()
			m.Block(gate)
			var crossing int64
			for match := range matching.Matches(m.Store, p) {
				crossing += match.EnergyWh
			}
			got := book(m)
			if crossing != 300 || got.MatchedWh != 300 || got.CutWh != 200 {
				t.Errorf("%d Wh cross the line, book %v; want 300, and 200 cut", crossing, got)
			}
			cuts := market.Happened[*matchingv1.Cut](m)
			if len(cuts) == 0 {
				t.Fatal("no reason was given")
			}
			for _, cut := range cuts {
				if ends := cut.LineFrom + " " + cut.LineTo; ends != "hill town" && ends != "town hill" {
					t.Errorf("cut by line %s: %v", ends, cut)
				}
			}
		})
	}
}
