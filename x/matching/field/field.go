// Package field says what is wrong with a number that somebody gave to a market:
// which one, what was expected, what was there. It is a package of its own
// because every mechanism checks its parameters and orders, and files and orders
// on the chain report the same mistakes.
package field

import "fmt"

// Error is an order or parameter out of its range. Field is the name that files
// have for it, below the order or the parameters, such as weights.price.
type Error struct{ Field, Expected, Got string }

func (e *Error) Error() string {
	return fmt.Sprintf("field %s: expected %s, got %s", e.Field, e.Expected, e.Got)
}

// Within refuses a value outside low to high.
func Within(name string, value, low, high int64) error {
	if value < low || value > high {
		return &Error{name, fmt.Sprintf("%d to %d", low, high), fmt.Sprint(value)}
	}
	return nil
}

// First returns the first error of a list, nil if there is none.
func First(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
