package demo

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of the decimal columns, in the scaled integer unit.
const (
	maxLengthMM = 1_000_000_000         // 1 000 km
	maxNanoOhm  = 1_000_000_000_000_000 // 1 Mohm
	maxPVWatt   = 1_000_000_000         // 1 GW
)

// parseMembers reads members.csv.
func (s *Scenario) parseMembers(name string, data []byte) error {
	t, err := newSheet(name, data)
	if err != nil {
		return err
	}
	if err := t.require("member", "household", "bus", "phase", "path_m_to_trafo", "path_r_ohm", "pv_kwp", "pv_shape"); err != nil {
		return err
	}
	lineOf := make(map[string]int)
	for {
		more, err := t.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		m, err := parseMember(t)
		if err != nil {
			return err
		}
		if line, twice := lineOf[m.Name]; twice {
			return t.fail(t.column["member"], fmt.Sprintf("each member once (first on line %d)", line))
		}
		lineOf[m.Name] = t.line
		s.Members = append(s.Members, m)
	}
	if len(s.Members) == 0 {
		return t.end(t.column["member"], "at least one member", "end of file")
	}
	return nil
}

func parseMember(t *sheet) (m Member, err error) {
	if m.Name, err = t.identifier("member"); err != nil {
		return m, err
	}
	if m.Name == "local_time" {
		return m, t.fail(t.column["member"], "a name other than that of the time column")
	}
	if m.Household, err = t.text("household"); err != nil {
		return m, err
	}
	if m.Bus, err = t.identifier("bus"); err != nil {
		return m, err
	}
	m.busLine, m.busColumn = t.line, t.column["bus"]+1
	switch phase := t.row[t.column["phase"]]; phase {
	case "1", "2", "3":
		m.Phase = int64(phase[0] - '0')
	default:
		return m, t.fail(t.column["phase"], "1, 2 or 3")
	}
	if m.PathMM, err = t.decimal("path_m_to_trafo", "m", 3, maxLengthMM); err != nil {
		return m, err
	}
	if m.PathRNanoOhm, err = t.decimal("path_r_ohm", "ohm", 9, maxNanoOhm); err != nil {
		return m, err
	}
	if m.PVWatt, err = t.decimal("pv_kwp", "kW", 3, maxPVWatt); err != nil {
		return m, err
	}
	m.PVShape, err = t.text("pv_shape")
	return m, err
}

// parseLines reads lines.csv.
func parseLines(name string, data []byte) ([]Line, error) {
	t, err := newSheet(name, data)
	if err != nil {
		return nil, err
	}
	if err := t.require("line", "from_bus", "to_bus", "linecode", "length_m", "r1_ohm", "x1_ohm"); err != nil {
		return nil, err
	}
	var lines []Line
	lineOf := make(map[string]int)
	for {
		more, err := t.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		l, err := parseLine(t)
		if err != nil {
			return nil, err
		}
		if line, twice := lineOf[l.Name]; twice {
			return nil, t.fail(t.column["line"], fmt.Sprintf("each line once (first on line %d)", line))
		}
		lineOf[l.Name] = t.line
		lines = append(lines, l)
	}
	if len(lines) == 0 {
		return nil, t.end(t.column["line"], "at least one line", "end of file")
	}
	return lines, nil
}

func parseLine(t *sheet) (l Line, err error) {
	if l.Name, err = t.identifier("line"); err != nil {
		return l, err
	}
	if l.FromBus, err = t.identifier("from_bus"); err != nil {
		return l, err
	}
	if l.ToBus, err = t.identifier("to_bus"); err != nil {
		return l, err
	}
	if l.FromBus == l.ToBus {
		return l, t.fail(t.column["to_bus"], "a bus other than from_bus")
	}
	if l.Linecode, err = t.text("linecode"); err != nil {
		return l, err
	}
	if l.LengthMM, err = t.decimal("length_m", "m", 3, maxLengthMM); err != nil {
		return l, err
	}
	if l.R1NanoOhm, err = t.decimal("r1_ohm", "ohm", 9, maxNanoOhm); err != nil {
		return l, err
	}
	l.X1NanoOhm, err = t.decimal("x1_ohm", "ohm", 9, maxNanoOhm)
	return l, err
}

// parseLoad reads load_wh.csv, which must have a column for every member, and
// sets the scenario's times.
func (s *Scenario) parseLoad(name string, data []byte) error {
	t, memberOf, err := s.openSeries(name, data)
	if err != nil {
		return err
	}
	for _, m := range s.Members {
		if _, ok := t.column[m.Name]; !ok {
			return t.missingColumn(m.Name)
		}
	}
	s.LoadWh = make([][]int64, len(s.Members))
	rows := 0
	for ; ; rows++ {
		more, err := t.next()
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := s.setTime(t, rows); err != nil {
			return err
		}
		if err := t.energies(memberOf, s.LoadWh); err != nil {
			return err
		}
	}
	if rows < 2 {
		return t.end(t.column["local_time"], "at least two rows, whose distance is the interval", "end of file")
	}
	return nil
}

