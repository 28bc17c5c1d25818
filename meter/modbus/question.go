package modbus

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	goburrow "github.com/goburrow/modbus"
)

// question is what a unit is asked for, or told.
type question struct {
	unit, function byte
	address, count uint16
	// data is what is written: two bytes a register, eight coils a byte.
	data []byte
	put  time.Time
}

// reads says whether the question asks for values.
func (q question) reads() bool { return q.function <= byte(Input) }

// bits says whether the question is about coils or discrete inputs.
func (q question) bits() bool {
	switch q.function {
	case byte(Coils), byte(Discrete), goburrow.FuncCodeWriteSingleCoil, goburrow.FuncCodeWriteMultipleCoils:
		return true
	}
	return false
}

// size is how many bytes of values the answer to a reading question holds.
func (q question) size() int {
	if q.bits() {
		return (int(q.count) + 7) / 8
	}
	return 2 * int(q.count)
}

// onLine is how many bytes the question and its answer have in RTU.
func (q question) onLine() int {
	if q.reads() {
		return 8 + 5 + q.size()
	}
	return 9 + len(q.data) + 8
}

// echo is what the answer to a writing question holds: the address, and the
// value of a single coil or register or else the number of those written.
func (q question) echo() []byte {
	out := binary.BigEndian.AppendUint16(nil, q.address)
	switch q.function {
	case goburrow.FuncCodeWriteSingleCoil, goburrow.FuncCodeWriteSingleRegister:
		return append(out, q.data...)
	}
	return binary.BigEndian.AppendUint16(out, q.count)
}

// answeredBy checks that body, from unit to data without a checksum, answers
// the question as far as that can be seen: values in its number, the echo of
// what was written, or an exception.
func (q question) answeredBy(body []byte) error {
	switch {
	case len(body) < 3:
		return fmt.Errorf("the answer has %d bytes", len(body))
	case body[0] != q.unit:
		return fmt.Errorf("the answer is of unit %d", body[0])
	case body[1] == q.function|0x80:
		if len(body) != 3 {
			return fmt.Errorf("the exception has %d bytes, expected 3", len(body))
		}
		return nil
	case body[1] != q.function:
		return fmt.Errorf("the answer is to function %d, asked was %d", body[1], q.function)
	case !q.reads() && !bytes.Equal(body[2:], q.echo()):
		return fmt.Errorf("the answer says that % x was written, not % x", body[2:], q.echo())
	case !q.reads():
		return nil
	case int(body[2]) != q.size():
		return fmt.Errorf("the answer holds %d bytes, expected %d", body[2], q.size())
	case len(body) != 3+int(body[2]):
		return fmt.Errorf("the answer has %d bytes and says %d", len(body), 3+int(body[2]))
	}
	return nil
}

// settle takes from pending what an answer rules out: a unit answers in order,
// so the earliest question that it may answer is answered, and all before it
// never will be. Only when none is left is it surely the answer to the latest.
// An answer that fits none is an error, in the words of the latest.
func settle(pending *[]question, body []byte) error {
	for i, q := range *pending {
		if q.answeredBy(body) == nil {
			*pending = slices.Delete(*pending, 0, i+1)
			return nil
		}
	}
	return (*pending)[len(*pending)-1].answeredBy(body)
}

// unlike returns a question that reads where q reads or writes, and whose
// answer is as long as that of no question that is pending, nor of q.
func unlike(q question, pending []question) question {
	other := question{unit: q.unit, function: q.function, address: q.address, count: 1}
	most := uint16(MaxRegisters)
	switch {
	case q.bits():
		most = MaxBits
		if !q.reads() {
			other.function = byte(Coils)
		}
	case !q.reads():
		other.function = byte(Holding)
	}
	taken := append([]question{q}, pending...)
	for other.count < most && slices.ContainsFunc(taken, func(p question) bool { return p.function == other.function && p.size() == other.size() }) {
		other.count++
	}
	return other
}
