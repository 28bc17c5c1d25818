package cmap

import (
	"fmt"
	"math"

	"github.com/energyd/energyd/x/matching/kproto"
)

// maxValue bounds prices, fees, energies and RMaxM, so that one of them times
// One fits int64 (2^40 * 10^6 < 2^60).
const maxValue = 1 << 40

func within(field string, value, low, high int64) error {
	if value < low || value > high {
		return &kproto.FieldError{Field: field, Expected: fmt.Sprintf("%d to %d", low, high), Got: fmt.Sprint(value)}
	}
	return nil
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Validate refuses parameters with which clearing is not defined.
// Errors are *kproto.FieldError.
func (p Params) Validate() error {
	return first(
		within("price_min", p.PriceMin, 0, maxValue),
		within("price_max", p.PriceMax, p.PriceMin, maxValue),
		within("r_max_m", p.RMaxM, 1, maxValue),
	)
}

// CheckBuy refuses a buy that Clear is not defined for.
// Errors are *kproto.FieldError.
func CheckBuy(b Buy) error {
	return first(
		within("price", b.Price, 1, maxValue),
		within("energy_wh", b.EnergyWh, 1, maxValue),
		within("reputation", b.Reputation, 0, maxReputation),
		checkPreferences(b.Prefer, buyAttributes),
	)
}

// CheckSell refuses a sell that Clear is not defined for.
// Errors are *kproto.FieldError.
func CheckSell(s Sell) error {
	return first(
		within("price", s.Price, 1, maxValue),
		within("energy_wh", s.EnergyWh, 1, maxValue),
		within("reputation", s.Reputation, 0, maxReputation),
		checkPreferences(s.Prefer, sellAttributes),
	)
}

// CheckLink refuses a link that Clear is not defined for.
// Errors are *kproto.FieldError.
func CheckLink(l Link) error {
	// The common case is decided by few comparisons: there is a link per pair.
	if l.DistanceM >= 0 && l.Fee >= 0 && l.Fee <= maxValue {
		return nil
	}
	return first(
		within("distance", l.DistanceM, 0, math.MaxInt64),
		within("fee", l.Fee, 0, maxValue),
	)
}
