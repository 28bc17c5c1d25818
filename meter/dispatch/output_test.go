package dispatch

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/modbus"
)

// battery is a good output; each case of a table changes something of it.
func battery() Output {
	return Output{
		Name: "b", URL: "tcp://127.0.0.1:1", Unit: 1, Timeout: time.Second, MaxOutW: 5000, MaxInW: 4000, Watchdog: time.Minute, Refresh: 10 * time.Second,
		SetPoint: Register{Address: 0, Form: "int16", ScaleMilliW: 1000},
	}
}

func TestCheck(t *testing.T) {
	pair := func(o *Output) {
		o.SetPoint = Register{}
		o.Discharge, o.Charge = Register{Address: 0, Form: "uint16", ScaleMilliW: 1000}, Register{Address: 1, Form: "uint16", ScaleMilliW: 1000}
	}
	for _, tc := range []struct {
		name string
		edit func(*Output)
		want string // "" is good
	}{
		{"good", func(*Output) {}, ""},
		{"a pair", pair, ""},
		{"only switched", func(o *Output) {
			o.SetPoint, o.MaxOutW = Register{}, 0
			o.Switch = Switch{Table: modbus.Coils, On: 1}
		}, ""},
		{"nothing", func(o *Output) { o.SetPoint = Register{} }, "set_point: expected it, discharge and charge, or switch"},
		{"both", func(o *Output) { o.Charge = o.SetPoint }, "set_point: expected it or discharge and charge"},
		{"no limits", func(o *Output) { o.MaxOutW, o.MaxInW = 0, 0 }, "max_out_w: expected it or max_in_w above 0"},
		{"safe beyond out", func(o *Output) { o.SafeW = 5001 }, "safe_w: expected it within the limits, -4000 to 5000"},
		{"safe beyond in", func(o *Output) { o.SafeW = -4001 }, "safe_w"},
		{"too large for its type", func(o *Output) { o.MaxOutW = 32768 }, "set_point: expected room for 32768 W, int16 holds 32767 W at most"},
		{"large in steps", func(o *Output) { o.MaxOutW, o.SetPoint.ScaleMilliW = 327670, 10_000 }, ""},
		{"small steps", func(o *Output) { o.SetPoint.ScaleMilliW = 100 }, "int16 holds 3276 W"},
		{"no sign", func(o *Output) { o.SetPoint.Form = "uint16" }, "set_point: expected a signed type for -4000 to 5000 W (positive: out)"},
		{"no sign, in", func(o *Output) { o.SetPoint.Form, o.SetPoint.Draws, o.MaxInW = "uint16", true, 0 }, "set_point: expected a signed type for 0 to 5000 W (positive: in)"},
		{"no sign needed", func(o *Output) { o.SetPoint.Form, o.SetPoint.Draws, o.MaxOutW = "uint16", true, 0 }, ""},
		{"no charge", func(o *Output) { pair(o); o.Charge = Register{} }, "charge: missing, max_in_w is above 0"},
		{"no discharge", func(o *Output) { pair(o); o.Discharge = Register{} }, "discharge: missing, max_out_w is above 0"},
		{"charge without a limit", func(o *Output) { pair(o); o.MaxInW = 0 }, "charge: expected a limit above 0"},
		{"one register twice", func(o *Output) { pair(o); o.Charge.Address = 0 }, "charge: expected registers of its own, 0 is of discharge"},
		{"beyond the last", func(o *Output) { o.SetPoint.Form, o.SetPoint.Address = "int32", 65535 }, "set_point: expected both registers"},
		{"refresh", func(o *Output) { o.Refresh = time.Minute }, "refresh: expected less than the watchdog, 1m0s"},
		{"switched both ways", func(o *Output) { o.SetPoint, o.Switch = Register{}, Switch{Table: modbus.Coils, On: 1} }, "max_out_w: expected only one"},
		{"switched, a ramp", func(o *Output) {
			o.SetPoint, o.Switch, o.MaxInW, o.RampW = Register{}, Switch{Table: modbus.Coils, On: 1}, 0, 5
		}, "ramp_w_per_s: expected none"},
		{"switched, a safe power", func(o *Output) {
			o.SetPoint, o.Switch, o.MaxInW, o.SafeW = Register{}, Switch{Table: modbus.Coils, On: 1}, 0, 5
		}, "safe_w: expected 0"},
	} {
		o := battery()
		tc.edit(&o)
		err := o.Check()
		if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, want %q", tc.name, err, tc.want)
		}
	}
}

