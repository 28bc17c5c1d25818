package settlement_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/origin"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/settlement"
)

// p2 is the period after p: what charges in p is sold in p2.
const p2 = p + length

// ofSun is solar energy of the month of p in a stock, unknown such without
// certificates.
func ofSun(wh int64) *originv1.Batch {
	return &originv1.Batch{EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR, Month: units.MonthOf(p), EnergyWh: wh}
}

func unknown(wh int64) *originv1.Batch { return &originv1.Batch{EnergyWh: wh} }

// stocks makes the meter of cell that of a battery of which 90 % come back.
func stocks(g *market.Genesis) {
	correctable(g)
	meter("cell", registryv1.EnergyType_ENERGY_TYPE_STORAGE, 1)(g)
	g.Params().StorageEfficiencyPpm = 900_000
}

func stockOf(m *market.Market, name string) []*originv1.Batch {
	m.T.Helper()
	account := market.Address(name)
	answer, err := market.Query[*originv1.QueryCertificatesResponse](m, &originv1.QueryCertificatesRequest{Account: account[:]})
	if err != nil {
		m.T.Fatal(err)
	}
	return answer.Stock.GetBatches()
}

func batches(m *market.Market, what string, got []*originv1.Batch, want ...*originv1.Batch) {
	m.T.Helper()
	if a, b := (&originv1.Stock{Batches: got}), (&originv1.Stock{Batches: want}); !proto.Equal(a, b) {
		m.T.Errorf("%s: %v, want %v", what, a, b)
	}
}

// deliverOn is deliver with a block at the gate of p2.
func deliverOn(m *market.Market, flows map[string]flow, names ...string) {
	m.T.Helper()
	deliverUntil(m, names...)
	m.Block(p2 - 3_000)
	m.Begin(p2 + 500)
	for _, name := range names {
		m.Read(name, p2, flows[name].in, flows[name].out)
	}
	m.End()
}

func statementAt(m *market.Market, period int64, name string) *settlementv1.Statement {
	m.T.Helper()
	s, ok := settlement.StatementOf(m.Store, period, market.Address(name))
	if !ok {
		m.T.Fatalf("no statement of %s", name)
	}
	return s
}

