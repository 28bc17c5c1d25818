// Package market runs the modules of the trading cycle for their own tests, in
// the order of the application's hooks but without the application: no
// signatures, no admission. After every block it checks all invariants, so that
// a test of one module notices what it breaks in another.
package market

import (
	"cmp"
	"crypto/sha256"
	"fmt"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
	"github.com/energyd/energyd/x/dispatch"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/origin"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
	"github.com/energyd/energyd/x/settlement"
)

const (
	// ChainID of every market.
	ChainID = "market-test"
	// Period is the length of periods in ms.
	Period = 10_000
	// Start is a boundary between periods, the time of the first block.
	Start = 1_700_000_000_000
)

// TB is what a market needs of a test; rapid's tests have it as well.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Market is a set of modules over a store in memory.
type Market struct {
	T      TB
	Store  state.Store
	Height int64
	TimeMs int64
	// Events of the present block, or of the last one that ended.
	Events []proto.Message
	// SkipInvariants is set by benchmarks.
	SkipInvariants bool
	// AfterHook, if set, is told of each module whose hook ran.
	AfterHook func(module string)

	// Gateways are those that read a member's meter instead of the one that reads
	// all others.
	Gateways map[string]string

	modules   []module.Module
	sequence  uint64
	registers map[string]*meteringv1.Reading
}

// modules are in the order in which genesis needs them.
func modules() []module.Module {
	return []module.Module{
		registry.New(), bank.New(), grid.New(), reputation.New(), origin.New(),
		metering.New(), credit.New(), matching.New(), settlement.New(), dispatch.New(),
	}
}

// hooks are in the order of the application's (DESIGN 6).
func hooks() []module.EndBlocker {
	return []module.EndBlocker{metering.New(), matching.New(), settlement.New(), dispatch.New(), credit.New(), registry.New()}
}

// New starts a market of named members; edit may be nil.
func New(t TB, edit func(*Genesis), names ...string) *Market {
	t.Helper()
	genesis := newGenesis(names)
	if edit != nil {
		edit(genesis)
	}
	m := &Market{
		T: t, Store: state.OpenMemory().Branch(), Height: 1, TimeMs: Start,
		modules: modules(), registers: map[string]*meteringv1.Reading{},
	}
	m.init(genesis.encode(t))
	return m
}

func key(name string) []byte {
	hash := sha256.Sum256([]byte(name))
	return hash[:]
}

// Address returns the account id of a member.
func Address(name string) protocol.Address { return protocol.KeyAddress(key(name)) }

// Ctx is the context of a member's next message.
func (m *Market) Ctx(name string) *module.Ctx {
	m.T.Helper()
	ctx := m.hookCtx()
	account, ok := registry.AccountOf(m.Store, Address(name))
	if !ok {
		m.T.Fatalf("no member %q", name)
	}
	m.sequence++
	ctx.Signer = module.Signer{Key: key(name), Sequence: m.sequence, Account: account}
	return ctx
}

func (m *Market) hookCtx() *module.Ctx {
	ctx := module.NewCtx(m.Store, &m.Events)
	ctx.ChainID, ctx.Height, ctx.TimeMs = ChainID, m.Height, m.TimeMs
	hash := sha256.Sum256(fmt.Appendf(nil, "root of %d", m.Height-1))
	ctx.PrevAppHash = hash[:]
	return ctx
}

// Send executes a member's message and returns the id of what it made.
func (m *Market) Send(name string, msg proto.Message) (protocol.ID, error) {
	m.T.Helper()
	ctx := m.Ctx(name)
	return ctx.ID(), m.execute(ctx, msg)
}

// Must is Send of what must succeed.
func (m *Market) Must(name string, msg proto.Message) protocol.ID {
	m.T.Helper()
	id, err := m.Send(name, msg)
	if err != nil {
		m.T.Fatalf("%s: %T: %v", name, msg, err)
	}
	return id
}

