package modbus

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

var kinds = []Kind{TCP, RTU, RTUOverTCP}

// expect reads and checks that a value, if there is one, is right to the bit.
func expect(t *testing.T, b *Bus, unit byte, table Table, address, count uint16) error {
	t.Helper()
	values, err := b.Read(t.Context(), unit, table, address, count)
	if err != nil {
		return err
	}
	if len(values) != int(count) {
		t.Fatalf("%d values, asked for %d", len(values), count)
	}
	for i, v := range values {
		if want := valueAt(table, address+uint16(i)); v != want {
			t.Fatalf("WRONG VALUE: register %#x holds %#x, got %#x", address+uint16(i), want, v)
		}
	}
	return nil
}

func newBus(t *testing.T, a Address) *Bus {
	b := NewBus(a)
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestRead(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			s, a := start(t, kind, nil)
			b := newBus(t, a)
			for _, q := range []struct {
				unit           byte
				table          Table
				address, count uint16
			}{{1, Input, 0, 80}, {1, Holding, 0, 80}, {247, Input, 0x5000, 8}, {1, Input, 0xFF83, 125}, {1, Holding, 0xFFFE, 2}} {
				if err := expect(t, b, q.unit, q.table, q.address, q.count); err != nil {
					t.Error(err)
				}
			}
			if got, want := s.questions(), "1:80@0 1:80@0 247:8@20480 1:125@65411 1:2@65534"; got != want {
				t.Errorf("the server saw %s, want %s", got, want)
			}
		})
	}
}

// TestFaults: the second question meets a fault. No value that comes out is
// wrong, and the poll after it is right again. Both questions are of the same
// length, so that the lengths alone do not save us.
func TestFaults(t *testing.T) {
	for _, tc := range []struct {
		name string
		// fault answers the second question
		fault func(w io.WriteCloser, a asked)
		want  string // of the second question; "" where the value must be right
		only  Kind
	}{
		{name: "no answer", fault: func(io.WriteCloser, asked) {}, want: "no answer within"},
		{name: "late", fault: func(w io.WriteCloser, a asked) { later(w, 200*time.Millisecond, a.answer()) }, want: "no answer within"},
		{name: "dropped", fault: func(w io.WriteCloser, _ asked) { _ = w.Close() }, want: "closed", only: TCP},
		{name: "dropped", fault: func(w io.WriteCloser, _ asked) { _ = w.Close() }, want: "closed", only: RTUOverTCP},
		{name: "dropped within", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.answer()[:9]); _ = w.Close() }, want: "closed", only: TCP},
		{name: "wrong unit", fault: func(w io.WriteCloser, a asked) { a.unit++; _, _ = w.Write(a.answer()) }, want: "unit 2"},
		{name: "wrong function", fault: func(w io.WriteCloser, a asked) { a.function = 3; _, _ = w.Write(a.answer()) }, want: "function 3"},
		{name: "a function nobody asks", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(1, 16, []byte{0, 8, 0, 2})) }, want: "function 16"},
		{name: "fewer registers", fault: func(w io.WriteCloser, a asked) { a.count--; _, _ = w.Write(a.answer()) }, want: "6 bytes"},
		{name: "more registers", fault: func(w io.WriteCloser, a asked) { a.count++; _, _ = w.Write(a.answer()) }, want: "10 bytes"},
		{name: "truncated", fault: func(w io.WriteCloser, a asked) { f := a.answer(); _, _ = w.Write(f[:len(f)-3]) }, want: "no answer within"},
		{name: "oversized", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(append(a.answer(), 1, 2, 3)) }, want: "3 bytes follow", only: RTUOverTCP},
		{name: "oversized", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(append(a.answer(), 1, 2, 3)) }, only: TCP},
		{name: "inner length", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(1, 4, []byte{8, 1, 2, 3, 4, 5, 6})) }, want: "says 11", only: TCP},
		{name: "a frame of 9 bytes of data", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(1, 4, []byte{9, 1, 2, 3, 4, 5, 6, 7, 8, 9})) }, want: "9 bytes"},
		{name: "length beyond a frame's", fault: func(w io.WriteCloser, a asked) { f := a.answer(); f[4] = 0xFF; _, _ = w.Write(f) }, want: "no Modbus frame", only: TCP},
		{name: "length 0", fault: func(w io.WriteCloser, a asked) { f := a.answer(); f[5] = 0; _, _ = w.Write(f) }, want: "no Modbus frame", only: TCP},
		{name: "protocol", fault: func(w io.WriteCloser, a asked) { f := a.answer(); f[3] = 1; _, _ = w.Write(f) }, want: "no Modbus frame", only: TCP},
		{name: "later transaction", fault: func(w io.WriteCloser, a asked) { f := a.answer(); f[1]++; _, _ = w.Write(f) }, want: "not asked for", only: TCP},
		{name: "older transaction first", fault: func(w io.WriteCloser, a asked) {
			old := a
			old.address = 99
			f := old.answer()
			f[1]--
			_, _ = w.Write(append(f, a.answer()...))
		}, only: TCP},
		{name: "checksum", fault: func(w io.WriteCloser, a asked) { f := a.answer(); f[5] ^= 1; _, _ = w.Write(f) }, want: "checksum", only: RTU},
		{name: "checksum", fault: func(w io.WriteCloser, a asked) { f := a.answer(); f[len(f)-1] ^= 1; _, _ = w.Write(f) }, want: "checksum", only: RTUOverTCP},
		{name: "another unit's answer before", fault: func(w io.WriteCloser, a asked) {
			other := a
			other.unit, other.address = 9, 50
			_, _ = w.Write(append(other.answer(), a.answer()...))
		}, only: RTU},
		{name: "another master asks the same unit", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(append([]byte{1, 4, 0, 0x28}, a.answer()...)) }, want: "0 bytes", only: RTU},
		{name: "noise", fault: func(w io.WriteCloser, _ asked) { _, _ = w.Write([]byte("\x00\xffnoise on the line\x00\x00")) }, want: "answer"},
		{name: "an exception of 2 bytes", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(1, 0x84, []byte{2, 2})) }, want: "exception", only: TCP},
	} {
		for _, kind := range kinds {
			if tc.only != "" && tc.only != kind {
				continue
			}
			t.Run(tc.name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				_, a := start(t, kind, map[int]func(io.WriteCloser, asked){2: tc.fault})
				b := newBus(t, a)
				if err := expect(t, b, 1, Input, 16, 4); err != nil {
					t.Fatal(err)
				}
				err := expect(t, b, 1, Input, 32, 4)
				if tc.want == "" && err != nil || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
					t.Errorf("error %v, want one with %q", err, tc.want)
				}
				for poll := range 3 {
					if err := expect(t, b, 1, Input, 16, 4); err != nil {
						t.Errorf("poll %d after the fault: %v", poll+1, err)
					}
					if err := expect(t, b, 2, Holding, 64, 4); err != nil {
						t.Errorf("poll %d after the fault, unit 2: %v", poll+1, err)
					}
				}
			})
		}
	}
}

