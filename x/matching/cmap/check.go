package cmap

import (
	"math"

	"github.com/energyd/energyd/x/matching/field"
)

// maxValue bounds prices, fees, energies and RMaxM, so that one of them times
// One fits int64 (2^40 * 10^6 < 2^60).
const maxValue = 1 << 40

// Validate refuses parameters with which clearing is not defined.
// Errors are *field.Error.
func (p Params) Validate() error {
	return field.First(
		field.Within("price_min", p.PriceMin, 0, maxValue),
		field.Within("price_max", p.PriceMax, p.PriceMin, maxValue),
		field.Within("r_max_m", p.RMaxM, 1, maxValue),
	)
}

// CheckBuy refuses a buy that Clear is not defined for.
// Errors are *field.Error.
func CheckBuy(b Buy) error {
	return field.First(
		field.Within("price", b.Price, 1, maxValue),
		field.Within("energy_wh", b.EnergyWh, 1, maxValue),
		field.Within("reputation", b.Reputation, 0, maxReputation),
		checkPreferences(b.Prefer, buyAttributes),
	)
}

// CheckSell refuses a sell that Clear is not defined for.
// Errors are *field.Error.
func CheckSell(s Sell) error {
	return field.First(
		field.Within("price", s.Price, 1, maxValue),
		field.Within("energy_wh", s.EnergyWh, 1, maxValue),
		field.Within("reputation", s.Reputation, 0, maxReputation),
		checkPreferences(s.Prefer, sellAttributes),
	)
}

// CheckLink refuses a link that Clear is not defined for.
// Errors are *field.Error.
func CheckLink(l Link) error {
	// The common case is decided by few comparisons: there is a link per pair.
	if l.DistanceM >= 0 && l.Fee >= 0 && l.Fee <= maxValue {
		return nil
	}
	return field.First(
		field.Within("distance", l.DistanceM, 0, math.MaxInt64),
		field.Within("fee", l.Fee, 0, maxValue),
	)
}
