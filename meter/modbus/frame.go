package modbus

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	goburrow "github.com/goburrow/modbus"
)

// tcpExchange carries one frame there and one back over Modbus TCP.
type tcpExchange struct {
	line line
	q    question
}

// Send is of goburrow's Transporter.
func (e tcpExchange) Send(request []byte) ([]byte, error) {
	if _, err := e.line.Write(request); err != nil {
		return nil, err
	}
	for {
		frame, err := readTCP(e.line)
		if err != nil {
			return nil, err
		}
		switch behind := int16(binary.BigEndian.Uint16(request) - binary.BigEndian.Uint16(frame)); {
		case behind > 0:
			continue // the answer to an older question
		case behind < 0:
			return nil, errors.New("the answer is of a transaction that was not asked for")
		}
		if err := e.q.answeredBy(frame[6:]); err != nil {
			return nil, err
		}
		return frame, nil
	}
}

// readTCP reads one frame: transaction, protocol 0, length, unit, function,
// data.
func readTCP(r io.Reader) ([]byte, error) {
	frame := make([]byte, 260) // the longest
	if _, err := io.ReadFull(r, frame[:6]); err != nil {
		return nil, cutOff(err)
	}
	length := int(binary.BigEndian.Uint16(frame[4:]))
	if protocol := binary.BigEndian.Uint16(frame[2:]); protocol != 0 || length < 3 || length > len(frame)-6 {
		return nil, fmt.Errorf("the answer is no Modbus frame: protocol %d, length %d", protocol, length)
	}
	if _, err := io.ReadFull(r, frame[6:6+length]); err != nil {
		return nil, cutOff(err)
	}
	return frame[:6+length], nil
}

func cutOff(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the connection was closed: %w", err)
	}
	return err
}

// answeredBy checks that body, from unit to data without a checksum, answers
// the question: its values, or an exception.
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

// rtuExchange carries one frame there and one back in RTU.
type rtuExchange struct {
	line     line
	q        question
	packager goburrow.Packager
	catchUp  bool
}

// Send is of goburrow's Transporter.
func (e rtuExchange) Send(request []byte) ([]byte, error) {
	if _, err := e.line.Write(request); err != nil {
		return nil, err
	}
	var skipped error // why the latest complete frame was no answer
	got := make([]byte, 0, 512)
	for {
		length, err := rtuLength(got)
		if err != nil {
			return nil, err
		}
		if length == 0 || len(got) < length {
			n, err := e.line.Read(got[len(got):cap(got)])
			got = got[:len(got)+n]
			if err != nil {
				return nil, whileReading(err, len(got), skipped)
			}
			continue
		}
		frame := got[:length]
		if _, err := e.packager.Decode(frame); err != nil {
			return nil, fmt.Errorf("checksum: %w", err)
		}
		wrong := e.q.answeredBy(frame[:length-2])
		switch {
		case wrong == nil && len(got) > length:
			return nil, fmt.Errorf("%d bytes follow the answer", len(got)-length)
		case wrong == nil:
			return frame, nil
		case !e.catchUp && frame[0] == e.q.unit:
			return nil, wrong
		}
		// Another unit's late answer, or an older one that is waited for.
		skipped = wrong
		got = got[:copy(got, got[length:])]
	}
}

// rtuLength returns the length of the frame that begins with got, checksum
// included; 0 while that cannot be said.
func rtuLength(got []byte) (int, error) {
	switch {
	case len(got) < 3:
		return 0, nil
	case got[1] == byte(Holding)|0x80, got[1] == byte(Input)|0x80:
		return 5, nil
	case got[1] != byte(Holding) && got[1] != byte(Input):
		return 0, fmt.Errorf("the answer is to function %d", got[1])
	case got[2] == 0 || got[2]%2 != 0 || int(got[2]) > 2*MaxRegisters:
		return 0, fmt.Errorf("the answer holds %d bytes", got[2])
	}
	return 5 + int(got[2]), nil
}

func whileReading(err error, partial int, skipped error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded) && partial > 0:
		return fmt.Errorf("the answer breaks off after %d bytes: %w", partial, err)
	case skipped != nil:
		return fmt.Errorf("%w (%w)", err, skipped)
	}
	return cutOff(err)
}