// TestLateAnswers: an answer that comes while the next question waits, of the
// same length, never passes for the answer to it.
func TestLateAnswers(t *testing.T) {
	for _, kind := range []Kind{RTU, RTUOverTCP} {
		t.Run(string(kind), func(t *testing.T) {
			newest := make(chan io.Writer, 1) // connection: a gateway's serial side
			fault := map[int]func(io.WriteCloser, asked){
				1: func(_ io.WriteCloser, a asked) { // answered only when the next question is there
					time.AfterFunc(200*time.Millisecond, func() { _, _ = (<-newest).Write(a.answer()) })
				},
				2: func(w io.WriteCloser, a asked) {
					newest <- w
					later(w, 100*time.Millisecond, a.answer())
				},
			}
			s, a := start(t, kind, fault)
			b := newBus(t, a)
			if err := expect(t, b, 1, Input, 16, 4); err == nil {
				t.Fatal("the late answer was read")
			}
			if err := expect(t, b, 1, Input, 32, 4); err != nil {
				t.Error(err)
			}
			if got, want := s.questions(), "1:4@16 1:1@32 1:4@32"; got != want {
				t.Errorf("the server saw %s, want %s", got, want)
			}
		})
	}
}

// TestSlowUnit: a unit that always answers after the time-out gives no value.
func TestSlowUnit(t *testing.T) {
	for _, kind := range kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			slow := func(w io.WriteCloser, a asked) { later(w, 190*time.Millisecond, a.answer()) }
			faults := map[int]func(io.WriteCloser, asked){}
			for n := range 100 {
				faults[n] = slow
			}
			_, a := start(t, kind, faults)
			b := newBus(t, a)
			for i := range uint16(12) {
				_ = expect(t, b, 1, Input, 16*i, 1+i%3)
			}
		})
	}
}

func TestException(t *testing.T) {
	for _, kind := range kinds {
		for code := range byte(12) {
			s, a := start(t, kind, map[int]func(io.WriteCloser, asked){
				1: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(a.unit, a.function|0x80, []byte{code})) },
			})
			b := newBus(t, a)
			err := expect(t, b, 1, Input, 16, 4)
			if e, ok := errors.AsType[*Exception](err); !ok || e.ExceptionCode != code {
				t.Errorf("%s: exception %d gives %v", kind, code, err)
			}
			if err := expect(t, b, 1, Input, 16, 4); err != nil {
				t.Errorf("%s: after exception %d: %v", kind, code, err)
			}
			// A gateway that gave up may bring the answer later.
			want := "1:4@16 1:4@16"
			if code == 10 || code == 11 {
				want = "1:4@16 1:1@16 1:4@16"
			}
			if got := s.questions(); got != want {
				t.Errorf("%s: exception %d: the server saw %s, want %s", kind, code, got, want)
			}
		}
	}
}

