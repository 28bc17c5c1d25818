package cmap

import "fmt"

// Scorer computes what the two sides of a book think of each other
// (S3 4.1-4.10).
type Scorer struct {
	p     Params
	buys  []Buy
	sells []Sell
}

// NewScorer returns a scorer for a book. Errors wrap the *field.Error of
// Params.Validate, CheckBuy and CheckSell and name the order.
func NewScorer(p Params, buys []Buy, sells []Sell) (*Scorer, error) {
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("params: %w", err)
	}
	for i := range buys {
		if err := CheckBuy(buys[i]); err != nil {
			return nil, fmt.Errorf("buys[%d]: %w", i, err)
		}
	}
	for j := range sells {
		if err := CheckSell(sells[j]); err != nil {
			return nil, fmt.Errorf("sells[%d]: %w", j, err)
		}
	}
	return &Scorer{p, buys, sells}, nil
}

// Row sets a[j] to A_ij, what buy i thinks of sell j, and b[j] to B_ij, what
// sell j thinks of buy i, for every sell of the book; both are within
// 0..1000*One. distances has the length of each pair's path in m.
func (s *Scorer) Row(i int, distances, a, b []int64) {
	s.buyRow(&s.buys[i], distances, a)
	s.sellRow(&s.buys[i], distances, b)
}

// buyRow takes one attribute after the other: a buy has the same few for all
// sells.
func (s *Scorer) buyRow(buy *Buy, distances, a []int64) {
	clear(a)
	for _, f := range buy.Prefer {
		switch f.Attribute {
		case Price:
			for j := range s.sells {
				a[j] += f.Weight * s.askScore(s.sells[j].Price, buy.Price)
			}
		case Supply:
			for j := range s.sells {
				a[j] += f.Weight * coverage(s.sells[j].EnergyWh, buy.EnergyWh)
			}
		case Loss:
			for j := range s.sells {
				a[j] += f.Weight * s.lossScore(distances[j])
			}
		case EnergyType:
			for j := range s.sells {
				if s.sells[j].EnergyType == buy.EnergyType {
					a[j] += f.Weight * One
				}
			}
		case Environment:
			for j := range s.sells {
				if s.sells[j].Clean {
					a[j] += f.Weight * One
				}
			}
		case Reputation:
			for j := range s.sells {
				a[j] += f.Weight * reputationScore(s.sells[j].Reputation)
			}
		}
	}
}

func (s *Scorer) sellRow(buy *Buy, distances, b []int64) {
	for j := range s.sells {
		sell := &s.sells[j]
		var sum int64
		for _, f := range sell.Prefer {
			switch f.Attribute {
			case Price:
				sum += f.Weight * s.bidScore(buy.Price, sell.Price)
			case Demand:
				sum += f.Weight * coverage(buy.EnergyWh, sell.EnergyWh)
			case Loss:
				sum += f.Weight * s.lossScore(distances[j])
			case Reputation:
				sum += f.Weight * reputationScore(buy.Reputation)
			}
		}
		b[j] = sum
	}
}

// askScore is what a buyer thinks of an ask (S3 4.1): one below the least price
// is taken for malicious.
func (s *Scorer) askScore(ask, bid int64) int64 {
	switch {
	case ask < s.p.PriceMin:
		return 0
	case ask <= bid:
		return One
	default:
		return ratio(bid, ask)
	}
}

// bidScore is what a seller thinks of a bid (S3 4.6): one from the greatest
// price on is taken for malicious.
func (s *Scorer) bidScore(bid, ask int64) int64 {
	if bid < ask || bid >= s.p.PriceMax {
		return 0
	}
	return One - ratio(ask, bid)
}

// coverage is what the one who wants an energy thinks of one who has another
// (S3 4.2, 4.7).
func coverage(has, wants int64) int64 {
	if wants <= has {
		return One
	}
	return ratio(has, wants)
}

// lossScore is what either side thinks of a distance (S3 4.4).
func (s *Scorer) lossScore(distance int64) int64 {
	if distance > s.p.RMaxM {
		return 0
	}
	return One - ratio(distance, s.p.RMaxM)
}

func reputationScore(points int64) int64 { return points * (One / maxReputation) }

// ratio returns floor(part * One / whole) of 0 <= part <= whole <= maxValue.
func ratio(part, whole int64) int64 { return int64(uint64(part) * One / uint64(whole)) }

// scale holds the values that normalised satisfactions lie between.
type scale struct{ least, greatest int64 }

// scaleOf returns the scale of weighted sums: that from their least to their
// greatest, or the fixed one.
func (p Params) scaleOf(sums []int64) scale {
	if p.FixedScale {
		return scale{0, perMille * One}
	}
	s := scale{sums[0], sums[0]}
	for _, sum := range sums {
		s.least, s.greatest = min(s.least, sum), max(s.greatest, sum)
	}
	return s
}

// normalise turns weighted sums into satisfactions 0..One on the scale
// (S3 4.11, 4.12); without differences all are 0.
func (s scale) normalise(sums []int64) {
	if s.least == s.greatest {
		clear(sums)
		return
	}
	// A span is at most 1000 * One, so that the product is at most 10^15.
	span := uint64(s.greatest - s.least)
	for k, sum := range sums {
		sums[k] = int64(uint64(sum-s.least) * One / span)
	}
}

// FixedSatisfaction returns the satisfaction of a pair, 0..One, on the fixed
// scale: the mean of what its weighted sums A_ij and B_ij come to.
func FixedSatisfaction(a, b int64) int64 { return (FixedSide(a) + FixedSide(b)) / 2 }

// FixedSide returns one side's satisfaction, 0..One, on the fixed scale.
func FixedSide(sum int64) int64 { return sum / perMille }