// TestStorage: what charged with certificates is sold with them, less what the
// efficiency takes; first in, first out with what charged without.
func TestStorage(t *testing.T) {
	full := map[string]flow{"sun": {0, 1000}, "cell": {1000, 0}, "home": {}}
	only := func(edits ...func(*market.Genesis)) func(*market.Genesis) {
		return func(g *market.Genesis) {
			stocks(g)
			for _, edit := range edits {
				edit(g)
			}
		}
	}
	other := func(energyType registryv1.EnergyType) func(*market.Genesis) {
		return func(g *market.Genesis) {
			m := proto.Clone(g.MeterOf("cell")).(*registryv1.Meter)
			m.Meter, m.EnergyType, m.Environment = market.Meter("beside"), energyType, 0
			g.Registry.Meters = append(g.Registry.Meters, m)
		}
	}
	for _, tc := range []struct {
		name       string
		edit       func(*market.Genesis)
		flows      map[string]flow
		sold       int64
		cell, home flow
		origins    []*originv1.Batch // of what it sold
		left       []*originv1.Batch
		stored     int64 // certificates cancelled in p
		kept       int64 // certificates that cell holds in the end
		issued     int64 // to home
	}{
		{
			"all of it", stocks, full, 900,
			flow{0, 900},
			flow{900, 0},
			[]*originv1.Batch{ofSun(900)},
			nil, 1000, 0, 900,
		},
		{
			"some of it", stocks, full, 500,
			flow{0, 500},
			flow{500, 0},
			[]*originv1.Batch{ofSun(500)},
			[]*originv1.Batch{ofSun(400)},
			1000, 0, 500,
		},
		{
			"energy of the grid dilutes", stocks,
			map[string]flow{"sun": {0, 1000}, "cell": {2000, 0}},
			1500,
			flow{0, 1500},
			flow{1500, 0},
			[]*originv1.Batch{ofSun(900), unknown(600)},
			[]*originv1.Batch{unknown(300)},
			1000, 0, 900,
		},
		{
			"what charged less keeps certificates", stocks,
			map[string]flow{"sun": {0, 1000}, "cell": {600, 0}},
			100,
			flow{0, 100},
			flow{100, 0},
			[]*originv1.Batch{ofSun(100)},
			[]*originv1.Batch{ofSun(440)},
			600, 0, 100,
		},
		{
			"what the grid takes is spent", stocks, full, 500,
			flow{0, 800},
			flow{500, 0},
			[]*originv1.Batch{ofSun(500)},
			[]*originv1.Batch{ofSun(100)},
			1000, 0, 500,
		},
		{
			"a short buyer has no more than it took", stocks, full, 900,
			flow{0, 900},
			flow{400, 0},
			[]*originv1.Batch{ofSun(400)},
			nil, 1000, 0, 400,
		},
		{
			"more than the stock", stocks, full, 2000,
			flow{0, 2000},
			flow{2000, 0},
			[]*originv1.Batch{ofSun(900), unknown(1100)},
			nil, 1000, 0, 900,
		},
		{
			"charged and sold in one period", stocks, full, 1000,
			flow{100, 1000},
			flow{1000, 0},
			[]*originv1.Batch{ofSun(900), unknown(100)},
			[]*originv1.Batch{unknown(90)},
			1000, 0, 900,
		},
		{
			"the loss on the way is retired", only(func(g *market.Genesis) { g.Params().DefaultLossPpmPerKm = 10_000 }),
			full, 800,
			flow{0, 800},
			flow{800, 0},
			[]*originv1.Batch{ofSun(800)},
			[]*originv1.Batch{ofSun(99)},
			999, 0, 800,
		},
		{"no stock by default", only(func(g *market.Genesis) { g.Params().StorageEfficiencyPpm = 0 }), full, 900, flow{0, 900}, flow{900, 0}, nil, nil, 0, 1000, 0},
		{"a meter of consumption beside it", only(other(0)), full, 900, flow{0, 900}, flow{900, 0}, nil, nil, 0, 1000, 0},
		{"a fossil meter beside it", only(other(registryv1.EnergyType_ENERGY_TYPE_FOSSIL)), full, 900, flow{0, 900}, flow{900, 0}, nil, nil, 0, 1000, 0},
		{"two batteries", only(other(registryv1.EnergyType_ENERGY_TYPE_STORAGE)), full, 900, flow{0, 900}, flow{900, 0}, []*originv1.Batch{ofSun(900)}, nil, 1000, 0, 900},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := market.New(t, tc.edit, "sun", "cell", "home")
			beside := registeredMeter(m, "beside")
			m.Must("sun", sell(p, 200_000, 1000, "sun"))
			m.Must("cell", buy(p, 300_000, 1000))
			m.Must("cell", sell(p2, 200_000, tc.sold, "cell"))
			m.Must("home", buy(p2, 300_000, tc.sold))
			m.End()
			names := []string{"sun", "cell", "home"}
			flows := map[string]flow{"home": {}, "sun": tc.flows["sun"], "cell": tc.flows["cell"]}
			if beside {
				names, flows["beside"] = append(names, "beside"), flow{}
			}
			deliverOn(m, flows, names...)
			m.Begin(p2 + length + 500)
			for name, f := range map[string]flow{"sun": {}, "cell": tc.cell, "home": tc.home} {
				m.Read(name, p2+length, f.in, f.out)
			}
			if beside {
				m.Read("beside", p2+length, 0, 0)
			}
			m.End()
			bought, trade := statementAt(m, p2, "home"), statementAt(m, p2, "cell").Trades[0]
			batches(m, "sold", trade.Origins, tc.origins...)
			batches(m, "left", stockOf(m, "cell"), tc.left...)
			certified := int64(0)
			for _, b := range tc.origins {
				if b.EnergyType != 0 {
					certified += b.EnergyWh
				}
			}
			if trade.CertifiedWh != certified || bought.CertificatesWh+bought.CertificatesLostWh != tc.issued || heldBy(m, "home") != bought.CertificatesWh {
				t.Errorf("certified %d, home holds %d: %v", trade.CertifiedWh, heldBy(m, "home"), bought)
			}
			charged := statement(m, "cell")
			if charged.CertificatesStoredWh != tc.stored {
				t.Errorf("stored %d, want %d", charged.CertificatesStoredWh, tc.stored)
			}
			if tc.kept != 0 && heldBy(m, "cell") != tc.kept {
				t.Errorf("cell holds %d, want %d", heldBy(m, "cell"), tc.kept)
			}
		})
	}
}

