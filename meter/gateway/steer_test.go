package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/meter/dispatch"
	"github.com/energyd/energyd/meter/modbus"
	"github.com/energyd/energyd/meter/simulate"
	"github.com/energyd/energyd/protocol"
)

// steering is a node whose side of dispatch, the answers of the query and what
// becomes of acknowledgements, is up to the test. All but With is used within it.
type steering struct {
	*node
	dispatch *dispatchv1.QueryGatewayDispatchResponse
	// standsStill keeps the time of its answer.
	standsStill bool
	// refuse returns the code for an acknowledgement, 0 to take it.
	refuse func(*dispatchv1.Acknowledgement) uint32
	acks   []*dispatchv1.Acknowledgement
	// powerW is what is asked, versions counts its changes.
	powerW   []int64
	versions int64
}

func newSteering(t *testing.T) *steering {
	t.Helper()
	n := &steering{node: newNode(t, 1)}
	n.Answer = func(path string) []byte {
		if path != "/"+string(new(dispatchv1.QueryGatewayDispatchRequest).ProtoReflect().Descriptor().FullName()) {
			return nil
		}
		value, err := protocol.Marshal(n.planned())
		if err != nil {
			t.Error(err)
		}
		return value
	}
	n.Execute = n.acknowledged
	return n
}

// steers answers with one device and a power that is asked of it in the present
// period and the three after it; without a power nothing is.
func (n *steering) steers(device string, powerW ...int64) {
	n.dispatch = &dispatchv1.QueryGatewayDispatchResponse{
		Devices:        []*dispatchv1.DeviceDispatch{{Device: &dispatchv1.Device{Device: device, MaxOutW: 5000, MaxInW: 5000}}},
		PeriodLengthMs: testkit.Period.Milliseconds(), TimeMs: n.Now().UnixMilli(),
	}
	n.powerW = powerW
	n.versions++
}

// planned returns the answer as of now.
func (n *steering) planned() *dispatchv1.QueryGatewayDispatchResponse {
	if !n.standsStill {
		n.dispatch.TimeMs = n.Now().UnixMilli()
	}
	length := n.dispatch.PeriodLengthMs
	n.dispatch.Devices[0].Duties = nil
	for i := range int64(4 * len(n.powerW)) {
		n.dispatch.Devices[0].Duties = append(n.dispatch.Devices[0].Duties, &dispatchv1.Duty{
			Period: (n.Now().UnixMilli()/length + i) * length, Version: n.versions, PowerW: n.powerW[0],
		})
	}
	return n.dispatch
}

// acknowledged executes a transaction of acknowledgements, if it is one.
func (n *steering) acknowledged(tx []byte) *abci.ExecTxResult {
	envelope, _, err := protocol.DecodeEnvelope(tx)
	msg := new(dispatchv1.MsgAcknowledgeDispatch)
	if err != nil || envelope.Msgs[0].Type != string(msg.ProtoReflect().Descriptor().FullName()) || protocol.Unmarshal(envelope.Msgs[0].Value, msg) != nil {
		return nil
	}
	result := new(abci.ExecTxResult)
	for _, a := range msg.Acknowledgements {
		if n.refuse != nil && result.Code == 0 {
			result.Code = n.refuse(a)
		}
	}
	if result.Code == 0 {
		n.acks = append(n.acks, msg.Acknowledgements...)
	} else {
		result.Codespace = "dispatch"
	}
	return result
}

// serveBattery serves a battery and returns it with the URL of its bus.
func serveBattery(t *testing.T) (*simulate.Battery, string) {
	t.Helper()
	battery := simulate.NewBattery(5000, time.Hour, simulate.State{}, time.Now)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	done := make(chan error)
	go func() { done <- simulate.Serve(listener, map[byte]simulate.Unit{1: battery}) }()
	t.Cleanup(func() {
		_ = listener.Close()
		if err := <-done; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	})
	return battery, "tcp://" + listener.Addr().String() + "?timeout=2s"
}

