package device

import (
	"context"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/modbus"
)

// registers is a unit's table of one function; what is not in it is refused,
// as a meter refuses a question beyond its blocks when nothing of it is there.
type registers struct {
	table  modbus.Table
	values map[uint16]uint16
	err    error
	asked  int
}

func (r *registers) Read(_ context.Context, unit byte, table modbus.Table, address, count uint16) ([]uint16, error) {
	r.asked++
	if r.err != nil {
		return nil, r.err
	}
	if unit != 7 || table != r.table {
		return nil, &modbus.Exception{FunctionCode: byte(table) | 0x80, ExceptionCode: 1}
	}
	out := make([]uint16, count)
	known := false
	for i := range out {
		v, ok := r.values[address+uint16(i)]
		out[i], known = v, known || ok
	}
	if !known {
		return nil, &modbus.Exception{FunctionCode: byte(table) | 0x80, ExceptionCode: 2}
	}
	return out, nil
}

func (r *registers) put(at uint16, values ...uint16) {
	for i, v := range values {
		r.values[at+uint16(i)] = v
	}
}

// f32 is a float in two registers, high first.
func f32(v float32) []uint16 {
	b := math.Float32bits(v)
	return []uint16{uint16(b >> 16), uint16(b)}
}

func space(table modbus.Table, put map[uint16][]uint16) *registers {
	r := &registers{table: table, values: map[uint16]uint16{}}
	for at, values := range put {
		r.put(at, values...)
	}
	return r
}

// families are the meters, their registers put down by hand from the facts.
var families = []struct {
	model            string
	table            modbus.Table
	put              map[uint16][]uint16
	imports, exports int64
	step             int64
	power            float64
}{
	{"eastron-sdm630", modbus.Input, map[uint16][]uint16{0: f32(230.1), 0x34: f32(1234.5), 0x46: f32(50.02), 0x48: f32(4567.891), 0x4A: f32(321.123)}, 4567891, 321123, 1, 1234.5},
	{"eastron-sdm120", modbus.Input, map[uint16][]uint16{0: f32(229), 0x0C: f32(-812.25), 0x46: f32(49.98), 0x48: f32(100.5), 0x4A: f32(77.75)}, 100500, 77750, 1, -812.25},
	// 123456.78 kWh, 7 kWh and -1500 W
	{"abb-b23", modbus.Holding, map[uint16][]uint16{0x5000: {0, 0, 0x00BC, 0x614E}, 0x5004: {0, 0, 0, 700}, 0x5B00: {0, 2301}, 0x5B14: {0xFFFD, 0xB610}, 0x5B2C: {5001, 0}}, 123456780, 7000, 10, -1500},
	{"acrel-adw300", modbus.Holding, map[uint16][]uint16{0x14: {2300, 0}, 0x24: {0xFFFF, 0xFFF6}, 0x3E: {0x0001, 0x0000}, 0x40: {0, 9}}, 655360, 90, 10, -10},
	// low word first: 65536.2 -> 0x000A0002
	{"carlo-gavazzi-em24", modbus.Input, map[uint16][]uint16{0: {2301, 0}, 0x28: {0xFF9C, 0xFFFF}, 0x37: {500, 0}, 0x42: {0x0002, 0x000A}, 0x5C: {5, 0}}, 65536200, 500, 100, -10},
	{"carlo-gavazzi-em340", modbus.Input, map[uint16][]uint16{0: {2301, 0}, 0x28: {100, 0}, 0x33: {500}, 0x34: {0x0002, 0x000A}, 0x4E: {5, 0}}, 65536200, 500, 100, 10},
	{"chint-dtsu666", modbus.Holding, map[uint16][]uint16{0x101E: f32(12.5), 0x1028: f32(0.25), 0x2006: f32(2301), 0x2012: f32(-5005), 0x2044: f32(5000)}, 12500, 250, 1, -500.5},
	{"chint-dtsu666-401e", modbus.Holding, map[uint16][]uint16{0x401E: f32(12.5), 0x4028: f32(0.25), 0x2006: f32(2301), 0x2012: f32(5005), 0x2044: f32(5000)}, 12500, 250, 1, 500.5},
	// 2^25 Wh: a float's step there is 4 Wh
	{"janitza-b23", modbus.Holding, map[uint16][]uint16{0x4A38: f32(230), 0x4A52: f32(10), 0x4A6A: f32(50), 0x4A7C: f32(33554432), 0x4A84: f32(3)}, 33554432, 3, 4, 10},
	{"schneider-iem3000", modbus.Holding, map[uint16][]uint16{0x0BD3: f32(230), 0x0BF3: f32(1.5), 0x0C25: f32(50), 0x0C83: {0, 1, 0, 5}, 0x0C87: {0, 0, 0, 6}}, 1<<32 + 5, 6, 1, 1500},
}

