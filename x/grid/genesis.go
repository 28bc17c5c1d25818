package grid

import (
	"encoding/json"

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
	return module.MarshalGenesis(genesis)
}
