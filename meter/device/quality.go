package device

import (
	"errors"
	"fmt"
)

// Quality says whether a snapshot may be signed, and if not, why. Only
// Measured may.
type Quality uint8

// The states of a snapshot. Those from Stale on come of a History.
const (
	// Unread is the zero value: nothing was read.
	Unread Quality = iota
	// Measured is a snapshot to sign.
	Measured
	// Unreachable: no answer, or one that is broken or not to the question.
	Unreachable
	// Refused: the device answered with a Modbus exception.
	Refused
	// NotAvailable: a register holds the mark that says it has no value.
	NotAvailable
	// NotANumber: a float register holds NaN or an infinity.
	NotANumber
	// OutOfRange: an energy register is negative or beyond what a meter counts.
	OutOfRange
	// WrongDevice: not the device or the SunSpec models that were expected.
	WrongDevice
	// Stale: the registers stand still although power flows.
	Stale
	// RolledOver: a register passed its highest value and began again at 0.
	RolledOver
	// Replaced: the serial number is another than before.
	Replaced
	// WentBack: a register fell, and it is no roll-over.
	WentBack
	// Jumped: more energy than the meter's rating allows in that time.
	Jumped
	// Gap: longer since the last snapshot than allowed. The registers are
	// right, the energy between is known only as a sum.
	Gap
	// ClockWentBack: the gateway's clock is before the last snapshot.
	ClockWentBack
)

var qualityNames = [...]string{
	"unread", "measured", "unreachable", "refused", "not_available", "not_a_number", "out_of_range", "wrong_device",
	"stale", "rolled_over", "replaced", "went_back", "jumped", "gap", "clock_went_back",
}

// String returns the code in words, as metrics and JSON show it.
func (q Quality) String() string {
	if int(q) < len(qualityNames) {
		return qualityNames[q]
	}
	return fmt.Sprintf("quality_%d", uint8(q))
}

// QualityError is a refusal to give a value, with the code of the reason.
type QualityError struct {
	Quality Quality
	Err     error
}

func (e *QualityError) Error() string { return e.Quality.String() + ": " + e.Err.Error() }

// Unwrap returns the reason in words.
func (e *QualityError) Unwrap() error { return e.Err }

// QualityOf returns the code in err: Measured for nil, Unreachable for an
// error without one.
func QualityOf(err error) Quality {
	if err == nil {
		return Measured
	}
	if e, ok := errors.AsType[*QualityError](err); ok {
		return e.Quality
	}
	return Unreachable
}
