// Package stackelberg prices the loans of a credit bank (SPEC 10, S0 3): the
// bank leads and sets one rate for all, each borrower follows and takes the loan
// that is best for it at that rate. It is a package of its own so that who has
// the bank's and the borrowers' numbers can price the loans again, without a
// chain.
//
// Rates are ppm per loan term. With m_i = c + delta_i, what a loan to i costs the
// bank (money and risk of default, Borrower and Bank say how they are stated),
// borrower i takes
//
//	q_i(r) = clamp(theta_i/r - k_i, 0, L_i), and nothing where r < m_i
//
// and the bank looks for the integer r from the least to the greatest rate with
//
//	f(r) = sum over i of (r - m_i) q_i(r)
//
// as great as possible. Demand theta/r - k comes from two points, q0 at r0 and
// none from r1 on: k = q0 r0 / (r1 - r0), theta = k r1. All of this is exact, in
// fractions; of equal rates the lowest is taken, and only then is each q_i rounded
// down to whole ucoin.
//
// # Why few rates need a look
//
// Borrower i does not count below the first integer from m_i on, is at its limit
// up to floor(theta_i/(k_i + L_i)), on its curve up to r1_i - 1, and then borrows
// nothing. These integers cut all rates into runs, at most 4 for each borrower
// and one more, in each of which everybody stays on one branch. There
//
//	f(r) = A + B r - C/r,  C = sum of m theta >= 0 over those on their curve,
//	                       B = sum of L over those at their limit - sum of k over the others
//
// which is concave (f" = -2C/r^3 <= 0). Over the integers of a run it is greatest
// at the last where B >= 0, else at the floor or the ceiling of the stationary
// point sqrt(C / -B), moved into the run. So two rates of each run suffice. f as a
// whole is not concave: it bends upwards where a borrower begins to count, or goes.
// The candidates that SPEC 10 lists come to the same, if both integers beside
// c + delta_i and theta/(k + L) are meant, which are seldom integers themselves.
//
// # Capital
//
// A rate at which more is asked than the bank has is not offered. In a run demand
// B + (sum of theta)/r falls as r grows, so what remains of the run begins at its
// least feasible rate and the argument above holds for it. This is SPEC's "least
// feasible r" taken run by run: it is the best there is where f only falls beyond
// its maximum, and where it does not (somebody who would pay more is still
// there) the next run has the better rate. At the greatest rate nothing is left
// to raise: if demand exceeds capital there, capital is shared out pro rata, and
// that, too, is a candidate, with the profit that the share of capital in demand
// leaves.
package stackelberg

import (
	"fmt"

	"github.com/energyd/energyd/units"
)

// Bounds of what a bank can price at once.
const (
	MaxBorrowers = 1_000
	MaxRatePPM   = units.PPM // a loan costs at most itself
	MaxLoans     = 1_000_000 // that a borrower's history counts
)

// priorLoans is how many loans the prior of the risk of default weighs.
const priorLoans = 10

// Bank is the leader.
type Bank struct {
	CapitalUcoin    int64 `json:"capital_ucoin"`     // what it can lend now
	CostPPM         int64 `json:"cost_ppm"`          // c: what money costs it, per term
	PriorDefaultPPM int64 `json:"prior_default_ppm"` // delta_0: risk of a borrower without history
	RateMinPPM      int64 `json:"rate_min_ppm"`      // least rate, 1 or more
	RateMaxPPM      int64 `json:"rate_max_ppm"`
}

// Borrower is a follower. Its position in its list decides ties of rationing.
type Borrower struct {
	ID          string `json:"id"`            // for people; no rule looks at it
	AmountUcoin int64  `json:"amount_ucoin"`  // q0: what it would borrow at RatePPM
	RatePPM     int64  `json:"rate_ppm"`      // r0
	NoneFromPPM int64  `json:"none_from_ppm"` // r1: from this rate on it borrows nothing
	LimitUcoin  int64  `json:"limit_ucoin"`   // L
	Loans       int64  `json:"loans"`         // how many it has had
	Defaults    int64  `json:"defaults"`      // how many of them were not repaid
}

// Branch says which part of a borrower's demand a rate meets.
type Branch string

// The branches of demand.
const (
	OnCurve Branch = "on curve" // theta/r - k
	AtLimit Branch = "at limit" // the whole limit
	TooDear Branch = "too dear" // rate at or above none_from_ppm
	Refused Branch = "refused"  // rate below cost and risk of default
)

// Reason says why nothing is lent; it is empty where something is.
type Reason string

// The reasons for lending nothing.
const (
	NoBorrowers Reason = "no borrowers"
	NoCapital   Reason = "no capital"
	NoDemand    Reason = "nobody would borrow at the least rate"
	NoGain      Reason = "no loan of a whole ucoin covers its cost and risk"
)

// Loan is what a borrower gets. Of a rationed loan Branch is the demand's.
type Loan struct {
	Ucoin       int64  `json:"loan_ucoin"`
	ProfitUcoin int64  `json:"expected_profit_ucoin"` // floor of (rate - c - delta) Ucoin / 10^6
	DefaultPPM  int64  `json:"default_ppm"`           // delta, rounded down
	Branch      Branch `json:"branch"`
}

