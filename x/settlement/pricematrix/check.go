package pricematrix

import (
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/units"
)

const maxNameLength = 64 // characters

// FieldError is a value that is well-formed and still wrong. Field is its place
// in a file, such as supply[0].energy_wh or price_matrix.A.B.price.
type FieldError struct{ Field, Expected, Got string }

func (e *FieldError) Error() string {
	return fmt.Sprintf("field %s: expected %s, got %s", e.Field, e.Expected, e.Got)
}

// check returns the first *FieldError.
func (p *Period) check() error {
	if err := notNegative("tariff.retail", p.Tariff.Retail); err != nil {
		return err
	}
	if p.Tariff.FeedIn < 0 || p.Tariff.FeedIn > p.Tariff.Retail {
		return &FieldError{"tariff.feed_in", fmt.Sprintf("0 to the retail price %d", p.Tariff.Retail), strconv.FormatInt(p.Tariff.FeedIn, 10)}
	}
	if err := p.checkContracts(); err != nil {
		return err
	}
	if err := checkEnergies("supply", p.Supply); err != nil {
		return err
	}
	if err := checkEnergies("consumption", p.Consumption); err != nil {
		return err
	}
	return p.checkWorth()
}

func (p *Period) checkContracts() error {
	seen := make(map[[2]string]bool, len(p.Contracts))
	for _, c := range p.Contracts {
		pair := "price_matrix" + key(c.Seller) + key(c.Buyer)
		if err := checkName("price_matrix"+key(c.Seller), c.Seller); err != nil {
			return err
		}
		if err := checkName(pair, c.Buyer); err != nil {
			return err
		}
		if c.Seller == c.Buyer {
			return &FieldError{pair, "another account than the seller's", "a contract of " + strictjson.Quote(c.Seller) + " with itself"}
		}
		if seen[[2]string{c.Seller, c.Buyer}] {
			return &FieldError{pair, "one contract of a pair", "it again"}
		}
		seen[[2]string{c.Seller, c.Buyer}] = true
		if err := notNegative(pair+".priority", c.Priority); err != nil {
			return err
		}
		if err := notNegative(pair+".price", c.Price); err != nil {
			return err
		}
	}
	return nil
}

func checkEnergies(list string, energies []Energy) error {
	seen := make(map[string]bool, len(energies))
	for i, e := range energies {
		path := fmt.Sprintf("%s[%d].", list, i)
		if err := checkName(path+"account", e.Account); err != nil {
			return err
		}
		if seen[e.Account] {
			return &FieldError{path + "account", "each account once", strictjson.Quote(e.Account) + " again"}
		}
		seen[e.Account] = true
		if err := notNegative(path+"energy_wh", e.EnergyWh); err != nil {
			return err
		}
	}
	return nil
}

// checkWorth bounds every sum over records: each Wh of a record is one of supply
// or consumption, at no more than the greatest price.
func (p *Period) checkWorth() error {
	dearest := p.Tariff.Retail
	for _, c := range p.Contracts {
		dearest = max(dearest, c.Price)
	}
	var energy, worth int64
	add := func(list string, energies []Energy) error {
		for i, e := range energies {
			amount, err := units.Amount(dearest, e.EnergyWh)
			if err == nil {
				worth, err = units.Add(worth, amount)
			}
			if err == nil {
				energy, err = units.Add(energy, e.EnergyWh)
			}
			if err != nil {
				return &FieldError{fmt.Sprintf("%s[%d].energy_wh", list, i), fmt.Sprintf("energies whose sum and worth at the greatest price %d fit int64", dearest), strconv.FormatInt(e.EnergyWh, 10)}
			}
		}
		return nil
	}
	if err := add("supply", p.Supply); err != nil {
		return err
	}
	return add("consumption", p.Consumption)
}

func notNegative(field string, value int64) error {
	if value < 0 {
		return &FieldError{field, "0 or more", strconv.FormatInt(value, 10)}
	}
	return nil
}

func checkName(field, name string) error {
	for _, r := range name {
		if !unicode.IsGraphic(r) {
			return &FieldError{field, "an account of printable characters", strictjson.Quote(name)}
		}
	}
	switch {
	case name == "" || utf8.RuneCountInString(name) > maxNameLength:
		return &FieldError{field, fmt.Sprintf("an account of 1 to %d characters", maxNameLength), strictjson.Quote(name)}
	case name == Grid:
		return &FieldError{field, "an account other than the grid", strictjson.Quote(name)}
	}
	return nil
}

// key writes a name as strictjson does where it is a key in a path.
func key(name string) string {
	plain := name != "" && len(name) <= 40
	for _, c := range name {
		letter := c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '-'
		plain = plain && letter
	}
	if plain {
		return "." + name
	}
	return "[" + strictjson.Quote(name) + "]"
}
