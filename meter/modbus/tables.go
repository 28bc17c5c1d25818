package modbus

import (
	"context"
	"encoding/binary"
	"fmt"

	goburrow "github.com/goburrow/modbus"
)

// Read asks a unit for count registers from address on and returns their
// values. The units of a serial line are 1 to 247. An error that wraps
// *Exception is the unit's own answer; with any other nothing is known.
func (b *Bus) Read(ctx context.Context, unit byte, table Table, address, count uint16) ([]uint16, error) {
	if table != Holding && table != Input {
		return nil, fmt.Errorf("%v unit %d: expected function 3 or 4, got %d", b.address, unit, table)
	}
	data, err := b.put(ctx, question{unit: unit, function: byte(table), address: address, count: count})
	if err != nil {
		return nil, err
	}
	values := make([]uint16, count)
	for i := range values {
		values[i] = binary.BigEndian.Uint16(data[2*i:])
	}
	return values, nil
}

// ReadBits asks a unit for count coils or discrete inputs from address on.
// Errors are as of Read.
func (b *Bus) ReadBits(ctx context.Context, unit byte, table Table, address, count uint16) ([]bool, error) {
	if table != Coils && table != Discrete {
		return nil, fmt.Errorf("%v unit %d: expected function 1 or 2, got %d", b.address, unit, table)
	}
	data, err := b.put(ctx, question{unit: unit, function: byte(table), address: address, count: count})
	if err != nil {
		return nil, err
	}
	values := make([]bool, count)
	for i := range values {
		values[i] = data[i/8]&(1<<(i%8)) != 0
	}
	return values, nil
}

// WriteRegisters writes holding registers from address on: one with function 6
// unless multiple says that the unit wants function 16 for it, too. After an
// error that wraps *Exception the unit has not written them; after any other it
// may have, or may do so yet: read them.
func (b *Bus) WriteRegisters(ctx context.Context, unit byte, address uint16, values []uint16, multiple bool) error {
	q := question{unit: unit, function: goburrow.FuncCodeWriteMultipleRegisters, address: address, count: uint16(min(len(values), MaxRegisters))}
	if len(values) == 1 && !multiple {
		q.function = goburrow.FuncCodeWriteSingleRegister
	}
	for _, v := range values {
		q.data = binary.BigEndian.AppendUint16(q.data, v)
	}
	_, err := b.put(ctx, q)
	return err
}

// WriteCoil switches a coil with function 5, or 15 if multiple says so. Errors
// are as of WriteRegisters.
func (b *Bus) WriteCoil(ctx context.Context, unit byte, address uint16, on, multiple bool) error {
	q := question{unit: unit, function: goburrow.FuncCodeWriteSingleCoil, address: address, count: 1, data: []byte{0, 0}}
	if on {
		q.data[0] = 0xFF
	}
	if multiple {
		q.function, q.data = goburrow.FuncCodeWriteMultipleCoils, []byte{q.data[0] & 1}
	}
	_, err := b.put(ctx, q)
	return err
}

// send puts the question by the client's method for its function.
func (q question) send(client goburrow.Client) ([]byte, error) {
	switch q.function {
	case byte(Coils):
		return client.ReadCoils(q.address, q.count)
	case byte(Discrete):
		return client.ReadDiscreteInputs(q.address, q.count)
	case byte(Holding):
		return client.ReadHoldingRegisters(q.address, q.count)
	case byte(Input):
		return client.ReadInputRegisters(q.address, q.count)
	case goburrow.FuncCodeWriteSingleCoil:
		return client.WriteSingleCoil(q.address, binary.BigEndian.Uint16(q.data))
	case goburrow.FuncCodeWriteSingleRegister:
		return client.WriteSingleRegister(q.address, binary.BigEndian.Uint16(q.data))
	case goburrow.FuncCodeWriteMultipleCoils:
		return client.WriteMultipleCoils(q.address, q.count, q.data)
	case goburrow.FuncCodeWriteMultipleRegisters:
		return client.WriteMultipleRegisters(q.address, q.count, q.data)
	}
	return nil, fmt.Errorf("function %d is not known", q.function)
}