func TestRefusedQuestions(t *testing.T) {
	b := newBus(t, address(t, "rtu+tcp://127.0.0.1:1"))
	for _, tc := range []struct {
		unit           byte
		table          Table
		address, count uint16
		want           string
	}{
		{0, Input, 0, 2, "expected a unit from 1 to 247"},
		{248, Input, 0, 2, "expected a unit from 1 to 247"},
		{1, 6, 0, 2, "expected function 3 or 4, got 6"},
		{1, Input, 0, 0, "expected 1 to 125 registers, got 0"},
		{1, Input, 0, 126, "expected 1 to 125 registers, got 126"},
		{1, Input, 0xFFFF, 2, "reach beyond the last"},
	} {
		if _, err := b.Read(t.Context(), tc.unit, tc.table, tc.address, tc.count); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%v: error %v, want %q", tc, err, tc.want)
		}
	}
}

// TestIdleClose: a server that hangs up between two polls costs none.
func TestIdleClose(t *testing.T) {
	for _, kind := range []Kind{TCP, RTUOverTCP} {
		_, a := start(t, kind, map[int]func(io.WriteCloser, asked){
			1: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.answer()); _ = w.Close() },
		})
		b := newBus(t, a)
		for range 2 {
			if err := expect(t, b, 1, Input, 16, 4); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// TestReconnect: nobody listens; attempts become rarer and are not made in
// between; when somebody listens again, the bus finds it.
func TestReconnect(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newBus(t, address(t, "tcp://"+listener.Addr().String()))
	_ = listener.Close()
	if err := expect(t, b, 1, Input, 0, 2); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Fatalf("nobody listens: %v", err)
	}
	if err := expect(t, b, 1, Input, 0, 2); err == nil || !strings.Contains(err.Error(), "next attempt in") {
		t.Fatalf("at once again: %v", err)
	}
	for failures, most := range []time.Duration{1: 200, 2: 400, 3: 800, 20: 10000, 1000: 10000} {
		if most == 0 {
			continue
		}
		b.failures, b.notAgain = failures, time.Time{}
		if err := expect(t, b, 1, Input, 0, 2); err == nil {
			t.Fatal("nobody listens, and a value came")
		}
		if pause := time.Until(b.notAgain); pause > most*time.Millisecond || pause < most*time.Millisecond/2-50*time.Millisecond {
			t.Errorf("after %d failures a pause of %v, want at most %v ms", failures, pause, int64(most))
		}
	}
	_, a := start(t, TCP, nil)
	b.address, b.notAgain = a, time.Time{}
	if err := expect(t, b, 1, Input, 0, 2); err != nil || b.failures != 0 {
		t.Errorf("somebody listens again: %v, %d failures", err, b.failures)
	}
}

// TestContext: a caller that gives up gets its error at once, and whoever
// comes next gets its own answer.
func TestContext(t *testing.T) {
	_, a := start(t, RTUOverTCP, map[int]func(io.WriteCloser, asked){1: func(io.WriteCloser, asked) {}})
	a.Timeout = time.Minute
	b := newBus(t, a)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	waiting := make(chan error)
	go func() {
		time.Sleep(10 * time.Millisecond)
		_, err := b.Read(ctx, 1, Input, 0, 4)
		waiting <- err
	}()
	if _, err := b.Read(ctx, 1, Input, 0, 4); err == nil {
		t.Error("no error from an answer that never came")
	}
	if err := <-waiting; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the one that waited for its turn: %v", err)
	}
	if err := expect(t, b, 1, Input, 8, 4); err != nil {
		t.Error(err)
	}
	_ = b.Close()
	if err := expect(t, b, 1, Input, 8, 4); !errors.Is(err, ErrClosed) {
		t.Errorf("closed: %v", err)
	}
}

// TestTwoCallers: many at once, each gets its own answer.
func TestTwoCallers(t *testing.T) {
	for _, kind := range kinds {
		_, a := start(t, kind, nil)
		b := newBus(t, a)
		done := make(chan error)
		for caller := range 8 {
			go func() {
				var err error
				for i := range uint16(5) {
					values, e := b.Read(context.Background(), byte(caller+1), Input, uint16(caller)*100+i, 4)
					if e == nil && values[0] != valueAt(Input, uint16(caller)*100+i) {
						e = errors.New("somebody else's answer")
					}
					err = errors.Join(err, e)
				}
				done <- err
			}()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	}
}
