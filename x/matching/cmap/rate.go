package cmap

import "github.com/energyd/energyd/x/matching/transport"

// Rated is a book as the solver sees it: what each pair thinks of each other and
// what it is worth. With it anyone who has a certificate checks a clearing
// (transport.Verify) or looks up why a pair did not trade.
type Rated struct {
	// Buyers and Sellers are the satisfactions of the sides in ppm, row-major as
	// the worths of the problem.
	Buyers, Sellers []int64
	Problem         *transport.Problem
}

// Rate rates a book under the weights that a clearing gave to its two sides
// (Side.K). Errors are those of Clear.
func Rate(p Params, buys []Buy, sells []Sell, link func(buy, sell int) Link, buyersK, sellersK int64) (*Rated, error) {
	c, err := newClearing(p, buys, sells, link)
	if err != nil {
		return nil, err
	}
	return &Rated{Buyers: c.a, Sellers: c.b, Problem: c.problem(c.combined(buyersK, sellersK))}, nil
}
