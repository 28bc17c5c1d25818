package kproto

import (
	"fmt"

	"github.com/energyd/energyd/x/matching/field"
)

// MaxRanges is the most ranges that an attribute may span.
//
// It bounds the dissimilarity: a scaled difference is at most MaxRanges * Q =
// 2^21, its square 2^42, times a weight of at most 1000 < 2^10 less than 2^52,
// and six such terms less than 2^55: d fits int64 with room.
const MaxRanges = 64

// maxRange bounds the ranges, so that a difference of MaxRanges of them times Q
// is at most 2^61, and a price plus the fee does not overflow.
const maxRange = 1 << 40

// maxValue bounds prices, the fee, energies and wishes: what MaxRanges of the
// greatest range make.
const maxValue = MaxRanges * maxRange

const maxWeight = 1000

// spans refuses a value more than MaxRanges ranges above the lowest of its
// attribute.
func spans(name string, value, lowest, width int64) error {
	if value-lowest > MaxRanges*width {
		return &field.Error{Field: name, Expected: fmt.Sprintf("at most %d (%d ranges of %d)", lowest+MaxRanges*width, MaxRanges, width), Got: fmt.Sprint(value)}
	}
	return nil
}

// Validate refuses parameters with which clearing is not defined.
// Errors are *field.Error.
func (p Params) Validate() error {
	return field.First(
		field.Within("fee", p.Fee, 0, maxValue),
		field.Within("range.price", p.RangePrice, 1, maxRange),
		field.Within("range.energy_wh", p.RangeEnergyWh, 1, maxRange),
		field.Within("range.credit", p.RangeCredit, 1, maxRange),
		field.Within("range.loss_ppm", p.RangeLossPPM, 1, maxRange),
	)
}

// Validate refuses a weight outside 0..1000. Errors are *field.Error.
func (w Weights) Validate() error {
	return field.First(
		field.Within("weights.price", w.Price, 0, maxWeight),
		field.Within("weights.energy", w.Energy, 0, maxWeight),
		field.Within("weights.environment", w.Environment, 0, maxWeight),
		field.Within("weights.credit", w.Credit, 0, maxWeight),
		field.Within("weights.loss", w.Loss, 0, maxWeight),
		field.Within("weights.energy_type", w.EnergyType, 0, maxWeight),
	)
}

// lowest holds the least value of the attributes that may lie anywhere, as long
// as they lie together. Energies and losses are measured from 0: an order's
// energy shrinks as it trades, and a pair's loss may be nothing.
type lowest struct{ price, environment, credit int64 }

func (l lowest) and(price, environment, credit int64) lowest {
	return lowest{min(l.price, price), min(l.environment, environment), min(l.credit, credit)}
}

// CheckBuy refuses a buy that Clear is not defined for, whatever else is in the
// book: its attributes are measured from 0. Errors are *field.Error.
func (p Params) CheckBuy(b Buy) error { return p.checkBuy(b, lowest{}) }

// CheckSell does the same for a sell.
func (p Params) CheckSell(s Sell) error { return p.checkSell(s, lowest{}) }

func (p Params) checkBuy(b Buy, low lowest) error {
	environment, credit := b.wishes(low)
	return field.First(
		field.Within("environment", b.Environment, 0, maxValue),
		field.Within("credit", b.Credit, 0, maxValue),
		p.checkOffer(b.Price, b.EnergyWh, environment, credit, low),
		field.Within("wanted_loss_ppm", b.WantedLossPPM, 0, MaxRanges*p.RangeLossPPM),
		b.Weights.Validate(),
	)
}

// wishes returns the attributes that the buy wishes for, in place of those that
// have no weight the lowest values: they make no term and so bound nothing.
func (b Buy) wishes(low lowest) (environment, credit int64) {
	environment, credit = b.Environment, b.Credit
	if b.Weights.Environment == 0 {
		environment = low.environment
	}
	if b.Weights.Credit == 0 {
		credit = low.credit
	}
	return environment, credit
}

func (p Params) checkSell(s Sell, low lowest) error {
	return p.checkOffer(s.Price, s.EnergyWh, s.Environment, s.Credit, low)
}

// checkOffer checks what buys and sells have in common.
func (p Params) checkOffer(price, energyWh, environment, credit int64, low lowest) error {
	return field.First(
		field.Within("price", price, 0, maxValue),
		field.Within("energy_wh", energyWh, 1, maxValue),
		field.Within("environment", environment, 0, maxValue),
		field.Within("credit", credit, 0, maxValue),
		spans("price", price, low.price, p.RangePrice),
		spans("energy_wh", energyWh, 0, p.RangeEnergyWh),
		spans("environment", environment, low.environment, 1),
		spans("credit", credit, low.credit, p.RangeCredit),
	)
}

// CheckBook refuses a book that Clear is not defined for: an order that is
// broken in itself, or an attribute that spans more than MaxRanges ranges over
// the book. It is what CheckBuy and CheckSell are to one order, but measures
// from the lowest value in the book. field names the list, "buys" or "sells",
// and at the position of the order that err, a *field.Error, is about.
func (p Params) CheckBook(buys []Buy, sells []Sell) (list string, at int, err error) {
	low := lowest{maxValue, maxValue, maxValue}
	for i := range sells {
		low = low.and(sells[i].Price, sells[i].Environment, sells[i].Credit)
	}
	for i := range buys {
		environment, credit := buys[i].wishes(low)
		low = low.and(buys[i].Price, environment, credit)
	}
	for i := range buys {
		if err := p.checkBuy(buys[i], low); err != nil {
			return "buys", i, err
		}
	}
	for i := range sells {
		if err := p.checkSell(sells[i], low); err != nil {
			return "sells", i, err
		}
	}
	return "", 0, nil
}
