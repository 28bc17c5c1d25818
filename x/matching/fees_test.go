package matching_test

import (
	"testing"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// eastToWest makes the way from the zone east, where sun and home are, to the
// zone of the others cost 60 000 ucoin per kWh on top of the chain's 5 000.
func eastToWest(g *market.Genesis) {
	g.NodeOf("sun").Zone, g.NodeOf("home").Zone = "east", "east"
	g.Grid.ZoneFees = []*gridv1.ZoneFee{{FromZone: "east", FeeUcoinPerKwh: 60_000}}
}

// TestZoneFee: for each mechanism a buy over the border trades from ask + fee on,
// its match and its escrow have the fee of the pair, and settlement pays the fee
// ledger fee x energy of each.
func TestZoneFee(t *testing.T) {
	for name, mechanism := range matchingv1.Mechanism_value {
		if mechanism == 0 {
			continue
		}
		for _, test := range []struct {
			bid      int64 // of far, over the border
			far      int64 // Wh matched
			farPrice int64 // with the middle or the dual at the limit: all the same
		}{{264_999, 0, 0}, {265_000, 1000, 200_000}} {
			t.Run(name, func(t *testing.T) {
				m := market.New(t, func(g *market.Genesis) {
					rules := pairs(matchingv1.Mechanism(mechanism))
					rules.PostedPriceUcoinPerKwh = 200_000
					by(rules)(g)
					eastToWest(g)
					g.Params().DefaultLossPpmPerKm = 0 // so that welfare loses nothing
				}, "sun", "home", "far")
				m.Must("sun", sell(200_000, 2000, "sun"))
				m.Must("home", buy(205_000, 1000))
				m.Must("far", buy(test.bid, 1000))
				m.End()
				m.Block(gate)
				if got := book(m); got.MatchedWh != 1000+test.far {
					t.Fatalf("book %v, want %d Wh", got, 1000+test.far)
				}
				for _, match := range matchesOf(m, "home") {
					if match.FeeUcoinPerKwh != 5_000 || match.PriceUcoinPerKwh != 200_000 || match.EscrowUcoin != 205_000 {
						t.Errorf("home's match %v", match)
					}
				}
				for _, match := range matchesOf(m, "far") {
					if match.FeeUcoinPerKwh != 65_000 || match.PriceUcoinPerKwh != test.farPrice || match.EscrowUcoin != 265_000 {
						t.Errorf("far's match %v", match)
					}
				}
				if got := escrow(m, "far"); got != 265*test.far {
					t.Errorf("far has %d in escrow, want %d", got, 265*test.far)
				}
				m.Begin(p)
				for _, who := range []string{"sun", "home", "far"} {
					m.Read(who, p, 0, 0)
				}
				m.End()
				m.Begin(p + length)
				m.Read("sun", p+length, 0, 2000)
				m.Read("home", p+length, 1000, 0)
				m.Read("far", p+length, 1000, 0)
				m.End()
				if got, want := bank.BalanceOf(m.Store, protocol.FeeAddress).FreeUcoin, 5_000+65*test.far; got != want {
					t.Errorf("fees: got %d, want %d", got, want)
				}
			})
		}
	}
}

// TestZoneFeePeriod: a fee holds from the first period whose orders were not open
// when it was set; matches of earlier ones go without.
func TestZoneFeePeriod(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		eastToWest(g)
		g.Grid.ZoneFees = nil
	}, "sun", "home", "far")
	first := registry.FirstUnopened(m.Store, m.TimeMs)
	m.Decree(&gridv1.MsgSetZoneFee{FromZone: "east", FeeUcoinPerKwh: 60_000})
	for _, test := range []struct{ period, fee int64 }{{first - length, 5_000}, {first, 65_000}} {
		m.Begin(test.period - 8_000)
		m.Must("sun", edited(sell(200_000, 1000, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Period = test.period }))
		m.Must("far", edited(buy(300_000, 1000), func(o *matchingv1.MsgPlaceBuy) { o.Period = test.period }))
		m.End()
		m.Block(test.period - 4_000)
		found := 0
		for match := range matching.Matches(m.Store, test.period) {
			found++
			if match.FeeUcoinPerKwh != test.fee {
				t.Errorf("period %d: fee %d, want %d", test.period, match.FeeUcoinPerKwh, test.fee)
			}
		}
		if found != 1 {
			t.Errorf("period %d: %d matches", test.period, found)
		}
	}
	if reborn := m.Reborn(); string(reborn.Export()["grid"]) != string(m.Export()["grid"]) {
		t.Error("the grid's part differs after import")
	}
}
