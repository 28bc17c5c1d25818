package market

import (
	"encoding/json"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// Tariff of every member, in ucoin per kWh.
const (
	Retail = 500_000
	FeedIn = 100_000
)

// Coins that a member starts with, in ucoin.
const Coins = 100_000_000

const (
	gateway    = "gateway"
	aggregator = "aggregator"
	class      = "home"
)

// Genesis is what a market starts from.
type Genesis struct {
	Registry *registryv1.GenesisState
	Bank     *bankv1.GenesisState
	Grid     *gridv1.GenesisState
	Matching *matchingv1.GenesisState
}

// Params are those of every period.
func (g *Genesis) Params() *registryv1.Params { return g.Registry.Params[0].Params }

// Account returns a member's account.
func (g *Genesis) Account(name string) *registryv1.Account {
	for _, account := range g.Registry.Accounts {
		if string(account.Keys[0]) == string(key(name)) {
			return account
		}
	}
	return nil
}

// AddGateway registers one more gateway for members to name.
func (g *Genesis) AddGateway(name string) {
	g.Registry.Accounts = append(g.Registry.Accounts, newAccount(name, registryv1.Role_ROLE_GATEWAY))
}

// AddAggregator registers one more aggregator for members to name.
func (g *Genesis) AddAggregator(name string) {
	added := newAccount(name, registryv1.Role_ROLE_AGGREGATOR)
	added.HomeAggregator = added.Account
	added.ValidatorKey, added.ValidatorPower = key("consensus of "+name), 10
	g.Registry.Accounts = append(g.Registry.Accounts, added)
}

// MeterOf returns a member's meter.
func (g *Genesis) MeterOf(name string) *registryv1.Meter {
	for _, meter := range g.Registry.Meters {
		if meter.Meter == Meter(name) {
			return meter
		}
	}
	return nil
}

// NodeOf returns a member's connection point.
func (g *Genesis) NodeOf(name string) *gridv1.Node {
	for _, node := range g.Grid.Nodes {
		if node.Node == Node(name) {
			return node
		}
	}
	return nil
}

// Balance returns what a member starts with.
func (g *Genesis) Balance(name string) *bankv1.Balance {
	address := Address(name)
	for _, balance := range g.Bank.Balances {
		if string(balance.Account) == string(address[:]) {
			return balance
		}
	}
	return nil
}

// Meter names a member's meter, Node its connection point.
func Meter(name string) string { return "meter-" + name }

// Node names a member's connection point.
func Node(name string) string { return "node-" + name }

// newGenesis has members with one solar net meter each, 50 m of line to the
// transformer, so that a pair loses 1000 ppm.
func newGenesis(names []string) *Genesis {
	params := registry.DefaultParams()
	params.GateLeadMs, params.RoundLengthMs, params.OrderHorizonMs = 4_000, 2_000, 60_000
	params.DeadlinePeriods, params.StatementRetentionPeriods = 2, 6
	g := &Genesis{
		Registry: &registryv1.GenesisState{
			Chain:     &registryv1.Chain{ChainId: ChainID, PeriodLengthMs: Period},
			Authority: &registryv1.Authority{Threshold: 1, Keys: [][]byte{key("authority")}},
			Params:    []*registryv1.ParamsEntry{{Params: params}},
		},
		Bank:     &bankv1.GenesisState{Supply: &bankv1.Supply{}},
		Matching: &matchingv1.GenesisState{},
		Grid: &gridv1.GenesisState{Tariffs: []*gridv1.Tariff{
			{TariffClass: class, RetailUcoinPerKwh: Retail, FeedInUcoinPerKwh: FeedIn},
		}},
	}
	agg := newAccount(aggregator, registryv1.Role_ROLE_AGGREGATOR)
	agg.ValidatorKey, agg.ValidatorPower = key("consensus"), 10
	g.Registry.Accounts = append(g.Registry.Accounts, agg, newAccount(gateway, registryv1.Role_ROLE_GATEWAY))
	for _, name := range names {
		g.addMember(name)
	}
	return g
}

func newAccount(name string, role registryv1.Role) *registryv1.Account {
	address, home := Address(name), Address(aggregator)
	return &registryv1.Account{
		Account: address[:], Identity: key("identity of " + name), Roles: []registryv1.Role{role},
		Status: registryv1.Status_STATUS_ACTIVE, Keys: [][]byte{key(name)}, HomeAggregator: home[:], InitialReputation: 60,
	}
}

func (g *Genesis) addMember(name string) {
	address, readBy := Address(name), Address(gateway)
	account := newAccount(name, registryv1.Role_ROLE_PROSUMER)
	// 36 MW let 100 kWh through in a period of ten seconds.
	account.GridNode, account.TariffClass, account.ConnectionRatingW = Node(name), class, 36_000_000
	g.Registry.Accounts = append(g.Registry.Accounts, account)
	g.Registry.Meters = append(g.Registry.Meters, &registryv1.Meter{
		Meter: Meter(name), Account: address[:], Gateway: readBy[:], EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR,
		Environment: 1, StepWh: 1, Billing: true, BoundAtMs: 1,
	})
	g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: Node(name), PathMm: proto.Int64(50_000)})
	g.Bank.Balances = append(g.Bank.Balances, &bankv1.Balance{Account: address[:], FreeUcoin: Coins})
}

func (g *Genesis) encode(t TB) map[string]json.RawMessage {
	t.Helper()
	for _, balance := range g.Bank.Balances {
		g.Bank.Supply.MintedUcoin += balance.FreeUcoin + balance.EscrowUcoin
	}
	parts := map[string]json.RawMessage{}
	for name, part := range map[string]proto.Message{"registry": g.Registry, "bank": g.Bank, "grid": g.Grid, "matching": g.Matching} {
		data, err := module.MarshalGenesis(part)
		if err != nil {
			t.Fatal(err)
		}
		parts[name] = data
	}
	return parts
}

func (m *Market) init(parts map[string]json.RawMessage) {
	m.T.Helper()
	for _, mod := range m.modules {
		if err := mod.InitGenesis(m.hookCtx(), parts[mod.Name()]); err != nil {
			m.T.Fatalf("genesis of %s: %v", mod.Name(), err)
		}
	}
}

// Export returns the genesis parts of all modules.
func (m *Market) Export() map[string]json.RawMessage {
	m.T.Helper()
	parts := map[string]json.RawMessage{}
	for _, mod := range m.modules {
		data, err := mod.ExportGenesis(m.hookCtx())
		if err != nil {
			m.T.Fatalf("export of %s: %v", mod.Name(), err)
		}
		parts[mod.Name()] = data
	}
	return parts
}

// Reborn returns a market that starts from this one's export.
func (m *Market) Reborn() *Market {
	m.T.Helper()
	next := *m
	next.Store = state.OpenMemory().Branch()
	next.init(m.Export())
	return &next
}
