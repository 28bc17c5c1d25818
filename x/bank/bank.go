package bank

import (
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

var (
	balances   = state.NewMap[bankv1.Balance](protocol.ModuleBank, 1)
	debts      = state.NewMap[bankv1.Debt](protocol.ModuleBank, 2)
	supply     = state.NewItem[bankv1.Supply](protocol.ModuleBank, 3)
	references = state.NewMap[bankv1.Reference](protocol.ModuleBank, 4)
)

// Module is the bank as the application wires it.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "bank" }

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	byAuthority := []registryv1.Role{registryv1.Role_ROLE_AUTHORITY}
	// Gateways hold no coins, regulators and auditors only read.
	members := []registryv1.Role{registryv1.Role_ROLE_PROSUMER, registryv1.Role_ROLE_AGGREGATOR}
	return []module.Route{
		module.Handle(module.LaneRest, byAuthority, checkRecharge, recharge),
		module.Handle(module.LaneRest, byAuthority, checkWithdraw, withdraw),
		module.Handle(module.LaneRest, members, checkTransfer, transfer),
	}
}
