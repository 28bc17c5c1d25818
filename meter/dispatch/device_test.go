package dispatch

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goburrow "github.com/goburrow/modbus"
	"pgregory.net/rapid"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/modbus"
)

const periodMs = 900_000

// memory is a bus with one device whose tables are maps.
type memory struct {
	holding map[uint16]uint16
	coils   map[uint16]bool
	inputs  map[uint16]bool
	writes  []string
	// fault, if set, is asked before each write of a register, in words, and may
	// say that it is not done, or that it is done with an error.
	fault func(write string) (done bool, err error)
	// deaf fails all questions.
	deaf error
}

func newMemory() *memory {
	return &memory{holding: map[uint16]uint16{}, coils: map[uint16]bool{}, inputs: map[uint16]bool{}}
}

func (m *memory) Read(_ context.Context, _ byte, _ modbus.Table, address, count uint16) ([]uint16, error) {
	out := make([]uint16, count)
	for i := range out {
		out[i] = m.holding[address+uint16(i)]
	}
	return out, m.deaf
}

func (m *memory) ReadBits(_ context.Context, _ byte, table modbus.Table, address, _ uint16) ([]bool, error) {
	if table == modbus.Discrete {
		return []bool{m.inputs[address]}, m.deaf
	}
	return []bool{m.coils[address]}, m.deaf
}

func (m *memory) write(text string, do func()) error {
	if m.deaf != nil {
		return m.deaf
	}
	m.writes = append(m.writes, text)
	done, err := true, error(nil)
	if m.fault != nil {
		done, err = m.fault(text)
	}
	if done {
		do()
	}
	return err
}

func (m *memory) WriteRegisters(_ context.Context, _ byte, address uint16, values []uint16, _ bool) error {
	return m.write(fmt.Sprintf("%d=%d", address, int16(values[0])), func() {
		for i, v := range values {
			m.holding[address+uint16(i)] = v
		}
	})
}

func (m *memory) WriteCoil(_ context.Context, _ byte, address uint16, on, _ bool) error {
	return m.write(fmt.Sprintf("c%d=%t", address, on), func() { m.coils[address] = on })
}

// world is a device with a clock, a plan and what it told.
type world struct {
	*Device
	bus  *memory
	now  time.Time
	plan *Plan
	acks []*dispatchv1.Acknowledgement
}

func newWorld(o Output) *world {
	w := &world{bus: newMemory(), now: time.UnixMilli(2_000_000 * periodMs)}
	w.Device = NewDevice(o, w.bus, Options{
		Timeout: time.Second, Now: func() time.Time { return w.now }, Plan: func() *Plan { return w.plan },
		Report: func(State) {}, Acknowledge: func(a *dispatchv1.Acknowledgement) { w.acks = append(w.acks, a) },
	})
	w.settle = 0
	return w
}

// asks makes a plan of now with powers for the present period and those after.
func (w *world) asks(powers ...int64) {
	w.plan = &Plan{At: w.now, Block: w.now, PeriodMs: periodMs, Devices: map[string]*dispatchv1.DeviceDispatch{
		w.output.Name: {Device: &dispatchv1.Device{Device: w.output.Name, MaxOutW: 5000, MaxInW: 5000}},
	}}
	for i, p := range powers {
		found := w.plan.Devices[w.output.Name]
		found.Duties = append(found.Duties, &dispatchv1.Duty{Period: w.now.UnixMilli()/periodMs*periodMs + int64(i)*periodMs, Version: 1, PowerW: p})
	}
}

// steps passes n seconds.
func (w *world) steps(n int) {
	for range n {
		w.step(context.Background())
		w.now = w.now.Add(time.Second)
	}
}

// outcomes returns those that were acknowledged, with what was applied, and
// forgets them.
func (w *world) outcomes() string {
	var out []string
	for _, a := range w.acks {
		out = append(out, fmt.Sprintf("%s %d", strings.ToLower(a.Outcome.String()[8:]), a.AppliedW))
	}
	w.acks = nil
	return strings.Join(out, ", ")
}

func (w *world) written() string {
	out := strings.Join(w.bus.writes, " ")
	w.bus.writes = nil
	return out
}

func (w *world) want(t *testing.T, when, writes, outcomes string) {
	t.Helper()
	if got := w.written(); got != writes {
		t.Errorf("%s: written %q, want %q", when, got, writes)
	}
	if got := w.outcomes(); got != outcomes {
		t.Errorf("%s: acknowledged %q, want %q", when, got, outcomes)
	}
}

