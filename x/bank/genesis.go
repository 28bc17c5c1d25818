package bank

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

// InitGenesis implements module.Module.
func (Module) InitGenesis(ctx *module.Ctx, data json.RawMessage) error {
	genesis := new(bankv1.GenesisState)
	if err := module.UnmarshalGenesis(data, genesis); err != nil {
		return ErrBadGenesis.With("%v", err)
	}
	for _, part := range []func(*module.Ctx, *bankv1.GenesisState) error{
		initSupply, initBalances, initDebts, initReferences,
	} {
		if err := part(ctx, genesis); err != nil {
			return ErrBadGenesis.With("%v", err)
		}
	}
	for _, law := range (Module{}).Invariants() {
		if err := law.Check(ctx.Store); err != nil {
			return ErrBadGenesis.With("%s: %v", law.Name, err)
		}
	}
	return nil
}

func initSupply(ctx *module.Ctx, genesis *bankv1.GenesisState) error {
	total := genesis.Supply
	if total == nil {
		return nil
	}
	if total.BurnedUcoin < 0 || total.MintedUcoin < total.BurnedUcoin {
		return fmt.Errorf("supply: expected 0 <= burned <= minted, got %d and %d", total.BurnedUcoin, total.MintedUcoin)
	}
	supply.Set(ctx.Store, total)
	return nil
}

func initBalances(ctx *module.Ctx, genesis *bankv1.GenesisState) error {
	for i, balance := range genesis.Balances {
		field := fmt.Sprintf("balances[%d]", i)
		if err := checkAddress(field+".account", balance.Account); err != nil {
			return err
		}
		address := protocol.Address(balance.Account)
		if err := checkHolder(ctx.Store, address); err != nil {
			return fmt.Errorf("%s: %w", field, err)
		}
		if balances.Has(ctx.Store, balanceKey(balance.Account)) {
			return fmt.Errorf("%s.account: expected each account once, got %v again", field, address)
		}
		if isNothing(balance) {
			return fmt.Errorf("%s: expected a balance that is not zero", field)
		}
		saveBalance(ctx.Store, balance)
	}
	return nil
}

func initDebts(ctx *module.Ctx, genesis *bankv1.GenesisState) error {
	for i, debt := range genesis.Debts {
		field := fmt.Sprintf("debts[%d]", i)
		for _, party := range [][]byte{debt.Debtor, debt.Creditor} {
			if err := checkAddress(field, party); err != nil {
				return err
			}
			if err := checkHolder(ctx.Store, protocol.Address(party)); err != nil {
				return fmt.Errorf("%s: %w", field, err)
			}
		}
		debts.Set(ctx.Store, debtsOf(protocol.Address(debt.Debtor)).Uint64(debt.Number), debt)
	}
	return nil
}

func initReferences(ctx *module.Ctx, genesis *bankv1.GenesisState) error {
	for i, reference := range genesis.References {
		if len(reference.Hash) != sha256.Size {
			return fmt.Errorf("references[%d].hash: expected %d bytes, got %d", i, sha256.Size, len(reference.Hash))
		}
		references.Set(ctx.Store, references.Key().Bytes(reference.Hash), reference)
	}
	return nil
}

// ExportGenesis implements module.Module.
func (Module) ExportGenesis(ctx *module.Ctx) (json.RawMessage, error) {
	genesis := new(bankv1.GenesisState)
	genesis.Supply, _ = supply.Get(ctx.Store)
	for _, balance := range balances.All(ctx.Store, balances.Key()) {
		genesis.Balances = append(genesis.Balances, balance)
	}
	for _, debt := range debts.All(ctx.Store, debts.Key()) {
		genesis.Debts = append(genesis.Debts, debt)
	}
	for _, reference := range references.All(ctx.Store, references.Key()) {
		genesis.References = append(genesis.References, reference)
	}
	return module.MarshalGenesis(genesis)
}
