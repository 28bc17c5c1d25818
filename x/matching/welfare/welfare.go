// Package welfare clears a book so that buyers and sellers together gain the
// most (SPEC 6.5): each pair's gain is what the buyer bids for the energy that
// arrives less ask and fee, with a little on top for how well the two suit each
// other. Prices follow from what the last Wh of each seller adds, so every trade
// is within both limits and no order of the book matters to them. It is a
// package of its own because the chain and the offline book must run the very
// same code; it is pure and integer, so that replicas agree on every trade.
package welfare

import (
	"math/big"

	"github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/transport"
)

// Params are a market's fixed parameters.
type Params struct {
	// PriceMin, PriceMax and RMaxM are those of CMAP's scores; its other
	// parameters do not count here.
	Scores cmap.Params
	// Beta is what full satisfaction of a pair counts, in ucoin per kWh. A market
	// sets at most 5 % of retail - feed-in.
	Beta int64
}

// Link is what lies between a buy and a sell.
type Link struct {
	cmap.Link       // not Eligible: the pair must not trade whatever it offers
	LossPPM   int64 // of the energy sold, 0..10^6
}

// Trade is energy that one buy takes from one sell.
type Trade struct {
	Buy, Sell       int // positions in the book
	EnergyWh        int64
	Price           int64 // ucoin per kWh sold: ask <= price <= bid net of loss - fee
	SatisfactionPPM int64 // of the pair, on the fixed scale: the mean of both sides'
	BuyerPPM        int64
	SellerPPM       int64
	Worth           int64 // of a Wh to the objective, ucoin per kWh
}

// Result is a cleared book with what proves it.
type Result struct {
	Trades   []Trade // by buy, then by sell
	EnergyWh int64   // the sum of the trades
	// Objective is the sum of energy * (w + floor(beta * satisfaction / 10^6)), w
	// the gain of the pair in ucoin per kWh, energy in Wh.
	Objective *big.Int
	// Premiums say what the last Wh of each sell adds, in ucoin per kWh: the
	// floor of the middle between the extreme duals. Empty if Solution is a
	// fallback.
	Premiums []int64
	Solution *transport.Solution
}

// Clear clears a book. A book with an empty side, or in which no pair gains, has
// no trades. link is asked once per pair in order of the book, and again for
// those that trade; what it says must not change. Errors name the parameter or
// order; they wrap *field.Error, or transport.ErrProblem if the energies
// of the book are too large in sum.
func Clear(p Params, buys []cmap.Buy, sells []cmap.Sell, link func(buy, sell int) Link) (*Result, error) {
	b, err := newBook(p, buys, sells, link)
	if err != nil {
		return nil, err
	}
	s, err := transport.Solve(b.problem)
	if err != nil {
		return nil, err
	}
	return b.result(s), nil
}