// steered writes a configuration with a device b at a URL.
func steered(t *testing.T, home string, nodes []string, url string) {
	t.Helper()
	path := writeConfig(t, home, nodes, "")
	data, err := os.ReadFile(path)
	must(t, err)
	device := fmt.Sprintf("devices:\n- {name: b, url: %q, max_out_w: 4000, max_in_w: 4000, watchdog: 3s, refresh: 1s, set_point: {register: 0, type: int16}, override: {discrete: 0}}\n", url)
	must(t, os.WriteFile(path, append(data, device...), 0o600))
}

// openBus is what energymeter has, without sharing.
func openBus(url string) (dispatch.Bus, error) {
	address, err := modbus.ParseAddress(url)
	return modbus.NewBus(address), err
}

func openSteering(t *testing.T, home string) *Gateway {
	t.Helper()
	g, err := New(Options{
		Home: home, ConfigFile: filepath.Join(home, "energymeter.yaml"), Key: testkit.NewKey("gateway"), Log: quiet, Now: clockOf(began), OpenBus: openBus,
	})
	must(t, err)
	t.Cleanup(func() { _ = g.Close() })
	return g
}

// acked says whether the chain knows of an outcome.
func (n *steering) acked(outcome dispatchv1.Outcome, appliedW int64) bool {
	found := false
	n.With(func() {
		for _, a := range n.acks {
			found = found || a.Outcome == outcome && a.AppliedW == appliedW && a.Device == "b"
		}
	})
	return found
}

// TestSteer: a battery does what the chain asks, within the gateway's limits;
// somebody on site is not disturbed; without news from the chain, and when the
// gateway is stopped, the battery is in its safe state. The chain hears of it.
func TestSteer(t *testing.T) {
	n, home := newSteering(t), t.TempDir()
	battery, url := serveBattery(t)
	n.With(func() { n.steers("b", 1500) })
	steered(t, home, []string{"tcp://127.0.0.1:1", n.URL}, url)
	g := openSteering(t, home)
	_, stop := run(t, g)
	eventually(t, "1500 W out", func() bool { return battery.State().PowerW == -1500 })
	eventually(t, "acknowledged", func() bool { return n.acked(dispatchv1.Outcome_OUTCOME_DONE, 1500) })

	n.With(func() { n.steers("b", -4500) })
	eventually(t, "4000 W in", func() bool { return battery.State().PowerW == 4000 })
	eventually(t, "acknowledged as limited", func() bool { return n.acked(dispatchv1.Outcome_OUTCOME_LIMITED, -4000) })

	battery.Write(modbus.Coils, simulate.BatteryKey, []uint16{1})
	eventually(t, "acknowledged as overridden", func() bool { return n.acked(dispatchv1.Outcome_OUTCOME_OVERRIDDEN, 0) })
	battery.Write(modbus.Coils, simulate.BatteryKey, []uint16{0})
	n.With(func() { n.steers("b", 700) })
	eventually(t, "700 W out", func() bool { return battery.State().PowerW == -700 })

	n.With(func() { n.Down = true })
	eventually(t, "the watchdog", func() bool { return battery.State().PowerW == 0 })
	eventually(t, "the watchdog's acknowledgement waits", func() bool {
		acks := g.outbox.Peek(maxBatch)
		return len(acks) > 0 && acks[len(acks)-1].Outcome == dispatchv1.Outcome_OUTCOME_SAFE
	})
	if h := g.Health(); h.OK || !strings.Contains(h.Problems[0], "device b: safe: the schedule is older than the 3s") {
		t.Errorf("health %+v", h)
	}
	n.With(func() { n.Down = false })
	eventually(t, "700 W out again", func() bool { return battery.State().PowerW == -700 })
	stop()
	if w := battery.State().PowerW; w != 0 {
		t.Errorf("after the end the battery does %d W", w)
	}
	if status, err := ReadDispatchStatus(home); err != nil || status.Devices["b"].Outcome != "safe" || status.Devices["b"].Set == nil {
		t.Errorf("after the end the status is %+v, %v", status, err)
	}
}

