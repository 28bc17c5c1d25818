package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/reputation"
)

func checkPlaceBuy(_ string, m *matchingv1.MsgPlaceBuy) error {
	if err := checkPeriod(m.Period); err != nil {
		return err
	}
	return checkStatedBuy(statedBuy(m))
}

// checkStatedBuy checks all of a demand but its period.
func checkStatedBuy(order *matchingv1.BuyOrder) error {
	if err := checkTerms(order.PriceUcoinPerKwh, order.EnergyWh, order.Consent); err != nil {
		return err
	}
	if _, known := registryv1.EnergyType_name[int32(order.WantedEnergyType)]; !known {
		return ErrMalformed.With("wanted_energy_type: expected a known energy type, got %d", order.WantedEnergyType)
	}
	stated := &matchingv1.BuyOrder{PriceUcoinPerKwh: 1, OpenWh: 1, Preferences: order.Preferences}
	if err := clearing.CheckRatedBuy(stated); err != nil {
		return ErrMalformed.With("%v", err)
	}
	for _, field := range clearing.Ranges(order) {
		if err := checkRange(field.Field, field.Value, field.Most); err != nil {
			return err
		}
	}
	return nil
}

// placeBuy takes a demand.
func placeBuy(ctx *module.Ctx, m *matchingv1.MsgPlaceBuy) error {
	if err := checkWindow(ctx, m.Period); err != nil {
		return err
	}
	order := statedBuy(m)
	order.Id = ctx.ID().Bytes()
	return enterBuy(ctx, order)
}

// statedBuy is a demand as its owner states it.
func statedBuy(m *matchingv1.MsgPlaceBuy) *matchingv1.BuyOrder {
	return &matchingv1.BuyOrder{
		Period: m.Period, PriceUcoinPerKwh: m.PriceUcoinPerKwh,
		EnergyWh: m.EnergyWh, WantedLossPpm: m.WantedLossPpm, MaxLossPpm: m.MaxLossPpm,
		WantedEnvironment: m.WantedEnvironment, WantedEnergyType: m.WantedEnergyType, WantedCredit: m.WantedCredit,
		Weights: m.Weights, Preferences: m.Preferences, Consent: m.Consent,
	}
}

// enterBuy judges a demand of the signer's, adds what the chain knows, sees to
// what it may cost and puts it into the book.
func enterBuy(ctx *module.Ctx, order *matchingv1.BuyOrder) error {
	e, err := admit(ctx, terms{period: order.Period, price: order.PriceUcoinPerKwh, energyWh: order.EnergyWh, consent: order.Consent})
	if err != nil {
		return err
	}
	sender := ctx.Signer.Address()
	order.Account, order.Market, order.OpenWh = sender.Bytes(), e.book.Market, order.EnergyWh
	order.Credit, order.Identity, order.GridNode = reputation.ValueOf(ctx.Store, sender), e.account.Identity, e.account.GridNode
	if err := clearing.CheckBuy(e.market, e.params, order); err != nil {
		return ErrOutOfRange.With("%v", err)
	}
	key := buyKey(order.Period, order.Market, order.Account, order.Id)
	if buys.Has(ctx.Store, key) {
		return ErrOrderExists.With("order: %x", order.Id)
	}
	if err := e.coverBuy(ctx, order); err != nil {
		return err
	}
	buys.Set(ctx.Store, key, order)
	e.record(ctx, &matchingv1.Presence{Buys: 1, BuyWh: order.EnergyWh})
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
