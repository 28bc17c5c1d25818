package modbus

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"time"

	goburrow "github.com/goburrow/modbus"
)

// Table is one of a device's four tables, by the function code that reads it.
type Table byte

// The tables: of bits, and of registers.
const (
	Coils    Table = goburrow.FuncCodeReadCoils            // function 1
	Discrete Table = goburrow.FuncCodeReadDiscreteInputs   // function 2
	Holding  Table = goburrow.FuncCodeReadHoldingRegisters // function 3
	Input    Table = goburrow.FuncCodeReadInputRegisters   // function 4
)

// What one question may ask for, or write, at most.
const (
	MaxRegisters        = 125
	MaxBits             = 2000
	MaxWrittenRegisters = 123
)

// forgotten is after how many time-outs no answer is expected any more.
const forgotten = 10

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
	// pending are the questions to each unit whose answers may still come, in
	// the order in which they were put.
	pending  [256][]question
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

// put waits for the question's turn and asks it.
func (b *Bus) put(ctx context.Context, q question) ([]byte, error) {
	if err := b.check(q); err != nil {
		return nil, fmt.Errorf("%v unit %d: %w", b.address, q.unit, err)
	}
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("%v unit %d: waiting for its turn: %w", b.address, q.unit, ctx.Err())
	case <-b.turn:
	}
	defer func() { b.turn <- struct{}{} }()
	if gaveUp(ctx) {
		return nil, fmt.Errorf("%v unit %d: waited for its turn: %w", b.address, q.unit, cmp.Or(ctx.Err(), context.DeadlineExceeded))
	}
	data, err := b.answer(ctx, q)
	if err != nil {
		what := "registers"
		if q.bits() {
			what = "bits"
		}
		return nil, fmt.Errorf("%v unit %d: %d %s at %#04x: %w", b.address, q.unit, q.count, what, q.address, err)
	}
	return data, nil
}

func (b *Bus) check(q question) error {
	most, what := MaxRegisters, "registers"
	switch {
	case q.bits():
		most, what = MaxBits, "bits"
	case !q.reads():
		most = MaxWrittenRegisters
	}
	switch {
	case b.address.Kind != TCP && (q.unit == 0 || q.unit > 247):
		return errors.New("expected a unit from 1 to 247")
	case q.count < 1 || int(q.count) > most:
		return fmt.Errorf("expected 1 to %d %s, got %d", most, what, q.count)
	case int(q.address)+int(q.count) > 1<<16:
		return fmt.Errorf("%d %s at %#04x reach beyond the last", q.count, what, q.address)
	}
	return nil
}

// answer asks a question, after those before it are settled.
func (b *Bus) answer(ctx context.Context, q question) ([]byte, error) {
	if b.closed {
		return nil, ErrClosed
	}
	old := time.Now().Add(-forgotten * b.address.Timeout)
	b.pending[q.unit] = slices.DeleteFunc(b.pending[q.unit], func(p question) bool { return p.put.Before(old) })
	if err := b.ready(ctx); err != nil {
		return nil, err
	}
	if len(b.pending[q.unit]) > 0 {
		if _, err := b.ask(ctx, unlike(q, b.pending[q.unit])); err != nil && !isException(err) {
			return nil, fmt.Errorf("after a fault: %w", err)
		}
		if len(b.pending[q.unit]) > 0 { // the exception told of a fault behind a gateway
			return nil, errors.New("after a fault: the unit does not answer its gateway")
		}
	}
	return b.ask(ctx, q)
}

// ask puts one question and returns the values of its answer.
func (b *Bus) ask(ctx context.Context, q question) ([]byte, error) {
	limit := b.address.Timeout + b.address.onLine(q.onLine())
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	deadline, _ := ctx.Deadline()
	if err := b.line.SetDeadline(deadline); err != nil {
		b.hangUp()
		return nil, err
	}
	line := b.line
	stop := context.AfterFunc(ctx, func() { _ = line.SetDeadline(time.Unix(1, 0)) })

	q.put = time.Now()
	pending := &b.pending[q.unit]
	*pending = append(*pending, q)
	b.tcp.SlaveId, b.rtu.SlaveId = q.unit, q.unit
	var packager goburrow.Packager = b.tcp
	var transport goburrow.Transporter = tcpExchange{line, pending}
	if b.address.Kind != TCP {
		packager, transport = b.rtu, rtuExchange{line, pending, b.rtu}
	}
	data, err := q.send(goburrow.NewClient2(packager, transport))
	if err == nil && q.reads() && len(data) != q.size() {
		err = fmt.Errorf("the answer has %d bytes, expected %d", len(data), q.size())
	}
	if !stop() && err == nil {
		err = context.DeadlineExceeded // too late to be sure of the line
	}
	if err != nil {
		if behindGateway(err) {
			*pending = append(*pending, q)
		}
		if !isException(err) || behindGateway(err) {
			b.hangUp()
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("no answer within %v: %w", limit, err)
		}
		return nil, err
	}
	return data, nil
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
func (b *Bus) ready(ctx context.Context) error {
	if b.line != nil {
		found, err := b.drain()
		if err != nil || found && b.address.Kind == TCP {
			b.hangUp()
		}
	}
	if b.line != nil {
		return nil
	}
	if wait := time.Until(b.notAgain); wait > 0 {
		return fmt.Errorf("not connected, next attempt in %v", wait.Round(time.Millisecond))
	}
	within, cancel := context.WithTimeout(ctx, b.address.Timeout)
	defer cancel()
	line, err := b.connect(within)
	if err != nil && gaveUp(ctx) {
		return err // the caller gave up, which says nothing about the bus
	}
	if err != nil {
		pause := min(firstPause<<min(b.failures, 16), lastPause)
		b.failures++
		b.notAgain = time.Now().Add(pause/2 + rand.N(pause/2))
		return err
	}
	b.line, b.failures = line, 0
	return nil
}

// gaveUp says whether the caller no longer waits; a context's error may come
// a moment after its deadline.
func gaveUp(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
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

func (b *Bus) hangUp() {
	if b.line != nil {
		_ = b.line.Close() // whatever it says, it is not used again
		b.line = nil
	}
}