// Decree executes a message of the authority.
func (m *Market) Decree(msg proto.Message) {
	m.T.Helper()
	ctx := m.hookCtx()
	ctx.Signer.Authority = true
	if err := m.execute(ctx, msg); err != nil {
		m.T.Fatalf("authority: %T: %v", msg, err)
	}
}

func (m *Market) execute(ctx *module.Ctx, msg proto.Message) error {
	m.T.Helper()
	for _, mod := range m.modules {
		for _, route := range mod.Routes() {
			if route.Type != string(msg.ProtoReflect().Descriptor().FullName()) {
				continue
			}
			if !readings(msg) { // they are not signed here
				if err := route.Check(ChainID, msg); err != nil {
					return err
				}
			}
			return ctx.Atomic(func(ctx *module.Ctx) error { return route.Exec(ctx, msg) })
		}
	}
	m.T.Fatalf("no route for %T", msg)
	return nil
}

func readings(msg proto.Message) bool {
	switch msg.(type) {
	case *meteringv1.MsgSubmitReadings, *meteringv1.MsgCorrectReadings:
		return true
	}
	return false
}

// Begin starts the next block at a time.
func (m *Market) Begin(timeMs int64) {
	m.Height++
	m.TimeMs = timeMs
	m.Events = nil
}

// End runs the hooks of the block and checks the invariants.
func (m *Market) End() {
	m.T.Helper()
	for _, hook := range hooks() {
		if err := hook.EndBlock(m.hookCtx()); err != nil {
			m.T.Fatalf("height %d: %T: %v", m.Height, hook, err)
		}
		if m.AfterHook != nil {
			m.AfterHook(hook.(module.Module).Name())
		}
	}
	if !m.SkipInvariants {
		m.CheckInvariants()
	}
}

// Block is a block without messages.
func (m *Market) Block(timeMs int64) {
	m.T.Helper()
	m.Begin(timeMs)
	m.End()
}

// CheckInvariants fails the test where a law is broken.
func (m *Market) CheckInvariants() {
	m.T.Helper()
	for _, mod := range m.modules {
		checker, ok := mod.(module.InvariantChecker)
		if !ok {
			continue
		}
		for _, law := range checker.Invariants() {
			if err := law.Check(m.Store); err != nil {
				m.T.Errorf("height %d: invariant %s: %v", m.Height, law.Name, err)
			}
		}
	}
}

// Read submits a member's next reading: what its meter counted since the last
// one, in Wh.
func (m *Market) Read(name string, timeMs, importWh, exportWh int64) {
	m.T.Helper()
	last := m.registers[name]
	reading := &meteringv1.Reading{
		Meter: Meter(name), Sequence: last.GetSequence() + 1, TimeMs: timeMs,
		ImportWh: last.GetImportWh() + importWh, ExportWh: last.GetExportWh() + exportWh,
		Quality: meteringv1.Quality_QUALITY_MEASURED,
	}
	m.registers[name] = reading
	if err := m.submit(cmp.Or(m.Gateways[name], gateway), reading); err != nil {
		m.T.Fatalf("%s reads at %d: %v", name, timeMs, err)
	}
}

// Submit lets the gateway that all meters have at first submit readings, which are
// not signed here.
func (m *Market) Submit(readings ...*meteringv1.Reading) error {
	m.T.Helper()
	return m.submit(gateway, readings...)
}

func (m *Market) submit(by string, readings ...*meteringv1.Reading) error {
	m.T.Helper()
	for _, reading := range readings {
		reading.Signature = make([]byte, protocol.SignatureSize)
	}
	_, err := m.Send(by, &meteringv1.MsgSubmitReadings{GatewayKey: key(by), Readings: readings})
	return err
}

