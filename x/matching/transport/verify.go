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
// none has more energy: one side is served in full, or see covers. Worths are
// taken to be in the range that Solve accepts.
//
// Errors wrap ErrUnproven.
func Verify(p *Problem, flows []Flow, c Certificate) error {
	m, n := len(p.Demand), len(p.Supply)
	if len(p.Worth) != m*n || len(c.U) != m || len(c.V) != n {
		return fmt.Errorf("%w: %d worths, %d and %d potentials for %d buys and %d sells",
			ErrUnproven, len(p.Worth), len(c.U), len(c.V), m, n)
	}
	if c.Bonus < 0 || !inRange(c.Bonus) || p.Volume == AnyVolume && c.Bonus != 0 {
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
	var uncovered []int64
	if p.Volume == MostEnergy && !buysFull && !sellsFull {
		if uncovered, err = verifyCover(p, c, sum(bought)); err != nil {
			return err
		}
	}
	return verifyPairs(p, c, uncovered)
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

// greatestTerm bounds potentials and worths, so that a sum of three fits int64.
const greatestTerm = 1 << 61

func inRange(v int64) bool { return v >= -greatestTerm && v <= greatestTerm }

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

// verifyPairs checks that no pair is worth more than its potentials. Where a
// cover has to be checked, uncovered holds the potentials that sells have for
// buys that are not part of it.
func verifyPairs(p *Problem, c Certificate, uncovered []int64) error {
	n := len(p.Supply)
	for i, u := range c.U {
		v := c.V
		if uncovered != nil && !covers(u, c) {
			v = uncovered
		}
		row := p.Worth[i*n : (i+1)*n]
		if j := worthMore(row, v, u-c.Bonus); j >= 0 {
			return fmt.Errorf("%w: buy %d and sell %d: potentials %d and %d do not allow for worth %d + %d, or for any energy",
				ErrUnproven, i, j, u, c.V[j], row[j], c.Bonus)
		}
	}
	return nil
}

// worthMore returns the position of a worth greater than its potential and u
// together, -1 if there is none. Forbidden is less than any such sum, and a
// worth so low that the difference overflows is taken for one that is too great.
func worthMore(worth, potentials []int64, u int64) int {
	potentials = potentials[:len(worth)]
	j := 0
	for ; j+4 <= len(worth); j += 4 { // four at a time take half as long
		w, v := worth[j:j+4:j+4], potentials[j:j+4:j+4]
		if max(w[0]-v[0], w[1]-v[1], w[2]-v[2], w[3]-v[3]) > u {
			break
		}
	}
	for ; j < len(worth); j++ {
		if worth[j]-potentials[j] > u {
			return j
		}
	}
	return -1
}

// covers says whether an order is one of those that prove the most energy: of
// pairs that may trade at least one is, and together they have no more energy
// than is traded.
func covers(potential int64, c Certificate) bool { return potential > c.Bonus/2 }

// verifyCover checks that the orders that cover all pairs have no more than this
// energy. It returns potentials of the sells for buys that are not among these:
// those of sells that are not either are so low that only a forbidden pair is
// worth as little.
func verifyCover(p *Problem, c Certificate, energy int64) (uncovered []int64, err error) {
	uncovered = make([]int64, len(p.Supply))
	for j, v := range c.V {
		uncovered[j] = -greatestTerm
		if covers(v, c) {
			uncovered[j] = v
			energy -= min(energy+1, p.Supply[j])
		}
	}
	for i, u := range c.U {
		if covers(u, c) {
			energy -= min(energy+1, p.Demand[i])
		}
	}
	if energy < 0 {
		return nil, fmt.Errorf("%w: orders with potentials above %d/2 have more than the traded energy", ErrUnproven, c.Bonus)
	}
	return uncovered, nil
}

// sum adds amounts that are part of a sum known to fit.
func sum(amounts []int64) (total int64) {
	for _, amount := range amounts {
		total += amount
	}
	return total
}
