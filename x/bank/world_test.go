package bank

import (
	"crypto/sha256"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

func key(name string) []byte {
	hash := sha256.Sum256([]byte(name))
	return hash[:]
}

func address(name string) protocol.Address { return protocol.KeyAddress(key(name)) }

// Members of the test chain.
var alice, bob, carol, dave = address("alice"), address("bob"), address("carol"), address("dave")

func member(name string, role registryv1.Role, status registryv1.Status) *registryv1.Account {
	id, home := address(name), address("agg")
	account := &registryv1.Account{
		Account: id[:], Identity: key("identity of " + name), Keys: [][]byte{key(name)}, Status: status,
		Roles: []registryv1.Role{role}, HomeAggregator: home[:],
		GridNode: "bus", ConnectionRatingW: 1, TariffClass: "home",
	}
	if role == registryv1.Role_ROLE_AGGREGATOR {
		account.ValidatorKey, account.ValidatorPower = key("consensus"), 1
	}
	return account
}

// world is a chain of registry and bank.
type world struct {
	t      testing.TB
	ctx    *module.Ctx
	events []proto.Message
	routes map[string]module.Route
}

// registryGenesis has a guarantee fund that lets an account owe it up to limit.
func registryGenesis(limit int64) *registryv1.GenesisState {
	params := registry.DefaultParams()
	params.GuaranteeLimitUcoin = limit
	const prosumer, active = registryv1.Role_ROLE_PROSUMER, registryv1.Status_STATUS_ACTIVE
	return &registryv1.GenesisState{
		Chain:     &registryv1.Chain{ChainId: "test", PeriodLengthMs: 900_000},
		Authority: &registryv1.Authority{Threshold: 1, Keys: [][]byte{key("authority")}},
		Params:    []*registryv1.ParamsEntry{{Params: params}},
		Accounts: []*registryv1.Account{
			member("agg", registryv1.Role_ROLE_AGGREGATOR, active),
			member("gw", registryv1.Role_ROLE_GATEWAY, active),
			member("alice", prosumer, active), member("bob", prosumer, active),
			member("carol", prosumer, active), member("dave", prosumer, active),
			member("frozen", prosumer, registryv1.Status_STATUS_FROZEN),
			member("revoked", prosumer, registryv1.Status_STATUS_REVOKED),
			member("pending", prosumer, registryv1.Status_STATUS_PENDING),
		},
	}
}

func newWorld(t testing.TB, db *state.DB, limit int64) *world {
	t.Helper()
	w := &world{t: t, routes: map[string]module.Route{}}
	for _, route := range New().Routes() {
		w.routes[route.Type] = route
	}
	w.ctx = module.NewCtx(db.Branch(), &w.events)
	data, err := module.MarshalGenesis(registryGenesis(limit))
	if err != nil {
		t.Fatal(err)
	}
	w.must(registry.New().InitGenesis(w.ctx, data))
	w.must(New().InitGenesis(w.ctx, nil))
	return w
}

func testWorld(t testing.TB) *world {
	t.Helper()
	db := state.OpenMemory()
	t.Cleanup(func() { _ = db.Close() })
	return newWorld(t, db, 10)
}

// send executes a message as the application does and checks the invariants.
func (w *world) send(signer module.Signer, msg proto.Message) error {
	w.t.Helper()
	w.ctx.Signer = signer
	route, ok := w.routes[string(msg.ProtoReflect().Descriptor().FullName())]
	if !ok {
		w.t.Fatalf("no route for %T", msg)
	}
	err := w.ctx.Atomic(func(ctx *module.Ctx) error {
		if err := route.Check(ctx.ChainID, msg); err != nil {
			return err
		}
		return route.Exec(ctx, msg)
	})
	w.lawful()
	return err
}

func (w *world) lawful() {
	w.t.Helper()
	for _, law := range New().Invariants() {
		if broken := law.Check(w.ctx.Store); broken != nil {
			w.t.Fatalf("%s: %v", law.Name, broken)
		}
	}
}

func (w *world) authority(msg proto.Message) error {
	w.t.Helper()
	return w.send(module.Signer{Key: key("authority"), Authority: true}, msg)
}

func (w *world) by(from protocol.Address, msg proto.Message) error {
	w.t.Helper()
	account, _ := registry.AccountOf(w.ctx.Store, from)
	return w.send(module.Signer{Account: account}, msg)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) refused(err error, want *module.Error) {
	w.t.Helper()
	if !errors.Is(err, want) {
		w.t.Fatalf("got %v, want %v", err, want)
	}
}

// give recharges an account.
func (w *world) give(to protocol.Address, amount int64, reference string) {
	w.t.Helper()
	w.must(w.authority(&bankv1.MsgRecharge{Account: to.Bytes(), AmountUcoin: amount, Reference: reference}))
}

// owe makes a debt: whatever the debtor has is lost to the creditor first, so
// it must have nothing.
func (w *world) owe(debtor, creditor protocol.Address, amount int64) {
	w.t.Helper()
	paid, _, err := Pay(w.ctx, debtor, creditor, amount)
	w.must(err)
	if paid != 0 {
		w.t.Fatalf("the debtor paid %d, want 0", paid)
	}
}

// has wants an account's balance and debt.
func (w *world) has(who protocol.Address, free, escrow, debt int64) {
	w.t.Helper()
	got := BalanceOf(w.ctx.Store, who)
	if got.FreeUcoin != free || got.EscrowUcoin != escrow || DebtOf(w.ctx.Store, who) != debt {
		w.t.Errorf("%v: got %d free, %d in escrow, %d owed; want %d, %d, %d",
			who, got.FreeUcoin, got.EscrowUcoin, DebtOf(w.ctx.Store, who), free, escrow, debt)
	}
	w.lawful()
}

func (w *world) export() string {
	w.t.Helper()
	data, err := New().ExportGenesis(w.ctx)
	w.must(err)
	return string(data)
}
