package demo

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/energyd/energyd/units"
)

func TestGenerateIsDeterministic(t *testing.T) {
	a, b := Generate(7, 20, 3), Generate(7, 20, 3)
	if diff := cmp.Diff(a, b, cmpopts.IgnoreUnexported(Member{})); diff != "" {
		t.Error(diff)
	}
	if digest(t, a) == digest(t, Generate(8, 20, 3)) {
		t.Error("another seed made the same scenario")
	}
}

// A changed digest means that seeds give other markets than in the release
// before: worth a line in CHANGELOG.md.
func TestGolden(t *testing.T) {
	s := Generate(1, 55, 2)
	if got, want := digest(t, s), "381b43b36345f99f"; got != want {
		t.Errorf("scenario: got %s, want %s", got, want)
	}
	m := newTestMarket(t, s, 1)
	var orders []Order
	for i := range s.Intervals() {
		for p := range m.Participants {
			if o, ok := m.Order(p, i); ok {
				orders = append(orders, o)
			}
		}
	}
	if got, want := digest(t, orders), "bc15f5034fb372b9"; got != want {
		t.Errorf("orders: got %s, want %s", got, want)
	}
}

func digest(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(b))[:16]
}

// The generated neighbourhood has the sizes of the measured one.
func TestGenerateIsPlausible(t *testing.T) {
	for seed := range uint64(5) {
		s := Generate(seed, 55, 14)
		if len(s.Members) != 55 || s.Intervals() != 14*96 || s.Interval != 15*time.Minute {
			t.Fatalf("got %d members, %d intervals of %s", len(s.Members), s.Intervals(), s.Interval)
		}
		var withPV int
		var loadWh, pvWh, pvWatt int64
		for m, member := range s.Members {
			var own, peak, sun int64
			for i := range s.Intervals() {
				own += s.LoadWh[m][i]
				sun += s.PVWh[m][i]
				peak = max(peak, s.PVWh[m][i])
			}
			loadWh += own
			pvWh += sun
			// 500 to 5300 kWh in half a year, with some leeway for luck
			if halfYear := own * 181 / 14; halfYear < 400_000 || halfYear > 5_500_000 {
				t.Errorf("seed %d %s: %d Wh in half a year", seed, member.Name, halfYear)
			}
			if member.PVWatt == 0 {
				if sun > 0 || member.PVShape != "" {
					t.Errorf("seed %d %s: no PV but %d Wh", seed, member.Name, sun)
				}
				continue
			}
			withPV++
			pvWatt += member.PVWatt
			if member.PVWatt < 2000 || member.PVWatt > 6000 || peak*4 > member.PVWatt || peak*10 < member.PVWatt {
				t.Errorf("seed %d %s: %d W, peak %d Wh", seed, member.Name, member.PVWatt, peak)
			}
			if s.PVWh[m][0] != 0 || s.PVWh[m][20] != 0 || s.PVWh[m][80] != 0 {
				t.Errorf("seed %d %s: sun at night", seed, member.Name)
			}
		}
		if withPV != 25 {
			t.Errorf("seed %d: %d members with PV", seed, withPV)
		}
		// measured: 8022 kWh load; 2.7 kWh PV a day and kW
		if loadWh < 6_000_000 || loadWh > 11_000_000 {
			t.Errorf("seed %d: load %d Wh", seed, loadWh)
		}
		if perKW := pvWh * 1000 / pvWatt / 14; perKW < 1500 || perKW > 4000 {
			t.Errorf("seed %d: PV %d Wh a day and kW", seed, perKW)
		}
		if i, ok := s.FirstSurplus(); !ok || i < 96+sunrise || i > 96+48 {
			t.Errorf("seed %d: first surplus in interval %d, %v", seed, i, ok)
		}
	}
}

// The load peaks in the morning and in the evening.
func TestGeneratedLoadShape(t *testing.T) {
	s := Generate(1, 200, 4)
	var byHour [24]int64
	for i := range s.Intervals() {
		for m := range s.Members {
			byHour[s.Time(i).Hour()] += s.LoadWh[m][i]
		}
	}
	if byHour[8] <= 2*byHour[3] || byHour[8] <= byHour[11] || byHour[20] <= byHour[15] || byHour[20] <= byHour[8] {
		t.Errorf("load by hour: %v", byHour)
	}
}

