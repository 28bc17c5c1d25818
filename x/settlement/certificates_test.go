package settlement_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/units"
)

// heldBy returns what a member holds of solar certificates of the month of p.
func heldBy(m *market.Market, name string) int64 {
	m.T.Helper()
	account := market.Address(name)
	answer, err := market.Query[*originv1.QueryCertificatesResponse](m, &originv1.QueryCertificatesRequest{Account: account[:]})
	if err != nil {
		m.T.Fatal(err)
	}
	for _, h := range answer.Holdings {
		if h.EnergyType == registryv1.EnergyType_ENERGY_TYPE_SOLAR && h.Month == units.MonthOf(p) {
			return h.HeldWh
		}
	}
	return 0
}

// meter changes the energy type of a member's meter.
func meter(name string, energyType registryv1.EnergyType, environment int64) func(*market.Genesis) {
	return func(g *market.Genesis) {
		m := g.MeterOf(name)
		m.EnergyType, m.Environment = energyType, environment
	}
}

// second gives sun a second billing meter.
func second(energyType registryv1.EnergyType, environment int64) func(*market.Genesis) {
	return func(g *market.Genesis) {
		m := proto.Clone(g.MeterOf("sun")).(*registryv1.Meter)
		m.Meter, m.EnergyType, m.Environment = market.Meter("other"), energyType, environment
		g.Registry.Meters = append(g.Registry.Meters, m)
	}
}

// TestCertificates: sun sells 1000 Wh of 1000 to home. What of them is certified
// depends on its meters and on how both sides were measured.
func TestCertificates(t *testing.T) {
	const fossil, storage, wind, none = registryv1.EnergyType_ENERGY_TYPE_FOSSIL, registryv1.EnergyType_ENERGY_TYPE_STORAGE,
		registryv1.EnergyType_ENERGY_TYPE_WIND, registryv1.EnergyType_ENERGY_TYPE_UNSPECIFIED
	sigma := func(g *market.Genesis) { g.Params().SigmaPpm = 200_000 }
	for _, tc := range []struct {
		name      string
		edit      func(*market.Genesis)
		sun, home flow
		certified int64 // of what was sold, at the seller's meter
		issued    int64 // what of it arrived
		second    bool  // sun has a second meter
	}{
		{"all", nil, flow{0, 1500}, flow{1200, 0}, 1000, 999, false},
		{"the seller is short", nil, flow{0, 400}, flow{1200, 0}, 400, 400, false},
		{"the buyer is short", nil, flow{0, 1500}, flow{300, 0}, 300, 300, false},
		{"nothing was exported", nil, flow{10, 0}, flow{1200, 0}, 0, 0, false},
		{"the tolerance was not measured", sigma, flow{0, 900}, flow{1200, 0}, 900, 900, false},
		{"the buyer's tolerance takes nothing away", sigma, flow{0, 1500}, flow{900, 0}, 1000, 999, false},
		{"fossil", meter("sun", fossil, 0), flow{0, 1500}, flow{1200, 0}, 0, 0, false},
		{"storage", meter("sun", storage, 1), flow{0, 1500}, flow{1200, 0}, 0, 0, false},
		{"no type", meter("sun", none, 0), flow{0, 1500}, flow{1200, 0}, 0, 0, false},
		{"the buyer's meter does not matter", meter("home", fossil, 0), flow{0, 1500}, flow{1200, 0}, 1000, 999, false},
		{"a fossil meter beside it", second(fossil, 0), flow{0, 1500}, flow{1200, 0}, 0, 0, true},
		{"a meter of wind beside it", second(wind, 1), flow{0, 1500}, flow{1200, 0}, 0, 0, true},
		{"a meter of consumption beside it", second(none, 0), flow{0, 1500}, flow{1200, 0}, 1000, 999, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := market.New(t, tc.edit, "sun", "home")
			m.Must("sun", sell(p, 200_000, 2000, "sun"))
			m.Must("home", buy(p, 300_000, 1000))
			m.End()
			names := []string{"sun", "home"}
			if tc.second {
				names = append(names, "other")
			}
			deliver(m, map[string]flow{"sun": tc.sun, "home": tc.home, "other": {}}, names...)
			trade, bought := statement(m, "sun").Trades[0], statement(m, "home")
			if trade.CertifiedWh != tc.certified || bought.CertificatesWh != tc.issued || bought.CertificatesLostWh != tc.certified-tc.issued || heldBy(m, "home") != tc.issued {
				t.Errorf("certified %d, statement %v, held %d; want %d and %d", trade.CertifiedWh, bought, heldBy(m, "home"), tc.certified, tc.issued)
			}
			if heldBy(m, "sun") != 0 {
				t.Errorf("the seller holds %d", heldBy(m, "sun"))
			}
		})
	}
}

// TestCertificatesByContract: energy by contract has certificates like that of the
// market.
func TestCertificatesByContract(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	agree(m, "sun", "home", proposal("sun", "home", 250_000))
	m.End()
	deliver(m, map[string]flow{"sun": {0, 2000}, "home": {1000, 0}}, "sun", "home")
	if s := statement(m, "home"); s.CertificatesWh != 1000 || s.CertificatesLostWh != 1 || heldBy(m, "home") != 1000 {
		t.Errorf("held %d, want 1000 of 1001: %v", heldBy(m, "home"), s)
	}
}

// TestNoCertificateUnseen: what stands in for missing or estimated registers is
// not certified, nor later.
func TestNoCertificateUnseen(t *testing.T) {
	check := func(m *market.Market, who string) {
		m.T.Helper()
		for _, name := range []string{"sun", "home"} {
			s := statement(m, name)
			if s.CertificatesWh != 0 || heldBy(m, name) != 0 || len(s.Trades) != 1 || s.Trades[0].CertifiedWh != 0 {
				m.T.Errorf("%s: %s has certificates: %v", who, name, s)
			}
		}
	}
	for _, missing := range []string{"sun", "home"} {
		flows := map[string]flow{"sun": {0, 1000}, "home": {1000, 0}}
		late := flows[missing]
		delete(flows, missing)
		m := pair(t, flows)
		check(m, missing+" missing")
		m.Begin(overdue + 1000)
		m.Read(missing, p+length, late.in, late.out)
		m.End()
		check(m, missing+" late")
	}
	for _, byContract := range []bool{false, true} {
		for _, estimated := range []string{"sun", "home"} {
			m := market.New(t, noLoss, "sun", "home")
			if byContract {
				agree(m, "sun", "home", proposal("sun", "home", 250_000))
			} else {
				m.Must("sun", sell(p, 200_000, 1000, "sun"))
				m.Must("home", buy(p, 300_000, 1000))
			}
			m.End()
			deliver(m, nil)
			m.Begin(p + 2*length + 500)
			for _, name := range []string{"sun", "home"} {
				m.Read(name, start, 0, 0)
				if name != estimated {
					m.Read(name, p, 0, 0)
					m.Read(name, p+length, 1000, 1000)
				}
				m.Read(name, p+2*length, 5000, 5000)
			}
			m.End()
			if s := statement(m, estimated); !s.Estimated {
				t.Fatalf("%s is not estimated: %v", estimated, s)
			}
			check(m, estimated+" estimated")
		}
	}
}
