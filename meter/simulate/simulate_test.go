package simulate

import (
	"errors"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/modbus"
	"github.com/energyd/energyd/meter/sunspec"
)

var start = time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)

// serve starts a server and returns a bus to it.
func serve(t *testing.T, units map[byte]Unit) *modbus.Bus {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- Serve(listener, units) }()
	address, err := modbus.ParseAddress("tcp://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	bus := modbus.NewBus(address)
	t.Cleanup(func() {
		_ = bus.Close()
		_ = listener.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return bus
}

// TestReadBack: what is simulated is what our own readers read.
func TestReadBack(t *testing.T) {
	states := []State{{}, {1, 2, 3}, {4567891, 321123, -812}, {16000000, 1, 40000}, {1 << 24, 5, -123456}}
	i := 0
	now := func() State { return states[i] }
	units := map[byte]Unit{}
	for n, model := range Models {
		unit, err := NewMeter(model, "S1", now)
		if err != nil {
			t.Fatal(err)
		}
		units[byte(n+1)] = unit
	}
	bus := serve(t, units)
	m, err := device.FindMap("eastron-sdm630")
	if err != nil {
		t.Fatal(err)
	}
	if err := device.NewMeter(bus, m, 1).Fits(t.Context()); err != nil {
		t.Errorf("the SDM630 does not fit: %v", err)
	}
	schneider, err := device.FindMap("schneider-iem3000")
	if err != nil {
		t.Fatal(err)
	}
	for n, source := range []device.Source{device.NewMeter(bus, m, 1), sunspec.NewMeter(bus, 2), device.NewMeter(bus, schneider, 3)} {
		for i = range states {
			want := states[i]
			if n == 1 && i == 4 {
				want.PowerW = -123450 // tens of W
			}
			got, err := source.Read(t.Context())
			if i == 4 && n == 0 && got.StepWh == 2 {
				want.ImportWh++ // the float next to it
			}
			if err != nil || got.ImportWh != want.ImportWh || got.ExportWh != want.ExportWh || math.Abs(got.PowerW-float64(want.PowerW)) > 0.1 {
				t.Errorf("%s shows %+v, %v; want %+v", Models[n], got, err, want)
			}
		}
	}
	for _, refused := range []struct {
		unit           byte
		table          modbus.Table
		address, count uint16
	}{{1, modbus.Holding, 0, 2}, {1, modbus.Input, 0x17F, 2}, {2, modbus.Holding, 39999, 2}, {3, modbus.Input, 0, 2}} {
		_, err := bus.Read(t.Context(), refused.unit, refused.table, refused.address, refused.count)
		if _, ok := errors.AsType[*modbus.Exception](err); !ok {
			t.Errorf("%+v: %v, want an exception", refused, err)
		}
	}
	if _, err := NewMeter("x", "", now); err == nil {
		t.Error("an unknown model is simulated")
	}
}

func TestAnswerRefuses(t *testing.T) {
	unit := block(modbus.Input, 0, func() []uint16 { return make([]uint16, 10) })
	for _, tc := range []struct {
		unit     Unit
		question []byte
		code     byte
	}{
		{nil, []byte{4, 0, 0, 0, 1}, noSuchUnit},
		{unit, []byte{6, 0, 0, 0, 1}, illegalFunction},
		{unit, []byte{4, 0, 0}, illegalValue},
		{unit, []byte{4, 0, 0, 0, 0}, illegalValue},
		{unit, []byte{4, 0, 0, 0, 126}, illegalValue},
		{unit, []byte{4, 0xFF, 0xFF, 0, 2}, illegalAddress},
		{unit, []byte{4, 0, 9, 0, 2}, illegalAddress},
		{unit, []byte{3, 0, 0, 0, 1}, illegalAddress},
	} {
		if got := answer(tc.unit, tc.question); len(got) != 2 || got[0] != tc.question[0]|0x80 || got[1] != tc.code {
			t.Errorf("% x: got % x, want exception %d", tc.question, got, tc.code)
		}
	}
}

// TestHouse: registers never fall, energy is power over time, a day has both
// import and export, and the same seed is the same house however often asked.
func TestHouse(t *testing.T) {
	often, seldom, other := NewHouse(1, start, State{10, 20, 0}), NewHouse(1, start, State{10, 20, 0}), NewHouse(2, start, State{10, 20, 0})
	var last State
	for second := 0; second <= 86400; second += 7 {
		s := often.At(start.Add(time.Duration(second) * time.Second))
		if s.ImportWh < last.ImportWh || s.ExportWh < last.ExportWh {
			t.Fatalf("after %d s %+v, before it was %+v", second, s, last)
		}
		last = s
	}
	end := start.Add(86394 * time.Second) // the last multiple of 7
	if got := seldom.At(end); got != last {
		t.Errorf("asked once %+v, asked often %+v", got, last)
	}
	if other.At(end) == last {
		t.Error("another seed is the same house")
	}
	if last.ImportWh < 5000 || last.ImportWh > 40000 || last.ExportWh < 2000 || last.ExportWh > 60000 {
		t.Errorf("a day of %+v", last)
	}
	if got := NewHouse(1, start, State{10, 20, 0}).At(start.Add(-time.Hour)); got.ImportWh != 10 || got.ExportWh != 20 {
		t.Errorf("before the start: %+v", got)
	}
	if got := NewHouse(1, start, State{maxWh, 0, 0}).At(start.Add(time.Hour)); got.ImportWh > 1000 {
		t.Errorf("the 32 bits do not roll over: %+v", got)
	}
}

func TestReplay(t *testing.T) {
	r, err := ParseReplay("a.csv", strings.NewReader("time,import_wh,export_wh,power_w\n2020-01-01T00:00:00Z,5,6,-7\n2020-01-01T00:01:00Z,8,6,9\n"), start)
	if err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]State{-time.Hour: {5, 6, -7}, 0: {5, 6, -7}, 59 * time.Second: {5, 6, -7}, time.Minute: {8, 6, 9}, time.Hour: {8, 6, 9}} {
		if got := r.At(start.Add(after)); got != want {
			t.Errorf("after %v: %+v, want %+v", after, got, want)
		}
	}
	const header = "time,import_wh,export_wh\n"
	for text, want := range map[string]string{
		"":                                      "a.csv: expected the header time,import_wh,export_wh,power_w: EOF",
		"time,wh\n":                             `a.csv: line 1: expected the header time,import_wh,export_wh,power_w, the last or not, got ["time" "wh"]`,
		"time,import_wh,export_wh,power_w,x\n":  `a.csv: line 1: expected the header time,import_wh,export_wh,power_w, the last or not, got ["time" "import_wh" "export_wh" "power_w" "x"]`,
		header:                                  "a.csv: expected at least one row",
		header + "noon,1,1\n":                   `a.csv: line 2: time: expected a time like 2026-01-31T12:00:00Z, got "noon"`,
		header + "2020-01-01T00:00:00Z,1.5,1\n": `a.csv: line 2: import_wh: expected a whole number from 0 to 4294967295, got "1.5"`,
		header + "2020-01-01T00:00:00Z,1,-1\n":  `a.csv: line 2: export_wh: expected a whole number from 0 to 4294967295, got "-1"`,
		header + "2020-01-01T00:00:00Z,1\n":     "a.csv: record on line 2: wrong number of fields",
		header + "2020-01-01T00:00:00Z,1,1\n2020-01-01T00:00:00Z,1,1\n": "a.csv: line 3: time: expected one after the row before",
		header + "2020-01-01T00:00:00Z,2,1\n2020-01-01T00:01:00Z,1,1\n": "a.csv: line 3: import_wh: expected at least the 2 of the row before, got 1",
		header + "2020-01-01T00:00:00Z,2,2\n2020-01-01T00:01:00Z,2,1\n": "a.csv: line 3: export_wh: expected at least the 2 of the row before, got 1",
	} {
		if _, err := ParseReplay("a.csv", strings.NewReader(text), start); err == nil || err.Error() != want {
			t.Errorf("%q: got %v\nwant %s", text, err, want)
		}
	}
}
