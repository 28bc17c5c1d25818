package grid

import (
	"fmt"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/registry"
)

func checkSetZoneFee(_ string, msg *gridv1.MsgSetZoneFee) error {
	fee := &gridv1.ZoneFee{FromZone: msg.FromZone, ToZone: msg.ToZone, FeeUcoinPerKwh: msg.FeeUcoinPerKwh}
	if err := checkZoneFee(fee); err != nil {
		return ErrField.With("%v", err)
	}
	return nil
}

// checkZoneFee says which field is wrong; the caller adds the code.
func checkZoneFee(fee *gridv1.ZoneFee) error {
	if err := checkZone(fee.FromZone); err != nil {
		return fmt.Errorf("from_zone: %w", err)
	}
	if err := checkZone(fee.ToZone); err != nil {
		return fmt.Errorf("to_zone: %w", err)
	}
	return checkRange("fee_ucoin_per_kwh", fee.FeeUcoinPerKwh, 0, MaxPriceUcoinPerKWh)
}

// setZoneFee sets the fee of a pair of zones from the first period whose orders
// are not yet open; a second message before that replaces it.
func setZoneFee(ctx *module.Ctx, msg *gridv1.MsgSetZoneFee) error {
	fee := &gridv1.ZoneFee{
		FromZone: msg.FromZone, ToZone: msg.ToZone, FeeUcoinPerKwh: msg.FeeUcoinPerKwh,
		FromPeriod: registry.FirstUnopened(ctx.Store, ctx.TimeMs),
	}
	if err := writeZoneFee(ctx.Store, fee); err != nil {
		return err
	}
	ctx.Emit(&gridv1.ZoneFeeSet{Fee: fee})
	return nil
}
