package book

import (
	"fmt"

	"github.com/energyd/energyd/x/matching/auction"
)

// Auction is the uniform-price double auction (SPEC 6.4): the most energy that
// limits allow, cheapest sells and dearest buys first, at one price.
type Auction struct {
	Fee          int64 `json:"fee,omitempty"`             // ucoin per kWh on top of the price
	LossPPMPerKM int64 `json:"loss_ppm_per_km,omitempty"` // for the statistics; left out: no loss
}

// Name returns "auction".
func (Auction) Name() string { return "auction" }

func (p Auction) terms() terms { return terms{p.Fee, p.LossPPMPerKM} }

func (Auction) needs() (ofBuys, ofSells []string) { return nil, nil }

// auctioned is a book that the auction clears.
type auctioned struct{ *priced }

func (Auction) prepare(b *Book) (solver, *mistake) {
	s, m := b.price()
	return auctioned{s}, m
}

func (s auctioned) clear() (*clearing, error) {
	a, err := auction.Clear(s.fee, s.buys, s.sells)
	if err != nil {
		return nil, err
	}
	return s.clearing(a.Price, pairs(a), s.verifyGreatest), nil
}

// verifyGreatest checks that nobody is left out who would gain at the price.
// With verify, no clearing then trades more: below the price sellers are all
// served and above it buyers are, and at it one side is used up.
func (s auctioned) verifyGreatest(price int64, deals []deal) error {
	bought, sold, _ := s.traded(deals)
	if len(deals) == 0 {
		return s.verifyApart(bought, sold)
	}
	moreDemand, moreSupply := false, false
	for i, o := range s.buys {
		left := o.EnergyWh - bought[i]
		if left > 0 && o.Price-s.fee > price {
			return fmt.Errorf("buy %d bids above the price and lacks %d Wh", i, left)
		}
		moreDemand = moreDemand || left > 0 && o.Price-s.fee == price
	}
	for i, o := range s.sells {
		left := o.EnergyWh - sold[i]
		if left > 0 && o.Price < price {
			return fmt.Errorf("sell %d asks less than the price and has %d Wh left", i, left)
		}
		moreSupply = moreSupply || left > 0 && o.Price == price
	}
	if moreDemand && moreSupply {
		return fmt.Errorf("buys and sells at the price %d could trade more", price)
	}
	return nil
}

// verifyApart checks that no two orders that have energy left could trade.
func (s *priced) verifyApart(bought, sold []int64) error {
	const nobody = -1
	dearest, cheapest := nobody, nobody
	for i, o := range s.buys {
		if bought[i] == 0 && (dearest == nobody || o.Price > s.buys[dearest].Price) {
			dearest = i
		}
	}
	for i, o := range s.sells {
		if sold[i] == 0 && (cheapest == nobody || o.Price < s.sells[cheapest].Price) {
			cheapest = i
		}
	}
	if dearest != nobody && cheapest != nobody && s.buys[dearest].Price-s.fee >= s.sells[cheapest].Price {
		return fmt.Errorf("buy %d and sell %d could trade and do not", dearest, cheapest)
	}
	return nil
}
