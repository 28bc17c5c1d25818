package dispatch

import (
	"fmt"
	"math"
)

// Register is a holding register, or two, that hold a power. One without a form
// is none.
type Register struct {
	Address uint16
	// Form is int16, uint16, int32, uint32 or float32.
	Form string
	// LowFirst says that of two registers the low one comes first.
	LowFirst bool
	// ScaleMilliW is what 1 in the register stands for, in mW.
	ScaleMilliW int64
	// Draws says that positive values draw and negative ones feed out.
	Draws bool
}

// Forms of numbers in registers.
var Forms = []string{"int16", "uint16", "int32", "uint32", "float32"}

// words is how many registers the number takes.
func (r Register) words() int {
	if r.Form == "int16" || r.Form == "uint16" {
		return 1
	}
	return 2
}

// signed says whether the register can hold both directions.
func (r Register) signed() bool { return r.Form != "uint16" && r.Form != "uint32" }

// most returns the largest power in W that fits, in each direction.
func (r Register) most() int64 {
	counts := map[string]int64{
		"int16": math.MaxInt16, "uint16": math.MaxUint16, "int32": math.MaxInt32, "uint32": math.MaxUint32,
		// Every whole number up to here has a float32 of its own.
		"float32": 1 << 24,
	}[r.Form]
	return counts * r.ScaleMilliW / 1000
}

// encode returns the registers for a power, and the power that they stand for:
// what does not fit their steps is rounded towards 0, never beyond it. powerW
// must be within most.
func (r Register) encode(powerW int64) (raw []uint16, shownW int64) {
	if r.Draws {
		powerW = -powerW
	}
	var bits uint32
	if r.Form == "float32" {
		v := float32(float64(powerW) * 1000 / float64(r.ScaleMilliW))
		for math.Abs(r.watts(v)) > math.Abs(float64(powerW)) {
			v = math.Nextafter32(v, 0)
		}
		bits, shownW = math.Float32bits(v), int64(r.watts(v))
	} else {
		n := powerW * 1000 / r.ScaleMilliW
		bits, shownW = uint32(n), n*r.ScaleMilliW/1000
	}
	if r.Draws {
		shownW = -shownW
	}
	if r.words() == 1 {
		return []uint16{uint16(bits)}, shownW
	}
	high, low := uint16(bits>>16), uint16(bits)
	if r.LowFirst {
		high, low = low, high
	}
	return []uint16{high, low}, shownW
}

func (r Register) watts(v float32) float64 { return float64(v) * float64(r.ScaleMilliW) / 1000 }

// decode returns the power that registers stand for.
func (r Register) decode(raw []uint16) (float64, error) {
	bits := uint32(raw[0])
	if r.words() == 2 {
		high, low := raw[0], raw[1]
		if r.LowFirst {
			high, low = low, high
		}
		bits = uint32(high)<<16 | uint32(low)
	}
	count := float64(bits)
	switch r.Form {
	case "int16":
		count = float64(int16(bits))
	case "int32":
		count = float64(int32(bits))
	case "float32":
		count = float64(math.Float32frombits(bits))
		if math.IsNaN(count) || math.IsInf(count, 0) {
			return 0, fmt.Errorf("the float %#08x is %v", bits, count)
		}
	}
	powerW := count * float64(r.ScaleMilliW) / 1000
	if r.Draws {
		powerW = -powerW
	}
	return powerW, nil
}
