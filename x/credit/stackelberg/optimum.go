package stackelberg

import (
	"cmp"
	"math/big"
	"slices"
)

// piece is a range of rates in which a borrower stays at its limit or on its
// curve. Where it has no piece, it is lent nothing.
type piece struct {
	borrower *Borrower
	branch   Branch
	from, to int64 // ppm, both included
}

// pieces returns those of all borrowers within the bank's rates.
func pieces(bank Bank, borrowers []Borrower) (list []piece) {
	for i := range borrowers {
		b := &borrowers[i]
		if b.LimitUcoin == 0 {
			continue
		}
		cost := b.cost(bank)
		first := max(bank.RateMinPPM, (cost.num+cost.den-1)/cost.den)
		last := min(bank.RateMaxPPM, b.NoneFromPPM-1)
		// theta/(k + L) = q0 r0 r1 / (q0 r0 + L (r1 - r0)), which is below r1.
		amount := product(b.AmountUcoin, b.RatePPM)
		sum := product(b.LimitUcoin, b.NoneFromPPM-b.RatePPM)
		bend := product(b.AmountUcoin, b.RatePPM, b.NoneFromPPM)
		limited := bend.Quo(bend, sum.Add(sum, amount)).Int64()
		if to := min(limited, last); first <= to {
			list = append(list, piece{b, AtLimit, first, to})
		}
		if from := max(limited+1, first); from <= last {
			list = append(list, piece{b, OnCurve, from, last})
		}
	}
	return list
}

// profile is the bank's profit and the demand in a run of rates, over the common
// denominator of a search:
//
//	profit = fixed + slope r - inverse/r
//	demand = slope + theta/r
type profile struct{ fixed, slope, inverse, theta big.Int }

// search looks for the best rate.
type search struct {
	bank    Bank
	common  *big.Int // denominator of all sums
	capital *big.Int // over it
	profile profile  // of the run that is looked at
	scratch big.Int  // memory for a term

	candidates []int64
	best       int64
	// The best profit, over the common denominator, is num/den.
	num, den *big.Int
}

// optimum returns the rate of the greatest profit, and the rates that it was
// compared with. The bank has capital.
func optimum(bank Bank, borrowers []Borrower) (int64, []int64) {
	list := pieces(bank, borrowers)
	s := &search{bank: bank, common: commonDenominator(bank, list)}
	s.capital = new(big.Int).Mul(big.NewInt(bank.CapitalUcoin), s.common)
	type edge struct {
		rate  int64
		piece piece
		sign  int64
	}
	var edges []edge
	for _, p := range list {
		edges = append(edges, edge{p.from, p, 1}, edge{p.to + 1, p, -1})
	}
	// The order among equal rates does not matter: sums are exact.
	slices.SortFunc(edges, func(a, b edge) int { return cmp.Compare(a.rate, b.rate) })
	from := bank.RateMinPPM
	for _, e := range edges {
		if e.rate > from {
			s.run(from, e.rate-1)
			from = e.rate
		}
		s.add(e.piece, e.sign)
	}
	if from <= bank.RateMaxPPM {
		s.run(from, bank.RateMaxPPM)
	}
	return s.best, s.candidates
}

// commonDenominator returns a number that w (r1 - r0) divides for every borrower
// with a piece, w being the denominator of its cost: that of all its terms.
func commonDenominator(bank Bank, list []piece) *big.Int {
	common, factor, rest := big.NewInt(1), new(big.Int), new(big.Int)
	for _, p := range list {
		d := product(p.borrower.cost(bank).den, p.borrower.NoneFromPPM-p.borrower.RatePPM)
		rest.GCD(nil, nil, rest.Rem(common, d), d)
		common.Mul(common, factor.Quo(d, rest))
	}
	return common
}

