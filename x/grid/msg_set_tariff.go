package grid

import (
	"fmt"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
)

// MaxPriceUcoinPerKWh bounds tariffs: 1000 coins per kWh.
const MaxPriceUcoinPerKWh = 1_000_000_000

func checkSetTariff(_ string, msg *gridv1.MsgSetTariff) error {
	err := checkTariff(&gridv1.Tariff{
		TariffClass:       msg.TariffClass,
		RetailUcoinPerKwh: msg.RetailUcoinPerKwh,
		FeedInUcoinPerKwh: msg.FeedInUcoinPerKwh,
	})
	if err != nil {
		return ErrField.With("%v", err)
	}
	return nil
}

// checkTariff says which field is wrong; the caller adds the code.
func checkTariff(tariff *gridv1.Tariff) error {
	if err := protocol.CheckName(tariff.GetTariffClass()); err != nil {
		return fmt.Errorf("tariff_class: %w", err)
	}
	if err := checkRange("retail_ucoin_per_kwh", tariff.RetailUcoinPerKwh, 0, MaxPriceUcoinPerKWh); err != nil {
		return err
	}
	return checkRange("feed_in_ucoin_per_kwh", tariff.FeedInUcoinPerKwh, 0, tariff.RetailUcoinPerKwh)
}

// setTariff sets the prices from the first period whose orders are not yet
// open; a second message before that replaces them.
func setTariff(ctx *module.Ctx, msg *gridv1.MsgSetTariff) error {
	tariff := &gridv1.Tariff{
		TariffClass:       msg.TariffClass,
		FromPeriod:        registry.FirstUnopened(ctx.Store, ctx.TimeMs),
		RetailUcoinPerKwh: msg.RetailUcoinPerKwh,
		FeedInUcoinPerKwh: msg.FeedInUcoinPerKwh,
	}
	tariffs.Set(ctx.Store, tariffKey(tariff.TariffClass, tariff.FromPeriod), tariff)
	ctx.Emit(&gridv1.TariffSet{
		TariffClass:       tariff.TariffClass,
		FromPeriod:        tariff.FromPeriod,
		RetailUcoinPerKwh: tariff.RetailUcoinPerKwh,
		FeedInUcoinPerKwh: tariff.FeedInUcoinPerKwh,
	})
	return nil
}