// TestSteerStale: an answer that is old, or a clock that is wrong, renews no
// schedule.
func TestSteerStale(t *testing.T) {
	for name, shift := range map[string]time.Duration{"the chain stands still": -time.Minute, "the clock is behind": time.Minute} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, home := newSteering(t), t.TempDir()
			battery, url := serveBattery(t)
			n.With(func() { n.steers("b", 1500) })
			steered(t, home, []string{n.URL}, url)
			run(t, openSteering(t, home))
			eventually(t, "1500 W out", func() bool { return battery.State().PowerW == -1500 })
			n.With(func() {
				n.standsStill = true
				n.dispatch.TimeMs += shift.Milliseconds()
			})
			eventually(t, "the safe state", func() bool { return battery.State().PowerW == 0 })
			n.With(func() { n.standsStill = false })
			eventually(t, "1500 W out again", func() bool { return battery.State().PowerW == -1500 })
		})
	}
}

// TestSteerKill: a gateway that is killed leaves the battery as it was; the next
// one, which does not know why, puts it into its safe state before all else.
func TestSteerKill(t *testing.T) {
	n, home := newSteering(t), t.TempDir()
	battery, url := serveBattery(t)
	n.With(func() { n.steers("b", 1500) })
	steered(t, home, []string{n.URL}, url)
	end := startChild(t, home)
	eventually(t, "1500 W out", func() bool { return battery.State().PowerW == -1500 })
	end()
	if w := battery.State().PowerW; w != -1500 {
		t.Fatalf("killed, and the battery does %d W", w)
	}
	n.With(func() { n.Down = true })
	end = startChild(t, home)
	eventually(t, "the safe state", func() bool { return battery.State().PowerW == 0 })
	n.With(func() { n.Down = false })
	eventually(t, "1500 W out again", func() bool { return battery.State().PowerW == -1500 })
	end()
}

// TestRefusedAcknowledgements: those that the chain refuses are dropped, the
// others get there.
func TestRefusedAcknowledgements(t *testing.T) {
	n, home := newSteering(t), t.TempDir()
	n.With(func() {
		n.steers("b")
		n.refuse = func(a *dispatchv1.Acknowledgement) uint32 { return uint32(a.Period % 2) }
	})
	writeConfig(t, home, []string{n.URL}, "")
	g := openSteering(t, home)
	for period := range int64(9) {
		g.acknowledge(&dispatchv1.Acknowledgement{Device: "b", Period: period})
	}
	_ = g.Close()
	g = openSteering(t, home) // they were kept
	if g.outbox.Waiting() != 9 {
		t.Fatalf("%d wait after a restart", g.outbox.Waiting())
	}
	run(t, g)
	eventually(t, "none that waits", func() bool { return g.outbox.Waiting() == 0 })
	n.With(func() {
		if len(n.acks) != 5 {
			t.Errorf("the chain took %v, want the 5 of even periods", n.acks)
		}
	})
}

// TestStrangers: what is asked of a device that is not in the configuration is
// refused once a period.
func TestStrangers(t *testing.T) {
	n, home := newSteering(t), t.TempDir()
	_, url := serveBattery(t)
	n.With(func() { n.steers("c", 1500) })
	steered(t, home, []string{n.URL}, url)
	run(t, openSteering(t, home))
	seen := make(map[int64]int)
	eventually(t, "two periods", func() bool {
		clear(seen)
		n.With(func() {
			for _, a := range n.acks {
				seen[a.Period]++
				if a.Device != "c" || a.Outcome != dispatchv1.Outcome_OUTCOME_REFUSED || seen[a.Period] > 1 {
					t.Errorf("acknowledged %v", n.acks)
				}
			}
		})
		return len(seen) == 2
	})
}

