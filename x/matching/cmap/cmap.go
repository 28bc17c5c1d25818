// Package cmap clears a book by CMAP matching (S3 ch. 4, arithmetic in
// matching.md 3): both sides rate each other on the attributes they prefer, and
// of all clearings the one that satisfies the two sides together most is taken.
// It is a package of its own because the chain and the offline book must run the
// very same code; it is pure and integer, so that replicas agree on every trade.
package cmap

import (
	"math/big"

	"github.com/energyd/energyd/x/matching/transport"
)

// One is full satisfaction; it stands for the 10 points of S3 4.3.
const One = 1_000_000

const maxReputation = 100

// Params are a market's fixed parameters.
type Params struct {
	// Limit lets only pairs trade that are eligible and of which ask + fee <= bid,
	// and trades the most energy first. Without it (offline only) all pairs may
	// trade, at no fee, as in the thesis.
	Limit bool
	// PriceMin and PriceMax bound honest prices, in ucoin per kWh: a cheaper ask
	// and a bid that is not below are rated 0.
	PriceMin, PriceMax int64
	RMaxM              int64 // the longest distance that is rated above 0, m
	// FixedScale measures satisfaction from 0 to the most points that there are,
	// not from the least to the most that a pair of the book has, which a single
	// outlier moves for all.
	FixedScale bool
}

// Buy is a demand and what it looks at in sells.
type Buy struct {
	Price      int64 // the most it pays, ucoin per kWh
	EnergyWh   int64
	Reputation int64 // points, 0..100
	EnergyType int32 // the one it would like
	Prefer     []Preference
}

// Sell is a supply and what it looks at in buys.
type Sell struct {
	Price      int64 // the least it takes, ucoin per kWh
	EnergyWh   int64
	Reputation int64 // points, 0..100
	EnergyType int32
	Clean      bool // environmental index 1
	Prefer     []Preference
}

// Link is what lies between a buy and a sell.
type Link struct {
	DistanceM int64 // length of the path, m; any above RMaxM if there is none
	Fee       int64 // ucoin per kWh on top of the ask
	// Eligible is false if the pair must not trade whatever it offers: no path,
	// too much loss, one party. Without Params.Limit, fee and eligibility do not
	// count.
	Eligible bool
}

// Trade is energy that one buy takes from one sell.
type Trade struct {
	Buy, Sell       int // positions in the book
	EnergyWh        int64
	Price           int64 // ucoin per kWh, between ask and bid - fee
	SatisfactionPPM int64 // of the pair: the mean of both sides'
	BuyerPPM        int64 // satisfaction of the buyer
	SellerPPM       int64 // and of the seller
}

// Side is one side's view of a clearing.
type Side struct {
	// Z is the sum of satisfaction * energy over the trades; Max and Min are the
	// most and the least that it could be if all pairs could trade and the short
	// side was served in full (S3 4.13-4.17).
	Z, Max, Min *big.Int
	K           int64 // the weight of its satisfaction, in 2^-20
	// Best and Worst solve for Max and Min; the worth in Worst is the negative
	// satisfaction.
	Best, Worst *transport.Solution
}

// Result is a cleared book with what proves it.
type Result struct {
	Trades   []Trade // by buy, then by sell
	EnergyWh int64   // the sum of the trades
	// Objective is the sum of w * energy of matching.md 3.
	Objective       *big.Int
	Buyers, Sellers Side
	Combined        *transport.Solution
	// Fallback says that one of the five solutions is a greedy choice.
	Fallback bool
}

// Clear clears a book. A book with an empty side, or none of whose pairs may
// trade, has no trades. link is asked in order of the book; what it says must
// not change. Errors name the parameter or order; they wrap *field.Error,
// or transport.ErrProblem if the energies of the book are too large in sum.
func Clear(p Params, buys []Buy, sells []Sell, link func(buy, sell int) Link) (*Result, error) {
	c, err := newClearing(p, buys, sells, link)
	if err != nil {
		return nil, err
	}
	r := &Result{}
	if err := c.extremes(&r.Buyers, c.a); err != nil {
		return nil, err
	}
	if err := c.extremes(&r.Sellers, c.b); err != nil {
		return nil, err
	}
	weigh(&r.Buyers, &r.Sellers)
	if r.Combined, err = transport.Solve(c.problem(c.combined(r.Buyers.K, r.Sellers.K))); err != nil {
		return nil, err
	}
	c.sum(r)
	return r, nil
}
