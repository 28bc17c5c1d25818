package registry

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

func importInto(t *testing.T, data []byte) (*module.Ctx, error) {
	t.Helper()
	db := state.OpenMemory()
	t.Cleanup(func() { _ = db.Close() })
	var events []proto.Message
	ctx := module.NewCtx(db.Branch(), &events)
	return ctx, New().InitGenesis(ctx, data)
}

// A chain with everything on it survives export and import to the byte, and
// behaves as before.
func TestExportImportExport(t *testing.T) {
	w := newWorld(t)
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob"), Meters: []*registryv1.Meter{solarMeter("m1")}}))
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("carol")}))
	w.must(w.authority(&registryv1.MsgApprove{Account: address("carol")}))
	w.must(w.authority(&registryv1.MsgFreeze{Account: address("carol")}))
	w.must(w.by("agg0", &registryv1.MsgSetEndpoints{Urls: []string{"http://10.0.0.1:26657"}}))
	w.must(w.by("agg1", &registryv1.MsgSetEndpoints{Urls: []string{"http://10.0.0.2:26657"}}))
	w.must(w.by("gw0", &registryv1.MsgSetGateway{Gateway: address("gw0"), UploadIntervalMs: 5000, ReadingIntervalMs: 60_000}))
	w.must(w.authority(&registryv1.MsgRevoke{Account: address("alice")}))
	w.must(w.authority(&registryv1.MsgRevoke{Account: address("agg1")}))
	w.must(w.authority(&registryv1.MsgSetParams{Params: hasty(0, 5)}))
	w.must(w.authority(&registryv1.MsgSetAuthority{Authority: &registryv1.Authority{
		Threshold: 2, Keys: [][]byte{key("a0"), key("b0")},
	}}))
	w.must(w.proposeBy("b0", &registryv1.MsgThaw{Account: address("carol")}))
	w.endBlock()
	first := w.export()

	ctx, err := importInto(t, []byte(first))
	w.must(err)
	second, err := New().ExportGenesis(ctx)
	w.must(err)
	if string(second) != first {
		t.Fatalf("got  %s\nwant %s", second, first)
	}
	validators := Validators(ctx.Store)
	if len(validators) != 1 || string(validators[0].Account) != string(address("agg0")) {
		t.Errorf("first validators: got %v", validators)
	}
	if changed := New().ValidatorUpdates(ctx); len(changed) != 0 {
		t.Errorf("changes at genesis: got %v", changed)
	}
	// The derived tables are there as well.
	w.ctx.Store = ctx.Store
	if owner, ok := OwnerOf(ctx.Store, key("a1")); !ok || !owner.Removed {
		t.Errorf("tombstone of a1: got %v", owner)
	}
	if got := MetersOf(ctx.Store, protocol.Address(address("alice"))); len(got) != 1 {
		t.Errorf("meters of alice: got %v", got)
	}
	if got := w.endpoints(); len(got) != 1 || got[0] != "agg0 http://10.0.0.1:26657" {
		t.Errorf("endpoints: got %v", got)
	}
	if got := w.settings(); got != "5000 60000" {
		t.Errorf("settings: got %v", got)
	}
	w.must(w.approveBy("a0", w.proposed()))
	if got := w.account("carol").Status; got != registryv1.Status_STATUS_ACTIVE {
		t.Errorf("carol: got %v", got)
	}
}

