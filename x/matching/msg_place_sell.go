package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/origin"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

func checkPlaceSell(_ string, m *matchingv1.MsgPlaceSell) error {
	if err := checkPeriod(m.Period); err != nil {
		return err
	}
	return checkStatedSell(statedSell(m))
}

// checkStatedSell checks all of an offer but its period.
func checkStatedSell(order *matchingv1.SellOrder) error {
	if err := protocol.CheckName(order.Meter); err != nil {
		return ErrMalformed.With("meter: %v", err)
	}
	if err := clearing.CheckRatedSell(&matchingv1.SellOrder{PriceUcoinPerKwh: 1, AvailableWh: 1, Preferences: order.Preferences}); err != nil {
		return ErrMalformed.With("%v", err)
	}
	if _, known := matchingv1.Rest_name[int32(order.Rest)]; !known {
		return ErrMalformed.With("rest: expected grid, withhold or store, got %d", order.Rest)
	}
	return checkTerms(order.PriceUcoinPerKwh, order.EnergyWh, order.Consent)
}

// placeSell takes an offer.
func placeSell(ctx *module.Ctx, m *matchingv1.MsgPlaceSell) error {
	if err := checkWindow(ctx, m.Period); err != nil {
		return err
	}
	order := statedSell(m)
	order.Id = ctx.ID().Bytes()
	return enterSell(ctx, order)
}

// statedSell is an offer as its owner states it.
func statedSell(m *matchingv1.MsgPlaceSell) *matchingv1.SellOrder {
	return &matchingv1.SellOrder{
		Period: m.Period, PriceUcoinPerKwh: m.PriceUcoinPerKwh, EnergyWh: m.EnergyWh, Meter: m.Meter,
		Preferences: m.Preferences, Consent: m.Consent, Rest: m.Rest,
	}
}

// environmentOf is the environmental index of what a meter's owner offers (SPEC 15):
// of storage that of the stock, where stocks are kept, for all that it offers in the
// period.
func environmentOf(r state.Reader, meter *registryv1.Meter, params *registryv1.Params, offeredWh int64) int64 {
	if meter.EnergyType == registryv1.EnergyType_ENERGY_TYPE_STORAGE && params.StorageEfficiencyPpm > 0 {
		return origin.Environment(r, protocol.Address(meter.Account), offeredWh)
	}
	return meter.Environment
}

// enterSell judges an offer of the signer's, adds what the chain knows, and puts
// it into the book. The energy type and environmental index are those of the
// meter, which the authority approved.
func enterSell(ctx *module.Ctx, order *matchingv1.SellOrder) error {
	e, err := admit(ctx, terms{period: order.Period, price: order.PriceUcoinPerKwh, energyWh: order.EnergyWh, consent: order.Consent, sell: true})
	if err != nil {
		return err
	}
	sender := ctx.Signer.Address()
	meter, ok := registry.MeterOf(ctx.Store, order.Meter)
	if !ok {
		return ErrUnknownMeter.With("meter: expected a registered meter, got %q", order.Meter)
	}
	if protocol.Address(meter.Account) != sender || meter.BoundAtMs > order.Period {
		return ErrMeterNotBound.With("meter: expected one bound to the sender before the period %s, got %q", units.FormatTime(order.Period), order.Meter)
	}
	order.Account, order.Market, order.AvailableWh = sender.Bytes(), e.book.Market, order.EnergyWh
	order.Environment, order.EnergyType = environmentOf(ctx.Store, meter, e.params, e.presence.SellWh+order.EnergyWh), meter.EnergyType
	order.Credit, order.Identity, order.GridNode = reputation.ValueOf(ctx.Store, sender), e.account.Identity, e.account.GridNode
	if err := clearing.CheckSell(e.market, e.params, order); err != nil {
		return ErrOutOfRange.With("%v", err)
	}
	key := sellKey(order.Period, order.Market, order.Account, order.Id)
	if sells.Has(ctx.Store, key) {
		return ErrOrderExists.With("order: %x", order.Id)
	}
	if err := e.coverSell(ctx, order); err != nil {
		return err
	}
	sells.Set(ctx.Store, key, order)
	e.record(ctx, &matchingv1.Presence{Sells: 1, SellWh: order.EnergyWh})
	ctx.Emit(&matchingv1.SellPlaced{Order: order})
	return nil
}
