package cmap

import (
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/energyd/energyd/x/matching/transport"
)

// ErrUnproven is wrapped by errors of Verify.
var ErrUnproven = errors.New("clearing not proven")

// Verify checks a result against its book: that the certificates prove all five
// solutions optimal, and that weights, sums, prices and satisfactions follow
// from them. It takes a hundredth of the time of clearing, but for the scores.
// Errors wrap ErrUnproven or transport.ErrUnproven, or are those of Clear.
func Verify(p Params, buys []Buy, sells []Sell, link func(buy, sell int) Link, r *Result) error {
	c, err := newClearing(p, buys, sells, link)
	if err != nil {
		return err
	}
	want := &Result{Combined: r.Combined}
	for _, side := range []struct {
		name         string
		satisfaction []int64
		got, want    *Side
	}{
		{"buyers", c.a, &r.Buyers, &want.Buyers},
		{"sellers", c.b, &r.Sellers, &want.Sellers},
	} {
		side.want.Best, side.want.Worst = side.got.Best, side.got.Worst
		if err := c.verifySolution(side.got.Best, side.satisfaction); err != nil {
			return fmt.Errorf("best for %s: %w", side.name, err)
		}
		if err := c.verifySolution(side.got.Worst, negated(side.satisfaction)); err != nil {
			return fmt.Errorf("worst for %s: %w", side.name, err)
		}
		side.want.setExtremes()
	}
	weigh(&want.Buyers, &want.Sellers)
	if err := c.verifySolution(r.Combined, c.combined(want.Buyers.K, want.Sellers.K)); err != nil {
		return fmt.Errorf("combined: %w", err)
	}
	c.sum(want)
	return compare(r, want)
}

// verifySolution checks a solution's certificate and its sums.
func (c *clearing) verifySolution(s *transport.Solution, worth []int64) error {
	if s == nil || s.Fallback || s.Objective == nil {
		return fmt.Errorf("%w: no solution, or a fallback", ErrUnproven)
	}
	if err := transport.Verify(c.problem(worth), s.Flows, s.Certificate); err != nil {
		return err
	}
	if objective := transport.Total(worth, len(c.sells), s.Flows); s.Objective.Cmp(objective) != 0 {
		return fmt.Errorf("%w: objective %s, expected %s", ErrUnproven, s.Objective, objective)
	}
	var energy int64
	for _, f := range s.Flows {
		energy += f.EnergyWh
	}
	if s.EnergyWh != energy {
		return fmt.Errorf("%w: %d Wh, expected %d", ErrUnproven, s.EnergyWh, energy)
	}
	return nil
}

// compare checks what follows from the solutions.
func compare(got, want *Result) error {
	if got.EnergyWh != want.EnergyWh || got.Fallback != want.Fallback {
		return fmt.Errorf("%w: %d Wh, fallback %v, expected %d, %v", ErrUnproven, got.EnergyWh, got.Fallback, want.EnergyWh, want.Fallback)
	}
	if got.Buyers.K != want.Buyers.K || got.Sellers.K != want.Sellers.K {
		return fmt.Errorf("%w: weights %d and %d, expected %d and %d", ErrUnproven, got.Buyers.K, got.Sellers.K, want.Buyers.K, want.Sellers.K)
	}
	for _, sum := range []struct {
		name      string
		got, want *big.Int
	}{
		{"objective", got.Objective, want.Objective},
		{"buyers' sum", got.Buyers.Z, want.Buyers.Z},
		{"buyers' best", got.Buyers.Max, want.Buyers.Max},
		{"buyers' worst", got.Buyers.Min, want.Buyers.Min},
		{"sellers' sum", got.Sellers.Z, want.Sellers.Z},
		{"sellers' best", got.Sellers.Max, want.Sellers.Max},
		{"sellers' worst", got.Sellers.Min, want.Sellers.Min},
	} {
		if sum.got == nil || sum.got.Cmp(sum.want) != 0 {
			return fmt.Errorf("%w: %s %s, expected %s", ErrUnproven, sum.name, sum.got, sum.want)
		}
	}
	if !slices.Equal(got.Trades, want.Trades) {
		return fmt.Errorf("%w: trades do not follow from the flows", ErrUnproven)
	}
	return nil
}