func registeredMeter(m *market.Market, name string) bool {
	_, ok := registry.MeterOf(m.Store, market.Meter(name))
	return ok
}

// charged is a market in which cell charged 1000 Wh of sun in p, and sold 500 of
// them to home in p2.
func charged(t *testing.T, edit func(*market.Genesis)) *market.Market {
	t.Helper()
	m := market.New(t, edit, "sun", "cell", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("cell", buy(p, 300_000, 1000))
	m.Must("cell", sell(p2, 200_000, 500, "cell"))
	m.Must("home", buy(p2, 300_000, 500))
	m.End()
	deliverOn(m, map[string]flow{"sun": {0, 1000}, "cell": {1000, 0}, "home": {}}, "sun", "cell", "home")
	for i := int64(2); i <= 3; i++ {
		m.Begin(p + i*length + 500)
		m.Read("sun", p+i*length, 0, 500)
		m.Read("cell", p+i*length, 500*(i-2), 500*(3-i)) // 500 sold, then 500 charged
		m.Read("home", p+i*length, 500*(3-i), 0)
		m.End()
	}
	return m
}

// TestStorageCorrected: corrections change how much is in the stock, not what was
// issued of it.
func TestStorageCorrected(t *testing.T) {
	m := charged(t, stocks)
	batches(m, "in stock", stockOf(m, "cell"), ofSun(400), unknown(450))
	// 200 Wh less were charged in p, and 200 less discharged in p2: both come later.
	m.Begin(m.TimeMs + 100)
	if err := m.Correct("cell", p2, -200, 0); err != nil {
		t.Fatal(err)
	}
	m.End()
	// Out of p: 180 of the newest, without certificates; into p2: 180 at the end.
	batches(m, "charged later", stockOf(m, "cell"), ofSun(400), unknown(450))
	m.Begin(m.TimeMs + 100)
	if err := m.Correct("cell", p2+length, 0, -200); err != nil {
		t.Fatal(err)
	}
	m.End()
	// Back to the front without certificates, and taken there by the next period.
	batches(m, "discharged later", stockOf(m, "cell"), ofSun(400), unknown(450))
	if s := statementAt(m, p2, "home"); s.CertificatesWh != 500 || s.CertificatesReclaimedWh != 0 || s.BoughtWh != 300 || heldBy(m, "home") != 500 {
		t.Errorf("home holds %d: %v", heldBy(m, "home"), s)
	}
	// More was charged in p, less in p2: who holds certificates has them cancelled.
	m.Must("home", &originv1.MsgTransferCertificate{To: addressOf("cell"), EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR, Month: units.MonthOf(p), EnergyWh: 100})
	m.Begin(m.TimeMs + 100)
	if err := m.Correct("cell", p2, 100, 0); err != nil {
		t.Fatal(err)
	}
	m.End()
	if s := statement(m, "cell"); s.CertificatesStoredWh != 1100 {
		t.Errorf("cancelled %d, want 1100", s.CertificatesStoredWh)
	}
}

func addressOf(name string) []byte {
	address := market.Address(name)
	return address[:]
}

// TestStorageUnseen: energy that was estimated or came late has no certificates, but
// it is in the stock, and out of it.
func TestStorageUnseen(t *testing.T) {
	for _, late := range []bool{true, false} {
		m := market.New(t, stocks, "sun", "cell")
		_, err := origin.Issue(m.Ctx("cell"), market.Address("cell"), []origin.Delivery{{
			Seller: market.Address("sun"), EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR, Month: units.MonthOf(p), EnergyWh: 700,
		}})
		if err != nil {
			t.Fatal(err)
		}
		m.End()
		deliver(m, map[string]flow{"sun": {0, 1000}}, "sun", "cell")
		if late {
			m.Block(p + 2*length + 500)
			m.Block(overdue)
			m.Begin(overdue + 1000)
			m.Read("cell", p+length, 1000, 100)
			m.End()
		} else {
			m.Begin(p + 2*length + 500) // a gap of two periods
			m.Read("cell", p+2*length, 2000, 200)
			m.End()
		}
		s := statement(m, "cell")
		if s.CertificatesStoredWh != 0 || s.ImportWh != 1000 || s.Estimated == late {
			t.Errorf("late %t: %v", late, s)
		}
		want := int64(800)
		if !late {
			want *= 2
		}
		batches(m, "in stock", stockOf(m, "cell"), unknown(want))
		if got := heldBy(m, "cell"); got != 700 {
			t.Errorf("late %t: cell holds %d of 700", late, got)
		}
	}
}

// TestStorageByContract: energy by contract comes out of the stock as well.
func TestStorageByContract(t *testing.T) {
	m := market.New(t, stocks, "sun", "cell", "home")
	agree(m, "sun", "cell", proposal("sun", "cell", 250_000))
	agree(m, "cell", "home", proposal("cell", "home", 250_000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 1000}, "cell": {1000, 0}, "home": {}}, "sun", "cell", "home")
	m.Begin(p2 + length + 500)
	m.Read("sun", p2+length, 0, 0)
	m.Read("cell", p2+length, 0, 700)
	m.Read("home", p2+length, 600, 0)
	m.End()
	trade := statementAt(m, p2, "cell").Trades[0]
	batches(m, "sold", trade.Origins, ofSun(600))
	batches(m, "left", stockOf(m, "cell"), ofSun(200))
	if trade.Environment != 1 || heldBy(m, "home") != 600 {
		t.Errorf("home holds %d: %v", heldBy(m, "home"), trade)
	}
}

