package book

import (
	"errors"
	"fmt"

	"github.com/energyd/energyd/x/matching/kproto"
)

// replaySteps is how many sells a replay looks at. A step takes nanoseconds, so
// that a book of any size is checked within seconds; 10 000 x 10 000 still are
// replayed whole.
const replaySteps = 200_000_000

// verify replays the trades against the definition in matching.md 2, with
// arithmetic of its own: at each step the one trade that the rules allow must be
// the next in the list. As that takes O(len(trades) * len(sells)), it ends after
// so many steps and only checks limits and energies of the rest. It returns how
// many trades were replayed.
func (s *prototypes) verify(trades []kproto.Trade, steps int) (replayed int, err error) {
	left := make([]int64, len(s.sells))
	for k := range s.sells {
		left[k] = s.sells[k].EnergyWh
	}
	for i := range s.buys {
		for demand := s.buys[i].EnergyWh; demand > 0; {
			if steps -= len(s.sells); steps < 0 {
				return replayed, s.verifyFeasible(trades)
			}
			want, ok := s.nextTrade(i, demand, left)
			if !ok {
				break
			}
			if replayed == len(trades) {
				return replayed, fmt.Errorf("trade %d: expected %+v, got none", replayed, want)
			}
			if got := trades[replayed]; got != want {
				return replayed, fmt.Errorf("trade %d: expected %+v, got %+v", replayed, want, got)
			}
			replayed++
			demand -= want.EnergyWh
			left[want.Sell] -= want.EnergyWh
		}
	}
	if replayed < len(trades) {
		return replayed, fmt.Errorf("trade %d: expected none, got %+v", replayed, trades[replayed])
	}
	return replayed, nil
}

// verifyFeasible checks that no order trades more than it has, and that every
// pair may trade.
func (s *prototypes) verifyFeasible(trades []kproto.Trade) error {
	deals := make([]deal, len(trades))
	for k, t := range trades {
		deals[k] = deal{buy: t.Buy, sell: t.Sell, energyWh: t.EnergyWh}
	}
	if err := s.verifyEnergies(deals); err != nil {
		return err
	}
	for k, t := range trades {
		if !s.eligible(&s.buys[t.Buy], &s.sells[t.Sell], t.LossPPM) || t.LossPPM != s.loss(t.Buy, t.Sell) {
			return fmt.Errorf("trade %d: %w", k, errBeyondLimits)
		}
	}
	return nil
}

var errBeyondLimits = errors.New("the pair must not trade")

func (s *prototypes) eligible(buy *kproto.Buy, sell *kproto.Sell, lossPPM int64) bool {
	withinLoss := buy.MaxLossPPM < 0 || lossPPM <= buy.MaxLossPPM
	withinLimit := !s.params.RespectLimits || sell.Price+s.params.Fee <= buy.Price
	return withinLoss && withinLimit
}

// nextTrade returns the trade that a buy makes next, false if none is eligible.
func (s *prototypes) nextTrade(i int, demand int64, left []int64) (next kproto.Trade, ok bool) {
	buy := &s.buys[i]
	for k := range s.sells {
		if left[k] == 0 {
			continue
		}
		lossPPM := s.loss(i, k)
		if !s.eligible(buy, &s.sells[k], lossPPM) {
			continue
		}
		if d := s.dissimilarity(buy, &s.sells[k], demand, left[k], lossPPM); !ok || d < next.Dissimilarity {
			next = kproto.Trade{Buy: i, Sell: k, EnergyWh: min(demand, left[k]), LossPPM: lossPPM, Dissimilarity: d}
			ok = true
		}
	}
	return next, ok
}

// dissimilarity is d of matching.md 2, term by term.
func (s *prototypes) dissimilarity(buy *kproto.Buy, sell *kproto.Sell, demand, available, lossPPM int64) int64 {
	t := func(x, width int64) int64 { return max(x, -x) * kproto.Q / width }
	term := func(weight, x int64) int64 { return weight * x * x }
	typeDiffers := int64(0)
	if buy.EnergyType != sell.EnergyType {
		typeDiffers = kproto.Q
	}
	p, w := &s.params, &buy.Weights
	return term(w.Price, t(buy.Price-sell.Price, p.RangePrice)) +
		term(w.Energy, t(demand-available, p.RangeEnergyWh)) +
		term(w.Environment, (buy.Environment-sell.Environment)*kproto.Q) +
		term(w.Credit, t(buy.Credit-sell.Credit, p.RangeCredit)) +
		term(w.Loss, buy.WantedLossPPM*kproto.Q/p.RangeLossPPM-lossPPM*kproto.Q/p.RangeLossPPM) +
		term(w.EnergyType, typeDiffers)
}
