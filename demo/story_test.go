package demo

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// Every story finds whom to tell of in generated neighbourhoods, and what it does
// to them is as it says.
func TestPlans(t *testing.T) {
	for _, s := range stories {
		t.Run(s.name, func(t *testing.T) {
			found := 0
			for seed := range uint64(10) {
				m := generatedMarket(t, seed)
				p, err := newPlan(s.name, m, anyStart, s.periods)
				if err != nil {
					t.Logf("seed %d: %v", seed, err)
					continue
				}
				found++
				checkPlan(t, p)
			}
			if found < 8 {
				t.Errorf("told in %d of 10 neighbourhoods", found)
			}
		})
	}
}

func generatedMarket(t *testing.T, seed uint64) *Market {
	t.Helper()
	m, err := NewMarket(Generate(seed, generatedMembers, generatedDays), DefaultTariff, seed)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func checkPlan(t *testing.T, p *plan) {
	t.Helper()
	m := p.market
	if p.first < m.Scenario.firstForecast() || p.first+p.story.periods > m.Scenario.Intervals() {
		t.Errorf("begins at %d of %d", p.first, m.Scenario.Intervals())
	}
	seen := make(map[int]bool)
	for _, role := range p.cast {
		if seen[role.participant] || m.Participants[role.participant].Own {
			t.Errorf("%s is cast twice, or is no household", role.Member)
		}
		seen[role.participant] = true
	}
	for _, o := range p.offers {
		if _, ok := p.order(o.participant, o.period); !ok || o.period >= p.story.periods {
			t.Errorf("%+v orders nothing", o)
		}
	}
	for _, h := range p.held {
		if _, ok := p.order(h.participant, h.from-1); !ok || h.until > p.story.periods {
			t.Errorf("%+v holds what is not traded, or for ever", h)
		}
	}
	for _, n := range p.borrowers {
		costs := m.costs(n, p.first, coveredPeriods)
		if p.startCoins(n) != costs[0]+costs[1] {
			t.Errorf("%d begins with %d ucoin, two periods cost %v", n, p.startCoins(n), costs)
		}
		if firstLine(costs) <= 0 {
			t.Errorf("%d has no line when its coins are gone", n)
		}
	}
}

// In a story everybody orders what its meter will count, but who is to deviate.
func TestPlanOrders(t *testing.T) {
	m := generatedMarket(t, 1)
	p, err := newPlan("deviation", m, anyStart, 8)
	if err != nil {
		t.Fatal(err)
	}
	for period := range 8 {
		for n := range m.Participants {
			importWh, exportWh := m.Meter(n, p.first+period)
			o, ok := p.order(n, period)
			if ok != (importWh > 0 || exportWh > 0) || ok && o.Sell != (exportWh > 0) {
				t.Fatalf("%d in period %d: %+v, %v with %d and %d Wh", n, period, o, ok, importWh, exportWh)
			}
			want := max(importWh, exportWh)
			if i := slices.IndexFunc(p.offers, func(x offer) bool { return x.participant == n && x.period == period }); i >= 0 {
				want = want * int64(p.offers[i].ppm) / 1_000_000
			}
			if ok && o.EnergyWh != want {
				t.Errorf("%d in period %d: ordered %d Wh, want %d", n, period, o.EnergyWh, want)
			}
			if ok && p.isCast(n) && (!o.Standing || o.Sell && o.Price != m.Tariff.FeedIn || !o.Sell && o.Price != m.Tariff.Retail) {
				t.Errorf("%d of the cast might not trade: %+v", n, o)
			}
		}
	}
	var none *plan
	if none.holds(0, 1) || none.isCast(0) || none.startCoins(0) != startCoins || none.mostOffered() != wholeOffer {
		t.Error("a run without a story has a disturbance")
	}
}

func TestPlanHolds(t *testing.T) {
	p := &plan{held: []hold{{participant: 3, from: 2, until: 4}}, quiet: []quiet{{participant: 5, until: 2}}}
	var held []int
	for boundary := range 6 {
		if p.holds(3, boundary) {
			held = append(held, boundary)
		}
		if p.holds(4, boundary) {
			t.Errorf("holds boundary %d of another meter", boundary)
		}
	}
	if !slices.Equal(held, []int{2, 3}) {
		t.Errorf("holds boundaries %v", held)
	}
	if _, ok := p.order(5, 1); ok {
		t.Error("orders though it is to be quiet")
	}
}

func TestRefusalCode(t *testing.T) {
	for log, want := range map[string]string{
		"msgs[0]: matching/in_debt: sender: expected no debt, owes 0.1 coin":         "matching/in_debt",
		"msgs[0]: app/account_not_active: signer: account energy1x is STATUS_FROZEN": "app/account_not_active",
		"mempool is full": "mempool is full",
	} {
		if got := (refusal{log: log}).code(); got != want {
			t.Errorf("%q: got %q, want %q", log, got, want)
		}
	}
}

// A broken law of a story is among the report's, and shows in its text.
func TestStoryLaws(t *testing.T) {
	r := soundReport(t)
	r.Story = &Story{
		Name: "flood", Rules: []string{"Water rises."},
		Happened: []Happening{{LocalTime: "2013-03-02T07:30", Who: "a", What: "gets wet", EnergyWh: 1500, Ucoin: -20_000, Rule: 1}},
		Laws:     []Law{{Text: "the cellar is dry"}},
	}
	if broken := r.Check(); len(broken) > 0 {
		t.Fatalf("broken: %v", broken)
	}
	r.Story.Laws[0].Broken = "water in it"
	want := "flood: expected: the cellar is dry; water in it"
	if broken := r.Check(); !slices.Contains(broken, want) {
		t.Errorf("got %q, want %q", broken, want)
	}
	var out bytes.Buffer
	PrintStory(&out, r.Story)
	for _, want := range []string{"gets wet  1.500  -0.020000   [1]", "[1] Water rises.", "DOES NOT HOLD: the cellar is dry: water in it"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
}

// What the guarantee fund paid and received is part of the money that adds up,
// and a debt is nothing saved.
func TestReportFundAndDebt(t *testing.T) {
	r := soundReport(t)
	saved := r.Saved
	p := Period{Period: 9000, Sums: Sums{
		Grid: Grid{SoldWh: 100, Received: 50_000}, Fund: Fund{Paid: 20_000, Received: 5_000},
		Members: []Row{{Member: "a", ImportWh: 100, GridImportWh: 100, Paid: 35_000, Debt: 30_000}, {Member: "b"}},
	}}
	if err := r.Add(p, 0, 0); err != nil {
		t.Fatal(err)
	}
	if broken := r.Check(); len(broken) > 0 {
		t.Errorf("broken: %v", broken)
	}
	if r.Totals.Fund != (Fund{Paid: 20_000, Received: 5_000}) || r.Saved-saved != 60_000-35_000-30_000 {
		t.Errorf("fund %+v, saved %d more", r.Totals.Fund, r.Saved-saved)
	}
	r.Periods[2].Fund.Received++
	if broken := r.Check(); len(broken) == 0 {
		t.Error("the fund received a ucoin that nobody paid")
	}
}
