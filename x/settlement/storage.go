package settlement

import (
	"bytes"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/origin"
	"github.com/energyd/energyd/x/registry"
)

const ofStorage = registryv1.EnergyType_ENERGY_TYPE_STORAGE

// hasStock says whether a stock is kept of what an account imports and exports:
// all of its billing meters are of storage. Beside one that only consumes nobody
// knows what of its import was charged.
func hasStock(r state.Reader, params *registryv1.Params, account []byte, period int64) bool {
	if params.StorageEfficiencyPpm == 0 {
		return false
	}
	meters := metering.BillingMeters(r, protocol.Address(account), period)
	for _, meter := range meters {
		if meter.EnergyType != ofStorage {
			return false
		}
	}
	return len(meters) > 0
}

// dischargeTrade takes what storage sold, as far as it was measured, out of its
// stock, and takes down what that was.
func dischargeTrade(ctx *module.Ctx, trade *settlementv1.Trade, energyWh int64) error {
	var err error
	if trade.Origins, err = origin.Discharge(ctx, protocol.Address(trade.Seller), energyWh); err != nil {
		return err
	}
	for _, batch := range trade.Origins { // no more than energyWh
		trade.EnergyType = ofStorage
		if origin.Certified(batch.EnergyType) {
			trade.CertifiedWh += batch.EnergyWh
		}
	}
	return nil
}

// deliveriesOfStock are what a buyer is issued certificates for of a trade with
// storage.
func deliveriesOfStock(trade *settlementv1.Trade) []origin.Delivery {
	var deliveries []origin.Delivery
	for _, batch := range trade.Origins {
		if origin.Certified(batch.EnergyType) {
			deliveries = append(deliveries, origin.Delivery{
				Seller: protocol.Address(trade.Seller), EnergyType: batch.EnergyType, Month: batch.Month, Stored: true,
				EnergyWh: batch.EnergyWh, LossPPM: trade.LossPpm,
			})
		}
	}
	return deliveries
}

// keepStock puts what an account's storage charged in a period into its stock, and
// takes out of it what it discharged beyond what trades took. If it is certified,
// certificates are cancelled that the account holds by now, those of its purchases
// in the period included.
func keepStock(ctx *module.Ctx, params *registryv1.Params, statement *settlementv1.Statement, certified bool) error {
	if !hasStock(ctx.Store, params, statement.Account, statement.Period) {
		return nil
	}
	account := protocol.Address(statement.Account)
	var err error
	if statement.CertificatesStoredWh, err = origin.Charge(ctx, account, statement.ImportWh, params.StorageEfficiencyPpm, certified); err != nil {
		return err
	}
	var sums adder
	rest := statement.ExportWh
	for _, trade := range statement.Trades {
		if !bytes.Equal(trade.Seller, statement.Account) {
			continue
		}
		for _, batch := range trade.Origins {
			sums.add(&rest, -batch.EnergyWh)
		}
	}
	if sums.err != nil {
		return sums.err
	}
	return origin.Spend(ctx, account, rest)
}

// correctStock changes an account's stock by what corrected registers say. What
// trades took of it stays as it is, and so do the certificates of that.
func correctStock(ctx *module.Ctx, statement *settlementv1.Statement, correction *meteringv1.Correction) error {
	params := registry.ParamsAt(ctx.Store, statement.Period)
	if !hasStock(ctx.Store, params, statement.Account, statement.Period) {
		return nil
	}
	account, efficiency := protocol.Address(statement.Account), params.StorageEfficiencyPpm
	var sums adder
	if correction.ImportWh > 0 {
		cancelled, err := origin.Charge(ctx, account, correction.ImportWh, efficiency, !statement.Estimated)
		if err != nil {
			return err
		}
		sums.add(&statement.CertificatesStoredWh, cancelled)
	} else {
		returned, err := origin.Uncharge(ctx, account, -correction.ImportWh, efficiency)
		if err != nil {
			return err
		}
		sums.add(&statement.CertificatesStoredWh, -returned)
	}
	if sums.err != nil {
		return sums.err
	}
	if correction.ExportWh > 0 {
		return origin.Spend(ctx, account, correction.ExportWh)
	}
	return origin.Unspend(ctx, account, -correction.ExportWh)
}
