// Package units is the fixed-point arithmetic of the system: energy, money,
// prices and ratios as integers whose operations report overflow instead of
// wrapping. Replicas can only agree on numbers that are exact.
package units

import (
	"errors"
	"fmt"
	"math"
	"math/bits"
)

// PPM is one, as a ratio.
const PPM = 1_000_000

// UcoinPerCoin and WhPerKWh lead from the units of the chain to people's.
const (
	UcoinPerCoin = 1_000_000
	WhPerKWh     = 1_000
)

// ErrOverflow is returned where a result does not fit int64.
var ErrOverflow = errors.New("number too large")

// Add returns a + b.
func Add(a, b int64) (int64, error) {
	c := a + b
	if (a > 0 && b > 0 && c <= 0) || (a < 0 && b < 0 && c >= 0) {
		return 0, fmt.Errorf("%d + %d: %w", a, b, ErrOverflow)
	}
	return c, nil
}

// Sub returns a - b.
func Sub(a, b int64) (int64, error) {
	c := a - b
	if (a >= 0 && b < 0 && c < 0) || (a < 0 && b > 0 && c >= 0) {
		return 0, fmt.Errorf("%d - %d: %w", a, b, ErrOverflow)
	}
	return c, nil
}

// Sum adds any number of terms.
func Sum(terms ...int64) (int64, error) {
	var sum int64
	for _, t := range terms {
		next, err := Add(sum, t)
		if err != nil {
			return 0, err
		}
		sum = next
	}
	return sum, nil
}

// MulDiv returns trunc(a * b / c) with a 128-bit intermediate; c > 0.
func MulDiv(a, b, c int64) (int64, error) {
	if c <= 0 {
		return 0, fmt.Errorf("division by %d: expected a positive divisor", c)
	}
	hi, lo := bits.Mul64(magnitude(a), magnitude(b))
	if hi >= uint64(c) {
		return 0, fmt.Errorf("%d * %d / %d: %w", a, b, c, ErrOverflow)
	}
	quo, _ := bits.Div64(hi, lo, uint64(c))
	if quo > math.MaxInt64 {
		return 0, fmt.Errorf("%d * %d / %d: %w", a, b, c, ErrOverflow)
	}
	if (a < 0) != (b < 0) {
		return -int64(quo), nil
	}
	return int64(quo), nil
}

func magnitude(v int64) uint64 {
	if v < 0 {
		return -uint64(v)
	}
	return uint64(v)
}

// Amount returns trunc(price * energy / 1000) in ucoin: the money for energyWh
// at a price in ucoin per kWh (SPEC 0). It is computed once and used for both
// legs of a payment.
func Amount(priceUcoinPerKWh, energyWh int64) (int64, error) {
	return MulDiv(priceUcoinPerKWh, energyWh, WhPerKWh)
}

// Loss returns floor(energy * loss / 10^6) in Wh: what of energyWh >= 0 is
// lost on a path of lossPPM in 0..10^6. The result cannot overflow.
func Loss(energyWh, lossPPM int64) int64 {
	hi, lo := bits.Mul64(uint64(energyWh), uint64(lossPPM))
	quo, _ := bits.Div64(hi, lo, PPM)
	return int64(quo)
}

// Net returns what of energyWh arrives: energy - Loss(energy, loss).
func Net(energyWh, lossPPM int64) int64 { return energyWh - Loss(energyWh, lossPPM) }

// GrossFor returns the greatest v <= limitWh with Net(v, lossPPM) <= netWh:
// what the seller's meter must show at most so that netWh is not exceeded
// (SPEC 8). Net never falls as v grows, so a binary search finds it.
func GrossFor(netWh, lossPPM, limitWh int64) int64 {
	low, high := int64(0), limitWh
	for low < high {
		middle := low + (high-low+1)/2
		if Net(middle, lossPPM) <= netWh {
			low = middle
		} else {
			high = middle - 1
		}
	}
	return low
}

// Sqrt returns floor(sqrt(v)) of v >= 0.
func Sqrt(v uint64) uint64 {
	if v == 0 {
		return 0
	}
	// Newton's iteration from above a power of two that is no less than the
	// root: it falls until it is the floor.
	root := uint64(1) << ((bits.Len64(v) + 1) / 2)
	if root == 0 || root > math.MaxUint32 {
		root = math.MaxUint32
	}
	for {
		next := (root + v/root) / 2
		if next >= root {
			return root
		}
		root = next
	}
}
