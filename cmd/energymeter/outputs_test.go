package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/dispatch"
	"github.com/energyd/energyd/meter/modbus"
)

// steerPeer runs a device against a slave that others wrote, and demands what
// that holds: with what plan, and after the end.
func steerPeer(t *testing.T, url string, multiple bool) {
	t.Helper()
	address, err := modbus.ParseAddress(url)
	if err != nil {
		t.Fatal(err)
	}
	bus := modbus.NewBus(address)
	defer bus.Close()
	output := dispatch.Output{
		Name: "b", URL: url, Unit: 1, MaxOutW: 5000, MaxInW: 5000, SafeW: 100, Watchdog: time.Hour, Refresh: time.Minute, Multiple: multiple,
		SetPoint: dispatch.Register{Address: 2, Form: "float32", ScaleMilliW: 1000, LowFirst: true},
		Switch:   dispatch.Switch{Table: modbus.Coils, Address: 3, On: 1, SafeOn: true},
		Source:   dispatch.Source{Known: true, Address: 7, Own: 11, Grid: 12, Usual: dispatchv1.ChargeSource_CHARGE_SOURCE_OWN},
		Override: dispatch.Input{Table: modbus.Discrete, Address: 4},
	}
	if err := output.Check(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	const length = 3_600_000
	plan := &dispatch.Plan{At: now, Block: now, PeriodMs: length, Devices: map[string]*dispatchv1.DeviceDispatch{"b": {
		Device: &dispatchv1.Device{Device: "b", MaxOutW: 5000, MaxInW: 2500},
		Duties: []*dispatchv1.Duty{
			{Period: now.UnixMilli() / length * length, Version: 1, PowerW: -3000},
			{Period: (now.UnixMilli()/length + 1) * length, Version: 1, PowerW: -3000},
		},
	}}}
	var last atomic.Pointer[dispatch.State]
	acks := make(chan *dispatchv1.Acknowledgement, 10)
	device := dispatch.NewDevice(output, bus, dispatch.Options{
		Timeout: 5 * time.Second, Now: time.Now, Plan: func() *dispatch.Plan { return plan },
		Report: func(s dispatch.State) { last.Store(&s) }, Acknowledge: func(a *dispatchv1.Acknowledgement) { acks <- a },
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan struct{})
	go func() { defer close(done); device.Run(ctx) }()
	var ack *dispatchv1.Acknowledgement
	for ack == nil || ack.Outcome == dispatchv1.Outcome_OUTCOME_FAILED { // until the slave has started
		select {
		case ack = <-acks:
		case <-ctx.Done():
			t.Fatalf("nothing was acknowledged: %+v", last.Load())
		}
	}
	if ack.Outcome != dispatchv1.Outcome_OUTCOME_LIMITED || ack.AppliedW != -2500 {
		t.Errorf("acknowledged %v, want -2500 W as limited", ack)
	}
	holds(t, bus, output, "charge source 12, set-point -2500 W, switch on")
	cancel()
	<-done
	holds(t, bus, output, "charge source 11, set-point 100 W, switch on")
}

func holds(t *testing.T, bus *modbus.Bus, o dispatch.Output, want string) {
	t.Helper()
	if found, err := dispatch.Inspect(t.Context(), o, bus, 5*time.Second); err != nil || found != want {
		t.Errorf("the slave holds %s, %v; want %s", found, err, want)
	}
}

func TestPymodbusOutputs(t *testing.T) {
	need(t, python, "-c", "import pymodbus.server")
	for name, multiple := range map[string]bool{"single": false, "multiple": true} {
		t.Run(name, func(t *testing.T) {
			port := freePort(t)
			begin(t, python, "testdata/outputs.py", "tcp", port)
			steerPeer(t, "tcp://127.0.0.1:"+port, multiple)
		})
	}
}

func TestPymodbusOutputsRTU(t *testing.T) {
	need(t, python, "-c", "import pymodbus.server, serial")
	need(t, "socat", "-V")
	ours, theirs := filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")
	begin(t, "socat", "pty,raw,echo=0,link="+ours, "pty,raw,echo=0,link="+theirs)
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := filepath.EvalSymlinks(theirs); err == nil {
			break
		}
	}
	begin(t, python, "testdata/outputs.py", "rtu", theirs)
	steerPeer(t, "rtu://"+ours+"?baud=9600&timeout=300ms", false)
}

// TestMbpollBattery: a master that others wrote sets our simulated battery.
func TestMbpollBattery(t *testing.T) {
	need(t, "mbpoll", "-h")
	port := freePort(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() {
		_, err := run(ctx, "simulate", "--model", "battery", "--listen", "127.0.0.1:"+port)
		done <- err
	}()
	var out string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if out = mbpoll(port, "-t", "4", "-r", "0", "127.0.0.1", "1234"); strings.Contains(out, "Written 1 references") {
			break
		}
	}
	if power := mbpoll(port, "-t", "3:float", "-B", "-r", "52", "-1", "127.0.0.1"); !strings.Contains(power, "[52]: \t-1234") {
		t.Errorf("written: %s\nthe power: %s, want -1234", out, power)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// mbpoll returns what the program says of unit 1, addresses from 0 on.
func mbpoll(port string, args ...string) string {
	out, _ := exec.Command("mbpoll", append([]string{"-m", "tcp", "-p", port, "-a", "1", "-0"}, args...)...).CombinedOutput()
	return string(out) // says itself what went wrong
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDispatchStatusCommand: what it prints is what the file says.
func TestDispatchStatusCommand(t *testing.T) {
	home := t.TempDir()
	write(t, filepath.Join(home, "dispatch.json"), `{"plan_of":"2026-03-20T12:00:00Z","problem":"no route","acknowledgements_waiting":2,"devices":{
"b":{"set":{"PowerW":1500,"On":true,"Source":2},"written_at":"2026-03-20T12:01:00Z","outcome":"limited","reason":"its power changes step by step",
"duties":[{"period":1774008000000,"version":3,"power_w":-200},{"period":1774008900000,"version":3,"power_w":5,"command":{"number":8,"switch":"OFF","reason":"work"}}]},
"c":{"outcome":"failed","reason":"no answer"}}}`)
	out, code, text := try(t.Context(), "dispatch", "status", "--home", home)
	want := `schedule          of 2026-03-20T12:00Z, not renewed: no route
acknowledgements  2 wait
b
  set      1500 W, written at 2026-03-20T12:01Z
  outcome  limited: its power changes step by step
  planned  2026-03-20T12:00:00Z  -200 W (schedule, version 3)
  planned  2026-03-20T12:15:00Z  switch off (command 8, "work")
c
  set      not known
  outcome  failed: no answer
`
	if code != exitOK || out != want {
		t.Errorf("exit code %d %s\n%s\nwant\n%s", code, text, out, want)
	}
	if out, code, _ := try(t.Context(), "dispatch", "status", "--home", t.TempDir(), "--json"); code != exitOK || !strings.Contains(out, `"acknowledgements_waiting": 0`) {
		t.Errorf("without a file: %d %s", code, out)
	}
	write(t, filepath.Join(home, "dispatch.json"), "x")
	if _, code, text := try(t.Context(), "dispatch", "status", "--home", home); code != exitError || !strings.Contains(text, "dispatch status: ") {
		t.Errorf("broken: %d %s", code, text)
	}
}
