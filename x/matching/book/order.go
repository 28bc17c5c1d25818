package book

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/units"
)

// Bounds of a book file. Coordinates are small enough that the square of a
// distance fits int64.
const (
	maxCoordinate = 1_000_000_000 // m
	maxPoints     = 100           // of credit and reputation
	maxIDLength   = 64            // characters
)

// energyTypes are the names of SPEC 6, in the order of their numbers.
var energyTypes = []string{"fossil", "wind", "hydro", "solar", "biomass", "storage"}

// Order is a buy or a sell as it is written. One type serves all mechanisms, so
// that a book can be tried with another one by changing mechanism and params:
// what a mechanism needs is in its file, what else an order says is checked and
// has no effect.
type Order struct {
	ID          string  `json:"id"`
	Price       int64   `json:"price"` // bid or ask, ucoin per kWh
	EnergyWh    int64   `json:"energy_wh"`
	X           *int64  `json:"x_m,omitempty"` // left out: 0
	Y           *int64  `json:"y_m,omitempty"`
	EnergyType  *string `json:"energy_type,omitempty"` // a buy's is a wish
	Environment *int64  `json:"environment,omitempty"` // index 0 or 1; a buy's is a wish
	Credit      *int64  `json:"credit,omitempty"`      // points 0..100; a buy's is a wish
	Reputation  *int64  `json:"reputation,omitempty"`  // points 0..100 of its own
	// WantedLossPPM and MaxLossPPM are of buys only; without the latter any loss
	// is accepted.
	WantedLossPPM *int64 `json:"wanted_loss_ppm,omitempty"`
	MaxLossPPM    *int64 `json:"max_loss_ppm,omitempty"`
	// Prefer names attributes for CMAP's scores in order of weight.
	Prefer []string `json:"prefer,omitempty"`
	// Weights are an object of attributes for K-prototypes, a list in the order
	// of Prefer for CMAP's scores, per mille each.
	Weights json.RawMessage `json:"weights,omitempty"`
}

// states tells whether an order says something that it may leave out.
func (o *Order) states(field string) bool {
	switch field {
	case "x_m":
		return o.X != nil
	case "y_m":
		return o.Y != nil
	case "energy_type":
		return o.EnergyType != nil
	case "environment":
		return o.Environment != nil
	case "credit":
		return o.Credit != nil
	case "reputation":
		return o.Reputation != nil
	case "prefer":
		return o.Prefer != nil
	default:
		return o.Weights != nil
	}
}

// Clean tells whether an order is of clean energy: by its environmental index,
// or else by its type, of which all but fossil are clean. One that states
// neither is not.
func (o *Order) Clean() bool {
	if o.Environment != nil {
		return *o.Environment == 1
	}
	return o.EnergyType != nil && *o.EnergyType != energyTypes[0]
}

// energyType returns the number of the order's type, otherwise if it has none.
func (o *Order) energyType(otherwise int32) int32 {
	if o.EnergyType == nil {
		return otherwise
	}
	return int32(slices.Index(energyTypes, *o.EnergyType))
}

// checkOrders refuses orders that no mechanism takes, and returns their places.
func checkOrders(list string, orders []Order, needs []string) ([]place, *mistake) {
	places := make([]place, len(orders))
	seen := make(map[string]bool, len(orders))
	for i := range orders {
		o, path := &orders[i], at(list, i)
		if m := o.check(path, seen); m != nil {
			return nil, m
		}
		for _, field := range needs {
			if !o.states(field) {
				return nil, missing(path + field)
			}
		}
		if list == "sells" && (o.WantedLossPPM != nil || o.MaxLossPPM != nil) {
			return nil, &mistake{field: strings.TrimSuffix(path, "."), expected: "no wanted_loss_ppm and max_loss_ppm: these are for buys", got: "one"}
		}
		places[i] = place{or(o.X, 0), or(o.Y, 0)}
	}
	return places, nil
}

func (o *Order) check(path string, seen map[string]bool) *mistake {
	return firstOf(
		checkID(path+"id", o.ID, seen),
		within(path+"x_m", or(o.X, 0), -maxCoordinate, maxCoordinate),
		within(path+"y_m", or(o.Y, 0), -maxCoordinate, maxCoordinate),
		within(path+"environment", or(o.Environment, 0), 0, 1),
		within(path+"credit", or(o.Credit, 0), 0, maxPoints),
		within(path+"reputation", or(o.Reputation, 0), 0, maxPoints),
		within(path+"wanted_loss_ppm", or(o.WantedLossPPM, 0), 0, units.PPM),
		within(path+"max_loss_ppm", or(o.MaxLossPPM, 0), 0, units.PPM),
		checkEnergyType(path+"energy_type", o.EnergyType),
	)
}

func checkID(field, id string, seen map[string]bool) *mistake {
	printable := strings.IndexFunc(id, func(r rune) bool { return !unicode.IsGraphic(r) }) < 0
	if id == "" || !printable || utf8.RuneCountInString(id) > maxIDLength {
		return &mistake{field: field, expected: fmt.Sprintf("1 to %d printable characters", maxIDLength), got: strictjson.Quote(id)}
	}
	if seen[id] {
		return &mistake{field: field, expected: "an id of its own", got: "that of another order, " + strictjson.Quote(id)}
	}
	seen[id] = true
	return nil
}

func checkEnergyType(field string, name *string) *mistake {
	if name != nil && !slices.Contains(energyTypes, *name) {
		return &mistake{field: field, expected: "one of " + strings.Join(energyTypes, ", "), got: strictjson.Quote(*name)}
	}
	return nil
}

// readWeights reads the weights of an order into what its mechanism asks for.
func readWeights(path string, text json.RawMessage, into any) *mistake {
	if inner, ok := strictjson.Decode(text, into).(*strictjson.Error); ok {
		return &mistake{field: path + "weights", inner: inner}
	}
	return nil
}

func or(value *int64, otherwise int64) int64 {
	if value == nil {
		return otherwise
	}
	return *value
}

// checkTotal refuses a side whose energy or worth does not fit int64: every sum
// in a result is at most that.
func checkTotal(list string, orders []Order) *mistake {
	var energyWh, ucoin int64
	for i := range orders {
		o := &orders[i]
		amount, err := units.Amount(o.Price, o.EnergyWh)
		if err == nil {
			ucoin, err = units.Add(ucoin, amount)
		}
		if err == nil {
			energyWh, err = units.Add(energyWh, o.EnergyWh)
		}
		if err != nil {
			return &mistake{
				field:    at(list, i) + "energy_wh",
				expected: "energies whose sum and worth fit int64", got: strconv.FormatInt(o.EnergyWh, 10),
			}
		}
	}
	return nil
}
