package book

import (
	"fmt"

	"github.com/energyd/energyd/x/matching/auction"
)

// HighLow is the simple bilateral matching that S3 4.4.4 compares with: the
// highest bid meets the lowest ask, and so on; each order has one partner at
// most. It is no market of the chain.
type HighLow struct {
	Fee          int64 `json:"fee,omitempty"`             // ucoin per kWh on top of the price
	LossPPMPerKM int64 `json:"loss_ppm_per_km,omitempty"` // for the statistics; left out: no loss
}

// Name returns "highlow".
func (HighLow) Name() string { return "highlow" }

func (p HighLow) terms() terms { return terms{p.Fee, p.LossPPMPerKM} }

func (HighLow) needs() (ofBuys, ofSells []string) { return nil, nil }

// bilateral is a book that the high-low matching clears.
type bilateral struct{ *priced }

func (HighLow) prepare(b *Book) (solver, *mistake) {
	s, m := b.price()
	return bilateral{s}, m
}

func (s bilateral) clear() (*clearing, error) {
	price, trades, err := auction.HighLow(s.fee, s.buys, s.sells)
	if err != nil {
		return nil, err
	}
	return s.clearing(price, trades, s.verifyPairs), nil
}

// verifyPairs checks that every order has one partner at most, that bids fall
// and asks rise from pair to pair, that a pair trades all it can, and that no
// two orders without a partner could trade.
func (s bilateral) verifyPairs(_ int64, deals []deal) error {
	bought, sold := make([]int64, len(s.buys)), make([]int64, len(s.sells))
	for k, d := range deals {
		if bought[d.buy]+sold[d.sell] > 0 {
			return fmt.Errorf("trade %d: a second one of its buy or sell", k)
		}
		bought[d.buy], sold[d.sell] = d.energyWh, d.energyWh
		if want := min(s.buys[d.buy].EnergyWh, s.sells[d.sell].EnergyWh); d.energyWh != want {
			return fmt.Errorf("trade %d: %d Wh, expected %d", k, d.energyWh, want)
		}
		if k == 0 {
			continue
		}
		before := deals[k-1]
		if s.buys[d.buy].Price > s.buys[before.buy].Price || s.sells[d.sell].Price < s.sells[before.sell].Price {
			return fmt.Errorf("trade %d: of a dearer bid or a cheaper ask than the one before", k)
		}
	}
	return s.verifyApart(bought, sold)
}
