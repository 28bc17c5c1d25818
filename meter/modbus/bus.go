package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"time"

	goburrow "github.com/goburrow/modbus"
)

// Table is one of a device's two tables of registers, by the function code
// that reads it.
type Table byte

// The tables of registers.
const (
	Holding Table = goburrow.FuncCodeReadHoldingRegisters // function 3
	Input   Table = goburrow.FuncCodeReadInputRegisters   // function 4
)

// MinRegisters and MaxRegisters are how many registers one question may ask
// for. A single one is what a unit is asked for after a fault.
const (
	MinRegisters = 2
	MaxRegisters = 125
)

// Exception is a unit's refusal of a question, with the code of the standard.
type Exception = goburrow.ModbusError

// ErrClosed is returned by a bus that was closed.
var ErrClosed = errors.New("the bus is closed")

// The pause before connecting anew: it doubles from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// line carries bytes: a socket or a serial device.
type line interface {
	io.ReadWriteCloser
	SetDeadline(t time.Time) error
}

// Bus is one connection to one or more units. Its methods may be called by
// several goroutines; their questions follow one another.
type Bus struct {
	address Address
	// turn holds a token while nobody asks; it guards what follows.
	turn   chan struct{}
	closed bool
	line   line
	tcp    *goburrow.TCPClientHandler
	rtu    *goburrow.RTUClientHandler
	// unsure are the units of which an answer to an older question may come.
	unsure   [256]bool
	failures int
	notAgain time.Time // no connection is tried before
}

// NewBus returns the bus at an address. It connects when it is first asked.
func NewBus(address Address) *Bus {
	b := &Bus{
		address: address, turn: make(chan struct{}, 1),
		tcp: goburrow.NewTCPClientHandler(""), rtu: goburrow.NewRTUClientHandler(""),
	}
	b.turn <- struct{}{}
	return b
}

// Close ends the connection; a question that is on the way is answered first.
func (b *Bus) Close() error {
	<-b.turn
	defer func() { b.turn <- struct{}{} }()
	b.closed = true
	b.hangUp()
	return nil
}

// Read asks a unit for count registers from address on and returns their
// values. The units of a serial line are 1 to 247. An error that wraps
// *Exception is the unit's own answer; with any other nothing is known.
func (b *Bus) Read(ctx context.Context, unit byte, table Table, address, count uint16) ([]uint16, error) {
	if err := b.check(unit, table, address, count); err != nil {
		return nil, fmt.Errorf("%v unit %d: %w", b.address, unit, err)
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%v unit %d: waiting for its turn: %w", b.address, unit, ctx.Err())
	case <-b.turn:
	}
	defer func() { b.turn <- struct{}{} }()
	values, err := b.read(ctx, question{unit, table, address, count})
	if err != nil {
		return nil, fmt.Errorf("%v unit %d: %d registers at %#04x: %w", b.address, unit, count, address, err)
	}
	return values, nil
}

func (b *Bus) check(unit byte, table Table, address, count uint16) error {
	switch {
	case b.address.Kind != TCP && (unit == 0 || unit > 247):
		return errors.New("expected a unit from 1 to 247")
	case table != Holding && table != Input:
		return fmt.Errorf("expected function 3 or 4, got %d", table)
	case count < MinRegisters || count > MaxRegisters:
		return fmt.Errorf("expected %d to %d registers, got %d", MinRegisters, MaxRegisters, count)
	case int(address)+int(count) > 1<<16:
		return fmt.Errorf("%d registers at %#04x reach beyond the last", count, address)
	}
	return nil
}

// question is what a unit is asked for.
type question struct {
	unit           byte
	table          Table
	address, count uint16
}

func (b *Bus) read(ctx context.Context, q question) ([]uint16, error) {
	if b.closed {
		return nil, ErrClosed
	}
	if err := b.ready(ctx, q.unit); err != nil {
		return nil, err
	}
	if b.unsure[q.unit] {
		other := q
		other.count = 1
		if _, err := b.ask(ctx, other, true); err != nil && !isException(err) {
			return nil, fmt.Errorf("after a fault: %w", err)
		}
		if b.line == nil { // the exception told of a fault behind a gateway
			return nil, errors.New("after a fault: the unit does not answer its gateway")
		}
		b.unsure[q.unit] = false
	}
	return b.ask(ctx, q, false)
}

