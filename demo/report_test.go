package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyd/energyd/units"
)

// soundReport settles two periods by hand. In the first, a sells 1000 Wh at
// 0.5 coin to b over a loss of 1 %, with a fee of 0.01 coin per kWh; the rest
// goes to and from the grid. In the second, nothing is sold.
func soundReport(t *testing.T) *Report {
	t.Helper()
	r := NewReport(DefaultTariff)
	first := Period{Period: 3000, LocalTime: "2013-03-02T07:30", Sums: Sums{
		Orders: 2, MatchedWh: 1100, SoldWh: 1000, BoughtWh: 990, LossWh: 10,
		Grid: Grid{BoughtWh: 200, SoldWh: 510, Paid: 50_000, Received: 306_000},
		Fees: 10_000,
		Members: []Row{
			{Member: "a", ExportWh: 1200, SoldWh: 1000, GridExportWh: 200, Received: 500_000 + 50_000, Balance: 1_550_000, Reputation: 100},
			{Member: "b", ImportWh: 1500, BoughtWh: 990, GridImportWh: 510, Paid: 500_000 + 10_000 + 306_000, Balance: 184_000, Reputation: 99},
		},
	}}
	second := Period{Period: 6000, LocalTime: "2013-03-02T07:45", Sums: Sums{
		Orders: 1, Grid: Grid{SoldWh: 100, Received: 60_000},
		Members: []Row{
			{Member: "a", ImportWh: 100, GridImportWh: 100, Paid: 60_000, Balance: 1_490_000, Reputation: 100},
			{Member: "b", Balance: 184_000, Reputation: 98},
		},
	}}
	for _, add := range []struct {
		p             Period
		amount, clean int64
	}{{first, 500_000, 600}, {second, 0, 0}} {
		if err := r.Add(add.p, add.amount, add.clean); err != nil {
			t.Fatal(err)
		}
	}
	r.AppHashHeight = 77
	r.AppHashes = map[string]string{"node0": "ab", "node1": "ab", "node2": "ab", "node3": "ab"}
	r.Invariants["I1"] = true
	r.LatencyMs = Latency{P50: 210, P95: 400}
	r.Blocks, r.Txs = 80, 400
	r.Mechanism, r.Cleared = "cmap", Comparison{
		Matches: 3, VolumeWh: 1200, Surplus: 100_000, CleanPpm: 600_000, LossPpm: 10_000, MeanPrice: 500_000, SatisfactionPpm: 700_000,
	}
	r.Comparison["cmap"] = r.Cleared
	return r
}

func TestReportAdd(t *testing.T) {
	r := soundReport(t)
	if v := r.Check(); len(v) > 0 {
		t.Errorf("a sound report: %q", v)
	}
	if p := r.Periods[0]; p.CleanPpm != 600_000 || p.MeanPrice != 500_000 {
		t.Errorf("clean %d ppm, mean price %d", p.CleanPpm, p.MeanPrice)
	}
	if p := r.Periods[1]; p.CleanPpm != 0 || p.MeanPrice != 0 {
		t.Errorf("nothing sold: clean %d ppm, mean price %d", p.CleanPpm, p.MeanPrice)
	}
	want := Sums{
		Orders: 3, MatchedWh: 1100, SoldWh: 1000, BoughtWh: 990, LossWh: 10, CleanPpm: 600_000, MeanPrice: 500_000,
		Grid: Grid{BoughtWh: 200, SoldWh: 610, Paid: 50_000, Received: 366_000}, Fees: 10_000,
		Members: []Row{
			{Member: "a", ImportWh: 100, ExportWh: 1200, SoldWh: 1000, GridImportWh: 100, GridExportWh: 200, Paid: 60_000, Received: 550_000, Balance: 1_490_000, Reputation: 100},
			{Member: "b", ImportWh: 1500, BoughtWh: 990, GridImportWh: 510, Paid: 816_000, Balance: 184_000, Reputation: 98},
		},
	}
	if diff := cmp.Diff(want, r.Totals); diff != "" {
		t.Error(diff)
	}
	// alone: a would have got 300 000 and paid 60 000, b paid 900 000; in fact
	// a got 550 000 and paid 60 000, b paid 816 000
	if r.Saved != 250_000+84_000 {
		t.Errorf("saved %d", r.Saved)
	}
}