func meterOf(t *testing.T, model string, bus Bus) *Meter {
	t.Helper()
	m, err := FindMap(model)
	if err != nil {
		t.Fatal(err)
	}
	d := NewMeter(bus, m, 7)
	d.now = func() time.Time { return time.Unix(1000, 0) }
	return d
}

func TestFamilies(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range families {
		seen[f.model] = true
		d := meterOf(t, f.model, space(f.table, f.put))
		want := Snapshot{ImportWh: f.imports, ExportWh: f.exports, StepWh: f.step, PowerW: f.power, HasPower: true, Quality: Measured, At: time.Unix(1000, 0), Model: f.model}
		if got, err := d.Read(t.Context()); err != nil || got != want {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", f.model, got, err, want)
		}
		if err := d.Fits(t.Context()); err != nil {
			t.Errorf("%s does not fit itself: %v", f.model, err)
		}
	}
	maps, err := Maps()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range maps {
		if !seen[m.Model] {
			t.Errorf("%s has no test", m.Model)
		}
	}
}

// waitingBus answers each read after the clock has gone on.
type waitingBus struct {
	Bus
	wait func()
	err  error
}

func (b waitingBus) Read(ctx context.Context, unit byte, table modbus.Table, address, count uint16) ([]uint16, error) {
	b.wait()
	if b.err != nil {
		return nil, b.err
	}
	return b.Bus.Read(ctx, unit, table, address, count)
}

// TestTimeOfAnswer: a snapshot's time is that of its energy registers' answer,
// however long the bus was busy before, and though power is asked for after.
func TestTimeOfAnswer(t *testing.T) {
	for _, f := range families {
		clock, answered := time.Unix(1000, 0), time.Time{}
		bus := space(f.table, f.put)
		d := meterOf(t, f.model, nil)
		d.now = func() time.Time { return clock }
		d.bus = waitingBus{bus, func() {
			clock = clock.Add(time.Minute)
			if answered.IsZero() {
				answered = clock
			}
		}, nil}
		if got, err := d.Read(t.Context()); err != nil || !got.At.Equal(answered) {
			t.Errorf("%s: at %v, %v; its registers were answered at %v", f.model, got.At, err, answered)
		}
		d.bus = waitingBus{bus, func() { clock = clock.Add(time.Minute) }, errors.New("no answer")}
		if got, err := d.Read(t.Context()); err == nil || !got.At.Equal(clock) {
			t.Errorf("%s without an answer: at %v, %v; the read ended at %v", f.model, got.At, err, clock)
		}
	}
}

// TestProbeTells: no family's registers fit the map of another, but for the
// two Eastrons, whose tables are alike.
func TestProbeTells(t *testing.T) {
	for _, f := range families {
		for _, other := range families {
			alike := strings.HasPrefix(f.model, "eastron") && strings.HasPrefix(other.model, "eastron")
			if other.model == f.model || alike {
				continue
			}
			if err := meterOf(t, other.model, space(f.table, f.put)).Fits(t.Context()); err == nil {
				t.Errorf("a %s passes for a %s", f.model, other.model)
			}
		}
	}
}

