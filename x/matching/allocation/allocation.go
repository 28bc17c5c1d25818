// Package allocation is what the markets with one price for all have in common:
// orders with a limit, and pairs made of the energy that each side was given. It
// is a package of its own so that the double auction and the posted price check
// and pair by the very same rules.
package allocation

import (
	"fmt"

	"github.com/energyd/energyd/units"
)

// Order is one side's offer. Its position in its list decides ties.
type Order struct {
	Price    int64 // ucoin per kWh: the most a buy pays, fee included, or the least a sell takes
	EnergyWh int64
}

// Allocation is what each order was given at one price for all. Sellers get the
// price, buyers pay the price and the fee.
type Allocation struct {
	Price        int64   // ucoin per kWh
	EnergyWh     int64   // sum of Bought, and of Sold
	Bought, Sold []int64 // Wh by position
}

// OrderError is an order, or a fee or price, out of its range.
type OrderError struct {
	List          string // "buys" or "sells", empty for what is not an order's
	At            int    // position in the list
	Field         string // as in files
	Expected, Got string
}

func (e *OrderError) Error() string {
	field := e.Field
	if e.List != "" {
		field = fmt.Sprintf("%s[%d].%s", e.List, e.At, e.Field)
	}
	return fmt.Sprintf("field %s: expected %s, got %s", field, e.Expected, e.Got)
}

// Check refuses a negative fee, a negative price, an energy below 1 Wh, and a
// side whose energies sum beyond int64. Errors are *OrderError.
func Check(fee int64, buys, sells []Order) error {
	if err := CheckPrice("fee", fee); err != nil {
		return err
	}
	if err := checkSide("buys", buys); err != nil {
		return err
	}
	return checkSide("sells", sells)
}

// CheckPrice refuses a negative price that is not an order's. Errors are
// *OrderError.
func CheckPrice(field string, price int64) error {
	if price < 0 {
		return &OrderError{Field: field, Expected: "0 or more", Got: fmt.Sprint(price)}
	}
	return nil
}

func checkSide(list string, orders []Order) error {
	var sum int64
	for i, o := range orders {
		if o.Price < 0 {
			return &OrderError{list, i, "price", "0 or more", fmt.Sprint(o.Price)}
		}
		if o.EnergyWh < 1 {
			return &OrderError{list, i, "energy_wh", "1 or more", fmt.Sprint(o.EnergyWh)}
		}
		next, err := units.Add(sum, o.EnergyWh)
		if err != nil {
			return &OrderError{list, i, "energy_wh", "energies whose sum fits int64", fmt.Sprint(o.EnergyWh)}
		}
		sum = next
	}
	return nil
}
