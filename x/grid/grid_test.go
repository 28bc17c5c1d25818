package grid

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

const (
	periodMs = 900_000
	thisOne  = 1_700_000_100_000 // a multiple of the length
	nowMs    = thisOne + 100_000
)

// chain is a chain with a registry and nothing else.
type chain struct {
	*module.Ctx
	t      *testing.T
	events []proto.Message
}

func newChain(t *testing.T, accounts ...*registryv1.Account) *chain {
	t.Helper()
	c := &chain{t: t}
	db := state.OpenMemory()
	t.Cleanup(func() { db.Close() })
	c.Ctx = module.NewCtx(db.Branch(), &c.events)
	c.ChainID, c.Height, c.TimeMs = "test", 1, nowMs
	key := bytes.Repeat([]byte{1}, 32)
	home := protocol.KeyAddress(key)
	genesis := &registryv1.GenesisState{
		Chain:     &registryv1.Chain{ChainId: "test", PeriodLengthMs: periodMs},
		Authority: &registryv1.Authority{Threshold: 1, Keys: [][]byte{bytes.Repeat([]byte{9}, 32)}},
		Params:    []*registryv1.ParamsEntry{{Params: registry.DefaultParams()}},
		Accounts: append([]*registryv1.Account{{
			Account: home[:], Keys: [][]byte{key}, HomeAggregator: home[:], Identity: make([]byte, 32),
			Roles:  []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR},
			Status: registryv1.Status_STATUS_ACTIVE, ValidatorKey: bytes.Repeat([]byte{2}, 32), ValidatorPower: 1,
		}}, accounts...),
	}
	for _, account := range accounts {
		account.HomeAggregator = home[:]
	}
	data, err := module.MarshalGenesis(genesis)
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.New().InitGenesis(c.Ctx, data); err != nil {
		t.Fatal(err)
	}
	return c
}

// run checks and executes a message as the application does.
func (c *chain) run(msg proto.Message) error {
	c.t.Helper()
	for _, route := range New().Routes() {
		if route.Type != string(msg.ProtoReflect().Descriptor().FullName()) {
			continue
		}
		if len(route.Roles) != 1 || route.Roles[0] != registryv1.Role_ROLE_AUTHORITY {
			c.t.Errorf("%s: expected a message of the authority, got roles %v", route.Type, route.Roles)
		}
		if err := route.Check(c.ChainID, msg); err != nil {
			return err
		}
		return c.Atomic(func(ctx *module.Ctx) error { return route.Exec(ctx, msg) })
	}
	c.t.Fatalf("no route for %T", msg)
	return nil
}

func (c *chain) must(msg proto.Message) {
	c.t.Helper()
	if err := c.run(msg); err != nil {
		c.t.Fatal(err)
	}
	if err := errors.Join(checkTopology(c.Store), checkZones(c.Store)); err != nil {
		c.t.Fatal(err)
	}
}

// refuse expects the code and an unchanged state.
func (c *chain) refuse(msg proto.Message, want error) {
	c.t.Helper()
	before := c.export()
	events := len(c.events)
	err := c.run(msg)
	if !errors.Is(err, want) {
		c.t.Fatalf("expected %v, got %v", want, err)
	}
	if !bytes.Equal(before, c.export()) || len(c.events) != events {
		c.t.Fatalf("%v: the refusal changed the state", err)
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

func (c *chain) loss(from, to string) int64 {
	ppm, ok := PathsOf(c.Store, 10_000).Loss(from, to)
	if !ok {
		return unreachable
	}
	return ppm
}

func node(name string, routerPPM int64) *gridv1.Node {
	return &gridv1.Node{Node: name, RouterLossPpm: routerPPM}
}

func line(from, to string, lengthMM int64) *gridv1.Line {
	return &gridv1.Line{From: from, To: to, LengthMm: lengthMM}
}

func lossy(from, to string, lengthMM, ppmPerKm int64) *gridv1.Line {
	return &gridv1.Line{From: from, To: to, LengthMm: lengthMM, LossPpmPerKm: &ppmPerKm}
}

func oneWay(l *gridv1.Line) *gridv1.Line {
	l.OneWay = true
	return l
}

func TestGenesisRoundTrip(t *testing.T) {
	c := newChain(t)
	c.must(&gridv1.MsgSetTopology{
		Nodes: []*gridv1.Node{
			node("b", 5), {Node: "a", PathMm: new(int64(7))}, {Node: "c", XMm: new(int64(-3)), YMm: new(int64(0))},
		},
		Lines: []*gridv1.Line{line("a", "b", 10), lossy("c", "b", 20, 0)},
	})
	c.must(&gridv1.MsgSetTariff{TariffClass: "home", RetailUcoinPerKwh: 500_000, FeedInUcoinPerKwh: 80_000})
	c.must(zoneFee("north", "", 7))
	first := c.export()
	again := newChain(t)
	if err := New().InitGenesis(again.Ctx, first); err != nil {
		t.Fatal(err)
	}
	if second := again.export(); !bytes.Equal(first, second) {
		t.Fatalf("export differs after import:\n%s\n%s", first, second)
	}
	if err := errors.Join(checkTopology(again.Store), checkZones(again.Store)); err != nil {
		t.Fatal(err)
	}
}

func TestGenesisRefused(t *testing.T) {
	for name, data := range map[string]string{
		"unknown field":    `{"nods":[]}`,
		"unknown end":      `{"nodes":[{"node":"a"}],"lines":[{"from":"a","to":"b"}]}`,
		"negative length":  `{"nodes":[{"node":"a"},{"node":"b"}],"lines":[{"from":"a","to":"b","length_mm":"-1"}]}`,
		"bad name":         `{"nodes":[{"node":"A"}]}`,
		"feed-in > retail": `{"tariffs":[{"tariff_class":"x","feed_in_ucoin_per_kwh":"1"}]}`,
		"negative period":  `{"tariffs":[{"tariff_class":"x","from_period":"-1"}]}`,
		"zone of no name":  `{"nodes":[{"node":"a","zone":"A"}]}`,
		"fee of no zone":   `{"zone_fees":[{"from_zone":"A"}]}`,
		"negative fee":     `{"zone_fees":[{"fee_ucoin_per_kwh":"-1"}]}`,
		"fee before time":  `{"zone_fees":[{"from_period":"-1"}]}`,
		"fee twice":        `{"zone_fees":[{"to_zone":"x"},{"to_zone":"x"}]}`,
		"tariff twice":     `{"tariffs":[{"tariff_class":"x"},{"tariff_class":"x"}]}`,
	} {
		if err := New().InitGenesis(newChain(t).Ctx, []byte(data)); err == nil {
			t.Errorf("%s: accepted %s", name, data)
		}
	}
}

func TestInvariantSeesBrokenIndex(t *testing.T) {
	c := newChain(t)
	c.must(&gridv1.MsgSetTopology{Nodes: []*gridv1.Node{node("a", 0), node("b", 0)}, Lines: []*gridv1.Line{line("a", "b", 1)}})
	branch := state.NewBranch(c.Store)
	ends.Delete(branch, endKey("a", "b"))
	if checkTopology(branch) == nil {
		t.Error("a missing entry of ends passed")
	}
	branch.Discard()
	ends.Set(branch, endKey("b", "a"), &gridv1.Line{})
	if checkTopology(branch) == nil {
		t.Error("a surplus entry of ends passed")
	}
	branch.Discard()
	nodes.Delete(branch, nodes.Key().Name("b"))
	if checkTopology(branch) == nil {
		t.Error("a line without its end passed")
	}
}
