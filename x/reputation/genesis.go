package reputation

import (
	"encoding/json"

	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
)

// InitGenesis implements module.Module.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(reputationv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return ErrBadGenesis.With("%v", err)
	}
	for i, credit := range genesis.Credits {
		account, err := protocol.AddressFrom(credit.Account)
		if err != nil {
			return ErrBadGenesis.With("credits[%d].account: %v", i, err)
		}
		if _, ok := registry.AccountOf(ctx.Store, account); !ok {
			return ErrBadGenesis.With("credits[%d].account: expected a registered account, got %v", i, account)
		}
		if credits.Has(ctx.Store, creditKey(credit.Account)) {
			return ErrBadGenesis.With("credits[%d].account: expected each account once, got %v again", i, account)
		}
		if err := checkCredit(credit); err != nil {
			return ErrBadGenesis.With("credits[%d]: %v", i, err)
		}
		credits.Set(ctx.Store, creditKey(credit.Account), credit)
	}
	for i, known := range genesis.Reliabilities {
		account, err := protocol.AddressFrom(known.Account)
		if err != nil {
			return ErrBadGenesis.With("reliabilities[%d].account: %v", i, err)
		}
		if _, ok := registry.AccountOf(ctx.Store, account); !ok || reliabilities.Has(ctx.Store, reliabilityKey(known.Account)) {
			return ErrBadGenesis.With("reliabilities[%d].account: expected a registered account, each once, got %v", i, account)
		}
		if err := checkReliability(known); err != nil {
			return ErrBadGenesis.With("reliabilities[%d]: %v", i, err)
		}
		saveReliability(ctx.Store, known)
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	genesis := new(reputationv1.GenesisState)
	for _, credit := range credits.All(ctx.Store, credits.Key()) {
		genesis.Credits = append(genesis.Credits, credit)
	}
	for _, known := range reliabilities.All(ctx.Store, reliabilities.Key()) {
		genesis.Reliabilities = append(genesis.Reliabilities, known)
	}
	return module.MarshalGenesis(genesis)
}
