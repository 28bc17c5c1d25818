package simulate

import (
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/energyd/energyd/meter/modbus"
)

// Unit is a device behind the server. It returns count registers of a table, or
// bits that are 0 or 1, from address on, or false where it lacks one of them.
type Unit interface {
	Read(table modbus.Table, address, count uint16) ([]uint16, bool)
}

// Writable is a unit that takes holding registers and coils. It returns 0, or the
// exception with which it refuses.
type Writable interface {
	Write(table modbus.Table, address uint16, values []uint16) byte
}

// Registers is a unit that is only read.
type Registers func(table modbus.Table, address, count uint16) ([]uint16, bool)

// Read is of Unit.
func (r Registers) Read(table modbus.Table, address, count uint16) ([]uint16, bool) {
	return r(table, address, count)
}

// The exceptions that the server answers with.
const (
	illegalFunction = 1
	illegalAddress  = 2
	illegalValue    = 3
	deviceFailure   = 4
	noSuchUnit      = 11
)

// Serve answers questions for the units on each connection to the listener,
// until the listener is closed; then it closes the connections and returns.
func Serve(listener net.Listener, units map[byte]Unit) error {
	var (
		mu    sync.Mutex
		open  = map[net.Conn]bool{}
		group sync.WaitGroup
	)
	defer group.Wait()
	defer func() {
		mu.Lock()
		defer mu.Unlock()
		for conn := range open {
			_ = conn.Close()
		}
	}()
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		mu.Lock()
		open[conn] = true
		mu.Unlock()
		group.Go(func() {
			answerAll(conn, units)
			mu.Lock()
			delete(open, conn)
			mu.Unlock()
			_ = conn.Close()
		})
	}
}

// answerAll answers the questions on a connection until one is no Modbus
// frame or the other side hangs up.
func answerAll(conn io.ReadWriter, units map[byte]Unit) {
	header := make([]byte, 7)
	for {
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		length := int(binary.BigEndian.Uint16(header[4:]))
		if binary.BigEndian.Uint16(header[2:]) != 0 || length < 2 || length > 254 {
			return
		}
		body := make([]byte, length-1)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		out := answer(units[header[6]], body)
		frame := append([]byte{header[0], header[1], 0, 0, 0, byte(len(out) + 1), header[6]}, out...)
		if _, err := conn.Write(frame); err != nil {
			return
		}
	}
}

// answer returns the function and data that answer a question's.
func answer(unit Unit, question []byte) []byte {
	exception := func(code byte) []byte { return []byte{question[0] | 0x80, code} }
	if unit == nil {
		return exception(noSuchUnit)
	}
	if question[0] > byte(modbus.Input) {
		return answerWrite(unit, question)
	}
	table, bits := modbus.Table(question[0]), question[0] < byte(modbus.Holding)
	switch {
	case question[0] == 0:
		return exception(illegalFunction)
	case len(question) != 5:
		return exception(illegalValue)
	}
	address, count := binary.BigEndian.Uint16(question[1:]), binary.BigEndian.Uint16(question[3:])
	if count == 0 || bits && count > modbus.MaxBits || !bits && count > modbus.MaxRegisters {
		return exception(illegalValue)
	}
	if int(address)+int(count) > 1<<16 {
		return exception(illegalAddress)
	}
	values, ok := unit.Read(table, address, count)
	if !ok {
		return exception(illegalAddress)
	}
	if bits {
		return append([]byte{question[0], byte((count + 7) / 8)}, pack(values)...)
	}
	out := []byte{question[0], byte(2 * count)}
	for _, v := range values {
		out = binary.BigEndian.AppendUint16(out, v)
	}
	return out
}

// pack puts bits into bytes, the first into the lowest bit.
func pack(bits []uint16) []byte {
	out := make([]byte, (len(bits)+7)/8)
	for i, bit := range bits {
		out[i/8] |= byte(bit&1) << (i % 8)
	}
	return out
}

// answerWrite writes and returns the echo.
func answerWrite(unit Unit, question []byte) []byte {
	exception := func(code byte) []byte { return []byte{question[0] | 0x80, code} }
	writable, ok := unit.(Writable)
	if !ok {
		return exception(illegalFunction)
	}
	table, values, code := written(question)
	if code == 0 {
		code = writable.Write(table, binary.BigEndian.Uint16(question[1:]), values)
	}
	if code != 0 {
		return exception(code)
	}
	return question[:5]
}

// written returns what a question writes, or the exception that it deserves.
func written(question []byte) (table modbus.Table, values []uint16, code byte) {
	const coil, register, coils, registers = 5, 6, 15, 16
	if len(question) < 5 {
		return 0, nil, illegalValue
	}
	value := binary.BigEndian.Uint16(question[3:])
	switch question[0] {
	case coil:
		if len(question) != 5 || value != 0 && value != 0xFF00 {
			return 0, nil, illegalValue
		}
		return modbus.Coils, []uint16{value >> 15}, 0
	case register:
		if len(question) != 5 {
			return 0, nil, illegalValue
		}
		return modbus.Holding, []uint16{value}, 0
	case coils:
		if len(question) < 6 || value == 0 || int(question[5]) != (int(value)+7)/8 || len(question) != 6+int(question[5]) {
			return 0, nil, illegalValue
		}
		for i := range int(value) {
			values = append(values, uint16(question[6+i/8]>>(i%8)&1))
		}
		return modbus.Coils, values, 0
	case registers:
		if len(question) < 6 || value == 0 || int(question[5]) != 2*int(value) || len(question) != 6+int(question[5]) {
			return 0, nil, illegalValue
		}
		for i := range int(value) {
			values = append(values, binary.BigEndian.Uint16(question[6+2*i:]))
		}
		return modbus.Holding, values, 0
	}
	return 0, nil, illegalFunction
}
