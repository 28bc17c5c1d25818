package dispatch_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

func samePoints(t *testing.T, m *market.Market, name string, version, unplanned int64, want map[string]int64) {
	t.Helper()
	if diff := cmp.Diff(want, points(m, name)); diff != "" {
		t.Errorf("set-points of %s (-want +got):\n%s", name, diff)
	}
	if plan := periodOf(m, name).GetPlan(); plan.GetVersion() != version || plan.GetUnplannedW() != unplanned {
		t.Errorf("plan of %s: %v, want version %d and %d W left over", name, plan, version, unplanned)
	}
}

// TestPlanned: 1000 Wh in ten seconds are 360 kW, shared 1 to 3; what arrives of
// them is 999 Wh. What goes the other way and switches have no part.
func TestPlanned(t *testing.T) {
	m := planned(t)
	samePoints(t, m, "sun", 1, 0, map[string]int64{"roof": 90_000, "store": 270_000})
	samePoints(t, m, "home", 1, 0, map[string]int64{"heater": -999 * watt})
	if got := periodOf(m, "home").Plan; got.EnergyWh != -999 || got.PowerW != -999*watt {
		t.Errorf("plan of home: %v", got)
	}
	if d := duty(m, "heater", p); d == nil || d.Version != 1 || d.PowerW != -999*watt || d.Command != nil {
		t.Errorf("the gateway is asked %v of the heater", d)
	}
	for _, name := range []string{"pump", "relay"} {
		if d := duty(m, name, p); d != nil {
			t.Errorf("the gateway is asked %v of the %s", d, name)
		}
	}
	if n := len(market.Happened[*dispatchv1.DispatchPlanned](m)); n != 2 {
		t.Errorf("%d plans made, want 2", n)
	}
	m.Block(gate + 1000)
	if n := len(market.Happened[*dispatchv1.DispatchPlanned](m)); n != 0 {
		t.Errorf("%d plans made again", n)
	}
}

// TestBeyondLimits: what the devices cannot feed is left over.
func TestBeyondLimits(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", device("roof", generator, 100_000, 0))
	m.Must("sun", device("shed", generator, 7, 0))
	m.Must("home", device("relay", relay, 0, 0))
	trade(m, 1000)
	m.End()
	m.Block(gate)
	samePoints(t, m, "sun", 1, 360_000-100_007, map[string]int64{"roof": 100_000, "shed": 7})
	samePoints(t, m, "home", 1, -999*watt, map[string]int64{})
}

// TestWaitsForTheBook: there is no plan as long as a signature is awaited, and none
// of what was vetoed.
func TestWaitsForTheBook(t *testing.T) {
	for _, veto := range []bool{false, true} {
		m := market.New(t, nil, "sun", "home")
		m.Must("sun", device("roof", generator, 400_000, 0))
		yes := &matchingv1.Consent{Standing: true}
		m.Must("sun", &matchingv1.MsgPlaceSell{Period: p, PriceUcoinPerKwh: 200_000, EnergyWh: 1000, Meter: market.Meter("sun"), Consent: yes})
		m.Must("home", &matchingv1.MsgPlaceBuy{Period: p, PriceUcoinPerKwh: 300_000, EnergyWh: 1000, Weights: &matchingv1.Weights{Price: 1000}})
		m.End()
		m.Block(gate)
		if got := periodOf(m, "sun"); got != nil {
			t.Fatalf("planned before the book is final: %v", got)
		}
		home := market.Address("home")
		waits, err := market.Query[*matchingv1.QueryMatchesResponse](m, &matchingv1.QueryMatchesRequest{Period: p, Account: home[:]})
		if err != nil || len(waits.Prematches) != 1 {
			t.Fatalf("pre-matches %v, %v", waits, err)
		}
		m.Begin(gate + 1000)
		m.Must("home", &matchingv1.MsgConfirm{Period: p, Match: waits.Prematches[0].Id, Veto: veto})
		m.End()
		m.Block(gate + 1001)
		if veto {
			if got := periodOf(m, "sun"); got != nil {
				t.Errorf("planned after a veto: %v", got)
			}
			continue
		}
		samePoints(t, m, "sun", 1, 0, map[string]int64{"roof": 360_000})
	}
}

