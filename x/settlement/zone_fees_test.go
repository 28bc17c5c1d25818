package settlement_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/settlement"
)

// zoned puts sun and wind into the east, home and shop into the west.
func zoned(g *market.Genesis) {
	noLoss(g)
	for name, zone := range map[string]string{"sun": "east", "wind": "east", "home": "west", "shop": "west"} {
		if node := g.NodeOf(name); node != nil { // not all markets have all of them
			node.Zone = zone
		}
	}
	g.Grid.ZoneFees = []*gridv1.ZoneFee{{FromZone: "east", ToZone: "west", FeeUcoinPerKwh: 20_000}, {FromZone: "west", ToZone: "west", FeeUcoinPerKwh: 1}}
}

func ledger(m *market.Market) []*settlementv1.ZoneFees {
	m.T.Helper()
	answer, err := market.Query[*settlementv1.QueryZoneFeesResponse](m, &settlementv1.QueryZoneFeesRequest{})
	if err != nil {
		m.T.Fatal(err)
	}
	return answer.ZoneFees
}

// TestZoneFees: market and contract book what the way cost, on top of the chain's
// fee, by pair of zones and month; the zones are those of when the match was made.
func TestZoneFees(t *testing.T) {
	m := market.New(t, zoned, "sun", "wind", "home", "shop")
	m.Must("sun", sell(p, 200_000, 1500, "sun"))
	m.Must("home", buy(p, 300_000, 1500))
	agree(m, "wind", "shop", proposal("wind", "shop", 250_000))
	m.End()
	m.Block(gate)
	m.Decree(&gridv1.MsgSetTopology{Nodes: []*gridv1.Node{{Node: market.Node("sun"), PathMm: proto.Int64(50_000), Zone: "west"}}})
	deliver(m, map[string]flow{"sun": {0, 1500}, "home": {1001, 0}, "wind": {0, 500}, "shop": {500, 0}}, "sun", "wind", "home", "shop")

	want := []*settlementv1.ZoneFees{{Month: units.MonthOf(p), FromZone: "east", ToZone: "west", SoldWh: 1501, FeeUcoin: 20_020 + 10_000}}
	got := ledger(m)
	if len(got) != 1 || !proto.Equal(got[0], want[0]) {
		t.Errorf("ledger %v, want %v", got, want)
	}
	trade := statement(m, "home").Trades[0]
	if trade.FromZone != "east" || trade.ToZone != "west" || trade.ZoneFeeUcoinPerKwh != 20_000 || trade.FeeUcoin != 25_025 {
		t.Errorf("trade %v", trade)
	}
	if root, _ := settlement.RootOf(m.Store, p); root.Totals.ZoneFeesUcoin != 30_020 || root.Totals.FeesUcoin != 25_025+12_500 {
		t.Errorf("totals %v", root.Totals)
	}
	again := m.Reborn()
	if diff := ledger(again); len(diff) != 1 || !proto.Equal(diff[0], want[0]) {
		t.Errorf("after export and import: %v", diff)
	}
	again.CheckInvariants()
}

// TestZoneFeesUnpaid: the ledger says what was charged, paid or not, and also for
// a buyer whose registers are missing.
func TestZoneFeesUnpaid(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) { zoned(g); poor("shop", 1)(g) }, "sun", "wind", "home", "shop")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	agree(m, "wind", "shop", proposal("wind", "shop", 250_000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1000}, "wind": {0, 1000}, "shop": {1000, 0}}, "sun", "wind", "home", "shop")
	if got := ledger(m); len(got) != 1 || got[0].FeeUcoin != 20_000 {
		t.Errorf("before the deadline: %v, want that of the contract", got)
	}
	m.Block(p + 2*length + 500)
	m.Block(overdue)
	if s := statement(m, "shop"); s.DebtUcoin == 0 {
		t.Errorf("no debt: %v", s)
	}
	if got := ledger(m); len(got) != 1 || got[0].FeeUcoin != 40_000 || got[0].SoldWh != 2000 {
		t.Errorf("after the deadline: %v", got)
	}
}

