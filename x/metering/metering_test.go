package metering

import (
	"bytes"
	"crypto/ed25519"
	"errors"

	"google.golang.org/protobuf/proto"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

const (
	periodMs = 900_000
	// start is a boundary; the chain's tests happen around it.
	start   = 1_700_000_100_000
	minute  = 60_000
	chainID = "test"
)

// tester stands for *testing.T and *rapid.T.
type tester interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func testKey(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func public(key ed25519.PrivateKey) []byte { return []byte(key.Public().(ed25519.PublicKey)) }

func addressOf(key ed25519.PrivateKey) protocol.Address { return protocol.KeyAddress(public(key)) }

var (
	home    = testKey(1)
	gateway = testKey(2)
	other   = testKey(3) // another gateway
	alice   = testKey(4) // a1 bills, a2 does not
	bob     = testKey(5) // b1 and b2 both bill
	carol   = testKey(6) // revoked, meter c1
)

// chain is a registry with three prosumers of 10 kW and their meters.
type chain struct {
	*module.Ctx
	t      tester
	events []proto.Message
}

func account(key ed25519.PrivateKey, role registryv1.Role, status registryv1.Status) *registryv1.Account {
	address, homeAddress := addressOf(key), addressOf(home)
	a := &registryv1.Account{
		Account: address[:], Keys: [][]byte{public(key)}, HomeAggregator: homeAddress[:], Identity: make([]byte, 32),
		Roles: []registryv1.Role{role}, Status: status,
	}
	if role == registryv1.Role_ROLE_PROSUMER {
		a.GridNode, a.ConnectionRatingW, a.TariffClass = "n", 10_000, "home"
	}
	return a
}

func meter(name string, owner, reader ed25519.PrivateKey, stepWh int64, billing bool) *registryv1.Meter {
	account, gateway := addressOf(owner), addressOf(reader)
	return &registryv1.Meter{
		Meter: name, Account: account[:], Gateway: gateway[:], StepWh: stepWh, Billing: billing, BoundAtMs: 1,
		EnergyType: registryv1.EnergyType_ENERGY_TYPE_SOLAR, Environment: 1,
	}
}

func newChain(t tester, edits ...func(*registryv1.Params)) *chain {
	t.Helper()
	params := registry.DefaultParams()
	for _, edit := range edits {
		edit(params)
	}
	c := &chain{t: t}
	c.Ctx = module.NewCtx(state.OpenMemory().Branch(), &c.events)
	c.ChainID, c.Height, c.TimeMs = chainID, 1, start
	active := registryv1.Status_STATUS_ACTIVE
	aggregator := account(home, registryv1.Role_ROLE_AGGREGATOR, active)
	aggregator.ValidatorKey, aggregator.ValidatorPower = bytes.Repeat([]byte{7}, 32), 1
	data, err := module.MarshalGenesis(&registryv1.GenesisState{
		Chain:     &registryv1.Chain{ChainId: chainID, PeriodLengthMs: periodMs},
		Authority: &registryv1.Authority{Threshold: 1, Keys: [][]byte{bytes.Repeat([]byte{9}, 32)}},
		Params:    []*registryv1.ParamsEntry{{Params: params}},
		Accounts: []*registryv1.Account{
			aggregator,
			account(gateway, registryv1.Role_ROLE_GATEWAY, active),
			account(other, registryv1.Role_ROLE_GATEWAY, active),
			account(alice, registryv1.Role_ROLE_PROSUMER, active),
			account(bob, registryv1.Role_ROLE_PROSUMER, registryv1.Status_STATUS_FROZEN),
			account(carol, registryv1.Role_ROLE_PROSUMER, registryv1.Status_STATUS_REVOKED),
		},
		Meters: []*registryv1.Meter{
			meter("a1", alice, gateway, 1, true), meter("a2", alice, gateway, 1, false),
			meter("b1", bob, gateway, 1, true), meter("b2", bob, gateway, 10, true),
			meter("c1", carol, gateway, 1, true),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.New().InitGenesis(c.Ctx, data); err != nil {
		t.Fatal(err)
	}
	return c
}

// reading is one of meter a1 at start + afterMs.
func reading(sequence uint64, afterMs, importWh, exportWh int64) *meteringv1.Reading {
	return of("a1", sequence, afterMs, importWh, exportWh)
}

func of(meter string, sequence uint64, afterMs, importWh, exportWh int64) *meteringv1.Reading {
	return &meteringv1.Reading{
		Meter: meter, Sequence: sequence, TimeMs: start + afterMs, ImportWh: importWh, ExportWh: exportWh,
		Quality: meteringv1.Quality_QUALITY_MEASURED,
	}
}

// signed is a message in which key signed every reading.
func signed(key ed25519.PrivateKey, readings ...*meteringv1.Reading) *meteringv1.MsgSubmitReadings {
	msg := &meteringv1.MsgSubmitReadings{GatewayKey: public(key)}
	for _, reading := range readings {
		reading := proto.Clone(reading).(*meteringv1.Reading)
		data, err := protocol.ReadingSignBytes(chainID, reading)
		if err != nil {
			panic(err)
		}
		reading.Signature = ed25519.Sign(key, data)
		msg.Readings = append(msg.Readings, reading)
	}
	return msg
}

// run checks and executes a message as the application does.
func (c *chain) run(sender ed25519.PrivateKey, msg proto.Message) error {
	c.t.Helper()
	for _, route := range New().Routes() {
		if route.Type != string(msg.ProtoReflect().Descriptor().FullName()) {
			continue
		}
		if err := route.Check(c.ChainID, msg); err != nil {
			return err
		}
		c.Signer = module.Signer{Authority: true}
		if sender != nil {
			account, _ := registry.AccountOf(c.Store, addressOf(sender))
			c.Signer = module.Signer{Key: public(sender), Account: account}
		}
		return c.Atomic(func(ctx *module.Ctx) error { return route.Exec(ctx, msg) })
	}
	c.t.Fatalf("no route for %T", msg)
	return nil
}

// send submits readings of the gateway in a block of their own, late enough for
// all of them.
func (c *chain) send(readings ...*meteringv1.Reading) {
	c.t.Helper()
	c.submit(readings...)
	c.endBlock()
}

func (c *chain) submit(readings ...*meteringv1.Reading) {
	c.t.Helper()
	for _, reading := range readings {
		c.TimeMs = max(c.TimeMs, reading.TimeMs)
	}
	if err := c.run(gateway, signed(gateway, readings...)); err != nil {
		c.t.Fatal(err)
	}
}

func (c *chain) endBlock() {
	c.t.Helper()
	if err := New().EndBlock(c.Ctx); err != nil {
		c.t.Fatal(err)
	}
	c.Height++
	c.check()
}

func (c *chain) check() {
	c.t.Helper()
	for _, invariant := range New().Invariants() {
		if err := invariant.Check(c.Store); err != nil {
			c.t.Fatalf("invariant %s: %v", invariant.Name, err)
		}
	}
	for _, event := range c.events {
		if failed, ok := event.(*meteringv1.BoundaryFailed); ok {
			c.t.Fatal(failed)
		}
	}
}

// refuse expects the code and an unchanged state.
func (c *chain) refuse(sender ed25519.PrivateKey, msg proto.Message, want error) {
	c.t.Helper()
	before, events := c.export(), len(c.events)
	err := c.run(sender, msg)
	if !errors.Is(err, want) {
		c.t.Fatalf("expected %v, got %v", want, err)
	}
	if !bytes.Equal(before, c.export()) || len(c.events) != events {
		c.t.Fatalf("%v: the refusal changed the state", err)
	}
}

// same expects the readings to be accepted and to change nothing.
func (c *chain) same(readings ...*meteringv1.Reading) {
	c.t.Helper()
	before, events := c.export(), len(c.events)
	c.submit(readings...)
	if !bytes.Equal(before, c.export()) || len(c.events) != events {
		c.t.Fatalf("expected no change, got %s from %s", c.export(), before)
	}
}

func (c *chain) export() []byte {
	c.t.Helper()
	data, err := New().ExportGenesis(c.Ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

func (c *chain) meterState(meter string) *meteringv1.MeterState {
	c.t.Helper()
	known, ok := meters.Get(c.Store, meterKey(meter))
	if !ok {
		c.t.Fatalf("nothing is known of meter %q", meter)
	}
	return known
}

// energy expects the ready energy of the period that starts after start.
func (c *chain) energy(owner ed25519.PrivateKey, after, importWh, exportWh int64, estimated bool) {
	c.t.Helper()
	address := addressOf(owner)
	got, ok := ready.Get(c.Store, energyKey(ready, address[:], start+after))
	if !ok {
		c.t.Fatalf("period %d: not ready", after)
	}
	if got.ImportWh != importWh || got.ExportWh != exportWh || got.Estimated != estimated {
		c.t.Fatalf("period %d: expected %d, %d, %t, got %v", after, importWh, exportWh, estimated, got)
	}
}

// boundary expects the latest fixed boundary of a1 with its running registers.
func (c *chain) boundary(after, importWh, exportWh int64, estimated bool) {
	c.t.Helper()
	got := c.meterState("a1")
	if got.FixedUntil != start+after || got.ImportWh != importWh || got.ExportWh != exportWh || got.Estimated != estimated {
		c.t.Fatalf("expected boundary %d with %d, %d, %t, got %v", after, importWh, exportWh, estimated, got)
	}
}

func (c *chain) readyCount() int {
	count := 0
	for range Ready(c.Store) {
		count++
	}
	return count
}