func TestBadGenesis(t *testing.T) {
	tests := []struct {
		name string
		edit func(*registryv1.GenesisState)
		text string
	}{
		{"no chain", func(g *registryv1.GenesisState) { g.Chain = nil }, "chain.chain_id"},
		{"no period", func(g *registryv1.GenesisState) { g.Chain.PeriodLengthMs = 0 }, "chain.period_length_ms"},
		{"no authority", func(g *registryv1.GenesisState) { g.Authority = nil }, "authority.keys"},
		{"threshold", func(g *registryv1.GenesisState) { g.Authority.Threshold = 4 }, "authority.threshold"},
		{"no params", func(g *registryv1.GenesisState) { g.Params = nil }, "params[0]"},
		{"params later", func(g *registryv1.GenesisState) { g.Params[0].FromPeriod = testPeriod }, "params[0].from_period"},
		{"params bad", func(g *registryv1.GenesisState) { g.Params[0].Params.MaxOrders = 0 }, "params.max_orders"},
		{"params missing", func(g *registryv1.GenesisState) { g.Params[0].Params = nil }, "params[0]"},
		{"params unordered", func(g *registryv1.GenesisState) { g.Params = append(g.Params, g.Params[0]) }, "params[1].from_period"},
		{"params between", func(g *registryv1.GenesisState) {
			g.Params = append(g.Params, &registryv1.ParamsEntry{FromPeriod: 5, Params: DefaultParams()})
		}, "params[1].from_period"},
		{"wrong id", func(g *registryv1.GenesisState) { g.Accounts[3].Account = address("bob") }, "accounts[3].account"},
		{"no status", func(g *registryv1.GenesisState) { g.Accounts[3].Status = 0 }, "accounts[3].status"},
		{"twice", func(g *registryv1.GenesisState) { g.Accounts = append(g.Accounts, g.Accounts[3]) }, "accounts[4].account"},
		{"key twice", func(g *registryv1.GenesisState) { g.Accounts[3].Keys = append(g.Accounts[3].Keys, key("agg0")) }, "accounts[3].keys[1]"},
		{"key removed", func(g *registryv1.GenesisState) {
			g.RemovedKeys = []*registryv1.KeyOwner{{Key: key("alice"), Account: address("bob"), Removed: true}}
		}, "accounts[3].keys[0]"},
		{"removed key of the authority", func(g *registryv1.GenesisState) {
			g.RemovedKeys = []*registryv1.KeyOwner{{Key: key("a0"), Account: address("bob"), Removed: true}}
		}, "removed_keys[0].key"},
		{"removed key in use", func(g *registryv1.GenesisState) {
			g.RemovedKeys = []*registryv1.KeyOwner{{Key: key("x"), Account: address("bob")}}
		}, "removed_keys[0].removed"},
		{"consensus key twice", func(g *registryv1.GenesisState) { g.Accounts[1].ValidatorKey = g.Accounts[0].ValidatorKey }, "accounts[1].validator_key"},
		{"revoked with power", func(g *registryv1.GenesisState) { g.Accounts[1].Status = registryv1.Status_STATUS_REVOKED }, "accounts[1].validator_power"},
		{"roles unordered", func(g *registryv1.GenesisState) {
			g.Accounts[3].Roles = []registryv1.Role{registryv1.Role_ROLE_AUDITOR, registryv1.Role_ROLE_PROSUMER}
		}, "accounts[3].roles"},
		{"home unknown", func(g *registryv1.GenesisState) { g.Accounts[3].HomeAggregator = address("bob") }, "accounts[3].home_aggregator"},
		{"home no aggregator", func(g *registryv1.GenesisState) { g.Accounts[3].HomeAggregator = address("gw0") }, "accounts[3].home_aggregator"},
		{"aggregator elsewhere", func(g *registryv1.GenesisState) { g.Accounts[1].HomeAggregator = address("agg0") }, "accounts[1].home_aggregator"},
		{"meter's account", func(g *registryv1.GenesisState) { g.Meters[0].Account = address("bob") }, "meters[0].account"},
		{"meter's gateway", func(g *registryv1.GenesisState) { g.Meters[0].Gateway = address("alice") }, "meters[0].gateway"},
		{"meter unbound", func(g *registryv1.GenesisState) { g.Meters[0].BoundAtMs = 0 }, "meters[0].bound_at_ms"},
		{"meter twice", func(g *registryv1.GenesisState) { g.Meters = append(g.Meters, g.Meters[0]) }, "meters[1].meter"},
		{"meter pending but bound", func(g *registryv1.GenesisState) { g.Accounts[3].Status = registryv1.Status_STATUS_PENDING }, "meters[0].bound_at_ms"},
		{"meter of a gateway", func(g *registryv1.GenesisState) { g.Meters[0].Account = address("gw0") }, "meters[0]"},
		{"proposal", func(g *registryv1.GenesisState) { g.Proposals = []*registryv1.Proposal{{}} }, "proposals[0].id"},
		{"empty proposal", func(g *registryv1.GenesisState) {
			g.Proposals = []*registryv1.Proposal{{Id: make([]byte, 16), Approvals: [][]byte{key("a0")}}}
		}, "proposals[0]: registry/invalid_field: msgs"},
		{"endpoints of nobody", func(g *registryv1.GenesisState) { g.Endpoints = []*registryv1.Endpoints{{}} }, "endpoints[0].aggregator"},
		{"endpoints of a member", func(g *registryv1.GenesisState) {
			g.Endpoints = []*registryv1.Endpoints{{Aggregator: address("alice"), Urls: []string{"http://h:1"}}}
		}, "endpoints[0]: registry/not_aggregator"},
		{"endpoints twice", func(g *registryv1.GenesisState) {
			one := &registryv1.Endpoints{Aggregator: address("agg0"), Urls: []string{"http://h:1"}}
			g.Endpoints = []*registryv1.Endpoints{one, one}
		}, "endpoints[1]"},
		{"no endpoint", func(g *registryv1.GenesisState) { g.Endpoints = []*registryv1.Endpoints{{Aggregator: address("agg0")}} }, "endpoints[0]"},
		{"bad endpoint", func(g *registryv1.GenesisState) {
			g.Endpoints = []*registryv1.Endpoints{{Aggregator: address("agg0"), Urls: []string{"http://h:1", "h:1"}}}
		}, "endpoints[0].urls[1]"},
		{"settings of nobody", func(g *registryv1.GenesisState) { g.Gateways = []*registryv1.GatewaySettings{{UploadIntervalMs: 1}} }, "gateways[0].gateway"},
		{"settings of a member", func(g *registryv1.GenesisState) {
			g.Gateways = []*registryv1.GatewaySettings{{Gateway: address("alice"), UploadIntervalMs: 1}}
		}, "gateways[0].gateway"},
		{"settings twice", func(g *registryv1.GenesisState) {
			one := &registryv1.GatewaySettings{Gateway: address("gw0"), UploadIntervalMs: 1}
			g.Gateways = []*registryv1.GatewaySettings{one, one}
		}, "gateways[1].gateway"},
		{"no settings", func(g *registryv1.GenesisState) {
			g.Gateways = []*registryv1.GatewaySettings{{Gateway: address("gw0")}}
		}, "gateways[0].gateway"},
		{"bad settings", func(g *registryv1.GenesisState) {
			g.Gateways = []*registryv1.GatewaySettings{{Gateway: address("gw0"), ReadingIntervalMs: 7000}}
		}, "gateways[0].reading_interval_ms"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			genesis := testGenesis()
			test.edit(genesis)
			data, err := module.MarshalGenesis(genesis)
			if err != nil {
				t.Fatal(err)
			}
			_, err = importInto(t, data)
			if module.Code(err) != ErrBadGenesis || !strings.Contains(err.Error(), test.text) {
				t.Errorf("got %v, want a refusal of %s", err, test.text)
			}
		})
	}
	if _, err := importInto(t, []byte(`{"chains":1}`)); module.Code(err) != ErrBadGenesis {
		t.Errorf("unknown field: got %v", err)
	}
}