// TestZoneFeesGenesis: a ledger that does not add up is refused.
func TestZoneFeesGenesis(t *testing.T) {
	m := market.New(t, zoned, "sun", "wind", "home", "shop")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1000}, "home": {1000, 0}}, "sun", "home")
	m.Block(p + 2*length + 500)
	m.Block(overdue)
	part := new(settlementv1.GenesisState)
	if err := module.UnmarshalGenesis(m.Export()["settlement"], part); err != nil || len(part.ZoneFees) != 1 {
		t.Fatalf("%v: %v", err, part.ZoneFees)
	}
	for _, tc := range []struct {
		name   string
		change func(*settlementv1.GenesisState)
		says   string
	}{
		{"more than was charged", func(g *settlementv1.GenesisState) { g.ZoneFees[0].FeeUcoin++ }, "0.000001 coin are booked beyond"},
		{"nothing booked", func(g *settlementv1.GenesisState) { g.ZoneFees = nil }, "-0.02 coin are booked beyond"},
		{"within a month", func(g *settlementv1.GenesisState) { g.ZoneFees[0].Month++ }, "zone_fees[0]: expected the start of a month"},
		{"twice", func(g *settlementv1.GenesisState) { g.ZoneFees = append(g.ZoneFees, g.ZoneFees[0]) }, "zone_fees[1]"},
		{"no zone", func(g *settlementv1.GenesisState) { g.ZoneFees[0].FromZone = "A B" }, "names of zones"},
		{"less than nothing", func(g *settlementv1.GenesisState) { g.ZoneFees[0].SoldWh = -1 }, "does not add up"},
	} {
		changed := proto.Clone(part).(*settlementv1.GenesisState)
		tc.change(changed)
		data, err := module.MarshalGenesis(changed)
		if err != nil {
			t.Fatal(err)
		}
		fresh := market.New(t, zoned, "sun", "wind", "home", "shop")
		if err := initSettlement(fresh, data); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.says)
		}
	}
	if _, err := market.Query[proto.Message](m, &settlementv1.QueryZoneFeesRequest{Limit: -1}); !errors.Is(err, settlement.ErrMalformed) {
		t.Errorf("a limit of -1: %v", err)
	}
}

func initSettlement(m *market.Market, data json.RawMessage) error {
	return settlement.New().InitGenesis(m.Ctx("gateway"), data)
}

// TestCorrectedLedgers: a correction takes certificates and zone fees along. What
// was certified too much stays with its buyer and is netted against what is
// certified of the seller next: here when it is corrected back.
func TestCorrectedLedgers(t *testing.T) {
	zones := func(g *market.Genesis) {
		g.NodeOf("sun").Zone, g.NodeOf("home").Zone = "east", "west"
		g.Grid.ZoneFees = []*gridv1.ZoneFee{{FromZone: "east", ToZone: "west", FeeUcoinPerKwh: 20_000}}
	}
	m := corrected(t, zones, map[string]flow{"sun": {0, 1000}, "home": {1000, 0}})
	check := func(soldWh, fee, certified, reclaimed, netted int64) {
		m.T.Helper()
		got, home := ledger(m), statement(m, "home")
		if len(got) != 1 || got[0].SoldWh != soldWh || got[0].FeeUcoin != fee {
			m.T.Errorf("ledger %v, want %d Wh and %d ucoin", got, soldWh, fee)
		}
		if home.Trades[0].CertifiedWh != certified || home.CertificatesReclaimedWh != reclaimed || home.CertificatesNettedWh != netted ||
			home.CertificatesWh != 1000 || heldBy(m, "home") != 1000 {
			m.T.Errorf("held %d, want 1000; certified %d, reclaimed %d, netted %d in %v", heldBy(m, "home"), certified, reclaimed, netted, home)
		}
	}
	check(1000, 20_000, 1000, 0, 0)
	correctEnd(m, "sun", flow{out: -400})
	check(600, 12_000, 600, 400, 0)
	correctEnd(m, "sun", flow{out: 400})
	check(1000, 20_000, 1000, 400, 400)
	correctEnd(m, "home", flow{in: -250})
	check(750, 15_000, 750, 650, 400)
}
