package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/reputation"
)

const (
	maxWeight = 1000
	maxCredit = 100
)

func buyTerms(m *matchingv1.MsgPlaceBuy) terms {
	return terms{period: m.Period, price: m.PriceUcoinPerKwh, energyWh: m.EnergyWh, consent: m.Consent}
}

func checkPlaceBuy(_ string, m *matchingv1.MsgPlaceBuy) error {
	if err := buyTerms(m).check(); err != nil {
		return err
	}
	if _, known := registryv1.EnergyType_name[int32(m.WantedEnergyType)]; !known {
		return ErrMalformed.With("wanted_energy_type: expected a known energy type, got %d", m.WantedEnergyType)
	}
	stated := &matchingv1.BuyOrder{PriceUcoinPerKwh: 1, OpenWh: 1, Preferences: m.Preferences}
	if err := clearing.CheckRatedBuy(stated); err != nil {
		return ErrMalformed.With("%v", err)
	}
	w := m.Weights
	for _, field := range []struct {
		name        string
		value, most int64
	}{
		{"wanted_loss_ppm", m.WantedLossPpm, units.PPM},
		{"max_loss_ppm", m.GetMaxLossPpm(), units.PPM},
		{"wanted_environment", m.GetWantedEnvironment(), 1},
		{"wanted_credit", m.GetWantedCredit(), maxCredit},
		{"weights.price", w.GetPrice(), maxWeight},
		{"weights.energy", w.GetEnergy(), maxWeight},
		{"weights.environment", w.GetEnvironment(), maxWeight},
		{"weights.credit", w.GetCredit(), maxWeight},
		{"weights.loss", w.GetLoss(), maxWeight},
		{"weights.energy_type", w.GetEnergyType(), maxWeight},
	} {
		if err := checkRange(field.name, field.value, field.most); err != nil {
			return err
		}
	}
	return nil
}

// placeBuy takes a demand and escrows bid + fee for all of it.
func placeBuy(ctx *module.Ctx, m *matchingv1.MsgPlaceBuy) error {
	e, err := admit(ctx, buyTerms(m))
	if err != nil {
		return err
	}
	id, sender := ctx.ID(), ctx.Signer.Address()
	escrow, err := cost(m.PriceUcoinPerKwh, e.params.FeeUcoinPerKwh, m.EnergyWh)
	if err != nil {
		return err
	}
	order := &matchingv1.BuyOrder{
		Id: id.Bytes(), Account: sender.Bytes(), Period: m.Period, PriceUcoinPerKwh: m.PriceUcoinPerKwh,
		EnergyWh: m.EnergyWh, WantedLossPpm: m.WantedLossPpm, MaxLossPpm: m.MaxLossPpm,
		WantedEnvironment: m.WantedEnvironment, WantedEnergyType: m.WantedEnergyType, WantedCredit: m.WantedCredit,
		Weights: m.Weights, Preferences: m.Preferences, Consent: m.Consent, OpenWh: m.EnergyWh, EscrowUcoin: escrow,
		Credit: reputation.ValueOf(ctx.Store, sender), Identity: e.account.Identity, GridNode: e.account.GridNode,
	}
	if err := clearing.CheckBuy(e.market, e.params, order); err != nil {
		return ErrOutOfRange.With("%v", err)
	}
	key := buyKey(order.Period, order.Account, order.Id)
	if buys.Has(ctx.Store, key) {
		return ErrOrderExists.With("order: %v", id)
	}
	if err := bank.Hold(ctx, sender, escrow); err != nil {
		return err
	}
	buys.Set(ctx.Store, key, order)
	e.record(ctx)
	ctx.Emit(&matchingv1.BuyPlaced{Order: order})
	return nil
}

// cost is what energy costs a buyer, fee included, in ucoin. Price and fee are
// truncated apart, as they are paid.
func cost(price, fee, energyWh int64) (int64, error) {
	amount, err := units.Amount(price, energyWh)
	if err != nil {
		return 0, err
	}
	feeAmount, err := units.Amount(fee, energyWh)
	if err != nil {
		return 0, err
	}
	return units.Add(amount, feeAmount)
}
