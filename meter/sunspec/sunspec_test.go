package sunspec

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/modbus"
)

// registers are a device's holding registers from 40000 on; a question that
// reaches beyond them is refused.
type registers struct {
	base   int
	values []uint16
}

func (r *registers) Read(_ context.Context, _ byte, table modbus.Table, address, count uint16) ([]uint16, error) {
	from := int(address) - r.base
	if table != modbus.Holding || from < 0 || from+int(count) > len(r.values) {
		return nil, &modbus.Exception{FunctionCode: byte(table) | 0x80, ExceptionCode: 2}
	}
	return append([]uint16(nil), r.values[from:from+int(count)]...), nil
}

// body is a model's registers behind its number and length, as offsets from
// its number say.
type body map[int][]uint16

func (r *registers) add(number, length uint16, points body) {
	start := len(r.values)
	r.values = append(r.values, number, length)
	r.values = append(r.values, make([]uint16, length)...)
	for at, values := range points {
		copy(r.values[start+at:], values)
	}
}

func letters(s string) []uint16 {
	var out []uint16
	for i := 0; i < len(s); i += 2 {
		w := uint16(s[i]) << 8
		if i+1 < len(s) {
			w |= uint16(s[i+1])
		}
		out = append(out, w)
	}
	return out
}

func f32(v float32) []uint16 {
	b := math.Float32bits(v)
	return []uint16{uint16(b >> 16), uint16(b)}
}

type part struct {
	number, length uint16
	points         body
}

var commonPart = part{1, 66, body{2: letters("Acme"), 18: letters("M1"), 50: letters("SN-7")}}

func deviceOf(base int, parts ...part) *registers {
	r := &registers{base: base, values: []uint16{0x5375, 0x6E53}}
	for _, p := range parts {
		r.add(p.number, p.length, p.points)
	}
	r.values = append(r.values, 0xFFFF, 0)
	return r
}

var (
	sfMinus1 = []uint16{0xFFFF}
	sf2      = []uint16{2}
	meter203 = part{203, 105, body{18: {0xFC18}, 22: sfMinus1, 38: {1, 0}, 46: {0, 77}, 54: {0}}}
	inv103   = part{103, 50, body{14: {1500}, 15: {0}, 24: {0, 9}, 26: sf2}}
)

func read1(t *testing.T, bus device.Bus) (device.Snapshot, error) {
	t.Helper()
	m := NewMeter(bus, 1)
	m.now = func() time.Time { return time.Unix(1000, 0) }
	return m.Read(t.Context())
}

