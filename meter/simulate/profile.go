package simulate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sort"
	"strconv"
	"sync"
	"time"
)

// maxWh is the highest register of the simulated meters, that of 32 bits.
const maxWh = math.MaxUint32

// House is a house with photovoltaics: a base load, more in the morning and
// the evening, and a sun with clouds. The same seed and start give the same
// registers at the same times.
type House struct {
	seed  uint64
	start time.Time

	mu sync.Mutex
	// at is the next minute of the profile, up to which the energies, in Wms,
	// are counted.
	at                   int64
	importWms, exportWms int64
}

// NewHouse returns a house whose registers stood at from at the start.
func NewHouse(seed uint64, start time.Time, from State) *House {
	return &House{seed: seed, start: start, importWms: from.ImportWh * wmsPerWh, exportWms: from.ExportWh * wmsPerWh}
}

const (
	minute   = 60_000 // ms
	wmsPerWh = 3_600_000
)

// At returns the state at a time, which must not be before that of an earlier
// call by a minute or more; a time before the start is the start.
func (h *House) At(t time.Time) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	elapsed := max(0, t.Sub(h.start).Milliseconds())
	for (h.at+1)*minute <= elapsed {
		importing, exporting := parts(h.power(h.at), minute)
		h.importWms, h.exportWms = h.importWms+importing, h.exportWms+exporting
		h.at++
	}
	power := h.power(h.at)
	importing, exporting := parts(power, max(0, elapsed-h.at*minute))
	return State{
		ImportWh: (h.importWms + importing) / wmsPerWh % (maxWh + 1),
		ExportWh: (h.exportWms + exporting) / wmsPerWh % (maxWh + 1),
		PowerW:   power,
	}
}

// parts splits a power over some ms into import and export.
func parts(power, ms int64) (importing, exporting int64) {
	if power >= 0 {
		return power * ms, 0
	}
	return 0, -power * ms
}

// power is the net load of a minute after the start, in W.
func (h *House) power(n int64) int64 {
	chance := rand.New(rand.NewPCG(h.seed, uint64(n)))
	size := 1 + float64(rand.New(rand.NewPCG(h.seed, 1<<63)).IntN(100))/100
	hour := math.Mod(float64(h.start.Unix())/3600+float64(n)/60, 24) // UTC
	bump := func(middle, width float64) float64 {
		return math.Exp(-(hour - middle) * (hour - middle) / (2 * width * width))
	}
	load := size * (200 + 900*bump(7.5, 1) + 1600*bump(19, 2)) * (0.7 + 0.6*chance.Float64())
	sun := size * 3000 * max(0, math.Sin((hour-6)/12*math.Pi)) * (0.4 + 0.6*chance.Float64())
	return int64(load - sun)
}

// Replay is a meter that shows what the rows of a file say, each from its
// time on; the first row's time is the start.
type Replay struct {
	start time.Time
	after []time.Duration
	rows  []State
}

// maxRows bounds a file: a year of minutes.
const maxRows = 600_000

// ParseReplay reads a CSV file with the header time,import_wh,export_wh or
// time,import_wh,export_wh,power_w: times as in RFC 3339 that rise, registers
// in whole Wh that do not fall. file is what errors call it, which name the
// line and the column.
func ParseReplay(file string, r io.Reader, start time.Time) (*Replay, error) {
	rows := csv.NewReader(r)
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: expected the header time,import_wh,export_wh,power_w: %w", file, err)
	}
	names := []string{"time", "import_wh", "export_wh", "power_w"}
	for i, name := range header {
		if len(header) < 3 || i >= len(names) || name != names[i] {
			return nil, fmt.Errorf("%s: line 1: expected the header time,import_wh,export_wh,power_w, the last or not, got %q", file, header)
		}
	}
	out := &Replay{start: start}
	var first time.Time
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := rows.FieldPos(0)
		at, state, err := parseRow(row)
		if err == nil && len(out.rows) == 0 {
			first = at
		}
		if err == nil {
			err = out.add(at.Sub(first), state)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", file, line, err)
		}
	}
	if len(out.rows) == 0 {
		return nil, fmt.Errorf("%s: expected at least one row", file)
	}
	return out, nil
}

func parseRow(row []string) (time.Time, State, error) {
	var s State
	at, err := time.Parse(time.RFC3339Nano, row[0])
	if err != nil {
		return at, s, fmt.Errorf("time: expected a time like 2026-01-31T12:00:00Z, got %q", row[0])
	}
	for i, to := range []*int64{&s.ImportWh, &s.ExportWh, &s.PowerW}[:len(row)-1] {
		name, low, high := []string{"import_wh", "export_wh", "power_w"}[i], int64(0), int64(maxWh)
		if i == 2 {
			low, high = -10_000_000, 10_000_000
		}
		v, err := strconv.ParseInt(row[i+1], 10, 64)
		if err != nil || v < low || v > high {
			return at, s, fmt.Errorf("%s: expected a whole number from %d to %d, got %q", name, low, high, row[i+1])
		}
		*to = v
	}
	return at, s, nil
}

func (r *Replay) add(after time.Duration, s State) error {
	if n := len(r.rows); n > 0 {
		last := r.rows[n-1]
		switch {
		case n == maxRows:
			return fmt.Errorf("expected at most %d rows", maxRows)
		case after <= r.after[n-1]:
			return errors.New("time: expected one after the row before")
		case s.ImportWh < last.ImportWh:
			return fmt.Errorf("import_wh: expected at least the %d of the row before, got %d", last.ImportWh, s.ImportWh)
		case s.ExportWh < last.ExportWh:
			return fmt.Errorf("export_wh: expected at least the %d of the row before, got %d", last.ExportWh, s.ExportWh)
		}
	}
	r.after, r.rows = append(r.after, after), append(r.rows, s)
	return nil
}

// At returns the latest row that is not after t, the first before all.
func (r *Replay) At(t time.Time) State {
	elapsed := t.Sub(r.start)
	next := sort.Search(len(r.after), func(i int) bool { return r.after[i] > elapsed })
	return r.rows[max(0, next-1)]
}
