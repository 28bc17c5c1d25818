package stackelberg

import (
	"fmt"
	"math"

	"github.com/energyd/energyd/units"
)

// FieldError is a number out of its range. Field is its place in a file, such as
// bank.rate_min_ppm or borrowers[3].limit_ucoin.
type FieldError struct{ Field, Expected, Got string }

func (e *FieldError) Error() string {
	return fmt.Sprintf("field %s: expected %s, got %s", e.Field, e.Expected, e.Got)
}

// within refuses a value outside low..high; no upper bound is said where high is
// that of int64.
func within(name string, value, low, high int64) error {
	switch {
	case low <= value && value <= high:
		return nil
	case high == math.MaxInt64:
		return &FieldError{name, fmt.Sprintf("%d or more", low), fmt.Sprint(value)}
	}
	return &FieldError{name, fmt.Sprintf("%d to %d", low, high), fmt.Sprint(value)}
}

// check returns the first *FieldError.
func check(bank Bank, borrowers []Borrower) error {
	if len(borrowers) > MaxBorrowers {
		return &FieldError{"borrowers", fmt.Sprintf("at most %d", MaxBorrowers), fmt.Sprint(len(borrowers))}
	}
	if err := bank.check(); err != nil {
		return err
	}
	var limits int64
	for i := range borrowers {
		path := fmt.Sprintf("borrowers[%d].", i)
		if err := borrowers[i].check(path); err != nil {
			return err
		}
		var err error
		if limits, err = units.Add(limits, borrowers[i].LimitUcoin); err != nil {
			return &FieldError{path + "limit_ucoin", "limits whose sum fits int64", fmt.Sprint(borrowers[i].LimitUcoin)}
		}
	}
	return nil
}

func (b *Bank) check() error {
	return first(
		within("bank.capital_ucoin", b.CapitalUcoin, 0, math.MaxInt64),
		within("bank.cost_ppm", b.CostPPM, 0, MaxRatePPM),
		within("bank.prior_default_ppm", b.PriorDefaultPPM, 0, units.PPM),
		within("bank.rate_max_ppm", b.RateMaxPPM, 1, MaxRatePPM),
		within("bank.rate_min_ppm", b.RateMinPPM, 1, b.RateMaxPPM),
	)
}

func (b *Borrower) check(path string) error {
	return first(
		within(path+"amount_ucoin", b.AmountUcoin, 1, math.MaxInt64),
		within(path+"rate_ppm", b.RatePPM, 1, MaxRatePPM-1),
		within(path+"none_from_ppm", b.NoneFromPPM, b.RatePPM+1, MaxRatePPM),
		within(path+"limit_ucoin", b.LimitUcoin, 0, math.MaxInt64),
		within(path+"loans", b.Loans, 0, MaxLoans),
		within(path+"defaults", b.Defaults, 0, b.Loans),
	)
}

// first returns the first error of a list.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
