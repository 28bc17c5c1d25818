package kproto

import (
	"cmp"
	"math/bits"
	"slices"
)

// widest returns the attribute whose values lie farthest apart in the measure
// of the dissimilarity; attributes stands for the energy type. Two of them count
// double: types, of which a few divisions leave one, so that all others are a
// whole range off, and prices that must respect limits, which leave out
// everything above one. On the draws of S3 ch. 3 that saves a third of the time.
func (t *tree) widest(part []offer) int {
	low, high := part[0].at, part[0].at
	mixed := false
	for i := range part {
		for k, v := range part[i].at {
			low[k], high[k] = min(low[k], v), max(high[k], v)
		}
		mixed = mixed || part[i].energyType != part[0].energyType
	}
	width := [attributes + 1]int64{
		price:       t.price.scaled(high[price] - low[price]),
		energy:      t.energy.scaled(high[energy] - low[energy]),
		environment: (high[environment] - low[environment]) * Q,
		credit:      t.credit.scaled(high[credit] - low[credit]),
	}
	if t.plane != nil {
		limit := MaxRanges * t.p.RangeLossPPM
		width[eastward] = t.loss.scaled(min(limit, t.plane.atLeast(high[eastward]-low[eastward], 0)))
		width[northward] = t.loss.scaled(min(limit, t.plane.atLeast(0, high[northward]-low[northward])))
	}
	if t.p.RespectLimits {
		width[price] *= 2
	}
	if mixed {
		width[attributes] = 2 * Q
	}
	best := 0
	for k := range width {
		if width[k] > width[best] {
			best = k
		}
	}
	return best
}

// value returns an offer's attribute, or its energy type.
func (o *offer) value(attribute int) int64 {
	if attribute == attributes {
		return int64(o.energyType)
	}
	return o.at[attribute]
}

// divide reorders offers so that none of the first n is greater in an attribute
// than any of the others (Hoare's selection). Where its guesses are bad again
// and again, it sorts instead.
func divide(part []offer, n, attribute int) {
	for tries := 4 * bits.Len(uint(len(part))); len(part) > 1; tries-- {
		if tries == 0 {
			slices.SortFunc(part, func(a, b offer) int { return cmp.Compare(a.value(attribute), b.value(attribute)) })
			return
		}
		pivot := part[len(part)/2].value(attribute)
		i, j := 0, len(part)-1
		for i <= j {
			for part[i].value(attribute) < pivot {
				i++
			}
			for part[j].value(attribute) > pivot {
				j--
			}
			if i <= j {
				part[i], part[j] = part[j], part[i]
				i++
				j--
			}
		}
		switch {
		case n <= j:
			part = part[:j+1]
		case n > i:
			part, n = part[i:], n-i
		default:
			return
		}
	}
}
