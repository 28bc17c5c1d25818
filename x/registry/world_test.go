package registry

import (
	"crypto/sha256"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

const (
	testPeriod = int64(900_000)
	testNow    = int64(1_700_000_100_000) // 100 s into a period
)

// key is a public key by name; nothing here verifies signatures.
func key(name string) []byte {
	hash := sha256.Sum256([]byte(name))
	return hash[:]
}

func address(name string) []byte { return protocol.KeyAddress(key(name)).Bytes() }

func aggregator(name string) *registryv1.Account {
	return &registryv1.Account{
		Identity: key("identity of " + name), Keys: [][]byte{key(name)},
		Roles:        []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR},
		ValidatorKey: key("consensus of " + name), ValidatorPower: 10,
	}
}

func gateway(name string) *registryv1.Account {
	return &registryv1.Account{
		Identity: key("identity of " + name), Keys: [][]byte{key(name)},
		Roles: []registryv1.Role{registryv1.Role_ROLE_GATEWAY}, HomeAggregator: address("agg0"),
	}
}

func prosumer(name string) *registryv1.Account {
	return &registryv1.Account{
		Identity: key("identity of " + name), UserType: "household", Keys: [][]byte{key(name)},
		Roles: []registryv1.Role{registryv1.Role_ROLE_PROSUMER}, HomeAggregator: address("agg0"),
		GridNode: "bus1", ConnectionRatingW: 20_000, TariffClass: "home",
	}
}

func solarMeter(name string) *registryv1.Meter {
	return &registryv1.Meter{
		Meter: name, Gateway: address("gw0"), EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR,
		Environment: 1, StepWh: 1, Billing: true,
	}
}

// in gives an account the id and status that the chain would give it.
func in(account *registryv1.Account, status registryv1.Status) *registryv1.Account {
	account.Account = protocol.KeyAddress(account.Keys[0]).Bytes()
	account.Status = status
	if HasRole(account, registryv1.Role_ROLE_AGGREGATOR) {
		account.HomeAggregator = account.Account
	}
	return account
}

// testGenesis has a 2-of-3 authority, two aggregators, a gateway and a member
// with a meter.
func testGenesis() *registryv1.GenesisState {
	const active = registryv1.Status_STATUS_ACTIVE
	meter := solarMeter("m0")
	meter.Account, meter.BoundAtMs = address("alice"), 1
	alice := in(prosumer("alice"), active)
	alice.InitialReputation = 60
	return &registryv1.GenesisState{
		Chain:     &registryv1.Chain{ChainId: "test", PeriodLengthMs: testPeriod},
		Authority: &registryv1.Authority{Threshold: 2, Keys: [][]byte{key("a0"), key("a1"), key("a2")}},
		Params:    []*registryv1.ParamsEntry{{Params: DefaultParams()}},
		Accounts: []*registryv1.Account{
			in(aggregator("agg0"), active), in(aggregator("agg1"), active), in(gateway("gw0"), active), alice,
		},
		Meters: []*registryv1.Meter{meter},
	}
}

// world is a chain of one module, with the application's duties around it.
type world struct {
	t      *testing.T
	ctx    *module.Ctx
	events []proto.Message
	routes map[string]module.Route
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := state.OpenMemory()
	t.Cleanup(func() { _ = db.Close() })
	w := &world{t: t, routes: map[string]module.Route{}}
	for _, route := range New().Routes() {
		w.routes[route.Type] = route
	}
	w.ctx = module.NewCtx(db.Branch(), &w.events)
	w.ctx.ChainID, w.ctx.Height, w.ctx.TimeMs = "test", 10, testNow
	data, err := module.MarshalGenesis(testGenesis())
	if err != nil {
		t.Fatal(err)
	}
	if err := New().InitGenesis(w.ctx, data); err != nil {
		t.Fatal(err)
	}
	w.ctx.Route = func(ctx *module.Ctx, msg proto.Message) error {
		if !ctx.Signer.Authority {
			return errors.New("expected the authority as signer")
		}
		return w.run(ctx, msg)
	}
	return w
}

func (w *world) run(ctx *module.Ctx, msg proto.Message) error {
	route, ok := w.routes[string(msg.ProtoReflect().Descriptor().FullName())]
	if !ok {
		w.t.Fatalf("no route for %T", msg)
	}
	if err := route.Check(ctx.ChainID, msg); err != nil {
		return err
	}
	if ctx.Signer.Authority && !slices.Contains(route.Roles, registryv1.Role_ROLE_AUTHORITY) && len(route.Roles) > 0 {
		w.t.Fatalf("%T is not for the authority", msg)
	}
	return route.Exec(ctx, msg)
}

// send executes a message as the application does and checks the invariants.
func (w *world) send(signer module.Signer, msg proto.Message) error {
	w.t.Helper()
	w.ctx.Signer = signer
	w.ctx.Signer.Sequence = uint64(w.ctx.Height)
	err := w.ctx.Atomic(func(ctx *module.Ctx) error { return w.run(ctx, msg) })
	for _, law := range New().Invariants() {
		if broken := law.Check(w.ctx.Store); broken != nil {
			w.t.Fatalf("after %T: %s: %v", msg, law.Name, broken)
		}
	}
	return err
}

func (w *world) authority(msg proto.Message) error {
	w.t.Helper()
	return w.send(module.Signer{Key: key("a0"), Authority: true}, msg)
}

func (w *world) by(name string, msg proto.Message) error {
	w.t.Helper()
	account, _ := AccountOf(w.ctx.Store, protocol.Address(address(name)))
	return w.send(module.Signer{Key: key(name), Account: account}, msg)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// refused wants a refusal with that code which names the field.
func (w *world) refused(err error, want *module.Error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Fatalf("got %v, want %v", err, want)
	}
}

// endBlock runs the hook and goes on to the next block.
func (w *world) endBlock() {
	w.t.Helper()
	w.must(New().EndBlock(w.ctx))
	w.ctx.Height++
}

func (w *world) account(name string) *registryv1.Account {
	w.t.Helper()
	account, ok := AccountOf(w.ctx.Store, protocol.Address(address(name)))
	if !ok {
		w.t.Fatalf("no account %s", name)
	}
	return account
}

func (w *world) export() string {
	w.t.Helper()
	data, err := New().ExportGenesis(w.ctx)
	w.must(err)
	return string(data)
}

// emitted counts the events of a kind.
func emitted[E proto.Message](w *world) []E {
	var found []E
	for _, event := range w.events {
		if e, ok := event.(E); ok {
			found = append(found, e)
		}
	}
	return found
}
