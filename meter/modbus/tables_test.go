package modbus

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func TestReadBits(t *testing.T) {
	for _, kind := range kinds {
		s, a := start(t, kind, nil)
		b := newBus(t, a)
		for _, q := range []struct {
			table          Table
			address, count uint16
		}{{Coils, 0, 1}, {Discrete, 5, 8}, {Coils, 100, 9}, {Discrete, 0xFFFF, 1}, {Coils, 7, 1000}} {
			bits, err := b.ReadBits(t.Context(), 1, q.table, q.address, q.count)
			if err != nil || len(bits) != int(q.count) {
				t.Errorf("%s %v: %d bits, %v", kind, q, len(bits), err)
			}
			for i, bit := range bits {
				if bit != bitAt(q.table, q.address+uint16(i)) {
					t.Fatalf("%s %v: WRONG bit %d", kind, q, i)
				}
			}
		}
		if got, want := s.questions(), "1:1@0 1:8@5 1:9@100 1:1@65535 1:1000@7"; got != want {
			t.Errorf("the server saw %s, want %s", got, want)
		}
	}
}

// TestWrites: what is written travels as the standard says.
func TestWrites(t *testing.T) {
	for _, kind := range kinds {
		s, a := start(t, kind, nil)
		b := newBus(t, a)
		for _, write := range []func() error{
			func() error { return b.WriteCoil(t.Context(), 1, 3, true, false) },
			func() error { return b.WriteCoil(t.Context(), 1, 3, false, false) },
			func() error { return b.WriteCoil(t.Context(), 1, 3, true, true) },
			func() error { return b.WriteCoil(t.Context(), 1, 3, false, true) },
			func() error { return b.WriteRegisters(t.Context(), 1, 0x100, []uint16{0xABCD}, false) },
			func() error { return b.WriteRegisters(t.Context(), 1, 0x100, []uint16{0xABCD}, true) },
			func() error { return b.WriteRegisters(t.Context(), 1, 0x100, []uint16{1, 2}, false) },
		} {
			if err := write(); err != nil {
				t.Error(err)
			}
		}
		want := []string{
			"01050003ff00", "010500030000", "010f000300010101", "010f000300010100",
			"01060100abcd", "01100100000102abcd", "0110010000020400010002",
		}
		for i, a := range s.seen {
			body := fmt.Sprintf("%x", a.frame)
			if kind == TCP {
				body = fmt.Sprintf("%x", a.frame[6:])
			}
			if !strings.HasPrefix(body, want[i]) {
				t.Errorf("%s: write %d was %s, want %s", kind, i, body, want[i])
			}
		}
	}
}

// TestWriteFaults: a write is done only if its echo says so, and the question
// after a fault gets its own answer.
func TestWriteFaults(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fault func(w io.WriteCloser, a asked)
		want  string
		only  Kind
	}{
		{name: "no answer", fault: func(io.WriteCloser, asked) {}, want: "no answer within"},
		{name: "late", fault: func(w io.WriteCloser, a asked) { later(w, 200*time.Millisecond, a.answer()) }, want: "no answer within"},
		{name: "dropped", fault: func(w io.WriteCloser, _ asked) { _ = w.Close() }, want: "closed", only: TCP},
		{name: "another value", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(1, 6, []byte{0, 9, 0, 8})) }, want: "00 09 00 08 was written"},
		{name: "another address", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(1, 6, []byte{0, 8, 0, 7})) }, want: "was written"},
		{name: "another function", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(1, 16, []byte{0, 9, 0, 1})) }, want: "function 16"},
		{name: "another unit", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(2, 6, []byte{0, 9, 0, 7})) }, want: "unit 2"},
		{name: "a short echo", fault: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(1, 6, []byte{0, 9, 0})) }, want: "written", only: TCP},
	} {
		for _, kind := range kinds {
			if tc.only != "" && tc.only != kind {
				continue
			}
			t.Run(tc.name+" "+string(kind), func(t *testing.T) {
				t.Parallel()
				_, a := start(t, kind, map[int]func(io.WriteCloser, asked){1: tc.fault})
				b := newBus(t, a)
				err := b.WriteRegisters(t.Context(), 1, 9, []uint16{7}, false)
				if err == nil || !strings.Contains(err.Error(), tc.want) || isException(err) {
					t.Errorf("error %v, want one with %q", err, tc.want)
				}
				if err := expect(t, b, 1, Holding, 9, 1); err != nil {
					t.Errorf("the question after it: %v", err)
				}
				if err := b.WriteRegisters(t.Context(), 1, 9, []uint16{7}, false); err != nil {
					t.Errorf("the write after it: %v", err)
				}
			})
		}
	}
}

// TestLateEcho: the late echo of a write does not pass for that of the same
// write again.
func TestLateEcho(t *testing.T) {
	for _, kind := range []Kind{RTU, RTUOverTCP} {
		newest := make(chan io.Writer, 1)
		s, a := start(t, kind, map[int]func(io.WriteCloser, asked){
			1: func(_ io.WriteCloser, a asked) {
				time.AfterFunc(200*time.Millisecond, func() { _, _ = (<-newest).Write(a.answer()) })
			},
			2: func(w io.WriteCloser, a asked) { newest <- w; later(w, 100*time.Millisecond, a.answer()) },
			3: func(io.WriteCloser, asked) {},
		})
		b := newBus(t, a)
		for n := range 2 {
			if err := b.WriteRegisters(t.Context(), 1, 9, []uint16{7}, false); err == nil {
				t.Fatalf("%s: write %d was not answered, and succeeded", kind, n+1)
			}
		}
		if got, want := s.questions(), "1:7@9 1:1@9 1:7@9"; got != want { // a written value stands where a count would
			t.Errorf("%s: the server saw %s, want %s", kind, got, want)
		}
	}
}

func TestWriteException(t *testing.T) {
	for _, kind := range kinds {
		_, a := start(t, kind, map[int]func(io.WriteCloser, asked){
			1: func(w io.WriteCloser, a asked) { _, _ = w.Write(a.wrap(a.unit, a.function|0x80, []byte{2})) },
		})
		b := newBus(t, a)
		err := b.WriteCoil(t.Context(), 1, 9, true, false)
		if e, ok := errors.AsType[*Exception](err); !ok || e.ExceptionCode != 2 {
			t.Errorf("%s: %v, want exception 2", kind, err)
		}
		if err := b.WriteCoil(t.Context(), 1, 9, true, false); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestRefusedWrites(t *testing.T) {
	b := newBus(t, address(t, "rtu+tcp://127.0.0.1:1"))
	_, bits := b.ReadBits(t.Context(), 1, Holding, 0, 1)
	_, many := b.ReadBits(t.Context(), 1, Coils, 0, 2001)
	for _, tc := range []struct {
		err  error
		want string
	}{
		{bits, "expected function 1 or 2, got 3"},
		{many, "expected 1 to 2000 bits, got 2001"},
		{b.WriteRegisters(t.Context(), 1, 0, nil, false), "expected 1 to 123 registers, got 0"},
		{b.WriteRegisters(t.Context(), 1, 0, make([]uint16, 124), false), "expected 1 to 123 registers, got 124"},
		{b.WriteRegisters(t.Context(), 1, 0xFFFF, make([]uint16, 2), false), "reach beyond the last"},
		{b.WriteCoil(t.Context(), 0, 0, true, false), "expected a unit from 1 to 247"},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) {
			t.Errorf("error %v, want %q", tc.err, tc.want)
		}
	}
}
