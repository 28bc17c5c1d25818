package demo

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/simulate"
)

// A meter shows the boundary's register from the middle of the period before to
// a third of the one after it, and never counts back.
func TestDialHoldsStillAroundBoundaries(t *testing.T) {
	const first, length = 1_000_000_000, 3000
	d := &dial{first: new(atomic.Int64), length: length, imported: []int64{100, 101, 1101}, exported: []int64{50, 57, 57}}
	if got := d.at(first + 5*length); got.ImportWh != 100 {
		t.Errorf("before the first period is known it shows %d Wh", got.ImportWh)
	}
	d.first.Store(first)
	before := simulate.State{}
	for ms := int64(first - length); ms <= first+4*length; ms += 10 {
		now := d.at(ms)
		if now.ImportWh < before.ImportWh || now.ExportWh < before.ExportWh {
			t.Fatalf("at %d ms it counts back: %+v after %+v", ms-first, now, before)
		}
		before = now
	}
	for boundary, want := range []simulate.State{{ImportWh: 100, ExportWh: 50}, {ImportWh: 101, ExportWh: 57}, {ImportWh: 1101, ExportWh: 57}, {ImportWh: 1101, ExportWh: 57}} {
		at := int64(first + boundary*length)
		for _, ms := range []int64{-length / 2, -1, 0, 1, length / 3} {
			if got := d.at(at + ms); got != want {
				t.Errorf("%d ms after boundary %d: got %+v, want %+v", ms, boundary, got, want)
			}
		}
	}
	if got := d.at(first + length + length*5/12); got.PowerW != 7_200_000 || got.ImportWh != 601 {
		t.Errorf("while it counts: %+v", got)
	}
}

// A float32 of kWh cannot show each Wh of a high register: such a meter is of
// another model, and each model is read by some.
func TestDialModels(t *testing.T) {
	market, err := NewMarket(Generate(1, 6, 3), DefaultTariff, 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for n := range market.Participants {
		seen[market.newDial(n, 96, 4).model] = true
	}
	if len(seen) != len(simulate.Models) {
		t.Errorf("models %v, want all of %v", seen, simulate.Models)
	}
	for i := range market.Scenario.LoadWh[0] {
		market.Scenario.LoadWh[0][i] = 3_000_000
	}
	if got := market.newDial(0, 96, 4).model; got == simulate.Models[0] {
		t.Errorf("13 MWh are shown by a %s", got)
	}
}

func TestPrepareRefusesMeters(t *testing.T) {
	for _, tc := range []struct {
		o    Options
		want string
	}{
		{Options{Meters: "mqtt"}, `meters: expected direct or modbus, got "mqtt"`},
		{Options{Meters: ModbusMeters, Story: "late-data"}, "meters: expected direct with --scenario"},
		{Options{Meters: ModbusMeters, PeriodLength: 2001 * time.Millisecond}, "period-length: expected an even number of ms"},
		{Options{Meters: ModbusMeters, PeriodLength: 2 * time.Second}, ""},
		{Options{Meters: DirectMeters, Story: "late-data"}, ""},
	} {
		tc.o.Periods = 8
		_, _, _, err := prepare(tc.o)
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%+v: got %v, want %q", tc.o, err, tc.want)
		}
	}
}

func TestMetersReportCheck(t *testing.T) {
	for _, tc := range []struct {
		r    *MetersReport
		want int
	}{
		{nil, 0},
		{&MetersReport{Polls: 5, Readings: 3}, 0},
		{&MetersReport{Waiting: 1}, 1},
		{&MetersReport{Refused: 1}, 1},
		{&MetersReport{RegisterDifferencesWh: 1}, 1},
		{&MetersReport{StatementDifferencesWh: 1}, 1},
	} {
		c := new(checker)
		tc.r.check(c)
		if len(c.violations) != tc.want {
			t.Errorf("%+v: %v", tc.r, c.violations)
		}
	}
	var out bytes.Buffer
	PrintMeters(&out, &MetersReport{Gateways: 2, Meters: 3, Models: map[string]int{"b": 2, "a": 1}, StatementDifferencesWh: 4})
	if text := out.String(); !strings.Contains(text, "2 gateways read 3 meters (1 a, 2 b)") || !strings.Contains(text, "statements from what they counted by 4 Wh") {
		t.Errorf("printed\n%s", text)
	}
}

// The same seed with readings that the driver signs and with meters read over
// Modbus by energymeter processes: every statement is the same, in energy and
// money. Members deliver by contracts, because whom a market matches depends on
// when it runs, too: the chain draws from a period's start.
func TestRunModbusMeters(t *testing.T) {
	dir := t.TempDir()
	var reports []*Report
	for _, meters := range []string{DirectMeters, ModbusMeters} {
		out := new(transcript)
		o := programs(t, Options{
			Dir: filepath.Join(dir, meters), Validators: 2, Periods: 4, PeriodLength: 3 * time.Second, LossPPMPerKm: 100_000, Seed: 7, Mechanism: Matrix, Meters: meters, Out: out,
		})
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		report, err := Run(ctx, o)
		if err != nil {
			t.Fatalf("%s: %v\n%s", meters, err, out)
		}
		if broken := report.Check(); len(broken) > 0 {
			t.Errorf("%s: laws broken: %v\n%s", meters, broken, out)
		}
		checkMeters(t, o, report)
		reports = append(reports, report)
	}
	direct, modbus := reports[0], reports[1]
	if m := modbus.Meters; m == nil || m.Gateways != 2 || m.Meters != len(modbus.Totals.Members) || m.Readings < int64(4*readingsPerPeriod*m.Meters) || m.Polls < m.Readings {
		t.Errorf("gateways report %+v", m)
	}
	for i, p := range direct.Periods {
		for n, want := range p.Members {
			got := modbus.Periods[i].Members[n]
			if got != want {
				t.Errorf("period %d: over Modbus %+v, direct %+v", i, got, want)
			}
		}
	}
	if direct.Totals.SoldWh == 0 || direct.Totals.LossWh == 0 {
		t.Error("nothing was sold: the comparison says little")
	}
	t.Logf("%d statements compared; %+v", len(direct.Periods)*len(direct.Totals.Members), modbus.Meters)
}
