package simulate

import (
	"encoding/binary"
	"io"
	"net"
	"sync"

	"github.com/energyd/energyd/meter/modbus"
)

// Registers is a unit: count registers of a table from address on, or false
// where it has none of them.
type Registers func(table modbus.Table, address, count uint16) ([]uint16, bool)

// The exceptions that the server answers with.
const (
	illegalFunction = 1
	illegalAddress  = 2
	illegalValue    = 3
	noSuchUnit      = 11
)

// Serve answers questions for the units on each connection to the listener,
// until the listener is closed; then it closes the connections and returns.
func Serve(listener net.Listener, units map[byte]Registers) error {
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
func answerAll(conn io.ReadWriter, units map[byte]Registers) {
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
func answer(unit Registers, question []byte) []byte {
	exception := func(code byte) []byte { return []byte{question[0] | 0x80, code} }
	table := modbus.Table(question[0])
	switch {
	case unit == nil:
		return exception(noSuchUnit)
	case table != modbus.Holding && table != modbus.Input:
		return exception(illegalFunction)
	case len(question) != 5:
		return exception(illegalValue)
	}
	address, count := binary.BigEndian.Uint16(question[1:]), binary.BigEndian.Uint16(question[3:])
	if count == 0 || count > modbus.MaxRegisters {
		return exception(illegalValue)
	}
	if int(address)+int(count) > 1<<16 {
		return exception(illegalAddress)
	}
	values, ok := unit(table, address, count)
	if !ok {
		return exception(illegalAddress)
	}
	out := []byte{question[0], byte(2 * count)}
	for _, v := range values {
		out = binary.BigEndian.AppendUint16(out, v)
	}
	return out
}