func TestModels(t *testing.T) {
	for _, tc := range []struct {
		name string
		bus  *registers
		want device.Snapshot
	}{
		{"inverter 101", deviceOf(40000, commonPart, part{101, 50, inv103.points}), device.Snapshot{ExportWh: 900, StepWh: 100, RolloverWh: 1 << 32 * 100, PowerW: -1500, HasPower: true}},
		{"inverter 102", deviceOf(0, commonPart, part{102, 50, inv103.points}), device.Snapshot{ExportWh: 900, StepWh: 100, RolloverWh: 1 << 32 * 100, PowerW: -1500, HasPower: true}},
		{"inverter 103", deviceOf(50000, commonPart, inv103), device.Snapshot{ExportWh: 900, StepWh: 100, RolloverWh: 1 << 32 * 100, PowerW: -1500, HasPower: true}},
		{"inverter 111", deviceOf(40000, commonPart, part{111, 60, body{22: f32(10.5), 32: f32(33554432)}}), device.Snapshot{ExportWh: 33554432, StepWh: 4, PowerW: -10.5, HasPower: true}},
		{"inverter 113", deviceOf(40000, commonPart, part{113, 60, body{22: {0x7FC0, 0}, 32: f32(12)}}), device.Snapshot{ExportWh: 12, StepWh: 1}},
		{"meter 201", deviceOf(40000, commonPart, part{201, 105, meter203.points}), device.Snapshot{ExportWh: 65536, ImportWh: 77, StepWh: 1, RolloverWh: 1 << 32, PowerW: -100, HasPower: true}},
		{"meter 202", deviceOf(40000, commonPart, part{202, 105, meter203.points}), device.Snapshot{ExportWh: 65536, ImportWh: 77, StepWh: 1, RolloverWh: 1 << 32, PowerW: -100, HasPower: true}},
		{"meter 203", deviceOf(40000, commonPart, meter203), device.Snapshot{ExportWh: 65536, ImportWh: 77, StepWh: 1, RolloverWh: 1 << 32, PowerW: -100, HasPower: true}},
		{"meter 204, no power", deviceOf(40000, commonPart, part{204, 105, body{18: {0x8000}, 22: {0}, 38: {0, 15}, 46: {0, 26}, 54: sfMinus1}}), device.Snapshot{ExportWh: 2, ImportWh: 3, StepWh: 1, RolloverWh: 429496729}},
		{"meter 211", deviceOf(40000, commonPart, part{211, 124, body{28: f32(5), 60: f32(1.4), 68: f32(2.5)}}), device.Snapshot{ExportWh: 1, ImportWh: 3, StepWh: 1, PowerW: 5, HasPower: true}},
		{"meter 214", deviceOf(40000, commonPart, part{214, 124, body{28: f32(5), 60: f32(1), 68: f32(2)}}), device.Snapshot{ExportWh: 1, ImportWh: 2, StepWh: 1, PowerW: 5, HasPower: true}},
		{"an unknown model between", deviceOf(40000, commonPart, part{64999, 200, nil}, part{7, 0, nil}, meter203), device.Snapshot{ExportWh: 65536, ImportWh: 77, StepWh: 1, RolloverWh: 1 << 32, PowerW: -100, HasPower: true}},
		{"a meter behind an inverter", deviceOf(40000, part{1, 66, body{50: letters("INV")}}, inv103, commonPart, meter203), device.Snapshot{ExportWh: 65536, ImportWh: 77, StepWh: 1, RolloverWh: 1 << 32, PowerW: -100, HasPower: true}},
		{"battery 124", deviceOf(40000, commonPart, inv103, part{124, 24, body{8: {555}, 22: sfMinus1}}), device.Snapshot{ExportWh: 900, StepWh: 100, RolloverWh: 1 << 32 * 100, PowerW: -1500, HasPower: true, Storage: &device.Storage{ChargePpm: 555000}}},
		{"battery 802", deviceOf(40000, commonPart, inv103, part{802, 62, body{3: {100}, 11: {80}, 53: sf2, 56: {0}}}), device.Snapshot{ExportWh: 900, StepWh: 100, RolloverWh: 1 << 32 * 100, PowerW: -1500, HasPower: true, Storage: &device.Storage{ChargePpm: 800000, CapacityWh: 10000}}},
		{"battery without a charge", deviceOf(40000, commonPart, inv103, part{802, 62, body{3: {100}, 11: {0xFFFF}, 53: sf2, 56: {0}}}), device.Snapshot{ExportWh: 900, StepWh: 100, RolloverWh: 1 << 32 * 100, PowerW: -1500, HasPower: true}},
	} {
		got, err := read1(t, tc.bus)
		number := ""
		if _, after, ok := strings.Cut(tc.name, "r "); ok && len(after) >= 3 {
			number = after[:3]
		}
		if err != nil || !strings.HasPrefix(got.Model, "sunspec-") || strings.HasPrefix(tc.name, "meter") && got.Model != "sunspec-"+number {
			t.Errorf("%s: %q, %v", tc.name, got.Model, err)
		}
		if (got.Storage == nil) != (tc.want.Storage == nil) || got.Storage != nil && *got.Storage != *tc.want.Storage {
			t.Errorf("%s: storage %+v, want %+v", tc.name, got.Storage, tc.want.Storage)
		}
		tc.want.Model, tc.want.Serial, tc.want.Quality, tc.want.At, tc.want.Storage = got.Model, "SN-7", device.Measured, time.Unix(1000, 0), got.Storage
		if got != tc.want {
			t.Errorf("%s:\n got %+v\nwant %+v", tc.name, got, tc.want)
		}
	}
}

