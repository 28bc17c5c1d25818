package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const scenario55 = "../../shared/data/scenario55"

// loadScenario55 reads the measured scenario, or skips where it is absent.
func loadScenario55(t testing.TB) *Scenario {
	t.Helper()
	if _, err := os.Stat(scenario55); err != nil {
		t.Skipf("SKIPPED: the measured scenario is not at %s: nothing was checked against real data", scenario55)
	}
	s, err := Load(scenario55)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The figures are those of the data's own README.
func TestScenario55(t *testing.T) {
	s := loadScenario55(t)
	if len(s.Members) != 55 || s.Intervals() != 1344 || len(s.Lines) != 905 {
		t.Fatalf("got %d members, %d intervals, %d lines", len(s.Members), s.Intervals(), len(s.Lines))
	}
	if s.Interval != 15*time.Minute || s.LocalTime(0) != "2013-03-01T00:00" || s.LocalTime(1343) != "2013-03-14T23:45" {
		t.Errorf("got %s from %s to %s", s.Interval, s.LocalTime(0), s.LocalTime(1343))
	}
	want := Member{
		Name: "m03", Household: "h5", Bus: "70", Phase: 1, PathMM: 34_520,
		PathRNanoOhm: 24_301_000, PVWatt: 3000, PVShape: "pv_3",
	}
	if diff := cmp.Diff(want, s.Members[2], cmpopts.IgnoreUnexported(Member{})); diff != "" {
		t.Error(diff)
	}
	line := Line{Name: "LINE1", FromBus: "1", ToBus: "2", Linecode: "4c_70", LengthMM: 1098, R1NanoOhm: 489_710, X1NanoOhm: 77_960}
	if s.Lines[0] != line {
		t.Errorf("got %+v", s.Lines[0])
	}
	var loadWh, pvWh, tradable int64
	var surplus, most, sellers int
	for i := range s.Intervals() {
		var demand, supply int64
		var n int
		for m := range s.Members {
			importWh, exportWh := s.Meter(m, i)
			loadWh, pvWh = loadWh+s.LoadWh[m][i], pvWh+s.PVWh[m][i]
			demand, supply = demand+importWh, supply+exportWh
			if exportWh > 0 {
				n++
			}
		}
		if n > 0 {
			surplus++
			sellers += n
		}
		most = max(most, n)
		tradable += min(demand, supply)
	}
	if surplus != 558 || most != 25 || (10*sellers+surplus/2)/surplus != 182 {
		t.Errorf("surplus in %d intervals, up to %d sellers, mean %d/%d", surplus, most, sellers, surplus)
	}
	if (loadWh+500)/1000 != 8022 || (pvWh+500)/1000 != 3549 || (tradable+500)/1000 != 1356 {
		t.Errorf("load %d Wh, PV %d Wh, tradable %d Wh", loadWh, pvWh, tradable)
	}
	first, ok := s.FirstSurplus()
	if !ok || s.LocalTime(first) != "2013-03-02T07:30" {
		t.Errorf("first surplus at %s", s.LocalTime(first))
	}
}

// small is a correct folder that the tests below break in one place.
var small = map[string]string{
	"members.csv": "member,household,bus,phase,path_m_to_trafo,path_r_ohm,pv_kwp,pv_shape\n" +
		"m01,h1,2,1,33.12,0.022696,0,\n" +
		"m02,h2,3,3,1.0985,0.000001,2.4,pv_1\n",
	"load_wh.csv": "local_time,m01,m02\n2013-03-01T00:00,10,20\n2013-03-01T12:00,30,40\n2013-03-02T00:00,50,60\n2013-03-02T12:00,70,80\n",
	"pv_wh.csv":   "local_time,m02\n2013-03-01T00:00,0\n2013-03-01T12:00,55\n2013-03-02T00:00,60\n2013-03-02T12:00,1\n",
	"lines.csv":   "line,from_bus,to_bus,linecode,length_m,r1_ohm,x1_ohm\nL1,1,2,c,1.098,0.0004,7e-05\nL2,1,3,c,0.0005,0,0\n",
}

// folder writes the files of small, with changes; "" leaves a file out.
func folder(t testing.TB, change map[string]string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "folder")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range small {
		if c, ok := change[name]; ok {
			content = c
		}
		if content == "" {
			continue
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSmallFolder(t *testing.T) {
	want := &Scenario{
		Members: []Member{
			{Name: "m01", Household: "h1", Bus: "2", Phase: 1, PathMM: 33_120, PathRNanoOhm: 22_696_000},
			{Name: "m02", Household: "h2", Bus: "3", Phase: 3, PathMM: 1099, PathRNanoOhm: 1000, PVWatt: 2400, PVShape: "pv_1"},
		},
		Lines: []Line{
			{Name: "L1", FromBus: "1", ToBus: "2", Linecode: "c", LengthMM: 1098, R1NanoOhm: 400_000, X1NanoOhm: 70_000},
			{Name: "L2", FromBus: "1", ToBus: "3", Linecode: "c", LengthMM: 1},
		},
		Start: time.Date(2013, 3, 1, 0, 0, 0, 0, time.UTC), Interval: 12 * time.Hour,
		LoadWh: [][]int64{{10, 30, 50, 70}, {20, 40, 60, 80}},
		PVWh:   [][]int64{{0, 0, 0, 0}, {0, 55, 60, 1}},
	}
	crlf := make(map[string]string)
	for name, content := range small {
		crlf[name] = "\ufeff" + strings.ReplaceAll(content, "\n", "\r\n")
	}
	reordered := map[string]string{
		"load_wh.csv": "m02,local_time,m01\n20,2013-03-01T00:00,10\n40,2013-03-01T12:00,30\n60,2013-03-02T00:00,50\n\n80,2013-03-02T12:00,70",
	}
	for name, change := range map[string]map[string]string{"plain": nil, "BOM and CRLF": crlf, "columns in another order": reordered} {
		got, err := Load(folder(t, change))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Member{})); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}

	if importWh, exportWh := want.Meter(1, 1); importWh != 0 || exportWh != 15 {
		t.Errorf("meter: got %d, %d", importWh, exportWh)
	}
	if _, _, ok := want.Forecast(1, 1); ok {
		t.Error("forecast on the first day: expected none")
	}
	if importWh, exportWh, ok := want.Forecast(1, 3); !ok || importWh != 0 || exportWh != 15 {
		t.Errorf("forecast: got %d, %d, %v", importWh, exportWh, ok)
	}
	if i, ok := want.FirstSurplus(); !ok || i != 3 {
		t.Errorf("first surplus: got %d, %v", i, ok)
	}
	want.PVWh[1][1] = 40
	if i, ok := want.FirstSurplus(); ok {
		t.Errorf("first surplus without any: got %d", i)
	}
}

func TestIntervalAt(t *testing.T) {
	s, err := Load(folder(t, nil))
	if err != nil {
		t.Fatal(err)
	}
	if i, err := s.IntervalAt("2013-03-02T12:00"); err != nil || i != 3 {
		t.Errorf("got %d, %v", i, err)
	}
	for _, text := range []string{"", "noon", "2013-02-28T12:00", "2013-03-03T00:00", "2013-03-02T12:15"} {
		want := fmt.Sprintf("local time: expected the start of an interval between 2013-03-01T00:00 and 2013-03-02T12:00, every 12h0m0s, got %q", text)
		if _, err := s.IntervalAt(text); err == nil || err.Error() != want {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestMistakes(t *testing.T) {
	for _, c := range []struct{ file, old, new, want string }{
		{"load_wh.csv", "70,80", "70,x", `load_wh.csv line 5 column 3 (m02): expected whole Wh >= 0, got "x"`},
		{"load_wh.csv", "70,80", "70,-8", `load_wh.csv line 5 column 3 (m02): expected whole Wh >= 0, got "-8"`},
		{"load_wh.csv", "70,80", "70,", `load_wh.csv line 5 column 3 (m02): expected whole Wh >= 0, got ""`},
		{"load_wh.csv", "70,80", "70,8.5", `load_wh.csv line 5 column 3 (m02): expected whole Wh >= 0 (meters count whole Wh, a fraction would be lost), got "8.5"`},
		{"load_wh.csv", "70,80", "70,1000000001", `load_wh.csv line 5 column 3 (m02): expected at most 1000000000 Wh, got "1000000001"`},
		{"load_wh.csv", "70,80", "70,99999999999999999999", `load_wh.csv line 5 column 3 (m02): expected at most 1000000000 Wh, got "99999999999999999999"`},
		{"load_wh.csv", "70,80", "70", `load_wh.csv line 5 column 3 (m02): expected 3 fields, got 2`},
		{"load_wh.csv", "70,80", "70,80,90", `load_wh.csv line 5 column 4: expected 3 fields, got "90"`},
		{"load_wh.csv", "70,80", `70,8"0`, `load_wh.csv line 5 column 3 (m02): expected well-formed CSV, got bare " in non-quoted-field`},
		{"load_wh.csv", "70,80", `"70,80`, `load_wh.csv line 5 column 2 (m01): expected well-formed CSV, got extraneous or missing " in quoted-field`},
		{"load_wh.csv", "m02", "m03", `load_wh.csv line 1 column 3: expected local_time or a member of members.csv, got "m03"`},
		{"load_wh.csv", "m02", "m01", `load_wh.csv line 1 column 3 (m01): expected each column once, got "m01"`},
		{"load_wh.csv", "local_time", "", `load_wh.csv line 1 column 1: expected a column name (printable, at most 64 bytes, no space around it), got ""`},
		{"load_wh.csv", "2013-03-02T00:00,50,60\n", "", `load_wh.csv line 4 column 1 (local_time): expected 2013-03-02T00:00 (rows every 12h0m0s), got "2013-03-02T12:00"`},
		{"load_wh.csv", "2013-03-02T00:00", "2013-03-01T12:00", `load_wh.csv line 4 column 1 (local_time): expected 2013-03-02T00:00 (rows every 12h0m0s), got "2013-03-01T12:00"`},
		{"load_wh.csv", "2013-03-01T12:00", "2013-03-01T07:00", `load_wh.csv line 3 column 1 (local_time): expected a time after 2013-03-01T00:00 by an interval that divides a day, got "2013-03-01T07:00"`},
		{"load_wh.csv", "2013-03-01T12:00", "2013-02-28T12:00", `load_wh.csv line 3 column 1 (local_time): expected a time after 2013-03-01T00:00 by an interval that divides a day, got "2013-02-28T12:00"`},
		{"load_wh.csv", "2013-03-01T12:00", "2013-03-32T12:00", `load_wh.csv line 3 column 1 (local_time): expected a local time YYYY-MM-DDTHH:MM, got "2013-03-32T12:00"`},
		{"load_wh.csv", "2013-03-01T00:00", "2013-03-01T0:00", `load_wh.csv line 2 column 1 (local_time): expected a local time YYYY-MM-DDTHH:MM, got "2013-03-01T0:00"`},
		{"load_wh.csv", small["load_wh.csv"], "local_time,m01\n2013-03-01T00:00,1\n", `load_wh.csv line 1 column 3 (m02): expected a column of this name, got none`},
		{"load_wh.csv", small["load_wh.csv"], "m01,m02\n1,1\n", `load_wh.csv line 1 column 3 (local_time): expected a column of this name, got none`},
		{"load_wh.csv", small["load_wh.csv"], "local_time,m01,m02\n2013-03-01T00:00,1,1\n", `load_wh.csv line 3 column 1 (local_time): expected at least two rows, whose distance is the interval, got end of file`},
		{"load_wh.csv", small["load_wh.csv"], "\n\n", `load_wh.csv line 1 column 1: expected a header row, got an empty file`},
		{"load_wh.csv", small["load_wh.csv"], "\ufeff", `load_wh.csv line 1 column 1: expected a header row, got an empty file`},
		{"load_wh.csv", small["load_wh.csv"], "", `load_wh.csv: expected a readable file, got `},

		{"pv_wh.csv", "2013-03-02T12:00,1\n", "", `pv_wh.csv line 5 column 1 (local_time): expected 2013-03-02T12:00 as in load_wh.csv, got end of file`},
		{"pv_wh.csv", "2013-03-02T12:00,1\n", "2013-03-02T12:00,1\n2013-03-03T00:00,1\n", `pv_wh.csv line 6 column 1 (local_time): expected end of file as in load_wh.csv, got "2013-03-03T00:00"`},
		{"pv_wh.csv", "2013-03-02T00:00", "2013-03-02T01:00", `pv_wh.csv line 4 column 1 (local_time): expected 2013-03-02T00:00 as in load_wh.csv, got "2013-03-02T01:00"`},
		{"pv_wh.csv", ",55", ",0x5", `pv_wh.csv line 3 column 2 (m02): expected whole Wh >= 0, got "0x5"`},
		{"pv_wh.csv", "m02", "m2", `pv_wh.csv line 1 column 2: expected local_time or a member of members.csv, got "m2"`},

		{"members.csv", "m02,", "m01,", `members.csv line 3 column 1 (member): expected each member once (first on line 2), got "m01"`},
		{"members.csv", "m02,", ",", `members.csv line 3 column 1 (member): expected a name, got ""`},
		{"members.csv", "m02,", "gen_1,", `members.csv line 3 column 1 (member): expected a name that does not begin with gen_ (reserved for what the demo adds), got "gen_1"`},
		{"members.csv", "m02,", "local_time,", `members.csv line 3 column 1 (member): expected a name other than that of the time column, got "local_time"`},
		{"members.csv", "m02,", "m\x1b02,", `members.csv line 3 column 1 (member): expected printable text of at most 64 bytes without space around it, got "m\x1b02"`},
		{"members.csv", "h2,", "\"h\n2\",", `members.csv line 3 column 2 (household): expected printable text of at most 64 bytes without space around it, got "h\n2"`},
		{"members.csv", "h2,3,3", "h2,9,3", `members.csv line 3 column 3 (bus): expected a bus of lines.csv, got "9"`},
		{"members.csv", "h2,3,3", "h2,3,4", `members.csv line 3 column 4 (phase): expected 1, 2 or 3, got "4"`},
		{"members.csv", "1.0985", "-1", `members.csv line 3 column 5 (path_m_to_trafo): expected a decimal number of m >= 0, got "-1"`},
		{"members.csv", "1.0985", "1000000.001", `members.csv line 3 column 5 (path_m_to_trafo): expected at most 1000000 m, got "1000000.001"`},
		{"members.csv", "0.000001", "?", `members.csv line 3 column 6 (path_r_ohm): expected a decimal number of ohm >= 0, got "?"`},
		{"members.csv", "2.4,", "NaN,", `members.csv line 3 column 7 (pv_kwp): expected a decimal number of kW >= 0, got "NaN"`},
		{"members.csv", "pv_shape", "shape", `members.csv line 1 column 8: expected one of the columns member, household, bus, phase, path_m_to_trafo, path_r_ohm, pv_kwp, pv_shape, got "shape"`},
		{"members.csv", ",pv_shape", "", `members.csv line 1 column 8 (pv_shape): expected a column of this name, got none`},
		{"members.csv", small["members.csv"], "member,household,bus,phase,path_m_to_trafo,path_r_ohm,pv_kwp,pv_shape\n", `members.csv line 2 column 1 (member): expected at least one member, got end of file`},

		{"lines.csv", "L2", "L1", `lines.csv line 3 column 1 (line): expected each line once (first on line 2), got "L1"`},
		{"lines.csv", "L2,1,3", "L2,3,3", `lines.csv line 3 column 3 (to_bus): expected a bus other than from_bus, got "3"`},
		{"lines.csv", "1.098", "1,098", `lines.csv line 2 column 8: expected 7 fields, got "7e-05"`},
		{"lines.csv", "1.098", "1m", `lines.csv line 2 column 5 (length_m): expected a decimal number of m >= 0, got "1m"`},
		{"lines.csv", small["lines.csv"], "line,from_bus,to_bus,linecode,length_m,r1_ohm,x1_ohm\n", `lines.csv line 2 column 1 (line): expected at least one line, got end of file`},
	} {
		if !strings.Contains(small[c.file], c.old) {
			t.Fatalf("%s has no %q", c.file, c.old)
		}
		_, err := Load(folder(t, map[string]string{c.file: strings.Replace(small[c.file], c.old, c.new, 1)}))
		var input *InputError
		switch {
		case !errors.As(err, &input):
			t.Errorf("%s %q: got %v, want %s", c.file, c.new, err, c.want)
		case strings.HasSuffix(c.want, "got "):
			if !strings.HasPrefix(err.Error(), c.want) || !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s %q:\n got %v\nwant %s", c.file, c.new, err, c.want)
			}
		case err.Error() != c.want:
			t.Errorf("%s %q:\n got %v\nwant %s", c.file, c.new, err, c.want)
		}
	}
}

func TestFilesOfTheWrongKind(t *testing.T) {
	dir := folder(t, map[string]string{"pv_wh.csv": ""})
	path := filepath.Join(dir, "pv_wh.csv")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.HasPrefix(err.Error(), "pv_wh.csv: expected a regular file, got d") {
		t.Errorf("directory: got %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	// a sparse file: large without being written
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, maxFileBytes+1); err != nil {
		t.Fatal(err)
	}
	const want = "pv_wh.csv line 1 column 1: expected a file of at most 64 MiB, got 67108865 bytes"
	if _, err := Load(dir); err == nil || err.Error() != want {
		t.Errorf("too big: got %v", err)
	}
}

// A folder without lines borrows those of a neighbouring feeder if they are
// its own.
func TestNeighbouringFeeder(t *testing.T) {
	dir := folder(t, map[string]string{"lines.csv": ""})
	check := func(name string, lines int) {
		t.Helper()
		s, err := Load(dir)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(s.Lines) != lines {
			t.Errorf("%s: got %d lines, want %d", name, len(s.Lines), lines)
		}
	}
	check("no neighbour", 0)
	feeder := filepath.Join(dir, "..", "feeder_eulv")
	if err := os.Mkdir(feeder, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(feeder, "lines.csv"), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(small["lines.csv"])
	check("the members' feeder", 2)
	write(strings.Replace(small["lines.csv"], "L2,1,3", "L2,1,4", 1))
	check("somebody else's feeder", 0)
	write("line\n")
	const want = "../feeder_eulv/lines.csv line 1 column 2 (from_bus): expected a column of this name, got none"
	if _, err := Load(dir); err == nil || err.Error() != want {
		t.Errorf("broken feeder: got %v", err)
	}
}
