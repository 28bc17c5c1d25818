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
	line    line
	pending *[]question // of the unit, the latest last
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
		latest := (*e.pending)[len(*e.pending)-1]
		if err := latest.answeredBy(frame[6:]); err != nil {
			return nil, err
		}
		// The transaction says what it answers; only a gateway that pairs a
		// serial line's answers wrongly can belie that, and their length shows
		// it.
		*e.pending = nil
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

// rtuExchange carries one frame there and one back in RTU.
type rtuExchange struct {
	line     line
	pending  *[]question // of the unit, the latest last
	packager goburrow.Packager
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
		if frame[0] != (*e.pending)[0].unit {
			skipped = fmt.Errorf("the answer is of unit %d", frame[0])
		} else if err := settle(e.pending, frame[:length-2]); err != nil {
			return nil, err
		} else if len(*e.pending) > 0 {
			skipped = errors.New("what came may answer an older question")
		} else if len(got) > length {
			return nil, fmt.Errorf("%d bytes follow the answer", len(got)-length)
		} else {
			return frame, nil
		}
		got = got[:copy(got, got[length:])]
	}
}

// rtuLength returns the length of the frame that begins with got, checksum
// included; 0 while that cannot be said.
func rtuLength(got []byte) (int, error) {
	if len(got) < 3 {
		return 0, nil
	}
	switch function := got[1] &^ 0x80; function {
	case byte(Coils), byte(Discrete), byte(Holding), byte(Input):
		if got[1] != function {
			return 5, nil
		}
		if registers := function >= byte(Holding); got[2] == 0 || int(got[2]) > 2*MaxRegisters || registers && got[2]%2 != 0 {
			return 0, fmt.Errorf("the answer holds %d bytes", got[2])
		}
	case goburrow.FuncCodeWriteSingleCoil, goburrow.FuncCodeWriteSingleRegister,
		goburrow.FuncCodeWriteMultipleCoils, goburrow.FuncCodeWriteMultipleRegisters:
		if got[1] != function {
			return 5, nil
		}
		return 8, nil
	default:
		return 0, fmt.Errorf("the answer is to function %d", got[1])
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