func TestNoValue(t *testing.T) {
	endless := deviceOf(40000, commonPart)
	endless.values = endless.values[:len(endless.values)-2]
	for range 200 {
		endless.add(9, 2, nil)
	}
	noEnd := deviceOf(40000, commonPart, meter203)
	noEnd.values = noEnd.values[:len(noEnd.values)-2]
	last := deviceOf(40000, commonPart)
	last.values[len(last.values)-2], last.values[len(last.values)-1] = 9, 65500
	for _, tc := range []struct {
		name  string
		bus   *registers
		want  device.Quality
		words string
	}{
		{"no mark", &registers{base: 40000, values: make([]uint16, 100)}, device.WrongDevice, "no mark SunS at 0, 40000 or 50000"},
		{"nothing there", &registers{base: 60000}, device.WrongDevice, "no mark SunS"},
		{"not the common model first", deviceOf(40000, meter203), device.WrongDevice, "the first model is 203, expected 1"},
		{"a common model cut short", deviceOf(40000, part{1, 40, nil}, meter203), device.WrongDevice, "model 1 at 40002 is 40 registers long"},
		{"a meter's model cut short", deviceOf(40000, commonPart, part{203, 50, nil}), device.WrongDevice, "expected at least 105"},
		{"no end", endless, device.WrongDevice, "no end after 64 models"},
		{"no end mark", noEnd, device.Refused, "model after [1 203]"},
		{"beyond the last register", last, device.WrongDevice, "reaches beyond the last register"},
		{"two meters", deviceOf(40000, commonPart, meter203, meter203), device.WrongDevice, "2 meters and 0 inverters"},
		{"two inverters", deviceOf(40000, commonPart, inv103, inv103), device.WrongDevice, "which one to read cannot be told"},
		{"no energy", deviceOf(40000, commonPart, part{802, 62, nil}), device.WrongDevice, "none of the models [1 802] counts energy"},
		{"no scale", deviceOf(40000, commonPart, part{203, 105, body{54: {0x8000}}}), device.NotAvailable, "model 203, export: not_available: the scale factor is not implemented"},
		{"a wild scale", deviceOf(40000, commonPart, part{203, 105, body{54: {11}}}), device.OutOfRange, "scale factor 11"},
		{"far too much", deviceOf(40000, commonPart, part{203, 105, body{38: {0, 1}, 46: {0xFFFF, 0xFFFF}, 54: {10}}}), device.OutOfRange, "model 203, import"},
		{"NaN", deviceOf(40000, commonPart, part{213, 124, body{60: {0x7FC0, 0}}}), device.NotANumber, "model 213, export"},
		{"NaN import", deviceOf(40000, commonPart, part{213, 124, body{68: {0x7FC0, 0}}}), device.NotANumber, "model 213, import"},
		{"negative", deviceOf(40000, commonPart, part{113, 60, body{32: f32(-1)}}), device.OutOfRange, "model 113, export"},
	} {
		got, err := read1(t, tc.bus)
		if device.QualityOf(err) != tc.want || got.Quality != tc.want || !strings.Contains(err.Error(), tc.words) || got.ImportWh != 0 || got.ExportWh != 0 {
			t.Errorf("%s: got %+v, %v; want %v with %q", tc.name, got, err, tc.want, tc.words)
		}
	}
}

// silentBus does not answer where others refuse.
type silentBus struct{ *registers }

func (b silentBus) Read(ctx context.Context, unit byte, table modbus.Table, address, count uint16) ([]uint16, error) {
	raw, err := b.registers.Read(ctx, unit, table, address, count)
	if err != nil {
		return nil, os.ErrDeadlineExceeded
	}
	return raw, nil
}

