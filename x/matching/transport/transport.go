// Package transport solves the transportation problem behind the CMAP and the
// welfare market (matching.md 3, SPEC 6.5): how much energy each buy takes from
// each sell so that the sum of worth is greatest. It is a package of its own
// because both markets solve the same problem, and because a result must be
// provable: a solution carries potentials with which Verify shows, by code of
// its own and in one pass over the pairs, that no other clearing is better.
// Everything is integer and deterministic, so that replicas agree.
package transport

import (
	"errors"
	"math/big"
)

// Forbidden is the worth of a pair that must not trade.
const Forbidden = -1 << 62

// Volume says how much energy is to trade.
type Volume int

const (
	// MostEnergy trades the most energy that the allowed pairs let pass, and of
	// all ways to do so takes one of greatest worth. Where every pair is allowed
	// the short side is served in full and the long side at most (S3 4.15-4.17).
	MostEnergy Volume = iota
	// AnyVolume forces nothing: energy trades where that adds worth.
	AnyVolume
)

// Problem is a transportation problem between m buys and n sells.
type Problem struct {
	Demand []int64 // Wh per buy, > 0
	Supply []int64 // Wh per sell, > 0
	// Worth of a Wh of each pair, row-major: that of buy i and sell j is at
	// i*len(Supply)+j; Forbidden if they must not trade.
	Worth  []int64
	Volume Volume
}

// Flow is energy that one buy takes from one sell.
type Flow struct {
	Buy, Sell int // positions in the problem
	EnergyWh  int64
}

// Certificate proves a solution optimal. U holds a potential per buy and V one
// per sell, in worth per Wh: what another Wh of demand or supply would add. For
// MostEnergy each Wh counts Bonus on top of its worth, so much that more energy
// beats any worth.
type Certificate struct {
	U, V  []int64
	Bonus int64
}

// Solution is what Solve found.
type Solution struct {
	Flows    []Flow // by buy, then by sell; at most m + n - 1
	EnergyWh int64  // the sum of the flows
	// Objective is the sum of worth * energy; it may exceed int64.
	Objective   *big.Int
	Certificate Certificate
	Pivots      int
	// Fallback says that the pivots were used up: the flows are those of a
	// greedy choice by worth, feasible but unproven, and there is no certificate.
	Fallback bool
}

// ErrProblem is wrapped by every error of Solve.
var ErrProblem = errors.New("bad transportation problem")

// pivotsPerOrder times the number of orders is the cap on pivots: there is no
// polynomial bound (matching.md 3). Books need one to three per order.
const pivotsPerOrder = 200

// Solve returns a solution of greatest worth. A problem without buys or sells,
// or with no pair allowed, has no flows. Errors wrap ErrProblem: slices that do
// not match, energies that are not positive, numbers too large to be exact.
func Solve(p *Problem) (*Solution, error) {
	return solve(p, pivotsPerOrder*(len(p.Demand)+len(p.Supply)))
}

func solve(p *Problem, maxPivots int) (*Solution, error) {
	bonus, err := p.check()
	if err != nil {
		return nil, err
	}
	s := newSimplex(p, bonus)
	result := &Solution{}
	if s.run(maxPivots) {
		result.Flows = s.flows()
		result.Certificate = s.certificate(bonus)
	} else {
		result.Flows, result.Fallback = greedy(p), true
	}
	result.Pivots = s.pivots
	result.sum(p)
	return result, nil
}

// sum fills in the totals of the flows.
func (s *Solution) sum(p *Problem) {
	s.Objective = Total(p.Worth, len(p.Supply), s.Flows)
	for _, f := range s.Flows {
		s.EnergyWh += f.EnergyWh
	}
}

// Total returns the sum of worth * energy over the flows, of a row-major worth
// with so many sells to a row.
func Total(worth []int64, sells int, flows []Flow) *big.Int {
	total, term, energy := new(big.Int), new(big.Int), new(big.Int)
	for _, f := range flows {
		term.SetInt64(worth[f.Buy*sells+f.Sell])
		total.Add(total, term.Mul(term, energy.SetInt64(f.EnergyWh)))
	}
	return total
}