// TestVersions: each change of the devices makes a version, until the period ends.
func TestVersions(t *testing.T) {
	m := planned(t)
	m.Begin(gate + 1000)
	m.Must("sun", device("roof", generator, 100_000, 0)) // as it was
	samePoints(t, m, "sun", 1, 0, map[string]int64{"roof": 90_000, "store": 270_000})
	m.Must("sun", device("roof", generator, 300_000, 0))
	samePoints(t, m, "sun", 2, 0, map[string]int64{"roof": 180_000, "store": 180_000})
	m.End()
	m.Begin(p + 1) // it has begun
	m.Must("sun", &dispatchv1.MsgRemoveDevice{Device: "store"})
	samePoints(t, m, "sun", 3, 60_000, map[string]int64{"roof": 300_000})
	m.Must("sun", &dispatchv1.MsgRemoveDevice{Device: "roof"})
	samePoints(t, m, "sun", 4, 360_000, map[string]int64{})
	m.End()
	m.Begin(p + 2)
	m.Must("sun", device("roof", generator, 360_000, 0))
	m.End()
	m.Begin(p + length)
	m.Must("sun", device("roof", generator, 10, 0))
	m.Must("home", &dispatchv1.MsgRemoveDevice{Device: "heater"})
	m.End()
	samePoints(t, m, "sun", 5, 0, map[string]int64{"roof": 360_000})
	samePoints(t, m, "home", 1, 0, map[string]int64{"heater": -999 * watt})
}

// TestSetAfterTheBook: a first device set when the book is final is planned at once.
func TestSetAfterTheBook(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	trade(m, 1000)
	m.End()
	m.Block(gate)
	m.Begin(gate + 1)
	m.Must("sun", device("roof", generator, 360_000, 0))
	m.End()
	samePoints(t, m, "sun", 1, 0, map[string]int64{"roof": 360_000})
	if got := periodOf(m, "home"); got != nil {
		t.Errorf("planned for who has no device: %v", got)
	}
}

// TestRevoked: its devices go with their commands; what it matched is left over.
func TestRevoked(t *testing.T) {
	m := planned(t)
	sun := market.Address("sun")
	m.Begin(gate + 1)
	m.Must("sun", power("store", p, p+length, 5))
	m.Decree(&registryv1.MsgRevoke{Account: sun[:], Reason: "left"})
	m.End()
	samePoints(t, m, "sun", 2, 360_000, map[string]int64{})
	if n := len(market.Happened[*dispatchv1.DeviceRemoved](m)); n != 4 || duty(m, "store", p) != nil {
		t.Errorf("%d devices removed, duty %v", n, duty(m, "store", p))
	}
}

// TestMeasured: planned, done and measured stand side by side, until they are old.
func TestMeasured(t *testing.T) {
	m := planned(t)
	m.Begin(p + 1)
	m.Read("home", p, 0, 0)
	m.Must("gateway", said(done("heater", p, 1, 0, p+1)))
	m.End()
	if got := periodOf(m, "home"); got.Measured || len(got.Devices) != 1 || got.Devices[0].Done.GetAppliedW() != 5 {
		t.Errorf("got %v, want nothing measured yet", got)
	}
	m.Begin(p + length)
	m.Read("home", p+length, 990, 0)
	m.End()
	m.Block(p + length + 1)
	if got := periodOf(m, "home"); !got.Measured || got.ImportWh != 990 || got.ExportWh != 0 {
		t.Errorf("got %v, want 990 Wh measured though sun's meter is silent", got)
	}
	m.Block(p + 6*length)
	if periodOf(m, "home") == nil || periodOf(m, "sun") == nil {
		t.Error("the plan is gone before six periods")
	}
	m.Block(p + 7*length)
	if got := periodOf(m, "home"); got != nil {
		t.Errorf("%v is kept after six periods", got)
	}
}
