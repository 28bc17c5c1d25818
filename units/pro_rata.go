package units

import (
	"cmp"
	"fmt"
	"math/bits"
	"slices"
)

// ProRata divides amount over parts in proportion to them, by largest remainder;
// of equal remainders the lower position comes first. No share exceeds its part.
// An error is returned for a negative part, a sum beyond int64 and an amount
// outside 0..sum.
func ProRata(amount int64, parts []int64) ([]int64, error) {
	for i, part := range parts {
		if part < 0 {
			return nil, fmt.Errorf("part %d: expected 0 or more, got %d", i, part)
		}
	}
	total, err := Sum(parts...)
	if err != nil {
		return nil, err
	}
	if amount < 0 || amount > total {
		return nil, fmt.Errorf("amount to divide: expected 0 to %d, got %d", total, amount)
	}
	if amount == total { // also the only case in which total may be 0
		return slices.Clone(parts), nil
	}
	type rest struct {
		at        int
		remainder uint64
	}
	shares, rests, left := make([]int64, len(parts)), make([]rest, len(parts)), amount
	for i, part := range parts {
		// The quotient is at most part, since amount < total.
		high, low := bits.Mul64(uint64(amount), uint64(part))
		quotient, remainder := bits.Div64(high, low, uint64(total))
		shares[i], rests[i] = int64(quotient), rest{i, remainder}
		left -= shares[i]
	}
	slices.SortFunc(rests, func(a, b rest) int {
		return cmp.Or(cmp.Compare(b.remainder, a.remainder), cmp.Compare(a.at, b.at))
	})
	// What is left is the sum of remainders over total, so it is less than the
	// number of parts whose remainder is not 0.
	for _, r := range rests[:left] {
		shares[r.at]++
	}
	return shares, nil
}