// TestNoValue: what is no value has its code, and no registers.
func TestNoValue(t *testing.T) {
	ones := []uint16{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF}
	for _, tc := range []struct {
		model string
		at    uint16
		raw   []uint16
		want  Quality
		words string
	}{
		{"abb-b23", 0x5000, ones, NotAvailable, "energy_import at 0x5000"},
		{"abb-b23", 0x5004, ones, NotAvailable, "energy_export at 0x5004"},
		{"abb-b23", 0x5000, []uint16{0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE}, OutOfRange, "energy_import"},
		{"abb-b23", 0x5000, []uint16{0, 0x001A, 0, 0}, OutOfRange, "expected 0 to 1000000000000"},
		{"eastron-sdm630", 0x48, []uint16{0x7FC0, 0}, NotANumber, "energy_import at 0x0048"},
		{"eastron-sdm630", 0x4A, []uint16{0xFFFF, 0xFFFF}, NotANumber, "energy_export at 0x004a"},
		{"eastron-sdm630", 0x48, []uint16{0x7F80, 0}, NotANumber, "+Inf"},
		{"eastron-sdm630", 0x48, f32(-0.001), OutOfRange, "energy_import"},
		{"eastron-sdm630", 0x48, f32(3e38), OutOfRange, "energy_import"},
		{"carlo-gavazzi-em24", 0x42, []uint16{0xFFFF, 0xFFFF}, OutOfRange, "-100"},
		{"schneider-iem3000", 0x0C83, []uint16{0x8000, 0, 0, 0}, OutOfRange, "energy_import"},
	} {
		for _, f := range families {
			if f.model != tc.model {
				continue
			}
			r := space(f.table, f.put)
			r.put(tc.at, tc.raw...)
			got, err := meterOf(t, f.model, r).Read(t.Context())
			if want := (Snapshot{Quality: tc.want, At: time.Unix(1000, 0), Model: f.model}); got != want || QualityOf(err) != tc.want || !strings.Contains(err.Error(), tc.words) {
				t.Errorf("%s %#x %x: got %+v, %v; want %v with %q", tc.model, tc.at, tc.raw, got, err, tc.want, tc.words)
			}
		}
	}
}

