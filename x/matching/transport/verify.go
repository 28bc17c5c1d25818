package transport

import (
	"errors"
	"fmt"
)

// ErrUnproven is wrapped by every error of Verify.
var ErrUnproven = errors.New("clearing not proven")

// Verify checks that flows are feasible and that the certificate proves them
// optimal, in one pass over the pairs; it shares no code with the solver. With
// reward w + bonus per Wh of a pair it demands
//
//	u, v >= 0,  u + v >= reward for every allowed pair
//	u + v = reward where energy flows
//	u = 0 for a buy, v = 0 for a sell, that is not served in full.
//
// By the first line sum u*demand + sum v*supply is at least the reward of any
// clearing, and by the others it is this one's. For AnyVolume the bonus is 0.
// For MostEnergy clearings of the same energy differ in reward as in worth, and
// no other has more energy: one side is served in full, or the bonus is greater
// than what all pairs of a cycle that trades a Wh more could lose in worth.
//
// Errors wrap ErrUnproven.
func Verify(p *Problem, flows []Flow, c Certificate) error {
	m, n := len(p.Demand), len(p.Supply)
	if len(p.Worth) != m*n || len(c.U) != m || len(c.V) != n {
		return fmt.Errorf("%w: %d worths, %d and %d potentials for %d buys and %d sells",
			ErrUnproven, len(p.Worth), len(c.U), len(c.V), m, n)
	}
	if c.Bonus < 0 || !inRange(c.Bonus) {
		return fmt.Errorf("%w: bonus %d", ErrUnproven, c.Bonus)
	}
	bought, sold, err := verifyFlows(p, flows, c)
	if err != nil {
		return err
	}
	buysFull, err := verifySide("buy", p.Demand, bought, c.U)
	if err != nil {
		return err
	}
	sellsFull, err := verifySide("sell", p.Supply, sold, c.V)
	if err != nil {
		return err
	}
	if err := verifyPairs(p, c); err != nil {
		return err
	}
	return verifyBonus(p, c.Bonus, buysFull || sellsFull)
}

// verifyFlows checks the flows one by one, and returns the sums of each order.
func verifyFlows(p *Problem, flows []Flow, c Certificate) (bought, sold []int64, err error) {
	m, n := len(p.Demand), len(p.Supply)
	bought, sold = make([]int64, m), make([]int64, n)
	last := -1
	for _, f := range flows {
		if f.Buy < 0 || f.Buy >= m || f.Sell < 0 || f.Sell >= n {
			return nil, nil, fmt.Errorf("%w: flow between buy %d of %d and sell %d of %d", ErrUnproven, f.Buy, m, f.Sell, n)
		}
		k := f.Buy*n + f.Sell
		if k <= last {
			return nil, nil, fmt.Errorf("%w: flow between buy %d and sell %d twice or out of order", ErrUnproven, f.Buy, f.Sell)
		}
		last = k
		w := p.Worth[k]
		if w == Forbidden {
			return nil, nil, fmt.Errorf("%w: flow between buy %d and sell %d, which is forbidden", ErrUnproven, f.Buy, f.Sell)
		}
		// Subtracting keeps below 0 what might overflow as a sum.
		if f.EnergyWh <= 0 || f.EnergyWh > p.Demand[f.Buy]-bought[f.Buy] || f.EnergyWh > p.Supply[f.Sell]-sold[f.Sell] {
			return nil, nil, fmt.Errorf("%w: flow of %d Wh between buy %d, %d of %d Wh served, and sell %d, %d of %d",
				ErrUnproven, f.EnergyWh, f.Buy, bought[f.Buy], p.Demand[f.Buy], f.Sell, sold[f.Sell], p.Supply[f.Sell])
		}
		bought[f.Buy] += f.EnergyWh
		sold[f.Sell] += f.EnergyWh
		if !inRange(w) || !inRange(c.U[f.Buy]) || !inRange(c.V[f.Sell]) || c.U[f.Buy]+c.V[f.Sell] != w+c.Bonus {
			return nil, nil, fmt.Errorf("%w: flow between buy %d and sell %d: potentials %d and %d, expected a sum of %d + %d",
				ErrUnproven, f.Buy, f.Sell, c.U[f.Buy], c.V[f.Sell], w, c.Bonus)
		}
	}
	return bought, sold, nil
}

// inRange bounds a term so that a sum of three fits int64.
func inRange(v int64) bool { return v > -1<<61 && v <= 1<<61 }

// verifySide checks the potentials of one side against what its orders trade,
// and says whether all are served in full.
func verifySide(side string, amounts, traded, potentials []int64) (full bool, err error) {
	full = true
	for k, amount := range amounts {
		served := traded[k] == amount
		full = full && served
		if u := potentials[k]; u < 0 || !inRange(u) || u > 0 && !served {
			return false, fmt.Errorf("%w: %s %d with %d of %d Wh served has potential %d", ErrUnproven, side, k, traded[k], amount, u)
		}
	}
	return full, nil
}

// verifyPairs checks that no pair is worth more than its potentials.
func verifyPairs(p *Problem, c Certificate) error {
	n := len(p.Supply)
	for i, u := range c.U {
		base := u - c.Bonus
		row := p.Worth[i*n : (i+1)*n]
		v := c.V[:len(row)]
		for j, w := range row {
			// Forbidden is less than any sum of potentials.
			if v[j]+base < w {
				return fmt.Errorf("%w: buy %d and sell %d: potentials %d and %d, expected a sum of at least %d + %d",
					ErrUnproven, i, j, u, v[j], w, c.Bonus)
			}
		}
	}
	return nil
}

// verifyBonus checks that the bonus does what the volume asks for.
func verifyBonus(p *Problem, bonus int64, sideFull bool) error {
	if p.Volume == AnyVolume {
		if bonus != 0 {
			return fmt.Errorf("%w: bonus %d, expected 0", ErrUnproven, bonus)
		}
		return nil
	}
	if sideFull {
		return nil
	}
	var greatest int64
	for _, w := range p.Worth {
		if w != Forbidden {
			greatest = max(greatest, w, -w)
		}
	}
	// 2 * min(m, n) - 1 pairs at most lie on a cycle that trades a Wh more.
	if pairs := 2*int64(min(len(p.Demand), len(p.Supply))) - 1; bonus < 1 || greatest > (bonus-1)/pairs {
		return fmt.Errorf("%w: bonus %d for up to %d pairs worth up to %d", ErrUnproven, bonus, pairs, greatest)
	}
	return nil
}
