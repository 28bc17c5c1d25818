package kproto

import (
	"math"
	"math/bits"
)

// divisor divides by a range. A clearing divides by the same few ranges for
// every pair, and multiplying by the inverse takes a fraction of the time of
// the machine's division.
type divisor struct{ by, inverse uint64 }

func newDivisor(by int64) divisor {
	return divisor{by: uint64(by), inverse: math.MaxUint64 / uint64(by)}
}

// scaled returns t(x, r) = floor(|x| * Q / r).
func (d divisor) scaled(x int64) int64 {
	return int64(d.floor(uint64(max(x, -x)) * Q))
}

// floor returns floor(x / r).
func (d divisor) floor(dividend uint64) uint64 {
	// The inverse is at most 1 below 2^64 / r, so the estimate is the quotient
	// or one less.
	quotient, _ := bits.Mul64(dividend, d.inverse)
	if dividend-quotient*d.by >= d.by {
		quotient++
	}
	return quotient
}

func square(x int64) int64 { return x * x }
