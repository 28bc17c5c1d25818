package matching_test

import (
	"errors"
	"math"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
)

// The market's first block is at start; orders are for p, whose gate is 4 s
// before and whose confirmation window takes 2 s.
const (
	start  = market.Start
	length = market.Period
	p      = start + 2*length
	gate   = p - 4_000
)

var standing = &matchingv1.Consent{Standing: true}

func sell(price, energyWh int64, name string) *matchingv1.MsgPlaceSell {
	return &matchingv1.MsgPlaceSell{Period: p, PriceUcoinPerKwh: price, EnergyWh: energyWh, Meter: market.Meter(name), Consent: standing}
}

func buy(price, energyWh int64) *matchingv1.MsgPlaceBuy {
	return &matchingv1.MsgPlaceBuy{Period: p, PriceUcoinPerKwh: price, EnergyWh: energyWh, Consent: standing}
}

func escrow(m *market.Market, name string) int64 {
	return bank.BalanceOf(m.Store, market.Address(name)).EscrowUcoin
}

func book(m *market.Market) *matchingv1.Book {
	found, _ := matching.BookOf(m.Store, p, 0)
	return found
}

// refused sends what must be refused with want and change nothing.
func refused(t *testing.T, m *market.Market, name string, msg proto.Message, want *module.Error) {
	t.Helper()
	before := m.Export()
	_, err := m.Send(name, msg)
	if !errors.Is(err, want) {
		t.Errorf("%T: got %v, want %v", msg, err, want)
	}
	after := m.Export()
	for part := range before {
		if string(before[part]) != string(after[part]) {
			t.Errorf("%T was refused and changed %s", msg, part)
		}
	}
}

func edited[M proto.Message](msg M, edit func(M)) M {
	edit(msg)
	return msg
}