// Offer is what happens at a rate.
type Offer struct {
	RatePPM     int64  `json:"rate_ppm"`
	DemandUcoin int64  `json:"demand_ucoin"` // sum of the borrowers' demands, each rounded down
	LentUcoin   int64  `json:"lent_ucoin"`   // the lesser of demand and capital
	ProfitUcoin int64  `json:"expected_profit_ucoin"`
	Rationed    bool   `json:"rationed"` // demand exceeds capital
	Reason      Reason `json:"reason,omitempty"`
	Loans       []Loan `json:"loans"` // by position
}

// Price returns the bank's best offer, and the rates among which it was chosen in
// ascending order (At tells what each would bring). It takes time in proportion
// to the borrowers times the size of the common denominator of their numbers.
// Errors are *FieldError.
func Price(bank Bank, borrowers []Borrower) (*Offer, []int64, error) {
	if err := check(bank, borrowers); err != nil {
		return nil, nil, err
	}
	rate, candidates := bank.RateMinPPM, []int64(nil)
	if bank.CapitalUcoin > 0 {
		rate, candidates = optimum(bank, borrowers)
	}
	offer, err := at(bank, borrowers, rate)
	return offer, candidates, err
}

// At returns what happens at a rate, whether or not the bank would offer it:
// each demand is rounded down, and if their sum exceeds capital, capital is
// divided in proportion to them (largest remainder, ties to the lower position).
// Errors are *FieldError.
func At(bank Bank, borrowers []Borrower, ratePPM int64) (*Offer, error) {
	if err := check(bank, borrowers); err != nil {
		return nil, err
	}
	if err := within("rate_ppm", ratePPM, 1, MaxRatePPM); err != nil {
		return nil, err
	}
	return at(bank, borrowers, ratePPM)
}

// at is At of what was checked. No sum overflows, since the limits' does not.
func at(bank Bank, borrowers []Borrower, ratePPM int64) (*Offer, error) {
	o := &Offer{RatePPM: ratePPM, Loans: make([]Loan, len(borrowers))}
	amounts := make([]int64, len(borrowers))
	for i := range borrowers {
		l := &o.Loans[i]
		amounts[i], l.Branch = borrowers[i].demand(bank, ratePPM)
		o.DemandUcoin += amounts[i]
	}
	o.LentUcoin = min(o.DemandUcoin, bank.CapitalUcoin)
	o.Rationed = o.LentUcoin < o.DemandUcoin
	shares, err := units.ProRata(o.LentUcoin, amounts)
	if err != nil {
		return nil, fmt.Errorf("loans at %d ppm: %w", ratePPM, err)
	}
	for i := range borrowers {
		l, cost := &o.Loans[i], borrowers[i].cost(bank)
		l.Ucoin, l.DefaultPPM = shares[i], cost.num/cost.den-bank.CostPPM
		if l.Ucoin > 0 {
			// Both factors are below 2^41, and the quotient is at most the loan.
			l.ProfitUcoin, err = units.MulDiv(l.Ucoin, ratePPM*cost.den-cost.num, cost.den*units.PPM)
			if err != nil {
				return nil, fmt.Errorf("profit of loan %d at %d ppm: %w", i, ratePPM, err)
			}
		}
		o.ProfitUcoin += l.ProfitUcoin
	}
	if o.LentUcoin == 0 {
		o.Reason = reason(bank, borrowers)
	}
	return o, nil
}

// fraction is num/den with den > 0, in ppm.
type fraction struct{ num, den int64 }

// cost returns m = c + delta with delta = (10^6 defaults + 10 delta_0)/(loans +
// 10): what a loan costs the bank, per term.
func (b *Borrower) cost(bank Bank) fraction {
	den := b.Loans + priorLoans
	return fraction{bank.CostPPM*den + units.PPM*b.Defaults + priorLoans*bank.PriorDefaultPPM, den}
}

// demand returns what a borrower is lent at a rate if capital suffices.
func (b *Borrower) demand(bank Bank, ratePPM int64) (int64, Branch) {
	if ratePPM >= b.NoneFromPPM {
		return 0, TooDear
	}
	if cost := b.cost(bank); ratePPM*cost.den < cost.num {
		return 0, Refused
	}
	// theta/r - k = q0 r0 (r1 - r) / ((r1 - r0) r). A quotient that does not fit
	// is beyond every limit.
	q, err := units.MulDiv(b.AmountUcoin, b.RatePPM*(b.NoneFromPPM-ratePPM), (b.NoneFromPPM-b.RatePPM)*ratePPM)
	if err != nil || q >= b.LimitUcoin {
		return b.LimitUcoin, AtLimit
	}
	return q, OnCurve
}

// reason says why nothing is lent at the best rate.
func reason(bank Bank, borrowers []Borrower) Reason {
	switch {
	case len(borrowers) == 0:
		return NoBorrowers
	case bank.CapitalUcoin == 0:
		return NoCapital
	}
	for _, b := range borrowers {
		b.Defaults = 0 // so that a bank without costs refuses nobody
		if amount, _ := b.demand(Bank{}, bank.RateMinPPM); amount > 0 {
			return NoGain
		}
	}
	return NoDemand
}
