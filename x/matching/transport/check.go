package transport

import (
	"fmt"

	"github.com/energyd/energyd/units"
)

const (
	// maxPotential bounds potentials, and worths with their bonus, so that a sum
	// of three fits int64.
	maxPotential = 1 << 61
	// maxAmount bounds the sum of both sides' energies in the fine unit of the
	// simplex.
	maxAmount = 1 << 62
)

// check refuses what cannot be solved exactly, and returns the bonus of a Wh.
func (p *Problem) check() (bonus int64, err error) {
	m, n := len(p.Demand), len(p.Supply)
	if len(p.Worth) != m*n {
		return 0, fmt.Errorf("%w: %d worths for %d buys and %d sells", ErrProblem, len(p.Worth), m, n)
	}
	if p.Volume != MostEnergy && p.Volume != AnyVolume {
		return 0, fmt.Errorf("%w: volume %d", ErrProblem, p.Volume)
	}
	if err := p.checkAmounts(); err != nil {
		return 0, err
	}
	least, greatest := p.extremes()
	// A potential is a sum over a path of the tree, which has at most m + n + 1
	// arcs, each of at most greatest + bonus; potentials thus stay within
	// maxPotential if (m + n + 2) * (greatest + bonus) does.
	limit := maxPotential / int64(m+n+2)
	factor := int64(1)
	if p.Volume == MostEnergy {
		factor = 4*int64(min(m, n)) + 4 // greatest + bonus <= factor * max(greatest, 1)
	}
	if greatest > limit/factor || least < -limit/factor {
		return 0, fmt.Errorf("%w: worths %d to %d between %d buys and %d sells, expected at most %d either way",
			ErrProblem, least, greatest, m, n, limit/factor)
	}
	if p.Volume == MostEnergy {
		bonus = energyBonus(m, n, max(greatest, -least))
	}
	return bonus, nil
}

// energyBonus returns a bonus that makes a Wh more of traded energy worth more
// than any change of pairs, for worths between -greatest and greatest.
//
// The potential of an order is the sum of worths, signs alternating, along a
// path of the tree that visits each order at most once: at most 2 * min(m, n)
// arcs between orders. So it is the bonus, or 0, and something within
// 2 * min(m, n) * greatest; and the bonus being more than twice that and 2 *
// greatest, one can see which. Orders that have the bonus cover all pairs that
// may trade and are served in full, by pairs of which only one order has it.
// Their energy is therefore the traded energy, and no clearing can trade more,
// as Verify checks.
func energyBonus(m, n int, greatest int64) int64 {
	return 2*(2*int64(min(m, n))+1)*greatest + 1
}

// extremes returns the least and the greatest worth of the allowed pairs, each
// with 0 among them.
func (p *Problem) extremes() (least, greatest int64) {
	for _, w := range p.Worth {
		if w != Forbidden {
			least, greatest = min(least, w), max(greatest, w)
		}
	}
	return least, greatest
}

// checkAmounts refuses energies that are not positive or that the simplex
// cannot scale.
func (p *Problem) checkAmounts() error {
	var total int64
	for _, side := range [][]int64{p.Demand, p.Supply} {
		for k, energy := range side {
			if energy <= 0 {
				return fmt.Errorf("%w: energy %d Wh at position %d, expected more than 0", ErrProblem, energy, k)
			}
			var err error
			if total, err = units.Add(total, energy); err != nil {
				return fmt.Errorf("%w: sum of energies: %w", ErrProblem, err)
			}
		}
	}
	if limit := maxAmount/fineUnits(len(p.Demand)) - 1; total > limit {
		return fmt.Errorf("%w: energies of %d Wh in all, expected at most %d", ErrProblem, total, limit)
	}
	return nil
}
