package modbus

import (
	"fmt"
	"slices"
	"time"
)

// question is what a unit is asked for.
type question struct {
	unit           byte
	table          Table
	address, count uint16
	put            time.Time
}

// answeredBy checks that body, from unit to data without a checksum, answers
// the question as far as that can be seen: values in its number, or an
// exception.
func (q question) answeredBy(body []byte) error {
	switch {
	case len(body) < 3:
		return fmt.Errorf("the answer has %d bytes", len(body))
	case body[0] != q.unit:
		return fmt.Errorf("the answer is of unit %d", body[0])
	case body[1] == byte(q.table)|0x80:
		if len(body) != 3 {
			return fmt.Errorf("the exception has %d bytes, expected 3", len(body))
		}
		return nil
	case body[1] != byte(q.table):
		return fmt.Errorf("the answer is to function %d, asked was %d", body[1], q.table)
	case int(body[2]) != 2*int(q.count):
		return fmt.Errorf("the answer holds %d bytes, %d registers have %d", body[2], q.count, 2*q.count)
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

// unlike returns a question whose answer is as long as that of no question
// that is pending, nor of q.
func unlike(q question, pending []question) question {
	taken := append([]question{q}, pending...)
	other := q
	other.count = 1
	for other.count < MaxRegisters && slices.ContainsFunc(taken, func(p question) bool { return p.count == other.count }) {
		other.count++
	}
	return other
}
