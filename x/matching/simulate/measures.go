package simulate

import (
	"strings"

	"github.com/energyd/energyd/units"
)

// Measure is a figure as people read it.
type Measure struct {
	Name string // with its unit
	// Digits are shown after the point of a value that has so many places.
	places, digits int
	of             func(*Figures) int64
	onlyCMAP       bool
}

// Measures are those of a comparison, in the order in which they are shown.
var Measures = []Measure{
	{"volume kWh", 3, 0, func(f *Figures) int64 { return f.VolumeWh }, false},
	{"surplus coin", 6, 0, func(f *Figures) int64 { return f.SurplusUcoin }, false},
	{"surplus after loss coin", 6, 0, func(f *Figures) int64 { return f.NetSurplusUcoin }, false},
	{"price coin/kWh", 6, 3, func(f *Figures) int64 { return f.Price }, false},
	{"price delivered coin/kWh", 6, 3, func(f *Figures) int64 { return f.DeliveredPrice }, false},
	{"clean share %", 4, 1, func(f *Figures) int64 { return f.CleanPPM }, false},
	{"loss %", 4, 2, func(f *Figures) int64 { return f.LossPPM }, false},
	{"distance km", 3, 2, func(f *Figures) int64 { return f.DistanceM }, false},
	{"satisfaction", 6, 3, func(f *Figures) int64 { return f.SatisfactionPPM }, false},
	{"satisfaction, top tenth", 6, 3, func(f *Figures) int64 { return f.TopSatisfactionPPM }, false},
	{"satisfaction, worst tenth", 6, 3, func(f *Figures) int64 { return f.WorstSatisfactionPPM }, false},
	{"satisfaction below 0.43, % of matches", 4, 1, func(f *Figures) int64 { return f.RejectedPPM }, false},
	{"against limits kWh", 3, 0, func(f *Figures) int64 { return f.LimitViolationsWh }, false},
	{"matches", 0, 0, func(f *Figures) int64 { return f.Matches }, false},
	{"buyers' share of their optimum %", 4, 1, func(f *Figures) int64 { return f.BuyersOptimumPPM }, true},
	{"sellers' share of their optimum %", 4, 1, func(f *Figures) int64 { return f.SellersOptimumPPM }, true},
}

// Text returns the measure of a line, "-" if the mechanism has none.
func (m Measure) Text(l *Line) string {
	if m.onlyCMAP && l.Params.Name() != "cmap" {
		return "-"
	}
	return rounded(m.of(&l.Figures), m.places, m.digits)
}

// rounded writes value / 10^places with so many digits after the point, half
// away from 0.
func rounded(value int64, places, digits int) string {
	half, negative := int64(1), value < 0
	for range places - digits {
		half *= 10
	}
	quotient, rest := value/half, value%half
	switch {
	case 2*max(rest, -rest) < half || half == 1:
	case negative:
		quotient--
	default:
		quotient++
	}
	text := units.FormatScaled(quotient, digits)
	if digits == 0 {
		return text
	}
	whole, fraction, _ := strings.Cut(text, ".")
	return whole + "." + fraction + strings.Repeat("0", digits-len(fraction)) // figures below each other
}