func TestEncode(t *testing.T) {
	for _, tc := range []struct {
		r     Register
		w     int64
		raw   []uint16
		shown int64
	}{
		{Register{Form: "int16", ScaleMilliW: 1000}, -1, []uint16{0xFFFF}, -1},
		{Register{Form: "int16", ScaleMilliW: 1000, Draws: true}, -1, []uint16{1}, -1},
		{Register{Form: "int16", ScaleMilliW: 10_000}, 1239, []uint16{123}, 1230},
		{Register{Form: "int16", ScaleMilliW: 10_000}, -1239, []uint16{0xFF85}, -1230},
		{Register{Form: "int16", ScaleMilliW: 100}, 7, []uint16{70}, 7},
		{Register{Form: "uint16", ScaleMilliW: 1000}, 65535, []uint16{0xFFFF}, 65535},
		{Register{Form: "int32", ScaleMilliW: 1000}, -2, []uint16{0xFFFF, 0xFFFE}, -2},
		{Register{Form: "int32", ScaleMilliW: 1000, LowFirst: true}, -2, []uint16{0xFFFE, 0xFFFF}, -2},
		{Register{Form: "uint32", ScaleMilliW: 1000}, 70_000, []uint16{1, 4464}, 70_000},
		{Register{Form: "float32", ScaleMilliW: 1000}, -812, []uint16{0xC44B, 0}, -812},
		{Register{Form: "float32", ScaleMilliW: 1_000_000}, 1500, []uint16{0x3FC0, 0}, 1500},
	} {
		raw, shown := tc.r.encode(tc.w)
		if len(raw) != len(tc.raw) || raw[0] != tc.raw[0] || raw[len(raw)-1] != tc.raw[len(raw)-1] || shown != tc.shown {
			t.Errorf("%+v, %d W: %#04x stands for %d W, want %#04x for %d", tc.r, tc.w, raw, shown, tc.raw, tc.shown)
		}
	}
}

// drawOutput draws an output that Check accepts.
func drawOutput(t *rapid.T) Output {
	o := battery()
	register := func(name string) Register {
		return Register{
			Form: rapid.SampledFrom(Forms).Draw(t, name), LowFirst: rapid.Bool().Draw(t, name+" low"),
			ScaleMilliW: rapid.SampledFrom([]int64{1, 7, 100, 1000, 3333, 10_000, 1_000_000}).Draw(t, name+" scale"),
			Draws:       name == "set" && rapid.Bool().Draw(t, "draws"),
		}
	}
	o.MaxOutW = rapid.Int64Range(0, 100_000).Draw(t, "out")
	o.MaxInW = rapid.Int64Range(0, 100_000).Draw(t, "in")
	o.SafeW = rapid.Int64Range(-o.MaxInW, o.MaxOutW).Draw(t, "safe")
	o.SetPoint = Register{}
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		o.SetPoint = register("set")
	case 1:
		o.Discharge, o.Charge = register("discharge"), register("charge")
		o.Charge.Address = 2
	}
	if rapid.Bool().Draw(t, "switch") {
		o.Switch = Switch{Table: rapid.SampledFrom([]modbus.Table{modbus.Coils, modbus.Holding}).Draw(t, "table"), Address: 10, On: 1}
	}
	if rapid.Bool().Draw(t, "source") {
		o.Source = Source{Known: true, Address: 11, Own: 1, Grid: 2, Usual: dispatchv1.ChargeSource_CHARGE_SOURCE_OWN}
	}
	if err := o.Check(); err != nil {
		t.Skip(err)
	}
	return o
}