// TestPowerMissing: power is telemetry; without it the registers stand.
func TestPowerMissing(t *testing.T) {
	f := families[2] // ABB
	r := space(f.table, f.put)
	r.put(0x5B14, 0x7FFF, 0xFFFF)
	got, err := meterOf(t, f.model, r).Read(t.Context())
	if err != nil || got.HasPower || got.PowerW != 0 || got.ImportWh != f.imports {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestBusErrors(t *testing.T) {
	r := &registers{err: errors.New("no answer")}
	if _, err := meterOf(t, "abb-b23", r).Read(t.Context()); QualityOf(err) != Unreachable {
		t.Errorf("no answer: %v", err)
	}
	r.err = &modbus.Exception{FunctionCode: 0x83, ExceptionCode: 2}
	if _, err := meterOf(t, "abb-b23", r).Read(t.Context()); QualityOf(err) != Refused {
		t.Errorf("an exception: %v", err)
	}
	if r.asked != 2 {
		t.Errorf("%d questions, want 2: the energies come first and alone", r.asked)
	}
}

// TestSteps: the step that the chain must know, at several heights.
func TestSteps(t *testing.T) {
	for _, tc := range []struct {
		kwh  float32
		want int64
	}{{0, 1}, {4500, 1}, {8191, 1}, {8192, 1}, {16384, 2}, {65536, 8}, {100000, 8}, {131072, 16}} {
		n, err := decodeFloat(math.Float32bits(tc.kwh))
		if err != nil {
			t.Fatal(err)
		}
		if _, step, err := n.scale(big1000).wh(); err != nil || step != tc.want {
			t.Errorf("at %v kWh a step of %d Wh, %v; want %d", tc.kwh, step, err, tc.want)
		}
	}
}

const good = `model: mine
title: Mine
source: me
function: 4
blocks: [{address: 0, count: 4}, {address: 100, count: 2}]
energy_import: {address: 0, type: uint32, unit: Wh}
energy_export: {address: 2, type: uint32, unit: Wh}
power: {address: 100, type: int32, scale: -1, unit: W}
rollover_wh: 1000000
probe: [{name: v, address: 9, type: uint16, from: 1, to: 2}]
`

func TestParseMapRefuses(t *testing.T) {
	if _, err := ParseMap("mine.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ old, new, want string }{
		{"model: mine\n", "", "mine.yaml: line 1: model: missing"},
		{"model: mine", "model: Mine!", `mine.yaml: line 1: model: expected 2 to 40 small letters, digits and -, got "Mine!"`},
		{"function: 4", "function: 6", `mine.yaml: line 4: function: expected 3 or 4, got "6"`},
		{"source: me", "sauce: me", "mine.yaml: line 3: sauce: unknown field"},
		{"source: me", "model: me", "mine.yaml: line 3: model: given twice"},
		{"source: me", "source: [me]", "mine.yaml: line 3: source: expected text"},
		{"source: me", "source: me\nword_order: little", `mine.yaml: line 4: word_order: expected high_first or low_first, got "little"`},
		{"source: me", "source: me\nnot_available: zero", `mine.yaml: line 4: not_available: expected none or all_ones, got "zero"`},
		{"count: 4", "count: 126", `mine.yaml: line 5: blocks[0].count: expected a number from 1 to 125, got "126"`},
		{"count: 4", "count: 2", "mine.yaml: line 5: blocks[1].count: another block is 2 registers long too: a late answer could be taken for the other's"},
		{"address: 100, count: 2", "address: 0xffff, count: 2", "mine.yaml: line 5: blocks[1]: reaches beyond register 0xffff"},
		{"address: 100, count: 2", "address: 100, size: 2", "mine.yaml: line 5: blocks[1].size: unknown field"},
		{"{address: 0, type: uint32", "{address: 0, type: float64", `mine.yaml: line 6: energy_import.type: expected uint16, int16, uint32, int32, uint64, int64 or float32, got "float64"`},
		{"{address: 0, type: uint32, unit: Wh}", "{address: 0, type: uint32}", "mine.yaml: line 6: energy_import.unit: missing"},
		{"type: uint32, unit: Wh}\nenergy_export", "type: uint32, unit: kvarh}\nenergy_export", `mine.yaml: line 6: energy_import.unit: expected Wh or a multiple of it, got "kvarh"`},
		{"{address: 2, type", "{address: 100, type", "mine.yaml: line 1: blocks: energy_import and energy_export lie in different blocks: they must be read at once"},
		{"{address: 2, type", "{address: 3, type", "mine.yaml: line 1: energy_export: lies in no block"},
		{"{address: 2, type: uint32,", "{address: 2, type: uint32, scale: -1,", "mine.yaml: line 1: scale: expected a number above 0 for an energy"},
		{"scale: -1", "scale: 0", "mine.yaml: line 8: power.scale: expected a number other than 0"},
		{"scale: -1", "scale: 1e3", `mine.yaml: line 8: power.scale: expected a decimal number, got "1e3"`},
		{"rollover_wh: 1000000", "rollover_wh: -1", `mine.yaml: line 9: rollover_wh: expected a number from 1 to 1000000000000, got "-1"`},
		{"from: 1, to: 2", "from: 3, to: 2", "mine.yaml: line 10: probe[0].to: expected at least from"},
		{"probe: [{", "probe: [x, {", "mine.yaml: line 10: probe[0].: expected fields with values"},
		{"probe: [", "probe: []\nnote: [", "mine.yaml: line 10: probe: expected a list of 1 to 8"},
		{"model: mine", "model: *x", "mine.yaml: no YAML: yaml: unknown anchor 'x' referenced"},
		{"title: Mine", "\ttitle: Mine", "mine.yaml: no YAML: yaml: line 2: found a tab character that violates indentation"},
		{"probe: ", "---\nprobe: ", "mine.yaml: expected one document"},
	} {
		if !strings.Contains(good, tc.old) {
			t.Fatalf("%q is not in the map", tc.old)
		}
		_, err := ParseMap("mine.yaml", []byte(strings.Replace(good, tc.old, tc.new, 1)))
		if err == nil || err.Error() != tc.want {
			t.Errorf("%q: got %v\nwant %s", tc.new, err, tc.want)
		}
	}
	for _, empty := range []string{"", "# nothing", "---", "[]", "x"} {
		if _, err := ParseMap("mine.yaml", []byte(empty)); err == nil {
			t.Errorf("%q passes for a map", empty)
		}
	}
}

func TestFindMap(t *testing.T) {
	file := t.TempDir() + "/mine.yaml"
	if err := os.WriteFile(file, []byte(good), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := FindMap(file); err != nil || m.Model != "mine" || m.rolloverWh != 1000000 {
		t.Errorf("got %+v, %v", m, err)
	}
	if _, err := FindMap("eastron"); err == nil || !strings.Contains(err.Error(), "expected one of abb-b23, acrel-adw300") {
		t.Errorf("an unknown model: %v", err)
	}
}

func FuzzParseMap(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(_ *testing.T, data []byte) { _, _ = ParseMap("f", data) })
}
