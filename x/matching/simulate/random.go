package simulate

import "math/bits"

// random is SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number
// Generators, OOPSLA 2014): few lines, good enough to draw orders, and the same
// numbers in every version of the library.
type random struct{ state uint64 }

func newRandom(seed uint64) *random { return &random{seed} }

func (r *random) next() uint64 {
	r.state += 0x9e3779b97f4a7c15
	z := r.state
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// between returns a number from low to high, which are not negative. That some
// come up more often by a part in 2^64 / (high - low) does not matter here.
func (r *random) between(low, high int64) int64 {
	above, _ := bits.Mul64(r.next(), uint64(high-low+1))
	return low + int64(above)
}

// pointer returns such a number as a field that an order may leave out.
func (r *random) pointer(low, high int64) *int64 {
	v := r.between(low, high)
	return &v
}
