package simulate

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/modbus"
)

// TestBattery: energies follow what is written, over the wire; without a new
// set-point the battery falls back, and the key at the panel stops it.
func TestBattery(t *testing.T) {
	now := start
	b := NewBattery(5000, time.Hour, State{ImportWh: 1000, ExportWh: 2000}, func() time.Time { return now })
	bus := serve(t, map[byte]Unit{1: b})
	ctx := t.Context()
	minus := int16(-1000)
	for _, tc := range []struct {
		name string
		do   func() error
		pass time.Duration
		want State
	}{
		{"at first", func() error { return nil }, time.Minute, State{1000, 2000, 0}},
		{"out", func() error { return bus.WriteRegisters(ctx, 1, BatterySetPoint, []uint16{3000}, false) }, 30 * time.Minute, State{1000, 3500, -3000}},
		{"in", func() error { return bus.WriteRegisters(ctx, 1, BatterySetPoint, []uint16{uint16(minus), 2}, false) }, 30 * time.Minute, State{1500, 3500, 1000}},
		{"off", func() error { return bus.WriteCoil(ctx, 1, BatterySwitch, false, true) }, time.Minute, State{1500, 3500, 0}},
		{"on", func() error { return bus.WriteCoil(ctx, 1, BatterySwitch, true, false) }, 6 * time.Minute, State{1600, 3500, 1000}},
		{"fallback, an hour after the set-point", func() error { return nil }, 10 * time.Hour, State{1983, 3500, 0}},
		{"again", func() error { return bus.WriteRegisters(ctx, 1, BatterySetPoint, []uint16{60}, true) }, time.Minute, State{1983, 3501, -60}},
		{"key", func() error { return bus.WriteCoil(ctx, 1, BatteryKey, true, false) }, time.Minute, State{1983, 3501, 0}},
	} {
		if err := tc.do(); err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		now = now.Add(tc.pass)
		if got := b.State(); got != tc.want {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.want)
		}
	}
	bits, err := bus.ReadBits(ctx, 1, modbus.Discrete, BatteryOverride, 1)
	coils, err2 := bus.ReadBits(ctx, 1, modbus.Coils, 0, 2)
	if err := errors.Join(err, err2); err != nil || !bits[0] || fmt.Sprint(coils) != "[true true]" {
		t.Errorf("override %v, coils %v, %v", bits, coils, err)
	}
	for code, do := range map[byte]func() error{
		deviceFailure:  func() error { return bus.WriteRegisters(ctx, 1, BatterySetPoint, []uint16{1}, false) },
		illegalValue:   func() error { return bus.WriteRegisters(ctx, 1, BatterySetPoint, []uint16{5001}, false) },
		illegalAddress: func() error { return bus.WriteRegisters(ctx, 1, 1, []uint16{1, 2}, false) },
	} {
		if e, ok := errors.AsType[*modbus.Exception](do()); !ok || e.ExceptionCode != code {
			t.Errorf("%v, want exception %d", e, code)
		}
	}
}

func TestWritten(t *testing.T) {
	b := NewBattery(5000, time.Hour, State{}, time.Now)
	for _, tc := range []struct {
		question []byte
		code     byte
	}{
		{[]byte{5, 0, 0, 0xFF, 1}, illegalValue},
		{[]byte{5, 0, 0, 0xFF}, illegalValue},
		{[]byte{6, 0, 0, 0, 1, 2}, illegalValue},
		{[]byte{15, 0, 0, 0, 1, 2, 1}, illegalValue},
		{[]byte{15, 0, 0, 0, 0, 0}, illegalValue},
		{[]byte{16, 0, 0, 0, 1, 2, 1}, illegalValue},
		{[]byte{16, 0, 0, 0, 1}, illegalValue},
		{[]byte{22, 0, 0, 0, 1}, illegalFunction},
		{[]byte{6}, illegalValue},
	} {
		if got := answer(b, tc.question); len(got) != 2 || got[0] != tc.question[0]|0x80 || got[1] != tc.code {
			t.Errorf("% x: got % x, want exception %d", tc.question, got, tc.code)
		}
	}
}
