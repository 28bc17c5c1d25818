package book

import (
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/cmap"
)

// Rate returns the satisfaction in ppm that CMAP sees in every pair of orders
// (matching.md 3), whatever clears them: a common measure to compare mechanisms
// by. Errors are those of New.
func Rate(p CMAP, buys, sells []Order) (func(buy, sell int) int64, error) {
	b, err := New(p, buys, sells)
	if err != nil {
		return nil, err
	}
	s := b.solver.(*preferred)
	scorer, err := cmap.NewScorer(s.params, s.buys, s.sells)
	if err != nil {
		return nil, err
	}
	n := len(sells)
	a, of, distances := make([]int64, len(buys)*n), make([]int64, len(buys)*n), make([]int64, n)
	for i := range buys {
		for j := range sells {
			distances[j] = s.distance(i, j)
		}
		scorer.Row(i, distances, a[i*n:(i+1)*n], of[i*n:(i+1)*n])
	}
	for _, side := range [][]int64{a, of} {
		s.normalise(side)
	}
	return func(buy, sell int) int64 { return (a[buy*n+sell] + of[buy*n+sell]) / 2 }, nil
}

// normalise turns weighted sums, at most 10^9 each, into satisfactions.
func (s *preferred) normalise(sums []int64) {
	const most = 1000 * cmap.One
	least, greatest := int64(most), int64(0)
	for _, v := range sums {
		least, greatest = min(least, v), max(greatest, v)
	}
	if s.params.FixedScale {
		least, greatest = 0, most
	}
	for k, v := range sums {
		if least == greatest {
			sums[k] = 0
		} else {
			sums[k] = (v - least) * units.PPM / (greatest - least)
		}
	}
}
