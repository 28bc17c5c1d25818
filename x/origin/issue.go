package origin

import (
	"slices"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// Delivery is measured clean energy of one trade, or what a correction of the
// trade makes of it.
type Delivery struct {
	Seller protocol.Address
	// EnergyType and Month of production (Unix ms) of what the seller delivered; a
	// type that is Certified.
	EnergyType registryv1.EnergyType
	Month      int64
	// Stored energy was taken of the seller's stock (Discharge): what the seller
	// produced in excess is not netted against what others did.
	Stored bool
	// EnergyWh at the seller's meter. A correction gives the difference, which may
	// be negative.
	EnergyWh int64
	// LossPPM is lost of it on the way, in ppm.
	LossPPM int64
}

// Issued is what became of deliveries, in Wh: their sum is IssuedWh + LostWh +
// NettedWh - ReclaimedWh.
type Issued struct {
	// IssuedWh is the buyer's, LostWh retired at once.
	IssuedWh, LostWh int64
	// NettedWh was not issued: earlier certificates of the sellers' energy exceeded
	// what they delivered.
	NettedWh int64
	// ReclaimedWh was taken back by corrections, from the sellers' next.
	ReclaimedWh int64
}

// Issue issues a buyer the certificates of what it was delivered in a period, or
// of what a correction of the period changed (SPEC 15). Sums that do not fit 64
// bits are an error.
func Issue(ctx *module.Ctx, buyer protocol.Address, deliveries []Delivery) (Issued, error) {
	var all Issued
	var kinds []kind
	for _, d := range deliveries {
		if !slices.Contains(kinds, d.kind()) {
			kinds = append(kinds, d.kind())
		}
	}
	for _, k := range kinds { // in the order of the deliveries
		var issued Issued
		for _, d := range deliveries {
			if d.kind() != k {
				continue
			}
			if err := d.settle(ctx, &issued); err != nil {
				return all, err
			}
		}
		if err := issued.save(ctx, buyer, k); err != nil {
			return all, err
		}
		if err := all.add(issued); err != nil {
			return all, err
		}
	}
	return all, nil
}

func (d Delivery) kind() kind { return kind{d.EnergyType, d.Month} }

// settle nets a delivery against its seller's excess, and adds what became of it.
func (d Delivery) settle(ctx *module.Ctx, issued *Issued) error {
	if d.Stored {
		arrived := units.Net(d.EnergyWh, d.LossPPM)
		return issued.add(Issued{IssuedWh: arrived, LostWh: d.EnergyWh - arrived})
	}
	key := excessKey(d.Seller[:], d.EnergyType)
	excess, ok := excesses.Get(ctx.Store, key)
	if d.EnergyWh < 0 {
		if !ok {
			excess = &originv1.Excess{Seller: d.Seller.Bytes(), EnergyType: d.EnergyType}
		}
		var err error
		if excess.EnergyWh, err = units.Sub(excess.EnergyWh, d.EnergyWh); err != nil {
			return err
		}
		excesses.Set(ctx.Store, key, excess)
		return issued.add(Issued{ReclaimedWh: -d.EnergyWh})
	}
	netted := min(excess.GetEnergyWh(), d.EnergyWh)
	if excess != nil {
		excess.EnergyWh -= netted
		if excess.EnergyWh > 0 {
			excesses.Set(ctx.Store, key, excess)
		} else {
			excesses.Delete(ctx.Store, key)
		}
	}
	arrived := units.Net(d.EnergyWh-netted, d.LossPPM)
	return issued.add(Issued{IssuedWh: arrived, LostWh: d.EnergyWh - netted - arrived, NettedWh: netted})
}

// save writes what was issued of one energy type and month.
func (i Issued) save(ctx *module.Ctx, buyer protocol.Address, k kind) error {
	total, holding := totalOf(ctx.Store, k), holdingOf(ctx.Store, buyer[:], k)
	for _, sum := range []struct {
		into *int64
		wh   int64
	}{
		{&holding.HeldWh, i.IssuedWh},
		{&total.IssuedWh, i.IssuedWh},
		{&total.IssuedWh, i.LostWh},
		{&total.LostWh, i.LostWh},
		{&total.NettedWh, i.NettedWh},
		{&total.ReclaimedWh, i.ReclaimedWh},
	} {
		var err error
		if *sum.into, err = units.Add(*sum.into, sum.wh); err != nil {
			return err
		}
	}
	if i.IssuedWh > 0 {
		saveHolding(ctx.Store, holding)
	}
	totals.Set(ctx.Store, totalKey(k), total)
	return nil
}

func (i *Issued) add(other Issued) error {
	for _, sum := range []struct {
		into *int64
		wh   int64
	}{
		{&i.IssuedWh, other.IssuedWh}, {&i.LostWh, other.LostWh}, {&i.NettedWh, other.NettedWh}, {&i.ReclaimedWh, other.ReclaimedWh},
	} {
		var err error
		if *sum.into, err = units.Add(*sum.into, sum.wh); err != nil {
			return err
		}
	}
	return nil
}