// TestNeverBeyondLimits: whatever is asked, by the chain or by a bug before, no
// register ever holds more than the gateway's limits and the chain's.
func TestNeverBeyondLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := drawOutput(t)
		d := &dispatchv1.Device{MaxOutW: rapid.Int64Range(0, 200_000).Draw(t, "chain out"), MaxInW: rapid.Int64Range(0, 200_000).Draw(t, "chain in")}
		asked := Setting{
			PowerW: rapid.Int64().Draw(t, "asked"), On: rapid.Bool().Draw(t, "on"), Source: dispatchv1.ChargeSource(rapid.IntRange(0, 3).Draw(t, "asked source")),
		}
		if asked.PowerW == math.MinInt64 {
			asked.PowerW++
		}
		if rapid.Bool().Draw(t, "by the chain") {
			duty := &dispatchv1.Duty{Version: 1, PowerW: asked.PowerW}
			var limited bool
			var err error
			if asked, limited, err = o.setting(d, duty); err != nil {
				t.Fatal(err)
			}
			if !limited && asked.PowerW != duty.PowerW {
				t.Fatalf("%d W asked, %d done, and not limited", duty.PowerW, asked.PowerW)
			}
		}
		values, shown := o.values(asked, d)
		total, on := 0.0, true
		for _, v := range values {
			for _, r := range []struct {
				register Register
				sign     float64
			}{{o.SetPoint, 1}, {o.Discharge, 1}, {o.Charge, -1}} {
				if r.register.Form == "" || v.coil || v.address != r.register.Address {
					continue
				}
				w, err := r.register.decode(v.raw)
				if err != nil {
					t.Fatal(err)
				}
				if r.register != o.SetPoint && w < 0 {
					t.Fatalf("%g W in a register of one direction", w)
				}
				total += r.sign * w
			}
			if v.address == 10 {
				on = v.raw[0] == o.Switch.On
			}
		}
		if total > float64(min(o.MaxOutW, d.MaxOutW)) || total < -float64(min(o.MaxInW, d.MaxInW)) {
			t.Fatalf("%+v asked, %g W written, limits %d and %d, on chain %d and %d", asked, total, o.MaxOutW, o.MaxInW, d.MaxOutW, d.MaxInW)
		}
		if on != asked.On && o.Switch.Table != 0 {
			t.Fatalf("the switch is %t", on)
		}
		if o.powered() && math.Abs(total-float64(shown.PowerW)) >= 1 {
			t.Fatalf("%d W are shown, %g written", shown.PowerW, total)
		}
	})
}

