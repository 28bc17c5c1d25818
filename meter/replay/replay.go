// Package replay is a meter made of a CSV file: what a real one showed, again.
// It serves demonstrations and tests, and meters whose software writes files.
//
// The file has a header with time_ms, import_wh and export_wh, and optionally
// power_w and serial; then a row for each snapshot, in order of time. Registers
// are cumulative, in Wh; times are Unix milliseconds.
package replay

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/energyd/energyd/meter/device"
)

// maxRegisterWh is more than a meter counts in its life.
const maxRegisterWh = 1 << 50

// maxBytes of a file: years of minutes.
const maxBytes = 256 << 20

// Source replays a file: a read gives the latest row whose time has come.
type Source struct {
	path string
	now  func() time.Time
	// maxAge is how old the row may be; 0 for as old as it likes.
	maxAge time.Duration
	size   int64
	at     time.Time // of the file's last change
	rows   []device.Snapshot
}

// New returns the source of a file, which is first opened when it is read: one
// that is missing or broken must not keep a gateway's other meters from starting.
func New(path string, maxAge time.Duration, now func() time.Time) *Source {
	return &Source{path: path, maxAge: maxAge, now: now}
}

// load reads the file again if it was changed.
func (s *Source) load() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if info.ModTime().Equal(s.at) && info.Size() == s.size {
		return nil
	}
	if info.Size() > maxBytes {
		return fmt.Errorf("%s: expected at most %d bytes, got %d", s.path, maxBytes, info.Size())
	}
	data, err := os.ReadFile(s.path)
	if err != nil {
		return err
	}
	rows, err := Parse(s.path, data)
	if err != nil {
		return err
	}
	s.rows, s.at, s.size = rows, info.ModTime(), info.Size()
	return nil
}

// Read returns the latest row at or before now. A file that another program
// writes is read again when it has changed; one with a mistake gives nothing.
func (s *Source) Read(context.Context) (device.Snapshot, error) {
	if err := s.load(); err != nil {
		return fail(device.Unreachable, err)
	}
	now := s.now()
	next := sort.Search(len(s.rows), func(i int) bool { return s.rows[i].At.After(now) })
	if next == 0 {
		return fail(device.NotAvailable, fmt.Errorf("%s: no row at or before %s", s.path, now.UTC().Format(time.RFC3339)))
	}
	row := s.rows[next-1]
	if age := now.Sub(row.At); s.maxAge > 0 && age > s.maxAge {
		return fail(device.Stale, fmt.Errorf("%s: the latest row is %v old, expected at most %v", s.path, age.Round(time.Second), s.maxAge))
	}
	return row, nil
}

func fail(quality device.Quality, err error) (device.Snapshot, error) {
	return device.Snapshot{Quality: quality}, &device.QualityError{Quality: quality, Err: err}
}

// Parse reads the rows of a file; errors name file, line and column.
func Parse(file string, data []byte) ([]device.Snapshot, error) {
	r := csv.NewReader(bytes.NewReader(data))
	r.ReuseRecord, r.TrimLeadingSpace = true, true
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("%s:1: expected a header with time_ms, import_wh, export_wh: %w", file, err)
	}
	columns := slices.Clone(header)
	for i, name := range columns {
		if !slices.Contains([]string{"time_ms", "import_wh", "export_wh", "power_w", "serial"}, name) || slices.Contains(columns[:i], name) {
			return nil, fmt.Errorf("%s:1: expected each of time_ms, import_wh, export_wh, power_w, serial at most once, got %q", file, name)
		}
	}
	for _, name := range []string{"time_ms", "import_wh", "export_wh"} {
		if !slices.Contains(columns, name) {
			return nil, fmt.Errorf("%s:1: column %s is missing", file, name)
		}
	}
	var rows []device.Snapshot
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := r.FieldPos(0)
		row, err := parseRow(columns, record)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		if n := len(rows); n > 0 && !row.At.After(rows[n-1].At) {
			return nil, fmt.Errorf("%s:%d: time_ms: expected more than %d, got %d", file, line, rows[n-1].At.UnixMilli(), row.At.UnixMilli())
		}
		rows = append(rows, row)
	}
}

func parseRow(columns, record []string) (device.Snapshot, error) {
	row := device.Snapshot{StepWh: 1, Quality: device.Measured, Model: "csv"}
	for i, name := range columns {
		value := strings.TrimSpace(record[i])
		var err error
		switch name {
		case "time_ms":
			var ms int64
			ms, err = number(value, 1<<52)
			row.At = time.UnixMilli(ms)
		case "import_wh":
			row.ImportWh, err = number(value, maxRegisterWh)
		case "export_wh":
			row.ExportWh, err = number(value, maxRegisterWh)
		case "power_w":
			row.PowerW, err = strconv.ParseFloat(value, 64)
			row.HasPower = true
			if err != nil || row.PowerW-row.PowerW != 0 {
				err = fmt.Errorf("expected a number of watts, got %q", value)
			}
		case "serial":
			row.Serial = value
		}
		if err != nil {
			return device.Snapshot{}, fmt.Errorf("%s: %w", name, err)
		}
	}
	return row, nil
}

func number(text string, high int64) (int64, error) {
	value, err := strconv.ParseInt(text, 10, 64)
	if err != nil || value < 0 || value > high {
		return 0, fmt.Errorf("expected a whole number from 0 to %d, got %q", high, text)
	}
	return value, nil
}
