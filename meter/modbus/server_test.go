package modbus

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	goburrow "github.com/goburrow/modbus"
	"golang.org/x/sys/unix"
)

// asked is a question as it arrived at the server.
type asked struct {
	frame          []byte
	kind           Kind
	unit, function byte
	address, count uint16
}

// server is a unit that misbehaves on demand: what is written in answer to its
// n-th question, from 1 on, is up to faults[n].
type server struct {
	t      *testing.T
	kind   Kind
	faults map[int]func(w io.WriteCloser, a asked)
	mu     sync.Mutex
	n      int
	seen   []asked
}

// valueAt is what every register of the server holds: something that tells
// its address and its table.
func valueAt(table Table, address uint16) uint16 { return address*7 + uint16(table)<<12 }

// bitAt is what every coil and discrete input of the server holds.
func bitAt(table Table, address uint16) bool { return (address*7+uint16(table))%3 == 0 }

// answer returns the right answer to a question.
func (a asked) answer() []byte {
	if a.function > byte(Input) { // the echo
		body := a.frame
		if a.kind == TCP {
			body = a.frame[6:]
		}
		return a.wrap(a.unit, a.function, body[2:6])
	}
	if a.function < byte(Holding) {
		data := make([]byte, 1+(int(a.count)+7)/8)
		data[0] = byte(len(data) - 1)
		for i := range int(a.count) {
			if bitAt(Table(a.function), a.address+uint16(i)) {
				data[1+i/8] |= 1 << (i % 8)
			}
		}
		return a.wrap(a.unit, a.function, data)
	}
	data := []byte{byte(2 * a.count)}
	for i := range a.count {
		data = binary.BigEndian.AppendUint16(data, valueAt(Table(a.function), a.address+i))
	}
	return a.wrap(a.unit, a.function, data)
}

// wrap puts a body in a frame that answers the question's transaction.
func (a asked) wrap(unit, function byte, data []byte) []byte {
	if a.kind == TCP {
		frame := append([]byte{a.frame[0], a.frame[1], 0, 0, 0, byte(2 + len(data))}, unit, function)
		return append(frame, data...)
	}
	packager := goburrow.NewRTUClientHandler("")
	packager.SlaveId = unit
	frame, err := packager.Encode(&goburrow.ProtocolDataUnit{FunctionCode: function, Data: data})
	if err != nil {
		panic(err)
	}
	return frame
}

// start serves on a socket or a pty of its own and returns the bus's address.
func start(t *testing.T, kind Kind, faults map[int]func(io.WriteCloser, asked)) (*server, Address) {
	t.Helper()
	s := &server{t: t, kind: kind, faults: faults}
	if kind == RTU {
		master, name := openPTY(t)
		go s.serve(master)
		return s, address(t, "rtu://"+name+"?timeout=150ms&baud=115200")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go s.serve(conn)
		}
	}()
	return s, address(t, fmt.Sprintf("%s://%s?timeout=150ms", kind, listener.Addr()))
}

func (s *server) serve(rw io.ReadWriteCloser) {
	for {
		frame, err := s.frame(rw)
		if err != nil {
			return
		}
		body := frame
		if s.kind == TCP {
			body = frame[6:]
		}
		a := asked{frame, s.kind, body[0], body[1], binary.BigEndian.Uint16(body[2:]), binary.BigEndian.Uint16(body[4:])}
		s.mu.Lock()
		s.n++
		fault := s.faults[s.n]
		s.seen = append(s.seen, a)
		s.mu.Unlock()
		if fault != nil {
			fault(rw, a)
		} else if _, err := rw.Write(a.answer()); err != nil {
			return
		}
	}
}

// frame reads a question: 8 bytes in RTU, more where many are written.
func (s *server) frame(r io.Reader) ([]byte, error) {
	frame := make([]byte, 8, 300)
	if s.kind == TCP {
		frame = frame[:12]
	}
	if _, err := io.ReadFull(r, frame); err != nil {
		return nil, err
	}
	rest := 0
	switch {
	case s.kind == TCP:
		rest = int(binary.BigEndian.Uint16(frame[4:])) - 6
	case frame[1] >= 15:
		rest = 1 + int(frame[6])
	}
	_, err := io.ReadFull(r, frame[len(frame):len(frame)+rest])
	return frame[:len(frame)+rest], err
}

// questions returns what arrived, in words.
func (s *server) questions() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, a := range s.seen {
		out = append(out, fmt.Sprintf("%d:%d@%d", a.unit, a.count, a.address))
	}
	return strings.Join(out, " ")
}

func address(t *testing.T, text string) Address {
	t.Helper()
	a, err := ParseAddress(text)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// openPTY returns the far end of a serial line and the name of its near end.
func openPTY(t *testing.T) (*os.File, string) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = master.Close() })
	var n int
	if err := onFile(master, func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		n, err = unix.IoctlGetInt(fd, unix.TIOCGPTN)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join("/dev/pts", fmt.Sprint(n))
	// Somebody must keep the near end open, or reads of the far end fail.
	near, err := os.OpenFile(name, os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = near.Close() })
	return master, name
}

// later writes something after a while, and leaves the server free meanwhile.
func later(w io.Writer, d time.Duration, frame []byte) {
	time.AfterFunc(d, func() { _, _ = w.Write(frame) })
}