// setTime takes the time of row n: the first two rows define start and
// interval, every other one must follow.
func (s *Scenario) setTime(t *sheet, n int) error {
	col := t.column["local_time"]
	at, ok := parseTime(t.row[col])
	if !ok {
		return t.fail(col, "a local time YYYY-MM-DDTHH:MM")
	}
	switch {
	case n == 0:
		s.Start = at
	case n == 1:
		s.Interval = at.Sub(s.Start)
		if s.Interval <= 0 || day%s.Interval != 0 {
			return t.fail(col, "a time after "+formatTime(s.Start)+" by an interval that divides a day")
		}
	case !at.Equal(s.Time(n)):
		return t.fail(col, s.LocalTime(n)+" (rows every "+s.Interval.String()+")")
	}
	return nil
}

// parsePV reads pv_wh.csv after load_wh.csv: the same times; members without a
// column have no PV.
func (s *Scenario) parsePV(name string, data []byte) error {
	t, memberOf, err := s.openSeries(name, data)
	if err != nil {
		return err
	}
	col, n := t.column["local_time"], s.Intervals()
	s.PVWh = make([][]int64, len(s.Members))
	for i := range n {
		more, err := t.next()
		if err != nil {
			return err
		}
		want := s.LocalTime(i) + " as in load_wh.csv"
		if !more {
			return t.end(col, want, "end of file")
		}
		if at, ok := parseTime(t.row[col]); !ok || !at.Equal(s.Time(i)) {
			return t.fail(col, want)
		}
		if err := t.energies(memberOf, s.PVWh); err != nil {
			return err
		}
	}
	if more, err := t.next(); err != nil {
		return err
	} else if more {
		return t.fail(col, "end of file as in load_wh.csv")
	}
	for m, pv := range s.PVWh {
		if pv == nil {
			s.PVWh[m] = make([]int64, n)
		}
	}
	return nil
}

// openSeries reads the header of load_wh.csv or pv_wh.csv: local_time and
// members. memberOf gives the member of each column, -1 for local_time.
func (s *Scenario) openSeries(name string, data []byte) (t *sheet, memberOf []int, err error) {
	if t, err = newSheet(name, data); err != nil {
		return nil, nil, err
	}
	index := make(map[string]int, len(s.Members))
	for i, m := range s.Members {
		index[m.Name] = i
	}
	for col, column := range t.header {
		member, ok := index[column]
		switch {
		case column == "local_time":
			member = -1
		case !ok:
			return nil, nil, t.failAs(col, "", "local_time or a member of members.csv")
		}
		memberOf = append(memberOf, member)
	}
	if _, ok := t.column["local_time"]; !ok {
		return nil, nil, t.missingColumn("local_time")
	}
	return t, memberOf, nil
}

// energies appends the row's values to each member's series.
func (s *sheet) energies(memberOf []int, series [][]int64) error {
	for col, member := range memberOf {
		if member < 0 {
			continue
		}
		wh, err := s.energy(col)
		if err != nil {
			return err
		}
		series[member] = append(series[member], wh)
	}
	return nil
}

func (s *sheet) energy(col int) (int64, error) {
	text := s.row[col]
	wh, err := strconv.ParseUint(text, 10, 63)
	switch {
	case err == nil && wh <= maxIntervalWh:
		return int64(wh), nil
	case err == nil || strings.Trim(text, "0123456789") == "" && text != "":
		return 0, s.fail(col, fmt.Sprintf("at most %d Wh", int64(maxIntervalWh)))
	}
	if _, ok := parseDecimal(text, 0); ok {
		return 0, s.fail(col, "whole Wh >= 0 (meters count whole Wh, a fraction would be lost)")
	}
	return 0, s.fail(col, "whole Wh >= 0")
}

// Layouts of local_time; the second is for intervals that are not whole
// minutes.
const (
	minuteLayout = "2006-01-02T15:04"
	secondLayout = "2006-01-02T15:04:05"
)

func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{minuteLayout, secondLayout} {
		// time.Parse takes "7:45" too, hence the second look
		if t, err := time.Parse(layout, text); err == nil && t.Format(layout) == text {
			return t, true
		}
	}
	return time.Time{}, false
}

func formatTime(t time.Time) string {
	if t.Second() != 0 {
		return t.Format(secondLayout)
	}
	return t.Format(minuteLayout)
}