// The mean price of everything is that of all amounts, not of the periods'.
func TestReportShares(t *testing.T) {
	r := NewReport(DefaultTariff)
	for _, p := range []struct{ sold, amount, clean, price, ppm int64 }{
		{3, 1, 1, 333, 333_333},
		{3, 1, 0, 333, 0},
		{1, 0, 1, 0, 1_000_000},
	} {
		if err := r.Add(Period{Sums: Sums{SoldWh: p.sold}}, p.amount, p.clean); err != nil {
			t.Fatal(err)
		}
		got := r.Periods[len(r.Periods)-1]
		if got.MeanPrice != p.price || got.CleanPpm != p.ppm {
			t.Errorf("%+v: got %d, %d", p, got.MeanPrice, got.CleanPpm)
		}
	}
	if r.Totals.MeanPrice != 285 || r.Totals.CleanPpm != 285_714 {
		t.Errorf("totals: got %d, %d", r.Totals.MeanPrice, r.Totals.CleanPpm)
	}
}

func TestReportOverflow(t *testing.T) {
	for name, c := range map[string]struct {
		p             Period
		amount, clean int64
		want          string
	}{
		"mean price": {Period{Period: 9, Sums: Sums{SoldWh: 1}}, math.MaxInt64, 0, "period 9: mean price: "},
		"clean":      {Period{Period: 9, Sums: Sums{SoldWh: 1}}, 0, math.MaxInt64, "period 9: clean share: "},
		"retail":     {Period{Period: 9, Sums: Sums{Members: []Row{{Member: "a", ImportWh: math.MaxInt64}}}}, 0, 0, "period 9: member a: import at retail: "},
		"feed-in":    {Period{Period: 9, Sums: Sums{Members: []Row{{Member: "a", ExportWh: math.MaxInt64}}}}, 0, 0, "period 9: member a: export at feed-in: "},
		"saved":      {Period{Period: 9, Sums: Sums{Members: []Row{{Member: "a", Received: math.MaxInt64, Paid: -1}}}}, 0, 0, "period 9: member a: saved: "},
	} {
		r := soundReport(t)
		before := r.Totals
		err := r.Add(c.p, c.amount, c.clean)
		if !errors.Is(err, units.ErrOverflow) || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s...", name, err, c.want)
		}
		if diff := cmp.Diff(before, r.Totals); diff != "" || len(r.Periods) != 2 {
			t.Errorf("%s: a refused period left something: %s", name, diff)
		}
	}
}

