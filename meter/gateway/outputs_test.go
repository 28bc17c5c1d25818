package gateway

import (
	"strings"
	"testing"
	"time"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/dispatch"
	"github.com/energyd/energyd/meter/modbus"
)

const goodDevices = `chain_id: region-1
nodes: [tcp://127.0.0.1:26657]
meters: []
devices:
  - name: battery-1
    url: tcp://127.0.0.1:502
    unit: 7
    max_out_w: 5000
    max_in_w: 4000
    set_point: {register: 100, type: int32, scale_w: 0.1, positive: in, word_order: low}
    switch: {register: 5, on: 3, off: 4, safe: on}
    source: {register: 6, none: 0, own: 1, grid: 2, usual: none}
    override: {discrete: 9}
    safe_w: -100
    ramp_w_per_s: 250
    watchdog: 2m
    refresh: 20s
    write_multiple: yes
  - {name: heater, url: "rtu:///dev/ttyUSB0?baud=9600", max_in_w: 2000, switch: {coil: 0}}
  - name: battery-2
    url: tcp://127.0.0.1:502
    max_out_w: 100
    max_in_w: 100
    discharge: {register: 0, type: uint16}
    charge: {register: 1, type: float32}
`

func TestOutputs(t *testing.T) {
	c, err := parseConfig("c.yaml", []byte(goodDevices))
	must(t, err)
	want := dispatch.Output{
		Name: "battery-1", URL: "tcp://127.0.0.1:502", Unit: 7, Timeout: defaultTimeout, MaxOutW: 5000, MaxInW: 4000, RampW: 250, SafeW: -100,
		Watchdog: 2 * time.Minute, Refresh: 20 * time.Second, Multiple: true,
		SetPoint: dispatch.Register{Address: 100, Form: "int32", ScaleMilliW: 100, Draws: true, LowFirst: true},
		Switch:   dispatch.Switch{Table: modbus.Holding, Address: 5, On: 3, Off: 4, SafeOn: true},
		Source:   dispatch.Source{Known: true, Address: 6, None: 0, Own: 1, Grid: 2, Usual: dispatchv1.ChargeSource_CHARGE_SOURCE_NONE},
		Override: dispatch.Input{Table: modbus.Discrete, Address: 9},
	}
	if len(c.Devices) != 3 || c.Devices[0] != want {
		t.Errorf("%+v\nwant %+v", c.Devices, want)
	}
	if h := c.Devices[1]; h.Switch != (dispatch.Switch{Table: modbus.Coils, On: 1}) || h.Unit != 1 || h.Watchdog != defaultWatchdog || h.Refresh != defaultRefresh {
		t.Errorf("%+v", h)
	}
	if n := c.sharing("tcp://127.0.0.1:502"); n != 2 {
		t.Errorf("%d share the bus, want 2", n)
	}
}

// TestOutputsRefused: each mistake is said with file, line and field.
func TestOutputsRefused(t *testing.T) {
	for _, tc := range []struct{ name, old, new, says string }{
		{"no list", "meters: []", "devices: x\nmeters: []", "c.yaml:3: devices: expected a list of devices"},
		{"unknown field", "unit: 7", "units: 7", "c.yaml:7: devices[0].units: unknown field"},
		{"unknown field of a register", "scale_w: 0.1", "scale: 0.1", "c.yaml:10: devices[0].set_point.scale: unknown field"},
		{"without a name", "  - name: battery-1\n    url", "  - url", "c.yaml:5: devices[0].name: missing"},
		{"the same device", "name: battery-2", "name: heater", "devices[2].name: expected each device once"},
		{"a bus", "rtu:///dev/ttyUSB0?baud=9600", "http://x", "c.yaml:19: devices[1].url: expected tcp://HOST:PORT"},
		{"a type", "type: int32", "type: int64", "c.yaml:10: devices[0].set_point.type: expected int16, uint16, int32, uint32, float32"},
		{"without a type", ", type: int32", "", "c.yaml:10: devices[0].set_point.type: missing"},
		{"an address", "register: 100", "register: 65536", "c.yaml:10: devices[0].set_point.register: expected a whole number from 0 to 65535"},
		{"a scale of 0", "scale_w: 0.1", "scale_w: 0", "devices[0].set_point.scale_w: expected a number like 1, 10 or 0.1"},
		{"a scale below 0", "scale_w: 0.1", "scale_w: -1", "devices[0].set_point.scale_w: expected a number"},
		{"a direction of a one-way register", "register: 0, type: uint16", "register: 0, type: uint16, positive: in", "devices[2].discharge.positive: unknown field"},
		{"a switch of nothing", "switch: {coil: 0}", "switch: {safe: on}", "devices[1].switch: expected coil or register"},
		{"a switch of two", "switch: {coil: 0}", "switch: {coil: 0, register: 1}", "devices[1].switch.register: expected only one address"},
		{"a coil with values", "switch: {coil: 0}", "switch: {coil: 0, on: 0, off: 1}", "devices[1].switch: expected on and off only with a register"},
		{"a switch that never switches", "on: 3, off: 4", "on: 3, off: 3", "c.yaml:11: devices[0].switch: expected different values"},
		{"one value for two sources", "own: 1, grid: 2", "own: 2, grid: 2", "c.yaml:12: devices[0].source: expected different values"},
		{"no source", "usual: none", "usual: sun", "devices[0].source.usual: expected none, own, grid"},
		{"an override of nothing", "{discrete: 9}", "{}", "c.yaml:13: devices[0].override: expected coil, discrete, register or input"},
		{"safe beyond the limits", "safe_w: -100", "safe_w: -4001", "c.yaml:14: devices[0].safe_w: expected it within the limits, -4000 to 5000"},
		{"limits beyond the type", "max_out_w: 100\n", "max_out_w: 65536\n", "c.yaml:24: devices[2].discharge: expected room for 65536 W, uint16 holds 65535 W at most"},
		{"no way to write", "    set_point: {register: 100, type: int32, scale_w: 0.1, positive: in, word_order: low}\n    switch: {register: 5, on: 3, off: 4, safe: on}\n", "", "c.yaml:5: devices[0].set_point: expected it, discharge and charge, or switch"},
		{"refresh", "refresh: 20s", "refresh: 2m", "c.yaml:17: devices[0].refresh: expected less than the watchdog, 2m0s"},
		{"a watchdog that is too short", "watchdog: 2m", "watchdog: 1s", "c.yaml:16: devices[0].watchdog: expected a duration"},
		{"yes", "write_multiple: yes", "write_multiple: 1", "devices[0].write_multiple: expected yes, no"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			data := strings.Replace(goodDevices, tc.old, tc.new, 1)
			if data == goodDevices {
				t.Fatalf("%q is not there", tc.old)
			}
			if _, err := parseConfig("c.yaml", []byte(data)); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}
