package demo

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newTestMarket(t testing.TB, s *Scenario, seed uint64) *Market {
	t.Helper()
	m, err := NewMarket(s, DefaultTariff, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestTariffBounds(t *testing.T) {
	s := Generate(1, 2, 2)
	for _, c := range []struct {
		tariff Tariff
		want   string
	}{
		{Tariff{0, 0}, ""},
		{Tariff{maxPrice, maxPrice}, ""},
		{Tariff{-1, 0}, "retail: expected 0 to 1000000000 ucoin per kWh, got -1"},
		{Tariff{maxPrice + 1, 0}, "retail: expected 0 to 1000000000 ucoin per kWh, got 1000000001"},
		{Tariff{5, 6}, "feed-in: expected 0 to retail (5) ucoin per kWh, got 6"},
		{Tariff{5, -1}, "feed-in: expected 0 to retail (5) ucoin per kWh, got -1"},
	} {
		m, err := NewMarket(s, c.tariff, 1)
		if got := errText(err); got != c.want {
			t.Errorf("%+v: got %q, want %q", c.tariff, got, c.want)
		}
		if err != nil {
			continue
		}
		// orders can be drawn at the extremes too
		for p := range m.Participants {
			m.Order(p, 96+48)
		}
	}
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// An order depends on seed, participant and interval, not on what was drawn
// before.
func TestOrdersAreDeterministic(t *testing.T) {
	s := Generate(2, 30, 3)
	a, b := newTestMarket(t, s, 9), newTestMarket(t, s, 9)
	other := newTestMarket(t, s, 10)
	var differ int
	for i := s.Intervals() - 1; i >= 0; i -= 7 {
		for p := range b.Participants {
			b.Order(p, i)
		}
	}
	for i := range s.Intervals() {
		for p := range a.Participants {
			x, xok := a.Order(p, i)
			y, yok := b.Order(p, i)
			if diff := cmp.Diff(x, y); diff != "" || xok != yok {
				t.Fatalf("participant %d interval %d: %s", p, i, diff)
			}
			if z, _ := other.Order(p, i); z.Price != x.Price {
				differ++
			}
		}
	}
	if differ < 1000 {
		t.Errorf("another seed changed %d prices only", differ)
	}
}

// Orders obey their bounds, and every draw that should occur does.
func TestOrders(t *testing.T) {
	s := Generate(4, 55, 4)
	m := newTestMarket(t, s, 1)
	tariff := m.Tariff
	var buys, sells, explicit, unclean int64
	wanted := map[EnergyType]int{}
	for i := range s.Intervals() {
		for p, who := range m.Participants {
			o, ok := m.Order(p, i)
			importWh, exportWh, known := m.Forecast(p, i)
			if ok != (known && importWh+exportWh > 0) {
				t.Fatalf("interval %d: order %v for forecast %d, %d, %v", i, ok, importWh, exportWh, known)
			}
			if !ok {
				if o != (Order{}) {
					t.Fatalf("no order but %+v", o)
				}
				continue
			}
			if !o.Standing {
				explicit++
			}
			if o.Participant != p || o.EnergyWh != importWh+exportWh || o.Sell != (exportWh > 0) {
				t.Fatalf("got %+v for forecast %d, %d", o, importWh, exportWh)
			}
			if o.EnergyWh*3600 > m.RatingW(p)*int64(s.Interval/time.Second) {
				t.Fatalf("%s: %d Wh exceeds rating %d W", who.Name, o.EnergyWh, m.RatingW(p))
			}
			if o.Sell {
				sells++
				low, high := int64(500_000), int64(600_000)
				if who.Energy == Fossil {
					low, high = 400_000, 500_000
				}
				if o.Price < low || o.Price > high || o.Wishes != (Wishes{}) || who.Energy == "" {
					t.Fatalf("%s (%s): got %+v", who.Name, who.Energy, o)
				}
				continue
			}
			buys++
			w := o.Wishes
			wanted[w.WantedType]++
			unclean += 1 - w.WantedEnvironment
			if o.Price < 400_000 || o.Price > tariff.Retail*(1_000_000-w.MaxLossPpm)/1_000_000 {
				t.Fatalf("bid %d with greatest loss %d ppm", o.Price, w.MaxLossPpm)
			}
			if w.WantedLossPpm > w.MaxLossPpm || w.MaxLossPpm > 100_000 || w.WantedCredit < 50 || w.WantedCredit > 100 {
				t.Fatalf("wishes %+v", w)
			}
			for _, weight := range []int64{w.Weights.Price, w.Weights.Energy, w.Weights.Environment, w.Weights.Credit, w.Weights.Loss, w.Weights.EnergyType} {
				if weight < 0 || weight > 1000 {
					t.Fatalf("weights %+v", w.Weights)
				}
			}
		}
	}
	all := buys + sells
	if buys < 5000 || sells < 1000 || explicit*10 < all || explicit*7 > all {
		t.Errorf("%d buys, %d sells, %d explicit", buys, sells, explicit)
	}
	if unclean*5 < buys || unclean*3 > buys || len(wanted) != 6 {
		t.Errorf("%d of %d want fossil, types %v", unclean, buys, wanted)
	}
}

// Among many PV members all clean types but storage occur, solar mostly; the
// demo's own sellers bring fossil and storage.
func TestEnergyTypes(t *testing.T) {
	s := Generate(1, 1000, 2)
	m := newTestMarket(t, s, 1)
	n := map[EnergyType]int{}
	for i, p := range m.Participants {
		n[p.Energy]++
		if p.Own != (i >= 1000) {
			t.Errorf("participant %d: own %v", i, p.Own)
		}
		if !p.Own && (p.PVWatt > 0) != (p.Energy != "") {
			t.Errorf("%s: %d W, type %q", p.Name, p.PVWatt, p.Energy)
		}
	}
	if n[""] != 550 || n[Fossil] != 2 || n[Storage] != 2 || n[Solar] < 270 || n[Wind] < 20 || n[Hydro] < 20 || n[Biomass] < 20 {
		t.Errorf("got %v", n)
	}
	if Fossil.Clean() || !Storage.Clean() || !Solar.Clean() {
		t.Error("all types but fossil are clean")
	}
}

// The demo's own sellers are connected, differ by day, and export about as
// much as the PV of the neighbourhood.
func TestOwnSellers(t *testing.T) {
	for name, s := range map[string]*Scenario{"generated": Generate(1, 55, 4), "without lines": withoutLines(Generate(1, 55, 4))} {
		t.Run(name, func(t *testing.T) { testOwnSellers(t, s) })
	}
	t.Run("measured", func(t *testing.T) { testOwnSellers(t, loadScenario55(t)) })
}

func withoutLines(s *Scenario) *Scenario {
	s.Lines = nil
	return s
}

func testOwnSellers(t *testing.T, s *Scenario) {
	m := newTestMarket(t, s, 1)
	members := len(s.Members)
	if len(m.Participants) != members+4 {
		t.Fatalf("%d participants", len(m.Participants))
	}
	if want := len(s.Lines) + 4; len(s.Lines) > 0 && len(m.Lines) != want || len(s.Lines) == 0 && len(m.Lines) != 0 {
		t.Errorf("%d lines, scenario %d", len(m.Lines), len(s.Lines))
	}
	known := map[string]bool{}
	for _, l := range s.Lines {
		known[l.FromBus], known[l.ToBus] = true, true
	}
	for _, l := range m.Lines[len(s.Lines):] {
		if !known[l.FromBus] || known[l.ToBus] || l.LengthMM <= 0 {
			t.Errorf("own line %+v", l)
		}
	}
	var ownWh, pvExportWh, changed int64
	for i := range s.Intervals() {
		for p := range m.Participants {
			importWh, exportWh := m.Meter(p, i)
			if p < members {
				pvExportWh += exportWh
				continue
			}
			ownWh += exportWh
			if importWh != 0 {
				t.Fatalf("%s imports", m.Participants[p].Name)
			}
			if _, forecast, ok := m.Forecast(p, i); ok && forecast != exportWh {
				changed++
			}
		}
	}
	if changed == 0 {
		t.Error("own sellers do the same every day")
	}
	if ownWh*4 < pvExportWh || ownWh > 4*pvExportWh {
		t.Errorf("own sellers export %d Wh, PV members %d Wh", ownWh, pvExportWh)
	}
	for p := members; p < len(m.Participants); p++ {
		if w := m.RatingW(p); w < 500 || w > 20_000 {
			t.Errorf("%s: rating %d W", m.Participants[p].Name, w)
		}
	}
}

// In the measured scenario there is something to trade in each of the first
// periods the demo plays: asks that bids can meet, clean and fossil ones.
func TestBooksCanTrade(t *testing.T) {
	s := loadScenario55(t)
	m := newTestMarket(t, s, 1)
	first, ok := s.FirstSurplus()
	if !ok {
		t.Fatal("no surplus")
	}
	var clean, fossil int
	for i := first; i < first+24; i++ {
		var bid int64
		var asks []Order
		for p := range m.Participants {
			o, ok := m.Order(p, i)
			switch {
			case ok && o.Sell:
				asks = append(asks, o)
			case ok:
				bid = max(bid, o.Price)
			}
		}
		for _, a := range asks {
			if a.Price > bid {
				continue
			}
			if m.Participants[a.Participant].Energy.Clean() {
				clean++
			} else {
				fossil++
			}
		}
	}
	if clean < 100 || fossil < 30 {
		t.Errorf("%d clean and %d fossil asks can be met", clean, fossil)
	}
}
