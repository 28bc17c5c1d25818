package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	abci "github.com/cometbft/cometbft/abci/types"
	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

// Genesis is the app_state of a genesis file: each module's part under its
// name.
type Genesis struct {
	App        *txv1.GenesisState
	Registry   *registryv1.GenesisState
	Bank       *bankv1.GenesisState
	Grid       *gridv1.GenesisState
	Reputation *reputationv1.GenesisState
	Origin     *originv1.GenesisState
	Metering   *meteringv1.GenesisState
	Credit     *creditv1.GenesisState
	Matching   *matchingv1.GenesisState
	Settlement *settlementv1.GenesisState
	Dispatch   *dispatchv1.GenesisState
}

// part is one module's place in a Genesis.
type part struct {
	name  string
	state proto.Message
}

// parts lists the modules' parts in the order in which they are initialised.
func (g *Genesis) parts() []part {
	return []part{
		{"app", g.App},
		{"registry", g.Registry},
		{"bank", g.Bank},
		{"grid", g.Grid},
		{"reputation", g.Reputation},
		{"origin", g.Origin},
		{"metering", g.Metering},
		{"credit", g.Credit},
		{"matching", g.Matching},
		{"settlement", g.Settlement},
		{"dispatch", g.Dispatch},
	}
}

func emptyGenesis() *Genesis {
	return &Genesis{
		App:        &txv1.GenesisState{},
		Registry:   &registryv1.GenesisState{},
		Bank:       &bankv1.GenesisState{},
		Grid:       &gridv1.GenesisState{},
		Reputation: &reputationv1.GenesisState{},
		Origin:     &originv1.GenesisState{},
		Metering:   &meteringv1.GenesisState{},
		Credit:     &creditv1.GenesisState{},
		Matching:   &matchingv1.GenesisState{},
		Settlement: &settlementv1.GenesisState{},
		Dispatch:   &dispatchv1.GenesisState{},
	}
}

// DefaultTariffClass is the class that a new chain knows.
const DefaultTariffClass = "household"

// DefaultGenesis returns a chain with the default parameters and one tariff
// class, and nobody in it.
func DefaultGenesis(chainID string, periodLengthMs int64) *Genesis {
	g := emptyGenesis()
	g.Registry.Chain = &registryv1.Chain{ChainId: chainID, PeriodLengthMs: periodLengthMs}
	g.Registry.Authority = &registryv1.Authority{Threshold: 1}
	g.Registry.Params = []*registryv1.ParamsEntry{{Params: scaledParams(periodLengthMs)}}
	g.Grid.Tariffs = []*gridv1.Tariff{{TariffClass: DefaultTariffClass, RetailUcoinPerKwh: defaultRetail, FeedInUcoinPerKwh: defaultFeedIn}}
	return g
}

// Prices of the default tariff class, in ucoin per kWh.
const defaultRetail, defaultFeedIn = 600_000, 250_000

// DefaultMarket returns a market with settings that suit the default tariff.
func DefaultMarket(mechanism matchingv1.Mechanism) *matchingv1.Market {
	return clearing.MarketFor(mechanism, defaultRetail, defaultFeedIn)
}

// scaledParams are the default parameters, which are for periods of 900 s. A
// chain of shorter ones has the gate halfway through the period before, time to
// sign until the start, and orders a day of 96 periods ahead; one whose periods
// last seconds keeps statements for longer than it takes to look at them.
func scaledParams(periodLengthMs int64) *registryv1.Params {
	p := registry.DefaultParams()
	p.GateLeadMs = min(p.GateLeadMs, periodLengthMs/2)
	p.RoundLengthMs = min(p.RoundLengthMs, p.GateLeadMs)
	p.OrderHorizonMs = min(p.OrderHorizonMs, 96*periodLengthMs)
	if periodLengthMs < 60_000 {
		p.StatementRetentionPeriods = 1000
	}
	return p
}

