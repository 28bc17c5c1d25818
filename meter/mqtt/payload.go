package mqtt

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"strings"
	"time"

	"github.com/energyd/energyd/meter/device"
)

const (
	// maxPayload is far above what a meter says.
	maxPayload = 64 << 10
	// maxRegisterWh is more than a meter counts in its life.
	maxRegisterWh = 1 << 50
	// maxDigits of a number; one like 1e999999999 would take all memory.
	maxDigits = 40
)

// decode reads a message by a mapping. Energies are decimals of any unit; they
// are rounded down to Wh without floats.
func (m Mapping) decode(payload []byte, arrived time.Time) (device.Snapshot, error) {
	fail := func(quality device.Quality, err error) (device.Snapshot, error) {
		return device.Snapshot{Quality: quality}, &device.QualityError{Quality: quality, Err: fmt.Errorf("topic %s: %w", m.Topic, err)}
	}
	if len(payload) > maxPayload {
		return fail(device.WrongDevice, fmt.Errorf("expected at most %d bytes, got %d", maxPayload, len(payload)))
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	var document any
	if err := d.Decode(&document); err != nil {
		return fail(device.WrongDevice, fmt.Errorf("expected JSON: %w", err))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fail(device.WrongDevice, errors.New("expected one JSON value, got more"))
	}
	s := device.Snapshot{StepWh: m.StepWh, Quality: device.Measured, At: arrived, Model: "mqtt"}
	for _, register := range []struct {
		path string
		out  *int64
	}{{m.Import, &s.ImportWh}, {m.Export, &s.ExportWh}} {
		if register.path == "" {
			continue
		}
		value, quality, err := m.energy(document, register.path)
		if err != nil {
			return fail(quality, fmt.Errorf("%s: %w", register.path, err))
		}
		*register.out = value
	}
	if m.Power != "" {
		value, quality, err := number(document, m.Power)
		if err != nil {
			return fail(quality, fmt.Errorf("%s: %w", m.Power, err))
		}
		s.PowerW, _ = value.Float64()
		s.HasPower = true
	}
	if m.Time != "" {
		at, err := timeOf(document, m.Time)
		if err != nil {
			return fail(device.WrongDevice, fmt.Errorf("%s: %w", m.Time, err))
		}
		s.At = at
	}
	return s, nil
}

// energy returns a register in Wh.
func (m Mapping) energy(document any, path string) (int64, device.Quality, error) {
	value, quality, err := number(document, path)
	if err != nil {
		return 0, quality, err
	}
	if m.KWh {
		value.Mul(value, big.NewRat(1000, 1))
	}
	if value.Sign() < 0 || value.Cmp(big.NewRat(maxRegisterWh, 1)) > 0 {
		return 0, device.OutOfRange, fmt.Errorf("expected a register of 0 to %d Wh, got %s", int64(maxRegisterWh), value.FloatString(3))
	}
	return new(big.Int).Quo(value.Num(), value.Denom()).Int64(), device.Measured, nil
}

// find returns what lies at a path of names joined by dots.
func find(document any, path string) any {
	for name := range strings.SplitSeq(path, ".") {
		object, ok := document.(map[string]any)
		if !ok {
			return nil
		}
		document = object[name]
	}
	return document
}

// number returns a number exactly; some devices write it as text.
func number(document any, path string) (*big.Rat, device.Quality, error) {
	text := ""
	switch found := find(document, path).(type) {
	case json.Number:
		text = found.String()
	case string:
		text = found
	case nil:
		return nil, device.NotAvailable, errors.New("missing, or null")
	default:
		return nil, device.NotANumber, fmt.Errorf("expected a number, got %T", found)
	}
	mantissa, exponent, _ := strings.Cut(strings.ToLower(text), "e")
	if power, err := strconv.Atoi(exponent); exponent != "" && (err != nil || power > maxDigits || power < -maxDigits) || len(mantissa) > maxDigits {
		return nil, device.NotANumber, fmt.Errorf("expected a number of at most %d digits, got %.50q", maxDigits, text)
	}
	if strings.ContainsAny(text, "/_xXpPbBoO") {
		return nil, device.NotANumber, fmt.Errorf("expected a decimal number, got %q", text)
	}
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, device.NotANumber, fmt.Errorf("expected a number, got %q", text)
	}
	return value, device.Measured, nil
}

// timeOf reads Unix seconds, Unix milliseconds, or RFC 3339.
func timeOf(document any, path string) (time.Time, error) {
	if text, ok := find(document, path).(string); ok {
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return at, nil
		}
	}
	value, _, err := number(document, path)
	if err != nil || value.Sign() <= 0 || value.Cmp(big.NewRat(1<<52, 1)) > 0 {
		return time.Time{}, errors.New("expected Unix seconds or milliseconds, or a time like 2025-01-31T12:00:00Z")
	}
	// Seconds pass this in the year 5138, milliseconds did in 1973.
	if value.Cmp(big.NewRat(100_000_000_000, 1)) < 0 {
		value.Mul(value, big.NewRat(1000, 1))
	}
	return time.UnixMilli(new(big.Int).Quo(value.Num(), value.Denom()).Int64()), nil
}