// TestDevice: the life of a device without faults.
func TestDevice(t *testing.T) {
	o := battery()
	o.Refresh, o.Watchdog = 20*time.Second, time.Hour
	w := newWorld(o)
	w.bus.holding[0] = 4321 // somebody else's
	w.steps(3)
	w.want(t, "without a plan", "0=0", "")
	w.asks(1000, -2000)
	w.steps(1)
	w.want(t, "the plan", "0=1000", "done 1000")
	w.steps(30)
	w.want(t, "repeated", "0=1000", "")
	w.asks(1500, -4500)
	w.plan.Devices["b"].Duties[0].Version = 2
	w.steps(1)
	w.want(t, "another version", "0=1500", "done 1500")
	w.now = time.UnixMilli(w.now.UnixMilli()/periodMs*periodMs + periodMs)
	w.steps(1)
	w.want(t, "the next period, own limit", "0=-4000", "limited -4000")
	w.now = w.now.Add(16 * time.Minute)
	w.steps(1)
	w.want(t, "nothing is asked", "0=0", "")
	w.asks(7)
	w.steps(1)
	w.want(t, "again", "0=7", "done 7")
	w.stop(t.Context())
	w.want(t, "stop", "0=0", "safe 0")
}

// TestWatchdog: a schedule that grows old, a clock that cannot be right, and a
// plan that was taken away all end in the safe state.
func TestWatchdog(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*world)
		acks   string
		reason string
	}{
		{"stale", func(w *world) { w.now = w.now.Add(time.Minute) }, "safe 100", "older than the 1m0s"},
		{"set back", func(w *world) { w.now = w.now.Add(-40 * time.Second) }, "safe 100", "set back"},
		{"no plan", func(w *world) { w.plan = nil }, "", "no schedule"},
		{"the chain removed the device", func(w *world) { w.plan = &Plan{At: w.now, PeriodMs: periodMs} }, "", "no such device"},
	} {
		o := battery()
		o.SafeW = 100
		w := newWorld(o)
		w.now = w.now.Add(2 * time.Minute)
		w.asks(1000)
		w.steps(3)
		w.want(t, tc.name, "0=100 0=1000", "done 1000")
		tc.change(w)
		w.steps(1)
		w.want(t, tc.name, "0=100", tc.acks)
		if !strings.Contains(w.state.Reason, tc.reason) {
			t.Errorf("%s: reason %q", tc.name, w.state.Reason)
		}
		w.asks(1000)
		w.steps(1)
		if got := w.written(); got != "0=1000" {
			t.Errorf("%s: afterwards %q", tc.name, got)
		}
	}
}

// TestFaults: after each fault the device is in the safe state as soon as it
// can be reached, and goes on when the fault has passed.
func TestFaults(t *testing.T) {
	lost := errors.New("no answer within 1s")
	is := func(text string, done bool, err error) func(*world) {
		return func(w *world) {
			w.bus.fault = func(write string) (bool, error) {
				if write == text {
					return done, err
				}
				return true, nil
			}
		}
	}
	for _, tc := range []struct {
		name   string
		fault  func(*world)
		writes string
		acks   string
		reads  uint16 // what the device holds during the fault
	}{
		{"written, the answer lost", is("0=1000", true, lost), "0=1000", "done 1000", 1000},
		{"not written, the answer lost", is("0=1000", false, lost), "0=1000 0=0", "failed 0", 0},
		{"the device ignores it", is("0=1000", false, nil), "0=1000 0=0", "failed 0", 0},
		{"an exception", is("0=1000", false, &modbus.Exception{FunctionCode: 0x86, ExceptionCode: 3}), "0=1000 0=0", "refused 0", 0},
		{"an exception of the gateway before it", is("0=1000", true, &modbus.Exception{FunctionCode: 0x86, ExceptionCode: goburrow.ExceptionCodeGatewayTargetDeviceFailedToRespond}), "0=1000", "done 1000", 1000},
		{"nobody answers", func(w *world) { w.bus.deaf = lost }, "", "failed 0", 0},
	} {
		w := newWorld(battery())
		w.steps(1)
		w.want(t, tc.name, "0=0", "")
		tc.fault(w)
		w.asks(1000)
		w.steps(2)
		w.want(t, tc.name, tc.writes, tc.acks)
		if got := w.bus.holding[0]; got != tc.reads {
			t.Errorf("%s: the device holds %d, want %d", tc.name, got, tc.reads)
		}
		w.bus.fault, w.bus.deaf = nil, nil
		w.steps(5)
		if got := w.bus.holding[0]; got != 1000 {
			t.Errorf("%s: afterwards the device holds %d", tc.name, got)
		}
		if got := w.outcomes(); tc.reads == 0 && got != "done 1000" {
			t.Errorf("%s: afterwards acknowledged %q", tc.name, got)
		}
	}
}