// TestStorageEnvironment: an order of storage is clean if its stock has certificates
// for all of it when it is placed, and for what the account offered before it in the
// period: a Wh in stock makes one offered Wh clean.
func TestStorageEnvironment(t *testing.T) {
	m := charged(t, stocks) // 400 Wh of sun, then 450 without certificates
	next := m.TimeMs - m.TimeMs%length + 2*length
	m.Begin(m.TimeMs + 100)
	for _, tc := range []struct{ wh, want int64 }{{300, 1}, {100, 1}, {1, 0}, {400, 0}} {
		m.Must("cell", sell(next, 200_000, tc.wh, "cell"))
		placed := market.Happened[*matchingv1.SellPlaced](m)
		if got := placed[len(placed)-1].Order.Environment; got != tc.want {
			t.Errorf("%d Wh: index %d, want %d", tc.wh, got, tc.want)
		}
	}
	off := charged(t, func(g *market.Genesis) {
		stocks(g)
		g.Params().StorageEfficiencyPpm = 0
	})
	off.Begin(off.TimeMs + 100)
	off.Must("cell", sell(next, 200_000, 5000, "cell"))
	if got := market.Happened[*matchingv1.SellPlaced](off)[0].Order.Environment; got != 1 {
		t.Errorf("without stocks: index %d, want that of the meter", got)
	}
}
