package device

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
)

// form is how a number lies in registers.
type form string

// words is how many registers each form takes.
var words = map[form]uint16{
	"uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "float32": 2, "uint64": 4, "int64": 4,
}

// number is a value as the device gave it, and the distance to the next one
// that it could have given.
type number struct{ value, step *big.Rat }

// decode reads a number. lowFirst says that the lowest of its registers comes
// first, allOnes that a number whose bits but the sign of a signed one are all
// set stands for none.
func (f form) decode(raw []uint16, lowFirst, allOnes bool) (number, error) {
	var bytes [8]byte
	for i, w := range raw {
		if lowFirst {
			i = len(raw) - 1 - i
		}
		binary.BigEndian.PutUint16(bytes[8-2*len(raw)+2*i:], w)
	}
	bits := binary.BigEndian.Uint64(bytes[:])
	size := uint(16 * len(raw))
	if f == "float32" {
		return decodeFloat(uint32(bits))
	}
	signed := f == "int16" || f == "int32" || f == "int64"
	ones := uint64(math.MaxUint64) >> (64 - size)
	if signed {
		ones >>= 1
	}
	if allOnes && bits == ones {
		return number{}, &QualityError{NotAvailable, fmt.Errorf("%#x marks that there is no value", bits)}
	}
	value := new(big.Int).SetUint64(bits)
	if signed && bits > ones {
		value.Sub(value, new(big.Int).Lsh(big.NewInt(1), size))
	}
	return number{new(big.Rat).SetInt(value), big.NewRat(1, 1)}, nil
}

func decodeFloat(bits uint32) (number, error) {
	v := math.Float32frombits(bits)
	value := new(big.Rat)
	if value.SetFloat64(float64(v)) == nil {
		return number{}, &QualityError{NotANumber, fmt.Errorf("the float %#08x is %v", bits, v)}
	}
	next := math.Nextafter32(float32(math.Abs(float64(v))), math.MaxFloat32)
	return number{value, new(big.Rat).SetFloat64(float64(next) - math.Abs(float64(v)))}, nil
}

// scale multiplies a number and its step.
func (n number) scale(factor *big.Rat) number {
	return number{new(big.Rat).Mul(n.value, factor), new(big.Rat).Mul(n.step, factor)}
}

// MaxWh is the highest register that is believed: 1 TWh.
const MaxWh = 1_000_000_000_000

// wh returns the number, which counts Wh, as an energy register and its step,
// both in whole Wh.
func (n number) wh() (register, step int64, err error) {
	if n.value.Sign() < 0 || n.value.Cmp(big.NewRat(MaxWh, 1)) > 0 {
		return 0, 0, &QualityError{OutOfRange, fmt.Errorf("%s Wh, expected 0 to %d", n.value.FloatString(3), int64(MaxWh))}
	}
	// Half a Wh more and down is to the nearest.
	nearest := new(big.Rat).Add(n.value, big.NewRat(1, 2))
	register = new(big.Int).Quo(nearest.Num(), nearest.Denom()).Int64()
	up := new(big.Int).Add(n.step.Num(), new(big.Int).Sub(n.step.Denom(), big.NewInt(1)))
	step = max(1, up.Quo(up, n.step.Denom()).Int64())
	return register, step, nil
}

// Float reads a float32 from its two registers, exactly, and returns the
// distance to the next one as well. NaN and infinities are errors.
func Float(high, low uint16) (value, step *big.Rat, err error) {
	n, err := decodeFloat(uint32(high)<<16 | uint32(low))
	return n.value, n.step, err
}

// WattHours returns an energy register in whole Wh to the nearest, and its
// step rounded up; an error with code OutOfRange unless it is 0 to MaxWh.
func WattHours(value, step *big.Rat) (register, stepWh int64, err error) {
	return number{value, step}.wh()
}