func TestSetting(t *testing.T) {
	watts := func(w int64) *int64 { return &w }
	coil := func(o *Output) {
		o.SetPoint, o.MaxOutW, o.MaxInW = Register{}, 0, 2000
		o.Switch = Switch{Table: modbus.Coils, On: 1}
	}
	source := func(o *Output) {
		o.Source = Source{Known: true, Address: 9, Own: 1, Grid: 2, Usual: dispatchv1.ChargeSource_CHARGE_SOURCE_OWN}
	}
	for _, tc := range []struct {
		name    string
		edit    func(*Output)
		duty    *dispatchv1.Duty
		want    Setting
		limited bool
		refused bool
	}{
		{"schedule", nil, &dispatchv1.Duty{Version: 1, PowerW: 1234}, Setting{1234, true, 0}, false, false},
		{"schedule of nothing", nil, &dispatchv1.Duty{Version: 1}, Setting{}, false, false},
		{"own limit", nil, &dispatchv1.Duty{Version: 1, PowerW: 6000}, Setting{5000, true, 0}, true, false},
		{"the chain's limit", nil, &dispatchv1.Duty{Version: 1, PowerW: -3500}, Setting{-3000, true, 0}, true, false},
		{"a command instead", nil, &dispatchv1.Duty{Version: 1, PowerW: 1234, Command: &dispatchv1.Command{PowerW: watts(-100)}}, Setting{-100, true, 0}, false, false},
		{"a command of 0", nil, &dispatchv1.Duty{Version: 1, PowerW: 1234, Command: &dispatchv1.Command{PowerW: watts(0)}}, Setting{}, false, false},
		{"off", nil, &dispatchv1.Duty{Version: 1, PowerW: 1234, Command: &dispatchv1.Command{Switch: dispatchv1.Switch_SWITCH_OFF}}, Setting{}, false, false},
		{"on, without a switch", nil, &dispatchv1.Duty{Command: &dispatchv1.Command{Switch: dispatchv1.Switch_SWITCH_ON}}, Setting{}, false, true},
		{"coil on", coil, &dispatchv1.Duty{Command: &dispatchv1.Command{Switch: dispatchv1.Switch_SWITCH_ON}}, Setting{-2000, true, 0}, false, false},
		{"coil off", coil, &dispatchv1.Duty{Command: &dispatchv1.Command{Switch: dispatchv1.Switch_SWITCH_OFF}}, Setting{}, false, false},
		{"coil by schedule", coil, &dispatchv1.Duty{Version: 1, PowerW: -2000}, Setting{-2000, true, 0}, false, false},
		{"coil, nearer to on", coil, &dispatchv1.Duty{Version: 1, PowerW: -1100}, Setting{-2000, true, 0}, true, false},
		{"coil, nearer to off", coil, &dispatchv1.Duty{Version: 1, PowerW: -900}, Setting{}, true, false},
		{"coil beyond the chain's limit", func(o *Output) { coil(o); o.MaxInW = 3500 }, &dispatchv1.Duty{Version: 1, PowerW: -3000}, Setting{}, true, false},
		{"coil on beyond it", func(o *Output) { coil(o); o.MaxInW = 3500 }, &dispatchv1.Duty{Command: &dispatchv1.Command{Switch: dispatchv1.Switch_SWITCH_ON}}, Setting{}, false, true},
		{"source own", source, &dispatchv1.Duty{Version: 1, PowerW: -100, Command: &dispatchv1.Command{ChargeSource: dispatchv1.ChargeSource_CHARGE_SOURCE_OWN}}, Setting{-100, true, dispatchv1.ChargeSource_CHARGE_SOURCE_OWN}, false, false},
		{"source none", source, &dispatchv1.Duty{Version: 1, PowerW: -100, Command: &dispatchv1.Command{ChargeSource: dispatchv1.ChargeSource_CHARGE_SOURCE_NONE}}, Setting{0, false, dispatchv1.ChargeSource_CHARGE_SOURCE_NONE}, false, false},
		{"source none without a register", nil, &dispatchv1.Duty{Version: 1, PowerW: -100, Command: &dispatchv1.Command{ChargeSource: dispatchv1.ChargeSource_CHARGE_SOURCE_NONE}}, Setting{0, false, dispatchv1.ChargeSource_CHARGE_SOURCE_NONE}, false, false},
		{"source grid without a register", nil, &dispatchv1.Duty{Command: &dispatchv1.Command{ChargeSource: dispatchv1.ChargeSource_CHARGE_SOURCE_GRID}}, Setting{}, false, true},
		{"what was bought comes over the grid", source, &dispatchv1.Duty{Version: 1, PowerW: -100}, Setting{-100, true, dispatchv1.ChargeSource_CHARGE_SOURCE_GRID}, false, false},
		{"what is sold does not", source, &dispatchv1.Duty{Version: 1, PowerW: 100}, Setting{100, true, dispatchv1.ChargeSource_CHARGE_SOURCE_OWN}, false, false},
	} {
		o := battery()
		if tc.edit != nil {
			tc.edit(&o)
		}
		got, limited, err := o.setting(&dispatchv1.Device{MaxOutW: 10_000, MaxInW: 3000}, tc.duty)
		if got != tc.want || limited != tc.limited || (err != nil) != tc.refused {
			t.Errorf("%s: %+v, limited %t, %v; want %+v", tc.name, got, limited, err, tc.want)
		}
	}
}

func TestTowards(t *testing.T) {
	o := battery()
	o.RampW = 100
	for _, tc := range []struct {
		from, to, want Setting
		ms             int64
	}{
		{Setting{PowerW: 0}, Setting{1000, true, 0}, Setting{150, true, 0}, 1500},
		{Setting{950, true, 0}, Setting{1000, true, 0}, Setting{1000, true, 0}, 1000},
		{Setting{1000, true, 0}, Setting{PowerW: -1000, On: true}, Setting{900, true, 0}, 1000},
		{Setting{1000, true, 0}, Setting{}, Setting{900, true, 0}, 1000},
		{Setting{50, true, 0}, Setting{}, Setting{}, 1000},
	} {
		if got := o.towards(tc.from, tc.to, tc.ms); got != tc.want {
			t.Errorf("%+v to %+v in %d ms: %+v, want %+v", tc.from, tc.to, tc.ms, got, tc.want)
		}
	}
}