// Every violation of a law is found, and named.
func TestCheck(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(r *Report)
		want  string // a line that contains it
	}{
		{"sold", func(r *Report) { r.Periods[0].SoldWh++ }, "period 3000 (2013-03-02T07:30): expected sold_wh = bought_wh + loss_wh, got 1001 and 1000"},
		{"loss", func(r *Report) { r.Periods[0].LossWh-- }, "expected sold_wh = bought_wh + loss_wh, got 1000 and 999"},
		{"bought", func(r *Report) { r.Periods[0].BoughtWh--; r.Periods[0].LossWh++ }, "expected bought_wh = sum of members' bought_wh, got 989 and 990"},
		{"import", func(r *Report) { r.Periods[0].Members[1].ImportWh++ }, "member b: expected import_wh = bought_wh + grid_import_wh, got 1501 and 1500"},
		{"export", func(r *Report) { r.Periods[0].Members[0].GridExportWh-- }, "member a: expected export_wh = sold_wh + grid_export_wh, got 1200 and 1199"},
		{"sold by members", func(r *Report) { r.Periods[0].Members[0].SoldWh += 7 }, "expected sum of members' sold_wh <= sold_wh, got 1007 and 1000"},
		{"matched", func(r *Report) { r.Periods[0].MatchedWh = 999 }, "expected sold_wh <= matched_wh, got 1000 and 999"},
		{"grid energy", func(r *Report) { r.Periods[0].Grid.SoldWh++ }, "expected grid.sold_wh - grid.bought_wh = "},
		{"paid", func(r *Report) { r.Periods[0].Members[1].Paid-- }, "expected sum of paid with the grid's and the fund's = sum of received with the grid's and the fund's + fees, got 865999 and 866000"},
		{"received", func(r *Report) { r.Periods[0].Members[0].Received++ }, "got 866000 and 866001"},
		{"grid paid", func(r *Report) { r.Periods[0].Grid.Paid++ }, "got 866001 and 866000"},
		{"grid received", func(r *Report) { r.Periods[0].Grid.Received++ }, "got 866000 and 866001"},
		{"fees", func(r *Report) { r.Periods[0].Fees = 0 }, "got 866000 and 856000"},
		{"clean", func(r *Report) { r.Periods[0].CleanPpm = 1_000_001 }, "expected clean_ppm within 0..1000000, got 1000001"},
		{"price of nothing", func(r *Report) { r.Periods[1].MeanPrice = 1 }, "expected clean_ppm and mean_price 0 where nothing is sold, got 0 and 1"},
		{"negative", func(r *Report) { r.Periods[1].Orders = -1 }, "expected orders >= 0, got -1"},
		{"negative balance", func(r *Report) { r.Periods[1].Members[0].Balance = -1 }, "period 6000 (2013-03-02T07:45) member a: expected balance >= 0, got -1"},
		{"member twice", func(r *Report) { r.Periods[1].Members[1].Member = "a" }, "period 6000 (2013-03-02T07:45): expected member a once"},
		{"order of periods", func(r *Report) { slices.Reverse(r.Periods) }, "expected to follow the one before by the period length, got -3000 ms"},
		{"gap", func(r *Report) {
			r.Periods = append(r.Periods, r.Periods[1])
			r.Periods[2].Period = 12_000
		}, "period 12000 (2013-03-02T07:45): expected to follow the one before by the period length, got 6000 ms"},
		{"missing period", func(r *Report) { r.Periods = r.Periods[:1] }, "totals: expected orders = sum over the periods, got 3 and 2"},
		{"total", func(r *Report) { r.Totals.Fees++ }, "totals: expected fees = sum over the periods, got 10001 and 10000"},
		{"member's total", func(r *Report) { r.Totals.Members[1].Reputation-- }, "totals: expected member b to be the sum over the periods"},
		{"member without total", func(r *Report) { r.Totals.Members = r.Totals.Members[:1] }, "totals: expected number of members = that of the periods, got 1 and 2"},
		{"fork", func(r *Report) { r.AppHashes["node2"] = "cd" }, "app hash at height 77: expected that of node0 (ab) on node2, got cd"},
		{"no hash", func(r *Report) { r.AppHashes["node0"] = "" }, "app hash of node0: expected a hash, got none"},
		{"no nodes", func(r *Report) { r.AppHashes = nil }, "app hashes: expected one of each node, got none"},
		{"comparison", func(r *Report) { r.Cleared.VolumeWh++ }, "comparison: expected clearing by cmap to come to what the chain made of the books"},
		{"invariant", func(r *Report) { r.Invariants["I1"] = false }, "invariant I1: expected to hold"},
		{"latency", func(r *Report) { r.LatencyMs.P50 = 500 }, "latency: expected 0 <= p50 <= p95, got 500 and 400 ms"},
	} {
		r := soundReport(t)
		c.spoil(r)
		got := r.Check()
		if !slices.ContainsFunc(got, func(line string) bool { return strings.Contains(line, c.want) }) {
			t.Errorf("%s: want %q among %q", c.name, c.want, got)
		}
	}
}

// Where a seller's readings never came, the grid sold in its place: in no
// member's row, but in the period's sum sold and the grid's.
func TestCheckGridStandsIn(t *testing.T) {
	r := NewReport(DefaultTariff)
	err := r.Add(Period{Period: 3000, Sums: Sums{
		Orders: 2, MatchedWh: 100, SoldWh: 100, BoughtWh: 99, LossWh: 1, Grid: Grid{SoldWh: 100, Received: 50_000},
		Members: []Row{{Member: "b", ImportWh: 99, BoughtWh: 99, Paid: 50_000}},
	}}, 50_000, 100)
	if err != nil {
		t.Fatal(err)
	}
	r.AppHashes["node0"] = "ab"
	if v := r.Check(); len(v) > 0 {
		t.Errorf("got %q", v)
	}
}