// The feeder is a tree with its root at the transformer, and members' paths
// are those of the tree.
func TestGeneratedFeeder(t *testing.T) {
	s := Generate(3, 55, 2)
	path, r := map[string]int64{"1": 0}, map[string]int64{"1": 0}
	for _, l := range s.Lines {
		if _, known := path[l.FromBus]; !known {
			t.Fatalf("%s begins at unknown bus %s", l.Name, l.FromBus)
		}
		if _, known := path[l.ToBus]; known {
			t.Fatalf("%s closes a loop at bus %s", l.Name, l.ToBus)
		}
		path[l.ToBus], r[l.ToBus] = path[l.FromBus]+l.LengthMM, r[l.FromBus]+l.R1NanoOhm
	}
	seen := map[string]bool{}
	for _, m := range s.Members {
		if m.PathMM != path[m.Bus] || m.PathRNanoOhm != r[m.Bus] || m.PathMM <= 0 || m.PathMM > 1_000_000 {
			t.Errorf("%s at bus %s: path %d mm, in the tree %d mm", m.Name, m.Bus, m.PathMM, path[m.Bus])
		}
		if seen[m.Bus] {
			t.Errorf("two members at bus %s", m.Bus)
		}
		seen[m.Bus] = true
	}
}

func TestGenerateBounds(t *testing.T) {
	for _, c := range []struct{ members, days, wantMembers, wantDays int }{
		{-1, -1, 2, 2}, {0, 0, 2, 2}, {3, 1000, 3, 31}, {10_001, 1, 10_000, 2},
	} {
		s := Generate(1, c.members, c.days)
		if len(s.Members) != c.wantMembers || s.Intervals() != c.wantDays*96 {
			t.Errorf("%+v: got %d members, %d intervals", c, len(s.Members), s.Intervals())
		}
	}
}

// A generated scenario written as a folder is read back unchanged.
func TestGeneratedFolder(t *testing.T) {
	want := Generate(5, 12, 2)
	dir := t.TempDir()
	writeFolder(t, dir, want)
	got, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Member{})); diff != "" {
		t.Error(diff)
	}
}

func writeFolder(t *testing.T, dir string, s *Scenario) {
	t.Helper()
	var members, load, pv, lines strings.Builder
	members.WriteString("member,household,bus,phase,path_m_to_trafo,path_r_ohm,pv_kwp,pv_shape\n")
	load.WriteString("local_time")
	pv.WriteString("local_time")
	for _, m := range s.Members {
		fmt.Fprintf(&members, "%s,%s,%s,%d,%s,%s,%s,%s\n", m.Name, m.Household, m.Bus, m.Phase, units.FormatScaled(m.PathMM, 3),
			units.FormatScaled(m.PathRNanoOhm, 9), units.FormatScaled(m.PVWatt, 3), m.PVShape)
		load.WriteString("," + m.Name)
		if m.PVWatt > 0 {
			pv.WriteString("," + m.Name)
		}
	}
	for i := range s.Intervals() {
		load.WriteString("\n" + s.LocalTime(i))
		pv.WriteString("\n" + s.LocalTime(i))
		for m, member := range s.Members {
			fmt.Fprintf(&load, ",%d", s.LoadWh[m][i])
			if member.PVWatt > 0 {
				fmt.Fprintf(&pv, ",%d", s.PVWh[m][i])
			}
		}
	}
	lines.WriteString("line,from_bus,to_bus,linecode,length_m,r1_ohm,x1_ohm\n")
	for _, l := range s.Lines {
		fmt.Fprintf(&lines, "%s,%s,%s,%s,%s,%s,%s\n", l.Name, l.FromBus, l.ToBus, l.Linecode,
			units.FormatScaled(l.LengthMM, 3), units.FormatScaled(l.R1NanoOhm, 9), units.FormatScaled(l.X1NanoOhm, 9))
	}
	for name, content := range map[string]string{
		"members.csv": members.String(), "load_wh.csv": load.String(), "pv_wh.csv": pv.String(), "lines.csv": lines.String(),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
