package replay

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/device"
)

const file = `time_ms,import_wh,export_wh,power_w,serial
1000,10,0,1500.5,A
2000,20,5,-3,A
`

func TestReplay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.csv")
	var now time.Time
	s := New(path, 5*time.Second, func() time.Time { return now })
	if _, err := s.Read(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before there is a file: %v", err)
	}
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		nowMs, importWh int64
		quality         device.Quality
	}{
		{999, 0, device.NotAvailable},
		{1000, 10, device.Measured},
		{1999, 10, device.Measured},
		{2000, 20, device.Measured},
		{7000, 20, device.Measured},
		{7001, 0, device.Stale},
	} {
		now = time.UnixMilli(tc.nowMs)
		got, err := s.Read(t.Context())
		if got.ImportWh != tc.importWh || got.Quality != tc.quality || device.QualityOf(err) != tc.quality || (err == nil) != (tc.quality == device.Measured) {
			t.Errorf("at %d: %+v, %v, want %d Wh, %v", tc.nowMs, got, err, tc.importWh, tc.quality)
		}
	}
	now = time.UnixMilli(3000)
	if err := os.WriteFile(path, []byte(file+"3000,25,5,0,A\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(t.Context()); err != nil || got.ImportWh != 25 {
		t.Errorf("after a row was added: %+v, %v", got, err)
	}
	if err := os.WriteFile(path, []byte(file+"3000,x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Read(t.Context()); err == nil || got.Quality == device.Measured {
		t.Errorf("from a broken file: %+v", got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without a file: %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ text, says string }{
		{"", "m.csv:1: expected a header"},
		{"time_ms,import_wh\n", "m.csv:1: column export_wh is missing"},
		{"time_ms,import_wh,export_wh,volts\n", `m.csv:1: expected each of time_ms`},
		{"time_ms,import_wh,export_wh,time_ms\n", `got "time_ms"`},
		{"time_ms,import_wh,export_wh\n1,2\n", "line 2"},
		{"time_ms,import_wh,export_wh\n1,-2,0\n", `m.csv:2: import_wh: expected a whole number`},
		{"time_ms,import_wh,export_wh\n1,2,1e3\n", `m.csv:2: export_wh: expected a whole number`},
		{"time_ms,import_wh,export_wh\n1,2,3\n\n1,2,3\n", `m.csv:4: time_ms: expected more than 1, got 1`},
		{"time_ms,import_wh,export_wh\n1,2,99999999999999999\n", "export_wh"},
		{"time_ms,import_wh,export_wh,power_w\n1,2,3,NaN\n", "power_w: expected a number of watts"},
		{"time_ms,import_wh,export_wh\n\"1,2,3\n", "m.csv"},
	} {
		if rows, err := Parse("m.csv", []byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: %v, %v, want %q", tc.text, rows, err, tc.says)
		}
	}
}

// FuzzParse: whatever is read, registers and times make sense.
func FuzzParse(f *testing.F) {
	f.Add([]byte(file))
	f.Add([]byte("time_ms,import_wh,export_wh\r\n1,2,3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		rows, err := Parse("m.csv", data)
		if err != nil {
			return
		}
		for i, row := range rows {
			if row.ImportWh < 0 || row.ExportWh < 0 || row.Quality != device.Measured || i > 0 && !row.At.After(rows[i-1].At) {
				t.Errorf("row %d: %+v", i, row)
			}
		}
	})
}