// TestDispatchStatus: the file says what is planned and set, and the metrics.
func TestDispatchStatus(t *testing.T) {
	n, home := newSteering(t), t.TempDir()
	_, url := serveBattery(t)
	n.With(func() { n.steers("b", 1500) })
	steered(t, home, []string{n.URL}, url)
	g := openSteering(t, home)
	run(t, g)
	var status *DispatchStatus
	eventually(t, "done", func() bool {
		var err error
		status, err = ReadDispatchStatus(home)
		must(t, err)
		return status.Devices["b"].Outcome == "done" && status.Waiting == 0
	})
	b := status.Devices["b"]
	duty := struct {
		PowerW int64 `json:"power_w"`
	}{}
	must(t, json.Unmarshal(b.Duties[1], &duty))
	if b.Set == nil || b.Set.PowerW != 1500 || len(b.Duties) != 4 || duty.PowerW != 1500 || status.PlanOf.IsZero() {
		t.Errorf("%+v", status)
	}
	for _, want := range []string{`energymeter_dispatch_total{device="b",outcome="done"}`, `energymeter_device_set_watts{device="b"} 1500`, "energymeter_acknowledgements_pending 0"} {
		eventually(t, want, func() bool {
			answer := httptest.NewRecorder()
			g.Handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))
			return strings.Contains(answer.Body.String(), want)
		})
	}
	if status, err := ReadDispatchStatus(t.TempDir()); err != nil || len(status.Devices) != 0 {
		t.Errorf("without a file: %+v, %v", status, err)
	}
}

// TestSteerReload: a device whose entry changes is in its safe state between; one
// that is removed stays there.
func TestSteerReload(t *testing.T) {
	n, home := newSteering(t), t.TempDir()
	battery, url := serveBattery(t)
	n.With(func() { n.steers("b", 1500) })
	steered(t, home, []string{n.URL}, url)
	g := openSteering(t, home)
	ctx, _ := run(t, g)
	eventually(t, "1500 W out", func() bool { return battery.State().PowerW == -1500 })
	path := filepath.Join(home, "energymeter.yaml")
	data, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(strings.Replace(string(data), "max_out_w: 4000", "max_out_w: 900", 1)), 0o600))
	must(t, g.Reload(ctx))
	eventually(t, "900 W out", func() bool { return battery.State().PowerW == -900 })
	writeConfig(t, home, []string{n.URL}, "")
	must(t, g.Reload(ctx))
	if w := battery.State().PowerW; w != 0 || len(g.devices) != 0 || len(g.Health().Devices) != 0 {
		t.Errorf("removed, and it does %d W", w)
	}
	eventually(t, "no status", func() bool { status, err := ReadDispatchStatus(home); return err == nil && len(status.Devices) == 0 })
}

// TestDoctorOfDevices reads, writes nothing, and compares with the chain.
func TestDoctorOfDevices(t *testing.T) {
	n, home := newSteering(t), t.TempDir()
	battery, url := serveBattery(t)
	battery.Write(modbus.Holding, simulate.BatterySetPoint, []uint16{321})
	n.With(func() {
		n.steers("b")
		n.dispatch.Devices = append(n.dispatch.Devices, &dispatchv1.DeviceDispatch{Device: &dispatchv1.Device{Device: "c"}})
	})
	steered(t, home, []string{n.URL}, url)
	checks, err := Diagnose(t.Context(), Options{Home: home, ConfigFile: filepath.Join(home, "energymeter.yaml"), OpenBus: openBus, Now: clockOf(began)}, testkit.NewKey("gateway").Address())
	must(t, err)
	found := make(map[string]Check)
	for _, c := range checks {
		found[c.What] = c
	}
	for what, want := range map[string]Check{
		"device b":          {OK: true, Found: "set-point 321 W"},
		"device b on chain": {OK: true, Found: "up to 5000 W out and 5000 W in, here 4000 and 4000"},
		"device c on chain": {Found: "it is to be steered by this gateway, and not in its configuration"},
	} {
		if got := found[what]; got.OK != want.OK || got.Found != want.Found {
			t.Errorf("%s: %+v, want %+v", what, got, want)
		}
	}
	if w := battery.State().PowerW; w != -321 {
		t.Errorf("the doctor left it at %d W", w)
	}
}
