package cmap

import (
	"fmt"
	"slices"

	"github.com/energyd/energyd/x/matching/field"
)

// Attribute is what one side looks at in the other (S3 tables 4.1, 4.2).
type Attribute int32

// Price, Loss and Reputation are for either side; Demand is for sells only, the
// others for buys only.
const (
	Price Attribute = iota
	Supply
	Demand
	Loss
	EnergyType
	Environment
	Reputation
)

// Names are those that attributes have in files, by attribute.
var names = [...]string{"price", "supply", "demand", "loss", "energy_type", "environment", "reputation"}

var (
	buyAttributes  = []Attribute{Price, Supply, Loss, EnergyType, Environment, Reputation}
	sellAttributes = []Attribute{Price, Demand, Loss, Reputation}
)

func (a Attribute) String() string {
	if a < 0 || int(a) >= len(names) {
		return fmt.Sprintf("attribute %d", int32(a))
	}
	return names[a]
}

// Preference is an attribute and its weight per mille.
type Preference struct {
	Attribute Attribute
	Weight    int64
}

// perMille is what the weights of an order sum to.
const perMille = 1000

// defaultWeights are those of three attributes that name none (S3 4.3, step 3).
var defaultWeights = []int64{500, 300, 200}

// Preferences reads the attributes that an order names, in order of weight, and
// their weights per mille; without weights, three attributes have 500, 300 and
// 200. It checks names and numbers; CheckBuy and CheckSell check the rest.
// Errors are *field.Error.
func Preferences(attributes []string, weights []int64) ([]Preference, error) {
	if weights == nil {
		weights = defaultWeights
	}
	if len(weights) != len(attributes) {
		return nil, &field.Error{
			Field: "weights", Expected: fmt.Sprintf("one for each of %d attributes", len(attributes)), Got: fmt.Sprint(len(weights)),
		}
	}
	preferences := make([]Preference, len(attributes))
	for k, name := range attributes {
		at := slices.Index(names[:], name)
		if at < 0 {
			return nil, &field.Error{Field: "prefer", Expected: fmt.Sprintf("names out of %v", names), Got: fmt.Sprintf("%q", name)}
		}
		preferences[k] = Preference{Attribute(at), weights[k]}
	}
	return preferences, nil
}

// checkPreferences refuses attributes that the side does not know or that are
// named twice, and weights that do not sum to 1000.
func checkPreferences(preferences []Preference, known []Attribute) error {
	var sum int64
	for k, f := range preferences {
		if !slices.Contains(known, f.Attribute) {
			return &field.Error{Field: "prefer", Expected: fmt.Sprintf("attributes out of %v", known), Got: f.Attribute.String()}
		}
		for _, other := range preferences[:k] {
			if other.Attribute == f.Attribute {
				return &field.Error{Field: "prefer", Expected: "each attribute once", Got: f.Attribute.String() + " twice"}
			}
		}
		if err := field.Within("weights", f.Weight, 1, perMille); err != nil {
			return err
		}
		sum += f.Weight // at most one per attribute, so this does not overflow
	}
	if sum != perMille {
		return &field.Error{Field: "weights", Expected: "a sum of 1000", Got: fmt.Sprint(sum)}
	}
	return nil
}