func TestReportJSON(t *testing.T) {
	r := soundReport(t)
	r.Periods[0].Members = r.Periods[0].Members[:1]
	r.Periods = r.Periods[:1]
	r.Totals = Sums{Members: []Row{}}
	var b bytes.Buffer
	if err := r.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := json.Compact(&got, b.Bytes()); err != nil {
		t.Fatal(err)
	}
	const want = `{"periods":[{"period":3000,"local_time":"2013-03-02T07:30","orders":2,"matched_wh":1100,"sold_wh":1000,"bought_wh":990,"loss_wh":10,` +
		`"clean_ppm":600000,"mean_price":500000,"grid":{"bought_wh":200,"sold_wh":510,"paid":50000,"received":306000},"fund":{"paid":0,"received":0},"fees":10000,` +
		`"members":[{"member":"a","import_wh":0,"export_wh":1200,"bought_wh":0,"sold_wh":1000,"grid_import_wh":0,"grid_export_wh":200,` +
		`"paid":0,"received":550000,"debt":0,"balance":1550000,"reputation":100}],"surplus":0,"auction":{"matched_wh":0,"clean_wh":0,"surplus":0}}],` +
		`"app_hash_height":77,"app_hashes":{"node0":"ab","node1":"ab","node2":"ab","node3":"ab"},` +
		`"totals":{"orders":0,"matched_wh":0,"sold_wh":0,"bought_wh":0,"loss_wh":0,"clean_ppm":0,"mean_price":0,` +
		`"grid":{"bought_wh":0,"sold_wh":0,"paid":0,"received":0},"fund":{"paid":0,"received":0},"fees":0,"members":[],"surplus":0,"auction":{"matched_wh":0,"clean_wh":0,"surplus":0}},` +
		`"latency_ms":{"p50":210,"p95":400},"blocks":80,"txs":400,"missed_gates":0,"invariants":{"I1":true},"saved":334000,` +
		`"mechanism":"cmap","comparison":{"cmap":{"matches":3,"volume_wh":1200,"surplus":100000,"clean_ppm":600000,"loss_ppm":10000,"mean_price":500000,"satisfaction_ppm":700000,"left_out":0}},` +
		`"cleared":{"matches":3,"volume_wh":1200,"surplus":100000,"clean_ppm":600000,"loss_ppm":10000,"mean_price":500000,"satisfaction_ppm":700000,"left_out":0}}`
	if diff := cmp.Diff(want, strings.TrimSpace(got.String())); diff != "" {
		t.Error(diff)
	}
	if err := r.WriteJSON(failingWriter{}); !errors.Is(err, errFull) {
		t.Errorf("full disk: got %v", err)
	}
}

var errFull = errors.New("disk full")

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errFull }

// An empty report has lists and maps, not nulls.
func TestEmptyReportJSON(t *testing.T) {
	var b bytes.Buffer
	if err := NewReport(DefaultTariff).WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "null") {
		t.Errorf("got %s", b.String())
	}
}

func TestPrint(t *testing.T) {
	r := soundReport(t)
	var b bytes.Buffer
	PrintHeader(&b)
	for _, p := range r.Periods {
		PrintPeriod(&b, p)
	}
	PrintTotals(&b, r)
	const want = `local time        orders  matched kWh   sold kWh    clean  coin/kWh  loss kWh  to grid kWh  from grid kWh  settled coins
2013-03-02T07:30       2        1.100      1.000   60.0 %     0.500     0.010        0.200          0.510           0.87
2013-03-02T07:45       1        0.000      0.000    0.0 %     0.000     0.000        0.000          0.100           0.06
total                  3        1.100      1.000   60.0 %     0.500     0.010        0.200          0.610           0.93
Members spent 0.326000 coins net; with the grid alone they would have spent 0.660000 coins: saved 0.334000.
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("%s\n%s", diff, b.String())
	}
}

func TestPrintComparison(t *testing.T) {
	r := soundReport(t)
	r.Comparison["posted"] = Comparison{LeftOut: 2}
	var b bytes.Buffer
	PrintComparison(&b, r)
	for _, want := range []string{"cmap *", "1.200", "0.10", "60.0 %", "1.00 %", "0.500", "70.0 %", "posted (without 2 periods: more than 1000 orders a side)"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}

func TestSpent(t *testing.T) {
	for ucoin, want := range map[int64]string{
		326_000:    "spent 0.326000 coins",
		0:          "spent 0.000000 coins",
		-1:         "earned 0.000001 coins",
		-2_500_000: "earned 2.500000 coins",
	} {
		if got := spent(ucoin); got != want {
			t.Errorf("%d ucoin: got %q, want %q", ucoin, got, want)
		}
	}
}