// Correct submits the next version of a member's boundary: by how much its
// registers are more than they stand now, in Wh.
func (m *Market) Correct(name string, boundary, importWh, exportWh int64) error {
	m.T.Helper()
	found, err := Query[*meteringv1.QueryBoundariesResponse](m, &meteringv1.QueryBoundariesRequest{Meter: Meter(name), FromMs: boundary, Limit: 1})
	if err != nil || len(found.Boundaries) == 0 || found.Boundaries[0].TimeMs != boundary {
		m.T.Fatalf("expected boundary %d of %s: %v, %v", boundary, name, found, err)
	}
	known := found.Boundaries[0]
	return m.Replace(&meteringv1.Reading{
		Meter: Meter(name), Version: known.Version + 1, TimeMs: boundary,
		ImportWh: known.Boundary.ImportWh + importWh, ExportWh: known.Boundary.ExportWh + exportWh,
	})
}

// Replace lets the gateway that all meters have at first submit corrected readings.
func (m *Market) Replace(readings ...*meteringv1.Reading) error {
	m.T.Helper()
	for _, reading := range readings {
		reading.Quality, reading.Signature = meteringv1.Quality_QUALITY_CORRECTED, make([]byte, protocol.SignatureSize)
	}
	_, err := m.Send(gateway, &meteringv1.MsgCorrectReadings{GatewayKey: key(gateway), Readings: readings})
	return err
}

// Query asks the modules and decodes into answer, a pointer to the response.
func Query[A proto.Message](m *Market, request proto.Message) (answer A, err error) {
	m.T.Helper()
	for _, mod := range m.modules {
		for _, query := range mod.Queries() {
			if query.Type != string(request.ProtoReflect().Descriptor().FullName()) {
				continue
			}
			got, err := query.Answer(module.QueryCtx{Height: m.Height, TimeMs: m.TimeMs, Store: m.Store}, request)
			if err != nil {
				return answer, err
			}
			return got.(A), nil
		}
	}
	m.T.Fatalf("no query %T", request)
	return answer, nil
}

// Happened returns the events of type E of the block, in order.
func Happened[E proto.Message](m *Market) []E {
	var found []E
	for _, event := range m.Events {
		if e, ok := event.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

// Match returns a confirmed match as matching would make it.
func Match(seller, buyer string, period, energyWh, price int64) *matchingv1.Match {
	from, to := Address(seller), Address(buyer)
	fee := registry.DefaultParams().FeeUcoinPerKwh
	return &matchingv1.Match{
		Id: module.DeriveID("test", from[:], to[:]).Bytes(), Period: period, Seller: from[:], Buyer: to[:],
		SellOrder: make([]byte, protocol.IDSize), BuyOrder: make([]byte, protocol.IDSize), Meter: Meter(seller),
		EnergyWh: energyWh, PriceUcoinPerKwh: price, FeeUcoinPerKwh: fee, LossPpm: 1_000, Environment: 1,
		EscrowUcoin: price*energyWh/1000 + fee*energyWh/1000, SellerConfirmed: true, BuyerConfirmed: true,
	}
}

// Stand puts matches of one period into the state with their buyers' escrow and
// exposure and their sellers' security, as if orders had been placed and cleared.
func (m *Market) Stand(matches []*matchingv1.Match) {
	m.T.Helper()
	book := &matchingv1.Book{Period: matches[0].Period, Phase: matchingv1.Phase_PHASE_FINAL, Matches: int64(len(matches))}
	data, err := module.MarshalGenesis(&matchingv1.GenesisState{Books: []*matchingv1.Book{book}, Matches: matches})
	if err != nil {
		m.T.Fatal(err)
	}
	ctx := m.hookCtx()
	if err := matching.New().InitGenesis(ctx, data); err != nil {
		m.T.Fatal(err)
	}
	for _, match := range matches {
		buyer := protocol.Address(match.Buyer)
		if err := bank.Hold(ctx, buyer, match.EscrowUcoin); err != nil {
			m.T.Fatal(err)
		}
		if err := bank.Expose(ctx, buyer, match.ExposedUcoin, 0); err != nil {
			m.T.Fatal(err)
		}
		if err := bank.Hold(ctx, protocol.Address(match.Seller), match.SecurityUcoin); err != nil {
			m.T.Fatal(err)
		}
	}
}