// add lets a piece count from now on, or no longer if sign is -1.
func (s *search) add(p piece, sign int64) {
	b, cost := p.borrower, p.borrower.cost(s.bank)
	term := func(sum *big.Int, scale *big.Int, factors ...int64) {
		sum.Add(sum, s.scratch.Mul(scale, product(factors...)))
	}
	width := b.NoneFromPPM - b.RatePPM
	if p.branch == AtLimit { // (r - m) L
		scale := new(big.Int).Quo(s.common, big.NewInt(cost.den))
		term(&s.profile.fixed, scale, -sign, cost.num, b.LimitUcoin)
		term(&s.profile.slope, scale, sign, cost.den, b.LimitUcoin)
		return
	}
	// (r - m)(theta/r - k) = theta + m k - k r - m theta/r, in which k = amount/width.
	scale := new(big.Int).Quo(s.common, product(cost.den, width))
	scale.Mul(scale, product(b.AmountUcoin, b.RatePPM))
	term(&s.profile.fixed, scale, sign, b.NoneFromPPM*cost.den+cost.num)
	term(&s.profile.slope, scale, -sign, cost.den)
	term(&s.profile.inverse, scale, sign, cost.num, b.NoneFromPPM)
	term(&s.profile.theta, scale, sign, cost.den, b.NoneFromPPM)
}

// run looks at the rates from..to, in which the profile holds.
func (s *search) run(from, to int64) {
	least, feasible := s.leastFeasible(from, to)
	if feasible {
		peak := s.peak(to)
		s.candidate(max(least, peak))
		if least <= peak && peak < to {
			s.candidate(peak + 1)
		}
	} else if to == s.bank.RateMaxPPM {
		s.rationed(to)
	}
}

// leastFeasible returns the least rate from..to at which demand is within
// capital: slope + theta/r <= capital.
func (s *search) leastFeasible(from, to int64) (rate int64, ok bool) {
	room := new(big.Int).Sub(s.capital, &s.profile.slope)
	if room.Sign() <= 0 {
		return from, room.Sign() == 0 && s.profile.theta.Sign() == 0
	}
	least, rest := new(big.Int).QuoRem(&s.profile.theta, room, new(big.Int))
	if rest.Sign() > 0 {
		least.Add(least, big.NewInt(1))
	}
	if least.Cmp(big.NewInt(to)) > 0 {
		return 0, false
	}
	return max(from, least.Int64()), true
}

// peak returns a rate at or below which the profile has its greatest profit,
// unless that is at the next integer: the floor of its stationary point. It is
// at most to, which stands for a profile that rises, and 0 for one that does not.
func (s *search) peak(to int64) int64 {
	if s.profile.slope.Sign() > 0 || s.profile.slope.Sign() == 0 && s.profile.inverse.Sign() > 0 {
		return to
	}
	if s.profile.slope.Sign() == 0 {
		return 0
	}
	square := new(big.Int).Neg(&s.profile.slope)
	square.Quo(&s.profile.inverse, square)
	// floor(sqrt(x)) = floor(sqrt(floor(x))).
	if root := square.Sqrt(square); root.Cmp(big.NewInt(to)) < 0 {
		return root.Int64()
	}
	return to
}

// candidate compares a rate at which everybody is lent what it asks for.
func (s *search) candidate(rate int64) { s.compare(rate, s.scaledProfit(rate), big.NewInt(rate)) }

// rationed compares a rate at which capital is shared out: profit is the part
// that capital is of demand.
func (s *search) rationed(rate int64) {
	demand := new(big.Int).Mul(&s.profile.slope, big.NewInt(rate))
	demand.Add(demand, &s.profile.theta)
	profit := s.scaledProfit(rate)
	s.compare(rate, profit.Mul(profit, s.capital), demand)
}

// scaledProfit returns the profit at a rate, times the rate.
func (s *search) scaledProfit(rate int64) *big.Int {
	r := big.NewInt(rate)
	sum := new(big.Int).Mul(&s.profile.slope, r)
	sum.Add(sum, &s.profile.fixed)
	sum.Mul(sum, r)
	return sum.Sub(sum, &s.profile.inverse)
}

// compare keeps the rate if its profit num/den is above the best so far. Rates
// come in ascending order, so that the lowest of equals stays.
func (s *search) compare(rate int64, num, den *big.Int) {
	s.candidates = append(s.candidates, rate)
	if s.num != nil {
		ours, best := new(big.Int).Mul(num, s.den), new(big.Int).Mul(s.num, den)
		if ours.Cmp(best) <= 0 {
			return
		}
	}
	s.best, s.num, s.den = rate, num, den
}

// product multiplies numbers whose product need not fit int64.
func product(factors ...int64) *big.Int {
	p := big.NewInt(1)
	for _, f := range factors {
		p.Mul(p, big.NewInt(f))
	}
	return p
}