func TestPlaceRefused(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		g.Params().PriceMinUcoinPerKwh = 1_000
		g.MeterOf("new").BoundAtMs = p + 1
		g.MeterOf("blind").Billing = false
		g.NodeOf("far").Node = "somewhere-else"
		g.Balance("poor").FreeUcoin = 304_999
		// 6.1 kWh in ten seconds.
		g.Account("small").ConnectionRatingW = 2_196_000
	}, "sun", "home", "new", "blind", "far", "poor", "small")
	s := func(edit func(*matchingv1.MsgPlaceSell)) proto.Message {
		return edited(sell(200_000, 1000, "sun"), edit)
	}
	b := func(edit func(*matchingv1.MsgPlaceBuy)) proto.Message { return edited(buy(300_000, 1000), edit) }
	for _, test := range []struct {
		name, from string
		msg        proto.Message
		want       *module.Error
	}{
		{"no period", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Period = 0 }), matching.ErrBadPeriod},
		{"negative period", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Period = math.MinInt64 }), matching.ErrBadPeriod},
		{"no multiple", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Period++ }), matching.ErrBadPeriod},
		{"past", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Period = start }), matching.ErrGateClosed},
		{"too early", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Period = p + 5*length }), matching.ErrNotOpen},
		{"the far future", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Period = math.MaxInt64 / length * length }), matching.ErrNotOpen},
		{"no energy", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.EnergyWh = 0 }), matching.ErrBadEnergy},
		{"negative energy", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.EnergyWh = -1 }), matching.ErrBadEnergy},
		{"negative price", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.PriceUcoinPerKwh = -1 }), matching.ErrBadPrice},
		{"price too low", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.PriceUcoinPerKwh = 999 }), matching.ErrBadPrice},
		{"price too high", "home", b(func(o *matchingv1.MsgPlaceBuy) { o.PriceUcoinPerKwh = 2_000_001 }), matching.ErrBadPrice},
		{"more than the connection", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.EnergyWh = 100_001 }), matching.ErrOverRating},
		{"overflow", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.EnergyWh = math.MaxInt64 }), matching.ErrOverRating},
		{"no meter", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Meter = "" }), matching.ErrMalformed},
		{"meter of no name", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Meter = "Über" }), matching.ErrMalformed},
		{"unknown meter", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Meter = "m" }), matching.ErrUnknownMeter},
		{"another's meter", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Meter = market.Meter("home") }), matching.ErrMeterNotBound},
		{"meter bound too late", "new", buy(300_000, 1), matching.ErrNoBillingMeter},
		{"no billing meter", "blind", buy(300_000, 1), matching.ErrNoBillingMeter},
		{"unknown node", "far", buy(300_000, 1), matching.ErrUnreachableNode},
		{"satisfaction", "sun", s(func(o *matchingv1.MsgPlaceSell) { o.Consent = &matchingv1.Consent{MinSatisfactionPpm: 1_000_001} }), matching.ErrOutOfRange},
		{"wanted loss", "home", b(func(o *matchingv1.MsgPlaceBuy) { o.WantedLossPpm = -1 }), matching.ErrOutOfRange},
		{"greatest loss", "home", b(func(o *matchingv1.MsgPlaceBuy) { o.MaxLossPpm = proto.Int64(1_000_001) }), matching.ErrOutOfRange},
		{"environment", "home", b(func(o *matchingv1.MsgPlaceBuy) { o.WantedEnvironment = proto.Int64(2) }), matching.ErrOutOfRange},
		{"credit", "home", b(func(o *matchingv1.MsgPlaceBuy) { o.WantedCredit = proto.Int64(101) }), matching.ErrOutOfRange},
		{"weight", "home", b(func(o *matchingv1.MsgPlaceBuy) { o.Weights = &matchingv1.Weights{EnergyType: 1001} }), matching.ErrOutOfRange},
		{"negative weight", "home", b(func(o *matchingv1.MsgPlaceBuy) { o.Weights = &matchingv1.Weights{Loss: -1} }), matching.ErrOutOfRange},
		{"energy type", "home", b(func(o *matchingv1.MsgPlaceBuy) { o.WantedEnergyType = 99 }), matching.ErrMalformed},
		{"one ucoin short", "poor", buy(300_000, 1000), bank.ErrInsufficientFunds},
		{"rating of its own", "small", buy(300_000, 6_101), matching.ErrOverRating},
	} {
		t.Run(test.name, func(t *testing.T) { refused(t, m, test.from, test.msg, test.want) })
	}
	m.Must("small", buy(300_000, 6_100))
	// Over the largest span that the distance can tell: 64 ranges of energy.
	wide := market.New(t, func(g *market.Genesis) { g.Params().RangeEnergyWh = 10 }, "home")
	refused(t, wide, "home", buy(1_000, 641), matching.ErrOutOfRange)
	wide.Must("home", buy(1_000, 640))
}

func TestPlaceCaps(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		g.Params().MaxOrders, g.Params().MaxOrdersPerAccount = 4, 2
	}, "sun", "home", "shop", "mill")
	m.Must("sun", sell(200_000, 60_000, "sun"))
	refused(t, m, "sun", buy(300_000, 1), matching.ErrBothSides)
	refused(t, m, "sun", sell(200_000, 40_001, "sun"), matching.ErrOverRating)
	m.Must("sun", sell(200_000, 40_000, "sun"))
	refused(t, m, "sun", sell(200_000, 1, "sun"), matching.ErrTooManyOrders)
	m.Must("home", buy(300_000, 1))
	refused(t, m, "home", sell(200_000, 1, "home"), matching.ErrBothSides)
	m.Must("shop", buy(300_000, 1))
	refused(t, m, "mill", buy(300_000, 1), matching.ErrBookFull)
	// In another period everything is free again.
	m.Must("sun", edited(buy(300_000, 1), func(o *matchingv1.MsgPlaceBuy) { o.Period += length }))
	m.End()
}

// TestGate: the last block before the gate takes orders, the first one at it
// does not.
func TestGate(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Begin(gate - 1)
	id := m.Must("sun", sell(200_000, 1000, "sun"))
	m.End()
	m.Begin(gate)
	refused(t, m, "sun", sell(200_000, 1000, "sun"), matching.ErrGateClosed)
	refused(t, m, "sun", &matchingv1.MsgCancel{Period: p, Order: id.Bytes()}, matching.ErrGateClosed)
	// Orders open 60 s before the gate.
	late := edited(sell(200_000, 1, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Period = p + 6*length })
	m.Begin(gate)
	m.Must("sun", late)
	late.Period += length
	refused(t, m, "sun", late, matching.ErrNotOpen)
}