// ask puts one question. catchUp says that answers to older ones may come
// before, and are to be skipped.
func (b *Bus) ask(ctx context.Context, q question, catchUp bool) ([]uint16, error) {
	limit := b.address.Timeout + b.address.onLine(13+2*int(q.count))
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	deadline, _ := ctx.Deadline()
	if err := b.line.SetDeadline(deadline); err != nil {
		b.fault(q.unit)
		return nil, err
	}
	line := b.line
	stop := context.AfterFunc(ctx, func() { _ = line.SetDeadline(time.Unix(1, 0)) })

	b.tcp.SlaveId, b.rtu.SlaveId = q.unit, q.unit
	var packager goburrow.Packager = b.tcp
	var transport goburrow.Transporter = tcpExchange{line, q}
	if b.address.Kind != TCP {
		packager, transport = b.rtu, rtuExchange{line, q, b.rtu, catchUp}
	}
	client := goburrow.NewClient2(packager, transport)
	read := client.ReadHoldingRegisters
	if q.table == Input {
		read = client.ReadInputRegisters
	}
	data, err := read(q.address, q.count)
	if err == nil && len(data) != 2*int(q.count) {
		err = fmt.Errorf("the answer has %d bytes, expected %d", len(data), 2*q.count)
	}
	if !stop() && err == nil {
		err = context.DeadlineExceeded // too late to be sure of the line
	}
	if err != nil {
		if !isException(err) || behindGateway(err) {
			b.fault(q.unit)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no answer within %v: %w", limit, err)
		}
		return nil, err
	}
	values := make([]uint16, q.count)
	for i := range values {
		values[i] = binary.BigEndian.Uint16(data[2*i:])
	}
	return values, nil
}

func isException(err error) bool {
	_, ok := errors.AsType[*Exception](err)
	return ok
}

// behindGateway says whether a gateway gave up on the unit: its answer may
// still come, and be taken for another.
func behindGateway(err error) bool {
	e, ok := errors.AsType[*Exception](err)
	return ok && (e.ExceptionCode == goburrow.ExceptionCodeGatewayPathUnavailable ||
		e.ExceptionCode == goburrow.ExceptionCodeGatewayTargetDeviceFailedToRespond)
}

// ready sees to a connection on which nothing lies unasked.
func (b *Bus) ready(ctx context.Context, unit byte) error {
	if b.line != nil {
		found, err := b.drain()
		if err != nil || found && b.address.Kind == TCP {
			b.hangUp()
		} else if found {
			b.unsure[unit] = true
		}
	}
	if b.line != nil {
		return nil
	}
	if wait := time.Until(b.notAgain); wait > 0 {
		return fmt.Errorf("not connected, next attempt in %v", wait.Round(time.Millisecond))
	}
	ctx, cancel := context.WithTimeout(ctx, b.address.Timeout)
	defer cancel()
	line, err := b.connect(ctx)
	if err != nil {
		pause := min(firstPause<<min(b.failures, 16), lastPause)
		b.failures++
		b.notAgain = time.Now().Add(pause/2 + rand.N(pause/2))
		return err
	}
	b.line, b.failures = line, 0
	return nil
}

func (b *Bus) connect(ctx context.Context) (line, error) {
	if b.address.Kind == RTU {
		return openSerial(b.address)
	}
	return new(net.Dialer).DialContext(ctx, "tcp", b.address.Target)
}

// drain reads what is on the line until it has been silent for long enough,
// and says whether there was anything.
func (b *Bus) drain() (found bool, err error) {
	end := time.Now().Add(b.address.Timeout + b.address.onLine(512))
	var junk [512]byte
	for time.Now().Before(end) {
		if err := b.line.SetDeadline(time.Now().Add(b.address.silence())); err != nil {
			return found, err
		}
		n, err := b.line.Read(junk[:])
		found = found || n > 0
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return found, nil
		}
		if err != nil {
			return found, err
		}
	}
	return found, errors.New("the line is never silent")
}

// fault closes the connection after a question whose answer is not known.
func (b *Bus) fault(unit byte) {
	b.unsure[unit] = true
	b.hangUp()
}

func (b *Bus) hangUp() {
	if b.line != nil {
		_ = b.line.Close() // whatever it says, it is not used again
		b.line = nil
	}
}
