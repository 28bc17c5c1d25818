package cmap

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyd/energyd/x/matching/field"
)

// market has bounds that make the tables below easy to follow.
var market = Params{PriceMin: 300, PriceMax: 1400, RMaxM: 20_000}

func on(a Attribute) []Preference { return []Preference{{a, 1000}} }

// TestScores checks each formula of S3 4.1-4.8 on either side of its cases, 10
// points being 1 000 000.
func TestScores(t *testing.T) {
	type pair struct {
		buy  Buy
		sell Sell
		d    int64
	}
	prices := func(bid, ask int64) pair { return pair{buy: Buy{Price: bid}, sell: Sell{Price: ask}} }
	energies := func(demand, supply int64) pair { return pair{buy: Buy{EnergyWh: demand}, sell: Sell{EnergyWh: supply}} }
	for _, c := range []struct {
		name      string
		attribute Attribute
		seller    bool
		p         pair
		want      int64
	}{
		{"ask below the least price", Price, false, prices(500, 299), 0},
		{"ask at the least price", Price, false, prices(500, 300), One},
		{"ask at the bid", Price, false, prices(500, 500), One},
		{"ask above the bid", Price, false, prices(500, 501), 998_003}, // 500/501 = 0.998003 99
		{"ask twice the bid", Price, false, prices(500, 1000), 500_000},
		{"bid below the least price", Price, false, prices(150, 300), 500_000},
		{"bid below the ask", Price, true, prices(499, 500), 0},
		{"bid at the ask", Price, true, prices(500, 500), 0},
		{"bid above the ask", Price, true, prices(600, 500), One - 833_333},
		{"bid below the greatest price", Price, true, prices(1399, 350), One - 250_178},
		{"bid at the greatest price", Price, true, prices(1400, 350), 0},
		{"supply enough", Supply, false, energies(5, 5), One},
		{"supply short", Supply, false, energies(6, 5), 833_333},
		{"demand enough", Demand, true, energies(5, 5), One},
		{"demand short", Demand, true, energies(5, 6), 833_333},
		{"near", Loss, false, pair{d: 0}, One},
		{"far", Loss, false, pair{d: 19_999}, One - 999_950},
		{"at the longest distance", Loss, false, pair{d: 20_000}, 0},
		{"beyond it", Loss, false, pair{d: 20_001}, 0},
		{"no path", Loss, true, pair{d: math.MaxInt64}, 0},
		{"seller's distance", Loss, true, pair{d: 5_000}, 750_000},
		{"type wished for", EnergyType, false, pair{buy: Buy{EnergyType: 3}, sell: Sell{EnergyType: 3}}, One},
		{"other type", EnergyType, false, pair{buy: Buy{EnergyType: 3}, sell: Sell{EnergyType: 2}}, 0},
		{"clean", Environment, false, pair{sell: Sell{Clean: true}}, One},
		{"not clean", Environment, false, pair{}, 0},
		{"seller's reputation", Reputation, false, pair{sell: Sell{Reputation: 73}}, 730_000},
		{"buyer's reputation", Reputation, true, pair{buy: Buy{Reputation: 100}}, One},
	} {
		c.p.buy.Prefer, c.p.sell.Prefer = on(c.attribute), on(Reputation)
		if c.seller {
			c.p.buy.Prefer, c.p.sell.Prefer = on(Reputation), on(c.attribute)
		}
		s := &Scorer{market, []Buy{c.p.buy}, []Sell{c.p.sell}}
		a, b := []int64{-1}, []int64{-1}
		s.Row(0, []int64{c.p.d}, a, b)
		got := a[0]
		if c.seller {
			got = b[0]
		}
		if got != 1000*c.want {
			t.Errorf("%s: %d, want %d", c.name, got, 1000*c.want)
		}
	}
}