func TestInDebt(t *testing.T) {
	m := market.New(t, nil, "home")
	ctx := m.Ctx("home")
	if _, _, err := bank.Pay(ctx, market.Address("home"), protocol.GridAddress, market.Coins+1); err != nil {
		t.Fatal(err)
	}
	refused(t, m, "home", buy(0, 1), matching.ErrInDebt)
	refused(t, m, "home", sell(0, 1, "home"), matching.ErrInDebt)
}

// TestUnreachable: where the chain has lines, a node without one is not
// reachable.
func TestUnreachable(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		g.Grid.Lines = []*gridv1.Line{{From: market.Node("sun"), To: market.Node("home"), LengthMm: 1}}
	}, "sun", "home", "isle")
	refused(t, m, "isle", buy(300_000, 1), matching.ErrUnreachableNode)
	m.Must("home", buy(300_000, 1))
}

func TestCancel(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	first := m.Must("home", buy(300_000, 1000))
	second := m.Must("home", buy(200_000, 1000))
	sold := m.Must("sun", sell(200_000, 1000, "sun"))
	if got := escrow(m, "home"); got != 305_000+205_000 {
		t.Errorf("escrow %d, want 510 000", got)
	}
	cancel := func(id protocol.ID) *matchingv1.MsgCancel {
		return &matchingv1.MsgCancel{Period: p, Order: id.Bytes()}
	}
	refused(t, m, "sun", cancel(first), matching.ErrUnknownOrder)
	refused(t, m, "home", &matchingv1.MsgCancel{Period: p, Order: []byte{1}}, matching.ErrMalformed)
	refused(t, m, "home", &matchingv1.MsgCancel{Order: first.Bytes()}, matching.ErrBadPeriod)
	refused(t, m, "home", &matchingv1.MsgCancel{Period: p + length, Order: first.Bytes()}, matching.ErrUnknownOrder)
	m.Must("home", cancel(first))
	if got := escrow(m, "home"); got != 205_000 {
		t.Errorf("escrow %d, want 205 000", got)
	}
	m.CheckInvariants()
	refused(t, m, "home", cancel(first), matching.ErrUnknownOrder)
	m.Must("home", cancel(second))
	m.Must("home", sell(300_000, 1, "home")) // the other side is free now
	m.Must("sun", cancel(sold))
	if got := book(m); got.Orders != 1 || got.Sells != 1 || got.Buys != 0 {
		t.Errorf("book %v, want one sell", got)
	}
	m.End()
}

// TestCancelLast: a book that nobody is left in is forgotten.
func TestCancelLast(t *testing.T) {
	m := market.New(t, nil, "home")
	empty := m.Export()["matching"]
	id := m.Must("home", buy(300_000, 1000))
	m.Must("home", &matchingv1.MsgCancel{Period: p, Order: id.Bytes()})
	if got := m.Export()["matching"]; string(got) != string(empty) {
		t.Errorf("left %s", got)
	}
	m.Block(gate)
	if events := market.Happened[*matchingv1.PeriodCleared](m); len(events) != 0 {
		t.Errorf("cleared %v", events)
	}
}

// TestRolesOnRoutes: gateways place no orders; frozen accounts send nothing.
func TestRolesOnRoutes(t *testing.T) {
	routes := matching.New().Routes()
	if len(routes) != 9 {
		t.Fatalf("got %d routes, want 9", len(routes))
	}
	for _, route := range routes {
		if route.Type == "energy.matching.v1.MsgSetMarket" {
			if len(route.Roles) != 1 || route.Roles[0] != registryv1.Role_ROLE_AUTHORITY {
				t.Errorf("%s: roles %v, want the authority's", route.Type, route.Roles)
			}
			continue
		}
		if route.Lane != module.LaneOrders || route.WhileFrozen {
			t.Errorf("%s: want the lane of orders, not while frozen", route.Type)
		}
		if len(route.Roles) != 2 || route.Roles[0] != registryv1.Role_ROLE_PROSUMER || route.Roles[1] != registryv1.Role_ROLE_AGGREGATOR {
			t.Errorf("%s: roles %v", route.Type, route.Roles)
		}
	}
}