// MarshalJSON writes the parts under their modules' names, always in the same
// order.
func (g *Genesis) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, p := range g.parts() {
		data, err := module.MarshalGenesis(p.state)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:%s", p.name, data)
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// UnmarshalJSON reads the parts; one that is absent is empty, an unknown one
// an error.
func (g *Genesis) UnmarshalJSON(data []byte) error {
	raw := make(map[string]json.RawMessage)
	if err := json.Unmarshal(data, &raw); err != nil {
		return fmt.Errorf("app_state: %w", err)
	}
	*g = *emptyGenesis()
	for _, p := range g.parts() {
		if err := module.UnmarshalGenesis(raw[p.name], p.state); err != nil {
			return fmt.Errorf("app_state.%s: %w", p.name, err)
		}
		delete(raw, p.name)
	}
	if len(raw) > 0 {
		return fmt.Errorf("app_state: %d unknown modules, expected registry, bank, grid, reputation, metering, credit, matching, settlement", len(raw))
	}
	return nil
}

// Validate builds the state of the genesis in memory, as InitChain would, and
// checks its invariants.
func (g *Genesis) Validate() error {
	a, err := Open(Options{})
	if err != nil {
		return err
	}
	defer func() { _ = a.Close() }()
	branch, err := a.initGenesis(g, 0)
	if err != nil {
		return err
	}
	for _, law := range a.CheckInvariants(branch) {
		if law.Broken != "" {
			return fmt.Errorf("app_state: invariant %s: %s", law.Name, law.Broken)
		}
	}
	return nil
}

// initGenesis builds the state of a genesis on a fresh branch.
func (a *App) initGenesis(g *Genesis, timeMs int64) (*state.Branch, error) {
	branch := a.db.Branch()
	var events []proto.Message
	ctx := module.NewCtx(branch, &events)
	ctx.TimeMs = timeMs
	if g.Registry.Chain == nil {
		return nil, errors.New("app_state.registry.chain: expected chain_id and period_length_ms")
	}
	ctx.ChainID = g.Registry.Chain.ChainId
	if err := initWindows(branch, g.App); err != nil {
		return nil, fmt.Errorf("app_state.app: %w", err)
	}
	parts := g.parts()[1:]
	for i, m := range a.modules {
		data, err := module.MarshalGenesis(parts[i].state)
		if err != nil {
			return nil, err
		}
		if err := m.InitGenesis(ctx, data); err != nil {
			return nil, fmt.Errorf("app_state.%s: %w", m.Name(), err)
		}
	}
	return branch, nil
}

// initWindows restores the replay windows of an exported chain.
func initWindows(s state.Store, g *txv1.GenesisState) error {
	for i, w := range g.Windows {
		if len(w.KeyAddress) != 20 || len(w.GetWindow().GetBitmap()) != windowBits/8 {
			return fmt.Errorf("windows[%d]: expected key_address of 20 bytes and a bitmap of %d", i, windowBits/8)
		}
		windows.Set(s, windows.Key().Bytes(w.KeyAddress), w.Window)
	}
	return nil
}

// InitChain builds the state of the genesis file; the first block's Commit
// stores it.
func (a *App) InitChain(_ context.Context, req *abci.RequestInitChain) (*abci.ResponseInitChain, error) {
	g := new(Genesis)
	if err := json.Unmarshal(req.AppStateBytes, g); err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	if chain := g.Registry.GetChain(); chain.GetChainId() != req.ChainId {
		return nil, fmt.Errorf("genesis: app_state.registry.chain.chain_id: expected %q, got %q", req.ChainId, chain.GetChainId())
	}
	branch, err := a.initGenesis(g, req.Time.UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	a.genesis = branch
	validators := registry.Validators(branch)
	if len(validators) == 0 {
		return nil, errors.New("genesis: app_state.registry.accounts: expected at least one active aggregator with voting power")
	}
	return &abci.ResponseInitChain{Validators: validatorUpdates(validators), AppHash: a.db.Stage(branch)}, nil
}

// Export returns the latest committed state as a genesis, and its height.
func (a *App) Export() (*Genesis, int64, error) {
	height, _ := a.db.Version()
	g, err := a.export(a.db.Branch())
	return g, height, err
}

// ExportPending returns the state of InitChain, which no block has stored yet.
func (a *App) ExportPending() (*Genesis, error) { return a.export(a.genesis) }

func (a *App) export(s *state.Branch) (*Genesis, error) {
	g := emptyGenesis()
	for key, window := range windows.All(s, windows.Key()) {
		g.App.Windows = append(g.App.Windows, &txv1.KeyWindow{KeyAddress: key[len(windows.Key()):], Window: window})
	}
	ctx := module.NewCtx(s, new([]proto.Message))
	parts := g.parts()[1:]
	for i, m := range a.modules {
		data, err := m.ExportGenesis(ctx)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name(), err)
		}
		if err := module.UnmarshalGenesis(data, parts[i].state); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Rollback takes back the latest block and returns where the state now is.
func (a *App) Rollback() (height int64, root []byte, err error) {
	if err := a.db.Rollback(); err != nil {
		return 0, nil, err
	}
	height, root = a.db.Version()
	return height, root, nil
}
