package kproto

import "math/bits"

// divisor divides by a range. A clearing divides by the same few ranges for
// every pair, and multiplying by the inverse takes a fraction of the time of
// the machine's division.
type divisor struct {
	inverse uint64 // ceil(2^(63+shift) / r), which is at least 2^63
	shift   uint8
}

// newDivisor returns the divisor by r, 1..maxRange.
func newDivisor(r int64) divisor {
	shift := bits.Len64(uint64(r - 1)) // 2^(shift-1) < r <= 2^shift
	if shift == 0 {
		return divisor{inverse: 1 << 63}
	}
	inverse, rest := bits.Div64(1<<(shift-1), 0, uint64(r))
	if rest > 0 {
		inverse++
	}
	return divisor{inverse, uint8(shift)}
}

// scaled returns t(x, r) = floor(|x| * Q / r) for |x| up to maxValue.
func (d divisor) scaled(x int64) int64 {
	// The inverse is less than 1 too great, the product with y = |x| * Q < 2^62
	// less than y. Divided by 2^(63+shift) that is less than 1 / r, by which the
	// quotient is at least away from the next whole number.
	quotient, _ := bits.Mul64(uint64(max(x, -x))*Q*2, d.inverse)
	return int64(quotient >> (d.shift & 63))
}

func square(x int64) int64 { return x * x }