// TestPauses: a device that does not do what it is told is not told so every
// second, and rests in its safe state.
func TestPauses(t *testing.T) {
	w := newWorld(battery())
	w.bus.fault = func(write string) (bool, error) { return write == "0=0", nil }
	w.asks(1000, 1000)
	w.output.Watchdog = time.Hour
	w.output.Refresh = 30 * time.Minute
	w.steps(600)
	attempts := strings.Count(w.written(), "0=1000")
	if attempts < 5 || attempts > 16 {
		t.Errorf("%d attempts in 10 minutes", attempts)
	}
	if got := w.outcomes(); got != "failed 0" {
		t.Errorf("acknowledged %q", got)
	}
}

// TestOverride: while somebody on site has the device nothing is written; then
// the safe state comes first.
func TestOverride(t *testing.T) {
	o := battery()
	o.Override = Input{Table: modbus.Discrete, Address: 4}
	w := newWorld(o)
	w.asks(1000)
	w.steps(3)
	w.want(t, "before", "0=0 0=1000", "done 1000")
	w.bus.inputs[4], w.bus.holding[0] = true, 77
	w.steps(40)
	w.want(t, "set", "", "overridden 0")
	w.stop(t.Context())
	w.want(t, "stopped meanwhile", "", "")
	w.bus.inputs[4] = false
	w.asks(1000)
	w.steps(2)
	w.want(t, "cleared", "0=0 0=1000", "done 1000")
	w.bus.deaf = errors.New("no answer")
	w.steps(6)
	w.want(t, "not known", "", "failed 0")
}

// TestRamp: the power changes by steps, the safe state comes at once.
func TestRamp(t *testing.T) {
	o := battery()
	o.RampW = 400
	w := newWorld(o)
	w.asks(1000)
	w.steps(5)
	w.want(t, "up", "0=0 0=400 0=800 0=1000", "limited 400, done 1000")
	w.plan = nil
	w.steps(1)
	w.want(t, "safe", "0=0", "")
}

// TestPairAndSwitch: off before all else, the direction that ends before the
// one that begins, on at last.
func TestPairAndSwitch(t *testing.T) {
	o := battery()
	o.SetPoint = Register{}
	o.Discharge, o.Charge = Register{Address: 1, Form: "uint16", ScaleMilliW: 1000}, Register{Address: 2, Form: "uint16", ScaleMilliW: 1000}
	o.Switch = Switch{Table: modbus.Coils, Address: 5, On: 1}
	o.Source = Source{Known: true, Address: 7, Own: 1, Grid: 2, Usual: dispatchv1.ChargeSource_CHARGE_SOURCE_OWN}
	w := newWorld(o)
	w.asks(500)
	w.steps(2)
	w.want(t, "out", "c5=false 7=1 1=0 2=0 7=1 2=0 1=500 c5=true", "done 500")
	w.asks(-300)
	w.plan.Devices["b"].Duties[0].Version = 2
	w.steps(1)
	w.want(t, "in", "7=2 1=0 2=300 c5=true", "done -300")
	w.plan.Devices["b"].Duties[0].Command = &dispatchv1.Command{Number: 9, Switch: dispatchv1.Switch_SWITCH_OFF}
	w.steps(1)
	if a := w.acks[0]; a.Command != 9 || a.Version != 0 {
		t.Errorf("acknowledged %v, want command 9", a)
	}
	w.want(t, "off", "c5=false 7=1 1=0 2=0", "done 0")
}

// TestNeverUnsafe: whatever faults come and whatever is asked, the device never
// holds a power beyond the limits, and some time after the last fault and with a
// schedule that is gone it holds the safe one.
func TestNeverUnsafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := battery()
		o.SafeW = rapid.Int64Range(-4000, 5000).Draw(t, "safe")
		o.RampW = rapid.SampledFrom([]int64{0, 300}).Draw(t, "ramp")
		w := newWorld(o)
		check := func() {
			if v := int16(w.bus.holding[0]); int64(v) > o.MaxOutW || int64(v) < -o.MaxInW {
				t.Fatalf("the device holds %d", v)
			}
		}
		w.bus.fault = func(string) (bool, error) {
			check()
			return rapid.Bool().Draw(t, "done"), rapid.SampledFrom([]error{nil, errors.New("lost"), &modbus.Exception{ExceptionCode: 4}}).Draw(t, "error")
		}
		for range rapid.IntRange(1, 10).Draw(t, "plans") {
			w.asks(rapid.Int64Range(-100_000, 100_000).Draw(t, "power"))
			w.bus.deaf = rapid.SampledFrom([]error{nil, nil, errors.New("deaf")}).Draw(t, "deaf")
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "pass")) * time.Second)
			w.steps(rapid.IntRange(1, 5).Draw(t, "steps"))
			check()
		}
		w.bus.fault, w.bus.deaf, w.plan = nil, nil, nil
		w.now = w.now.Add(longestPause)
		w.steps(2)
		if got := int64(int16(w.bus.holding[0])); got != o.SafeW {
			t.Fatalf("at the end the device holds %d, safe is %d", got, o.SafeW)
		}
	})
}
