package dispatch_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// TestGatesOutOfOrder: with a longer gate_lead from p on, its gate passes before that
// of the period before, which has orders as well. A device that is removed between
// the two is in no plan any more.
func TestGatesOutOfOrder(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		longer := proto.Clone(g.Params()).(*registryv1.Params)
		longer.GateLeadMs = 18_000
		g.Registry.Params = append(g.Registry.Params, &registryv1.ParamsEntry{FromPeriod: p, Params: longer})
	}, "sun", "home")
	m.Must("sun", device("roof", generator, 360_000, 0))
	m.Must("home", &matchingv1.MsgPlaceBuy{
		Period: p - length, PriceUcoinPerKwh: 300_000, EnergyWh: 1, Weights: &matchingv1.Weights{Price: 1000},
	})
	trade(m, 1000)
	m.End()
	m.Block(p - 18_000)
	samePoints(t, m, "sun", 1, 0, map[string]int64{"roof": 360_000})
	m.Begin(p - 17_000)
	m.Must("sun", &dispatchv1.MsgRemoveDevice{Device: "roof"})
	m.End()
	samePoints(t, m, "sun", 2, 360_000, map[string]int64{})
}
