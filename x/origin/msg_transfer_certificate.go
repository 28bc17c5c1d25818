package origin

import (
	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

func checkTransferCertificate(_ string, m *originv1.MsgTransferCertificate) error {
	if _, err := protocol.AddressFrom(m.To); err != nil {
		return ErrInvalidField.With("to: %v", err)
	}
	return checkCertificate(m.EnergyType, m.Month, m.EnergyWh)
}

// checkCertificate checks what transfers and retirements name.
func checkCertificate(energyType registryv1.EnergyType, month, energyWh int64) error {
	if err := checkKind(energyType, month); err != nil {
		return err
	}
	if energyWh <= 0 {
		return ErrInvalidField.With("energy_wh: expected more than 0 kWh, got %s", units.FormatKWh(energyWh))
	}
	return nil
}

func checkKind(energyType registryv1.EnergyType, month int64) error {
	if !Certified(energyType) {
		return ErrInvalidField.With("energy_type: expected wind, hydro, solar or biomass, got %d", int32(energyType))
	}
	if month != units.MonthOf(month) {
		return ErrInvalidField.With("month: expected the start of a UTC month, got %s", units.FormatTime(month))
	}
	return nil
}

// transferCertificate passes certificates on.
func transferCertificate(ctx *module.Ctx, m *originv1.MsgTransferCertificate) error {
	from, to, k := ctx.Signer.Address(), protocol.Address(m.To), kind{m.EnergyType, m.Month}
	if from == to {
		return ErrInvalidField.With("to: expected another account than the sender")
	}
	receiver, ok := registry.AccountOf(ctx.Store, to)
	if !ok {
		return ErrUnknownAccount.With("to: expected a registered account, got %v", to)
	}
	if receiver.Status != registryv1.Status_STATUS_ACTIVE {
		return ErrNotActive.With("to: expected an active account, %v is pending, frozen or revoked", to)
	}
	if !registry.HasRole(receiver, traders[0]) && !registry.HasRole(receiver, traders[1]) {
		return ErrNotTrader.With("to: expected a prosumer or aggregator, %v is neither", to)
	}
	given, err := take(ctx, from, k, m.EnergyWh)
	if err != nil {
		return err
	}
	saveHolding(ctx.Store, given)
	received := holdingOf(ctx.Store, m.To, k)
	if received.HeldWh, err = units.Add(received.HeldWh, m.EnergyWh); err != nil {
		return err
	}
	saveHolding(ctx.Store, received)
	ctx.Emit(&originv1.CertificateTransferred{From: from.Bytes(), To: m.To, EnergyType: m.EnergyType, Month: m.Month, EnergyWh: m.EnergyWh})
	return nil
}

// take returns an account's row with less held, which the caller saves.
func take(ctx *module.Ctx, account protocol.Address, k kind, energyWh int64) (*originv1.Holding, error) {
	holding := holdingOf(ctx.Store, account[:], k)
	if holding.HeldWh < energyWh {
		return nil, ErrNotHeld.With("energy_wh: expected at most the %s of %v that %v holds, got %s",
			units.FormatKWh(holding.HeldWh), k, account, units.FormatKWh(energyWh))
	}
	holding.HeldWh -= energyWh
	return holding, nil
}
