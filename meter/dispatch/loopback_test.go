package dispatch

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/energyd/energyd/meter/modbus"
	"github.com/energyd/energyd/meter/simulate"
)

// wire stands between a bus and a battery over TCP. What becomes of the first
// write of 1000 W is up to the fault.
type wire struct {
	battery *simulate.Battery
	// fault gets the question, and what passes it on and returns the answer. What
	// it returns goes back; nil ends the connection.
	fault func(question []byte, pass func() []byte) []byte
	once  sync.Once
}

// frame reads a frame of Modbus TCP.
func frame(r io.Reader) []byte {
	head := make([]byte, 6)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil
	}
	body := make([]byte, binary.BigEndian.Uint16(head[4:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return nil
	}
	return append(head, body...)
}

func (w *wire) serve(t *testing.T) *modbus.Bus {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		return l
	}
	far, near := listen(), listen()
	go func() { _ = simulate.Serve(far, map[byte]simulate.Unit{1: w.battery}) }()
	go func() {
		for {
			conn, err := near.Accept()
			if err != nil {
				return
			}
			go w.carry(conn, far.Addr().String())
		}
	}()
	address, err := modbus.ParseAddress("tcp://" + near.Addr().String() + "?timeout=500ms")
	if err != nil {
		t.Fatal(err)
	}
	bus := modbus.NewBus(address)
	t.Cleanup(func() { _ = bus.Close() })
	return bus
}

func (w *wire) carry(near net.Conn, to string) {
	defer near.Close()
	far, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer far.Close()
	for {
		question := frame(near)
		if question == nil {
			return
		}
		pass := func() []byte {
			if _, err := far.Write(question); err != nil {
				return nil
			}
			return frame(far)
		}
		var answer []byte
		hit := false
		if question[7] == 6 && binary.BigEndian.Uint16(question[10:]) == 1000 {
			w.once.Do(func() { hit, answer = true, w.fault(question, pass) })
		}
		if !hit {
			answer = pass()
		}
		if answer == nil {
			return
		}
		if _, err := near.Write(answer); err != nil {
			return
		}
	}
}

// TestWire: faults of a real connection during the write of a set-point. The
// battery does what was asked as soon as that is certain, and is never left with
// a value that the gateway does not know of.
func TestWire(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault func(question []byte, pass func() []byte) []byte
		acks  string
	}{
		{"dropped before it is written", func([]byte, func() []byte) []byte { return nil }, "failed 0, done 1000"},
		{"dropped after it is written", func(_ []byte, pass func() []byte) []byte { pass(); return nil }, "done 1000"},
		{"a late answer", func(_ []byte, pass func() []byte) []byte {
			answer := pass()
			time.Sleep(700 * time.Millisecond)
			return answer
		}, "done 1000"},
		{"written late", func(_ []byte, pass func() []byte) []byte {
			time.Sleep(700 * time.Millisecond)
			return pass()
		}, ""},
		{"an exception", func(question []byte, _ func() []byte) []byte {
			return append(question[:4:4], 0, 3, 1, 0x86, 4)
		}, "refused 0, done 1000"},
		{"ignored", func(question []byte, _ func() []byte) []byte { return question }, "failed 0, done 1000"},
		{"another value in the echo", func(question []byte, pass func() []byte) []byte {
			answer := pass()
			answer[11]++
			return answer
		}, "done 1000"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(battery())
			link := &wire{battery: simulate.NewBattery(5000, time.Hour, simulate.State{}, time.Now), fault: tc.fault}
			w.bus = nil
			w.Device.bus = link.serve(t)
			w.steps(1)
			w.asks(1000)
			var all string
			for range 6 { // of which some fall into a pause
				w.steps(1)
				if d := w.outcomes(); d != "" && all != "" {
					all += ", " + d
				} else {
					all += d
				}
				set := w.state.Set
				if power := -link.battery.State().PowerW; tc.name != "written late" && set != nil && power != set.PowerW {
					t.Errorf("the battery does %d W, the gateway believes %d", power, set.PowerW)
				}
			}
			time.Sleep(800 * time.Millisecond)
			w.now = w.now.Add(w.output.Refresh)
			w.asks(1000)
			w.steps(1)
			if power := -link.battery.State().PowerW; power != 1000 || tc.acks != "" && all != tc.acks {
				t.Errorf("%d W in the end, acknowledged %q, want %q", power, all, tc.acks)
			}
		})
	}
}

// TestPlannedAgainstDone: the energies of the battery's meter are those of the
// set-points.
func TestPlannedAgainstDone(t *testing.T) {
	w := newWorld(battery())
	b := simulate.NewBattery(5000, time.Minute, simulate.State{}, func() time.Time { return w.now })
	link := &wire{battery: b, fault: func(_ []byte, pass func() []byte) []byte { return pass() }}
	w.bus = nil
	w.Device.bus = link.serve(t)
	w.output.Refresh, w.output.Watchdog = 30*time.Second, time.Hour
	w.steps(1)
	for _, power := range []int64{3600, -1800, 0, 4444} {
		before := b.State()
		w.asks(power)
		for range periodMs / 10_000 { // looked after every 10 s
			w.step(t.Context())
			w.now = w.now.Add(10 * time.Second)
		}
		after := b.State()
		done := after.ExportWh - before.ExportWh - (after.ImportWh - before.ImportWh)
		if diff := done - power/4; diff < -1 || diff > 1 {
			t.Errorf("%d W for a quarter of an hour: %d Wh done, want %d", power, done, power/4)
		}
	}
	if o := w.outcomes(); o != "done 3600, done -1800, done 0, done 4444" {
		t.Errorf("acknowledged %q", o)
	}
	var e *modbus.Exception
	if err := w.put(t.Context(), value{address: simulate.BatterySetPoint, raw: []uint16{6000}}); !errors.As(err, &e) {
		t.Errorf("beyond its rating the battery answers %v", err)
	}
}
