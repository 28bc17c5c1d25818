package modbus

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	goburrow "github.com/goburrow/modbus"
)

// script is a line on which fixed bytes come, whatever is asked.
type script struct{ rest []byte }

func (s *script) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 7)], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}
func (s *script) Write(p []byte) (int, error)   { return len(p), nil }
func (s *script) Close() error                  { return nil }
func (s *script) SetDeadline(_ time.Time) error { return nil }

// FuzzFrames: whatever comes, what is taken for an answer is one: of the unit,
// function, length and transaction that were asked, with a right checksum.
func FuzzFrames(f *testing.F) {
	q := question{unit: 1, function: byte(Input), address: 0x10, count: 2}
	f.Add(true, []byte{0, 1, 0, 0, 0, 7, 1, 4, 4, 1, 2, 3, 4})
	f.Add(true, []byte{0, 0, 0, 0, 0, 3, 1, 0x84, 2, 0, 1, 0, 0, 0, 3, 1, 0x84, 2})
	f.Add(false, asked{kind: RTU, unit: 1, function: 4, address: 0x10, count: 2}.answer())
	f.Add(false, asked{kind: RTU, unit: 2, function: 4, address: 0x10, count: 2}.answer())
	f.Fuzz(func(t *testing.T, tcp bool, data []byte) {
		for _, old := range []uint16{0, 3} {
			line := &script{rest: data}
			handler := goburrow.NewRTUClientHandler("")
			handler.SlaveId = q.unit
			pending := []question{q}
			if old > 0 { // registers of a question that is not answered yet
				pending = []question{{unit: q.unit, function: q.function, count: old}, q}
			}
			var client goburrow.Client
			if tcp {
				packager := goburrow.NewTCPClientHandler("")
				packager.SlaveId = q.unit
				client = goburrow.NewClient2(packager, tcpExchange{line, &pending})
			} else {
				client = goburrow.NewClient2(handler, rtuExchange{line, &pending, handler})
			}
			got, err := client.ReadInputRegisters(q.address, q.count)
			if err != nil {
				if _, ok := errors.AsType[*Exception](err); !ok && got != nil {
					t.Fatalf("both %x and %v", got, err)
				}
				continue
			}
			if len(got) != 4 {
				t.Fatalf("%d bytes for 2 registers", len(got))
			}
			var want []byte
			if tcp {
				want = append(want, 0, 1, 0, 0, 0, 7, 1, 4, 4)
				want = append(want, got...)
			} else {
				a := asked{kind: RTU}
				want = a.wrap(1, 4, append([]byte{4}, got...))
			}
			if !contains(data, want) {
				t.Fatalf("%x was read from %x", got, data)
			}
		}
		if length, err := rtuLength(data); err == nil && length > 256 {
			t.Fatalf("an RTU frame of %d bytes", length)
		}
		if len(data) >= 6 && binary.BigEndian.Uint16(data[4:]) > 254 {
			if _, err := readTCP(&script{rest: data}); err == nil {
				t.Fatal("a frame longer than the longest")
			}
		}
	})
}

func contains(data, part []byte) bool {
	for i := range data {
		if i+len(part) <= len(data) && string(data[i:i+len(part)]) == string(part) {
			return true
		}
	}
	return false
}
