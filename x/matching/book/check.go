package book

import (
	"fmt"
	"strconv"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/kproto"
)

// check returns the first value that only the book as a whole shows to be
// wrong, nil if there is none.
func (b *Book) check() *mistake {
	if m := mistakeOf("params.", b.params.Validate()); m != nil {
		return m
	}
	if list, at, err := b.params.CheckBook(b.buys, b.sells); err != nil {
		return mistakeOf(list+"["+strconv.Itoa(at)+"].", err)
	}
	var bought, sold total
	for i, o := range b.buys {
		if !bought.add(o.Price, o.EnergyWh) {
			return tooMuch("buys", i, o.EnergyWh)
		}
	}
	for i, o := range b.sells {
		if !sold.add(o.Price, o.EnergyWh) {
			return tooMuch("sells", i, o.EnergyWh)
		}
	}
	return b.checkLosses()
}

// total is one side's energy and its worth; every sum in a result is at most
// that, so that it fits int64 if these do.
type total struct{ energyWh, ucoin int64 }

func (t *total) add(price, energyWh int64) bool {
	amount, err := units.Amount(price, energyWh)
	if err != nil {
		return false
	}
	if t.energyWh, err = units.Add(t.energyWh, energyWh); err != nil {
		return false
	}
	t.ucoin, err = units.Add(t.ucoin, amount)
	return err == nil
}

func tooMuch(list string, at int, energyWh int64) *mistake {
	return &mistake{
		fmt.Sprintf("%s[%d].energy_wh", list, at),
		"energies whose sum and worth fit int64", strconv.FormatInt(energyWh, 10),
	}
}

// checkLosses refuses a pair so far apart that its loss spans more ranges than
// the solver allows.
func (b *Book) checkLosses() *mistake {
	limit := kproto.MaxRanges * b.params.RangeLossPPM
	if b.lossOver(b.extent()) <= limit {
		return nil // no pair is farther apart than that
	}
	for i := range b.buys {
		for k := range b.sells {
			if ppm := b.loss(i, k); ppm > limit {
				return &mistake{
					fmt.Sprintf("buys[%d].x_m", i),
					fmt.Sprintf("a place with a loss of at most %d ppm (%d ranges) to every sell", limit, kproto.MaxRanges),
					fmt.Sprintf("%d ppm to sells[%d]", ppm, k),
				}
			}
		}
	}
	return nil
}

// extent returns the diagonal, in m, of the rectangle that holds all orders.
func (b *Book) extent() int64 {
	left, right := int64(maxCoordinate), int64(-maxCoordinate)
	bottom, top := left, right
	for _, list := range [][]place{b.buyPlaces, b.sellPlaces} {
		for _, p := range list {
			left, right = min(left, p.x), max(right, p.x)
			bottom, top = min(bottom, p.y), max(top, p.y)
		}
	}
	return distance(right-left, top-bottom)
}
