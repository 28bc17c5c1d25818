package grid

import (
	"encoding/json"
	"fmt"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/module"
)

// InitGenesis implements module.Module.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(gridv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return err
	}
	if err := checkNodes(genesis.Nodes, nil); err != nil {
		return err
	}
	if err := checkLines(genesis.Lines, nil); err != nil {
		return err
	}
	if err := writeTopology(ctx.Store, genesis.Nodes, genesis.Lines); err != nil {
		return err
	}
	for i, tariff := range genesis.Tariffs {
		if err := checkTariff(tariff); err != nil {
			return ErrField.With("tariffs[%d].%v", i, err)
		}
		if tariff.FromPeriod < 0 {
			return ErrField.With("tariffs[%d].from_period: expected 0 or more, got %d", i, tariff.FromPeriod)
		}
		key := tariffKey(tariff.TariffClass, tariff.FromPeriod)
		if tariffs.Has(ctx.Store, key) {
			return ErrDuplicate.With("tariffs[%d]: class %q has two tariffs from period %d", i, tariff.TariffClass, tariff.FromPeriod)
		}
		tariffs.Set(ctx.Store, key, tariff)
	}
	return initZoneFees(ctx, genesis.ZoneFees)
}

func initZoneFees(ctx *module.Ctx, fees []*gridv1.ZoneFee) error {
	for i, fee := range fees {
		if err := checkZoneFee(fee); err != nil {
			return ErrField.With("zone_fees[%d].%v", i, err)
		}
		if fee.FromPeriod < 0 {
			return ErrField.With("zone_fees[%d].from_period: expected 0 or more, got %d", i, fee.FromPeriod)
		}
		if zoneFees.Has(ctx.Store, zoneFeeKey(fee.FromZone, fee.ToZone, fee.FromPeriod)) {
			return ErrDuplicate.With("zone_fees[%d]: %q to %q has two fees from period %d", i, fee.FromZone, fee.ToZone, fee.FromPeriod)
		}
		if err := writeZoneFee(ctx.Store, fee); err != nil {
			return fmt.Errorf("zone_fees[%d].%w", i, err)
		}
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	genesis := new(gridv1.GenesisState)
	for _, node := range nodes.All(ctx.Store, nodes.Key()) {
		genesis.Nodes = append(genesis.Nodes, node)
	}
	for _, line := range lines.All(ctx.Store, lines.Key()) {
		genesis.Lines = append(genesis.Lines, line)
	}
	for _, tariff := range tariffs.All(ctx.Store, tariffs.Key()) {
		genesis.Tariffs = append(genesis.Tariffs, tariff)
	}
	for _, fee := range zoneFees.All(ctx.Store, zoneFees.Key()) {
		genesis.ZoneFees = append(genesis.ZoneFees, fee)
	}
	return module.MarshalGenesis(genesis)
}