// TestSilentElsewhere: a device that does not answer at 0 is found at 40000; one
// that answers nowhere is not there.
func TestSilentElsewhere(t *testing.T) {
	if _, err := read1(t, silentBus{deviceOf(40000, commonPart, meter203)}); err != nil {
		t.Errorf("silent at 0: %v", err)
	}
	if s, err := read1(t, silentBus{&registers{base: 70000}}); s.Quality != device.Unreachable {
		t.Errorf("silent everywhere: %v, %v", s.Quality, err)
	}
}

// waitingBus answers each read after the clock has gone on.
type waitingBus struct {
	*registers
	clock time.Time
}

func (b *waitingBus) Read(ctx context.Context, unit byte, table modbus.Table, address, count uint16) ([]uint16, error) {
	b.clock = b.clock.Add(time.Minute)
	return b.registers.Read(ctx, unit, table, address, count)
}

// TestTimeOfAnswer: a snapshot's time is that of its registers' answer, the last
// one of a meter, however long the bus was busy before.
func TestTimeOfAnswer(t *testing.T) {
	bus := &waitingBus{deviceOf(40000, commonPart, meter203), time.Unix(1000, 0)}
	m := NewMeter(bus, 1)
	m.now = func() time.Time { return bus.clock }
	for range 2 { // the first read walks the models, too
		if got, err := m.Read(t.Context()); err != nil || !got.At.Equal(bus.clock) {
			t.Errorf("at %v, %v; its registers were answered at %v", got.At, err, bus.clock)
		}
	}
}

// TestExchanged: a device that changes under the meter gives its new serial
// number, or an error, and never the registers of a layout that is gone.
func TestExchanged(t *testing.T) {
	bus := deviceOf(40000, commonPart, meter203)
	m := NewMeter(bus, 1)
	if _, err := m.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	bus.values = deviceOf(40000, part{1, 66, body{50: letters("SN-8")}}, meter203).values
	if got, err := m.Read(t.Context()); err != nil || got.Serial != "SN-8" {
		t.Errorf("another of the same kind: %+v, %v", got, err)
	}
	bus.values = deviceOf(40000, commonPart, part{213, 124, body{60: f32(1), 68: f32(2)}}).values
	if _, err := m.Read(t.Context()); device.QualityOf(err) != device.WrongDevice || !strings.Contains(err.Error(), "is now model 213") {
		t.Errorf("another layout: %v", err)
	}
	if got, err := m.Read(t.Context()); err != nil || got.ImportWh != 2 || got.Model != "sunspec-213" {
		t.Errorf("the next poll: %+v, %v", got, err)
	}
}

func TestSpans(t *testing.T) {
	seen := map[uint16]layout{}
	for number, l := range layouts {
		if other, ok := seen[l.span()]; ok && other != l {
			t.Errorf("model %d is asked for as many registers as another kind", number)
		}
		seen[l.span()] = l
		if l.span() > l.length+2 || l.span() > modbus.MaxRegisters {
			t.Errorf("model %d: %d registers are asked for, it has %d", number, l.span(), l.length+2)
		}
	}
}

// FuzzWalk: whatever the registers hold, the walk ends, and what is read is a
// register that a meter can have.
func FuzzWalk(f *testing.F) {
	seed := func(r *registers) {
		var data []byte
		for _, w := range r.values {
			data = append(data, byte(w>>8), byte(w))
		}
		f.Add(data)
	}
	seed(deviceOf(40000, commonPart, meter203))
	seed(deviceOf(40000, commonPart, inv103, part{802, 62, nil}))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := &registers{base: 40000}
		for i := 0; i+1 < len(data); i += 2 {
			r.values = append(r.values, uint16(data[i])<<8|uint16(data[i+1]))
		}
		s, err := NewMeter(r, 1).Read(t.Context())
		if (err == nil) != (s.Quality == device.Measured) {
			t.Fatalf("%v with %v", s.Quality, err)
		}
		if s.ImportWh < 0 || s.ExportWh < 0 || s.ImportWh > device.MaxWh || s.ExportWh > device.MaxWh || err == nil && s.StepWh < 1 || s.RolloverWh < 0 {
			t.Fatalf("%+v", s)
		}
	})
}
