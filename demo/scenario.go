package demo

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

const (
	// maxFileBytes bounds each scenario file; a year of quarter hours for
	// 300 members stays below it.
	maxFileBytes = 64 << 20

	// maxIntervalWh bounds the energy of one member and interval (1 GWh), so
	// that sums and amounts over a scenario fit int64.
	maxIntervalWh = 1_000_000_000

	// reservedPrefix names what the demo adds of its own (see Market).
	reservedPrefix = "gen_"

	day = 24 * time.Hour
)

// Scenario is a neighbourhood: members on a feeder with their load and PV
// generation per interval.
type Scenario struct {
	Members []Member
	Lines   []Line // empty if the folder names none: distances are paths

	Start    time.Time     // local clock time of interval 0, held as if it were UTC
	Interval time.Duration // the same everywhere, divides a day

	LoadWh [][]int64 // [member][interval], Wh
	PVWh   [][]int64 // [member][interval], Wh; all zero without PV
}

// Member is one row of members.csv.
type Member struct {
	Name         string
	Household    string
	Bus          string
	Phase        int64 // 1, 2 or 3
	PathMM       int64 // path to the transformer, mm
	PathRNanoOhm int64 // resistance of that path, nanoohm
	PVWatt       int64 // rated PV power, W; 0 = none
	PVShape      string

	busLine, busColumn int // where members.csv names the bus, for errors found later
}

// Line is one row of lines.csv.
type Line struct {
	Name      string
	FromBus   string
	ToBus     string
	Linecode  string
	LengthMM  int64
	R1NanoOhm int64
	X1NanoOhm int64
}

// Load reads the scenario folder dir: members.csv, load_wh.csv, pv_wh.csv and,
// if present, lines.csv. A folder without lines.csv may share the feeder of a
// neighbouring folder: ../feeder_eulv/lines.csv is used if every member's bus
// occurs in it, and otherwise belongs to somebody else and is ignored; then
// the scenario has no lines.
//
// Every mistake is an *InputError that names file, line and column.
func Load(dir string) (*Scenario, error) {
	s := new(Scenario)
	read := func(name string, parse func(name string, data []byte) error) error {
		data, err := readFile(dir, name)
		if err != nil {
			return err
		}
		return parse(name, data)
	}
	if err := read("members.csv", s.parseMembers); err != nil {
		return nil, err
	}
	if err := read("load_wh.csv", s.parseLoad); err != nil {
		return nil, err
	}
	if err := read("pv_wh.csv", s.parsePV); err != nil {
		return nil, err
	}
	if err := s.loadLines(dir); err != nil {
		return nil, err
	}
	return s, nil
}

// loadLines reads the folder's own lines.csv or the neighbouring feeder's.
func (s *Scenario) loadLines(dir string) error {
	own := filepath.Join(dir, "lines.csv")
	if _, err := os.Stat(own); err == nil {
		data, err := readFile(dir, "lines.csv")
		if err != nil {
			return err
		}
		if s.Lines, err = parseLines("lines.csv", data); err != nil {
			return err
		}
		return s.checkBuses()
	}
	shared := filepath.Join("..", "feeder_eulv", "lines.csv")
	if _, err := os.Stat(filepath.Join(dir, shared)); err != nil {
		return nil
	}
	data, err := readFile(dir, shared)
	if err != nil {
		return err
	}
	if s.Lines, err = parseLines(shared, data); err != nil {
		return err
	}
	if s.checkBuses() != nil {
		s.Lines = nil
	}
	return nil
}

// checkBuses reports the first member whose bus is at no line's end.
func (s *Scenario) checkBuses() error {
	known := make(map[string]bool, len(s.Lines)+1)
	for _, l := range s.Lines {
		known[l.FromBus], known[l.ToBus] = true, true
	}
	for _, m := range s.Members {
		if !known[m.Bus] {
			return &InputError{
				File: "members.csv", Line: m.busLine, Column: m.busColumn, Name: "bus",
				Want: "a bus of lines.csv", Got: quote(m.Bus),
			}
		}
	}
	return nil
}

// readFile returns the content of one file of the folder, of at most
// maxFileBytes.
func readFile(dir, name string) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	if err != nil {
		return nil, &InputError{File: name, Want: "a readable file", Got: err.Error(), Err: err}
	}
	if !info.Mode().IsRegular() {
		return nil, &InputError{File: name, Want: "a regular file", Got: info.Mode().Type().String(), Err: fs.ErrInvalid}
	}
	if info.Size() > maxFileBytes {
		return nil, tooBig(name, info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &InputError{File: name, Want: "a readable file", Got: err.Error(), Err: err}
	}
	return data, nil
}

func tooBig(name string, size int64) error {
	return &InputError{
		File: name, Line: 1, Column: 1,
		Want: fmt.Sprintf("a file of at most %d MiB", maxFileBytes>>20), Got: fmt.Sprintf("%d bytes", size),
	}
}

// Intervals is the number of intervals.
func (s *Scenario) Intervals() int {
	if len(s.LoadWh) == 0 {
		return 0
	}
	return len(s.LoadWh[0])
}

// Time is the local clock time at which an interval starts, as if in UTC.
func (s *Scenario) Time(interval int) time.Time {
	return s.Start.Add(time.Duration(interval) * s.Interval)
}

// LocalTime is Time as the scenario files write it.
func (s *Scenario) LocalTime(interval int) string {
	return formatTime(s.Time(interval))
}

// Meter is what a member's net meter counts in an interval, in Wh: load the
// PV does not cover is imported, PV beyond the load is exported.
func (s *Scenario) Meter(member, interval int) (importWh, exportWh int64) {
	net := s.LoadWh[member][interval] - s.PVWh[member][interval]
	return max(net, 0), max(-net, 0)
}

// Forecast is what the member expects its meter to count: the measured values
// of the same interval of the day before. ok is false on the first day.
func (s *Scenario) Forecast(member, interval int) (importWh, exportWh int64, ok bool) {
	before := s.dayBefore(interval)
	if before < 0 {
		return 0, 0, false
	}
	importWh, exportWh = s.Meter(member, before)
	return importWh, exportWh, true
}

// dayBefore is the same interval of the day before; negative on the first day.
func (s *Scenario) dayBefore(interval int) int {
	return interval - int(day/s.Interval)
}

// firstForecast is the first interval for which there is a forecast; the number
// of intervals or more if there is none.
func (s *Scenario) firstForecast() int { return int(day / s.Interval) }

// FirstSurplus is the first interval for which any member forecasts an export.
// ok is false if there is none.
func (s *Scenario) FirstSurplus() (interval int, ok bool) {
	for i := range s.Intervals() {
		for m := range s.Members {
			if _, exportWh, known := s.Forecast(m, i); known && exportWh > 0 {
				return i, true
			}
		}
	}
	return 0, false
}

// IntervalAt finds the interval that starts at a local time written as in the
// files ("2013-03-02T07:45").
func (s *Scenario) IntervalAt(localTime string) (int, error) {
	t, ok := parseTime(localTime)
	if ok && s.Interval > 0 {
		offset := t.Sub(s.Start)
		i := offset / s.Interval
		if offset >= 0 && offset%s.Interval == 0 && i < time.Duration(s.Intervals()) {
			return int(i), nil
		}
	}
	return 0, fmt.Errorf("local time: expected the start of an interval between %s and %s, every %s, got %s",
		s.LocalTime(0), s.LocalTime(s.Intervals()-1), s.Interval, quote(localTime))
}
