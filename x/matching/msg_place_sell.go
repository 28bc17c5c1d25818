package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

func sellTerms(m *matchingv1.MsgPlaceSell) terms {
	return terms{period: m.Period, price: m.PriceUcoinPerKwh, energyWh: m.EnergyWh, consent: m.Consent, sell: true}
}

func checkPlaceSell(_ string, m *matchingv1.MsgPlaceSell) error {
	if err := protocol.CheckName(m.Meter); err != nil {
		return ErrMalformed.With("meter: %v", err)
	}
	if err := clearing.CheckRatedSell(&matchingv1.SellOrder{PriceUcoinPerKwh: 1, AvailableWh: 1, Preferences: m.Preferences}); err != nil {
		return ErrMalformed.With("%v", err)
	}
	if _, known := matchingv1.Rest_name[int32(m.Rest)]; !known {
		return ErrMalformed.With("rest: expected grid, withhold or store, got %d", m.Rest)
	}
	return sellTerms(m).check()
}

// placeSell takes an offer. The energy type and environmental index of a sell
// record are those of the meter, which the authority approved.
func placeSell(ctx *module.Ctx, m *matchingv1.MsgPlaceSell) error {
	e, err := admit(ctx, sellTerms(m))
	if err != nil {
		return err
	}
	sender := ctx.Signer.Address()
	meter, ok := registry.MeterOf(ctx.Store, m.Meter)
	if !ok {
		return ErrUnknownMeter.With("meter: expected a registered meter, got %q", m.Meter)
	}
	if protocol.Address(meter.Account) != sender || meter.BoundAtMs > m.Period {
		return ErrMeterNotBound.With("meter: expected one bound to the sender before the period %s, got %q", units.FormatTime(m.Period), m.Meter)
	}
	id := ctx.ID()
	order := &matchingv1.SellOrder{
		Id: id.Bytes(), Account: sender.Bytes(), Period: m.Period, PriceUcoinPerKwh: m.PriceUcoinPerKwh,
		EnergyWh: m.EnergyWh, Meter: m.Meter, Preferences: m.Preferences, Consent: m.Consent, AvailableWh: m.EnergyWh,
		Environment: meter.Environment, EnergyType: meter.EnergyType,
		Credit: reputation.ValueOf(ctx.Store, sender), Identity: e.account.Identity, GridNode: e.account.GridNode,
		Rest: m.Rest,
	}
	if err := clearing.CheckSell(e.market, e.params, order); err != nil {
		return ErrOutOfRange.With("%v", err)
	}
	key := sellKey(order.Period, order.Account, order.Id)
	if sells.Has(ctx.Store, key) {
		return ErrOrderExists.With("order: %v", id)
	}
	sells.Set(ctx.Store, key, order)
	e.record(ctx)
	ctx.Emit(&matchingv1.SellPlaced{Order: order})
	return nil
}
