package settlement

import "github.com/energyd/energyd/units"

// delivery is what an account's registers mean for its matches (SPEC 8).
type delivery struct {
	// contracted is S: the sum of v_k of a seller, of n_k of a buyer, in Wh.
	contracted int64
	// tolerance is sigma in Wh: by how much registers may fall short of S and
	// still count as S.
	tolerance int64
	// parts are s_k or g_k, in Wh at the seller's meter, in the order of the
	// matches.
	parts []int64
}

// obligation is what the arithmetic needs of a match.
type obligation struct {
	energyWh int64 // v_k
	lossPPM  int64
}

// sold shares out a seller's export.
func sold(exportWh, stepWh, sigmaPPM int64, obligations []obligation) (delivery, error) {
	wanted := make([]int64, len(obligations))
	for i, c := range obligations {
		wanted[i] = c.energyWh
	}
	return shareOut(exportWh, stepWh, sigmaPPM, wanted)
}

// taken shares out a buyer's import: b_k of what arrives, and from it g_k.
func taken(importWh, stepWh, sigmaPPM int64, obligations []obligation) (delivery, error) {
	wanted := make([]int64, len(obligations))
	for i, c := range obligations {
		wanted[i] = units.Net(c.energyWh, c.lossPPM)
	}
	d, err := shareOut(importWh, stepWh, sigmaPPM, wanted)
	for i, c := range obligations[:len(d.parts)] {
		d.parts[i] = units.GrossFor(d.parts[i], c.lossPPM, c.energyWh)
	}
	return d, err
}

// shareOut gives each match what it wants if what was measured is enough or
// short of the sum within the tolerance; else its part, pro rata with largest
// remainders, ties to the first.
func shareOut(measured, step, sigmaPPM int64, wanted []int64) (delivery, error) {
	total, err := units.Sum(wanted...)
	if err != nil {
		return delivery{}, err
	}
	part, err := units.MulDiv(total, sigmaPPM, units.PPM)
	if err != nil {
		return delivery{}, err
	}
	d := delivery{contracted: total, tolerance: max(step, part)}
	d.parts, err = partsOf(measured, d.tolerance, wanted)
	return d, err
}

// partsOf gives each what it wants if what there is falls short of the sum by no
// more than the tolerance, else its part.
func partsOf(energyWh, toleranceWh int64, wanted []int64) ([]int64, error) {
	total, err := units.Sum(wanted...)
	if err != nil {
		return nil, err
	}
	if total-energyWh <= toleranceWh {
		return wanted, nil
	}
	return units.ProRata(energyWh, wanted)
}

// violates says whether registers fall short of the obligations by more than both
// limits of the parameters.
func violates(d delivery, measured, violationPPM, violationWh int64) bool {
	short := d.contracted - measured
	// Ratios are at most 10^6, so the product fits.
	return short > violationWh && short > units.Loss(d.contracted, violationPPM)
}

// adder adds up amounts and keeps the first overflow.
type adder struct{ err error }

func (a *adder) add(field *int64, amounts ...int64) {
	for _, amount := range amounts {
		sum, err := units.Add(*field, amount)
		if err != nil {
			if a.err == nil {
				a.err = err
			}
			return
		}
		*field = sum
	}
}