// TestRow checks that weights sum up and rows stay apart.
func TestRow(t *testing.T) {
	buys := []Buy{
		{Price: 500, EnergyWh: 5, Reputation: 60, Prefer: []Preference{{Price, 500}, {Loss, 300}, {Environment, 200}}},
		{Price: 500, EnergyWh: 5, Reputation: 80, Prefer: on(Environment)},
	}
	sells := []Sell{
		{Price: 1000, EnergyWh: 10, Clean: true, Prefer: []Preference{{Demand, 600}, {Reputation, 400}}},
		{Price: 400, EnergyWh: 5, Prefer: on(Price)},
	}
	s, err := NewScorer(market, buys, sells)
	if err != nil {
		t.Fatal(err)
	}
	a, b := make([]int64, 2), make([]int64, 2)
	for i, want := range [][2][]int64{
		{{500*500_000 + 300*250_000 + 200*One, 500*One + 300*750_000}, {600*500_000 + 400*600_000, 1000 * 200_000}},
		{{1000 * One, 0}, {600*500_000 + 400*800_000, 1000 * 200_000}},
	} {
		s.Row(i, []int64{15_000, 5_000}, a, b)
		if diff := cmp.Diff(want, [2][]int64{a, b}); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestNormalise(t *testing.T) {
	fixed := Params{FixedScale: true}
	for _, c := range []struct {
		name      string
		p         Params
		sums, out []int64
	}{
		{"nothing", Params{}, nil, nil},
		{"all equal", Params{}, []int64{7, 7}, []int64{0, 0}},
		{"span", Params{}, []int64{3, 10, 5}, []int64{0, One, 285_714}},
		{"greatest span", Params{}, []int64{0, 1000 * One, 1}, []int64{0, One, 0}},
		{"one outlier", Params{}, []int64{1000 * One, 1000, 2000}, []int64{One, 0, 1}},
		{"fixed", fixed, []int64{0, 1000 * One, 1999, 500 * One}, []int64{0, One, 1, One / 2}},
		{"fixed, all equal", fixed, []int64{5000, 5000}, []int64{5, 5}},
	} {
		out := slices.Clone(c.sums)
		c.p.normalise(out)
		if !slices.Equal(out, c.out) {
			t.Errorf("%s: %v, want %v", c.name, out, c.out)
		}
	}
	if got := FixedSatisfaction(1999, 3999); got != 2 { // (1 + 3) / 2
		t.Errorf("fixed satisfaction %d, want 2", got)
	}
}

func TestPreferences(t *testing.T) {
	for _, c := range []struct {
		names   []string
		weights []int64
		want    []Preference
	}{
		{[]string{"price", "loss", "environment"}, nil, []Preference{{Price, 500}, {Loss, 300}, {Environment, 200}}},
		{[]string{"supply"}, []int64{1000}, []Preference{{Supply, 1000}}},
		{[]string{"energy_type", "reputation"}, []int64{1, 999}, []Preference{{EnergyType, 1}, {Reputation, 999}}},
	} {
		got, err := Preferences(c.names, c.weights)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%v %v: %v, %v, want %v", c.names, c.weights, got, err, c.want)
		}
	}
	for _, c := range []struct {
		names   []string
		weights []int64
		field   string
	}{
		{[]string{"price", "loss"}, nil, "weights"},
		{[]string{"price"}, []int64{500, 500}, "weights"},
		{[]string{"price", "loss", "colour"}, nil, "prefer"},
	} {
		_, err := Preferences(c.names, c.weights)
		wantField(t, err, c.field)
	}
}

func wantField(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if mistake := (*field.Error)(nil); errors.As(err, &mistake) {
		got = mistake.Field
	}
	if got != want || (err == nil) != (want == "") {
		t.Errorf("got error %v, want one on field %q", err, want)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		name  string
		field string
		spoil func(*Params, *Buy, *Sell, *Link)
	}{
		{"valid", "", func(*Params, *Buy, *Sell, *Link) {}},
		{"at every bound", "", func(p *Params, b *Buy, s *Sell, l *Link) {
			*p = Params{PriceMin: 0, PriceMax: maxValue, RMaxM: maxValue}
			b.Price, b.EnergyWh, b.Reputation, s.Price, s.EnergyWh, s.Reputation = maxValue, maxValue, 100, maxValue, maxValue, 0
			b.Prefer = []Preference{{Price, 500}, {Supply, 1}, {Loss, 1}, {EnergyType, 1}, {Environment, 1}, {Reputation, 496}}
			l.DistanceM, l.Fee = math.MaxInt64, maxValue
		}},
		{"no price bounds", "price_min", func(p *Params, _ *Buy, _ *Sell, _ *Link) { p.PriceMin = -1 }},
		{"price bounds crossed", "price_max", func(p *Params, _ *Buy, _ *Sell, _ *Link) { p.PriceMax = p.PriceMin - 1 }},
		{"great price bound", "price_max", func(p *Params, _ *Buy, _ *Sell, _ *Link) { p.PriceMax = maxValue + 1 }},
		{"no distance", "r_max_m", func(p *Params, _ *Buy, _ *Sell, _ *Link) { p.RMaxM = 0 }},
		{"negative distance", "r_max_m", func(p *Params, _ *Buy, _ *Sell, _ *Link) { p.RMaxM = -1 }},
		{"no bid", "price", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.Price = 0 }},
		{"negative ask", "price", func(_ *Params, _ *Buy, s *Sell, _ *Link) { s.Price = -1 }},
		{"great ask", "price", func(_ *Params, _ *Buy, s *Sell, _ *Link) { s.Price = math.MaxInt64 }},
		{"no demand", "energy_wh", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.EnergyWh = 0 }},
		{"negative supply", "energy_wh", func(_ *Params, _ *Buy, s *Sell, _ *Link) { s.EnergyWh = -1 }},
		{"great supply", "energy_wh", func(_ *Params, _ *Buy, s *Sell, _ *Link) { s.EnergyWh = maxValue + 1 }},
		{"reputation", "reputation", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.Reputation = 101 }},
		{"negative reputation", "reputation", func(_ *Params, _ *Buy, s *Sell, _ *Link) { s.Reputation = -1 }},
		{"no preferences", "weights", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.Prefer = nil }},
		{"weights too small", "weights", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.Prefer = []Preference{{Price, 999}} }},
		{"weights too great", "weights", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.Prefer = []Preference{{Price, 501}, {Loss, 500}} }},
		{"no weight", "weights", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.Prefer = []Preference{{Price, 1000}, {Loss, 0}} }},
		{"negative weight", "weights", func(_ *Params, _ *Buy, s *Sell, _ *Link) { s.Prefer = []Preference{{Price, 1001}, {Loss, -1}} }},
		{"twice", "prefer", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.Prefer = []Preference{{Price, 500}, {Price, 500}} }},
		{"a sell's attribute", "prefer", func(_ *Params, b *Buy, _ *Sell, _ *Link) { b.Prefer = on(Demand) }},
		{"a buy's attribute", "prefer", func(_ *Params, _ *Buy, s *Sell, _ *Link) { s.Prefer = on(EnergyType) }},
		{"unknown attribute", "prefer", func(_ *Params, _ *Buy, s *Sell, _ *Link) { s.Prefer = on(7) }},
		{"negative path", "distance", func(_ *Params, _ *Buy, _ *Sell, l *Link) { l.DistanceM = -1 }},
		{"negative fee", "fee", func(_ *Params, _ *Buy, _ *Sell, l *Link) { l.Fee = -1 }},
		{"great fee", "fee", func(_ *Params, _ *Buy, _ *Sell, l *Link) { l.Fee = maxValue + 1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, l := market, Link{}
			b, s := Buy{Price: 500, EnergyWh: 5, Prefer: on(Price)}, Sell{Price: 400, EnergyWh: 5, Prefer: on(Price)}
			c.spoil(&p, &b, &s, &l)
			_, err := Clear(p, []Buy{b}, []Sell{s}, func(int, int) Link { return l })
			wantField(t, err, c.field)
		})
	}
}
