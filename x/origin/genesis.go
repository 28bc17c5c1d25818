package origin

import (
	"encoding/json"
	"fmt"

	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// InitGenesis implements module.Module.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(originv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return ErrBadGenesis.With("%v", err)
	}
	for _, part := range []func(state.Store, *originv1.GenesisState) error{initHoldings, initTotals, initExcesses, initStocks} {
		if err := part(ctx.Store, genesis); err != nil {
			return ErrBadGenesis.With("%v", err)
		}
	}
	if err := checkTotals(ctx.Store); err != nil {
		return ErrBadGenesis.With("%v", err)
	}
	return nil
}

func initHoldings(s state.Store, genesis *originv1.GenesisState) error {
	for i, h := range genesis.Holdings {
		field := fmt.Sprintf("holdings[%d]", i)
		if err := checkAccount(s, field+".account", h.Account); err != nil {
			return err
		}
		if err := checkHolding(h); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if holdings.Has(s, holdingKey(h.Account, kindOfHolding(h))) {
			return fmt.Errorf("%s: expected each account, month and energy type once", field)
		}
		saveHolding(s, h)
	}
	return nil
}

func initTotals(s state.Store, genesis *originv1.GenesisState) error {
	for i, t := range genesis.Totals {
		field, k := fmt.Sprintf("totals[%d]", i), kind{t.EnergyType, t.Month}
		if err := checkKind(t.EnergyType, t.Month); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if totals.Has(s, totalKey(k)) {
			return fmt.Errorf("%s: expected each month and energy type once", field)
		}
		totals.Set(s, totalKey(k), t)
	}
	return nil
}

func initExcesses(s state.Store, genesis *originv1.GenesisState) error {
	for i, e := range genesis.Excesses {
		field := fmt.Sprintf("excesses[%d]", i)
		if err := checkAccount(s, field+".seller", e.Seller); err != nil {
			return err
		}
		if !Certified(e.EnergyType) {
			return fmt.Errorf("%s.energy_type: expected one that is certified, got %d", field, int32(e.EnergyType))
		}
		key := excessKey(e.Seller, e.EnergyType)
		if excesses.Has(s, key) {
			return fmt.Errorf("%s: expected each seller and energy type once", field)
		}
		excesses.Set(s, key, e)
	}
	return nil
}

func checkAccount(r state.Reader, field string, account []byte) error {
	address, err := protocol.AddressFrom(account)
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	if _, ok := registry.AccountOf(r, address); !ok {
		return fmt.Errorf("%s: expected a registered account, got %v", field, address)
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	genesis := new(originv1.GenesisState)
	for _, h := range holdings.All(ctx.Store, holdings.Key()) {
		genesis.Holdings = append(genesis.Holdings, h)
	}
	for _, t := range totals.All(ctx.Store, totals.Key()) {
		genesis.Totals = append(genesis.Totals, t)
	}
	for _, e := range excesses.All(ctx.Store, excesses.Key()) {
		genesis.Excesses = append(genesis.Excesses, e)
	}
	for _, stock := range stocks.All(ctx.Store, stocks.Key()) {
		genesis.Stocks = append(genesis.Stocks, stock)
	}
	return module.MarshalGenesis(genesis)
}
