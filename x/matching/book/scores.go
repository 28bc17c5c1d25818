package book

import (
	"fmt"
	"strconv"

	"github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/kproto"
)

// Bounds of books that are solved as a transportation problem, which looks at
// every pair: 2^24 of them take about a GB. The sum of energies is what the
// solver can do with that many orders.
const (
	maxScored       = 10_000  // orders on a side
	maxScoredPairs  = 1 << 24 // 4096 x 4096
	maxScoredEnergy = 1 << 48 // Wh on both sides together
)

// scoredNeeds lists what CMAP's scores look at.
func scoredNeeds() (ofBuys, ofSells []string) {
	all := []string{"x_m", "y_m", "reputation", "energy_type", "prefer"}
	return all, all
}

// scored is a book whose pairs are rated by CMAP's scores.
type scored struct {
	*Book
	buys  []cmap.Buy
	sells []cmap.Sell
}

// score makes a scored book, and refuses parameters and orders that have no
// scores.
func (b *Book) score(p cmap.Params) (*scored, *mistake) {
	if m := mistakeOf("params.", p.Validate()); m != nil {
		return nil, m
	}
	if m := firstOf(checkSize("buys", len(b.buys), maxScored), checkSize("sells", len(b.sells), maxScored)); m != nil {
		return nil, m
	}
	if len(b.buys) > 0 {
		if m := checkSize("sells", len(b.sells), maxScoredPairs/len(b.buys)); m != nil {
			return nil, m
		}
	}
	s := &scored{Book: b}
	var energy int64
	for i := range b.buys {
		o, path := &b.buys[i], at("buys", i)
		prefer, m := preferences(path, o)
		if m != nil {
			return nil, m
		}
		buy := cmap.Buy{Price: o.Price, EnergyWh: o.EnergyWh, Reputation: *o.Reputation, EnergyType: o.energyType(kproto.None), Prefer: prefer}
		if m := firstOf(mistakeOf(path, cmap.CheckBuy(buy)), checkEnergy(path, o.EnergyWh, &energy)); m != nil {
			return nil, m
		}
		s.buys = append(s.buys, buy)
	}
	for i := range b.sells {
		o, path := &b.sells[i], at("sells", i)
		prefer, m := preferences(path, o)
		if m != nil {
			return nil, m
		}
		sell := cmap.Sell{Price: o.Price, EnergyWh: o.EnergyWh, Reputation: *o.Reputation, EnergyType: o.energyType(kproto.None), Clean: o.Clean(), Prefer: prefer}
		if m := firstOf(mistakeOf(path, cmap.CheckSell(sell)), checkEnergy(path, o.EnergyWh, &energy)); m != nil {
			return nil, m
		}
		s.sells = append(s.sells, sell)
	}
	return s, nil
}

func checkSize(list string, size, most int) *mistake {
	if size > most {
		return &mistake{field: list, expected: fmt.Sprintf("at most %d orders on each side and %d pairs", maxScored, maxScoredPairs), got: strconv.Itoa(size) + " orders"}
	}
	return nil
}

// checkEnergy adds an order's energy, which CMAP has checked, to the sum.
func checkEnergy(path string, energyWh int64, sum *int64) *mistake {
	if *sum += energyWh; *sum > maxScoredEnergy {
		return &mistake{field: path + "energy_wh", expected: fmt.Sprintf("energies of at most %d in sum", int64(maxScoredEnergy)), got: strconv.FormatInt(energyWh, 10)}
	}
	return nil
}

// preferences reads what an order looks at. Names and weights of the wrong side
// or sum are for cmap.CheckBuy and CheckSell.
func preferences(path string, o *Order) ([]cmap.Preference, *mistake) {
	var weights []int64
	if o.Weights != nil {
		if m := readWeights(path, o.Weights, &weights); m != nil {
			return nil, m
		}
	}
	prefer, err := cmap.Preferences(o.Prefer, weights)
	return prefer, mistakeOf(path, err)
}

// link is the straight line between a buy and a sell.
func (s *scored) link(buy, sell int) cmap.Link {
	return cmap.Link{DistanceM: s.distance(buy, sell), Fee: s.mechanism.terms().fee, Eligible: true}
}
