package matching_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/matching"
)

// standingSell and standingBuy are rules for sell and buy without their period.
func standingSell(price, energyWh int64, name string) *matchingv1.MsgSetStandingOrder {
	return &matchingv1.MsgSetStandingOrder{Sell: edited(sell(price, energyWh, name), func(o *matchingv1.MsgPlaceSell) { o.Period = 0 })}
}

func standingBuy(price, energyWh int64) *matchingv1.MsgSetStandingOrder {
	return &matchingv1.MsgSetStandingOrder{Buy: edited(buy(price, energyWh), func(o *matchingv1.MsgPlaceBuy) { o.Period = 0 })}
}

func asMeasured(rule *matchingv1.MsgSetStandingOrder) *matchingv1.MsgSetStandingOrder {
	rule.AsMeasured = true
	return rule
}

func standingOrders(m *market.Market) []*matchingv1.StandingOrder {
	m.T.Helper()
	got, err := market.Query[*matchingv1.QueryStandingOrdersResponse](m, &matchingv1.QueryStandingOrdersRequest{})
	if err != nil {
		m.T.Fatal(err)
	}
	return got.Orders
}

// skipped wants one standing order of the block to be skipped, for a reason.
func skipped(t *testing.T, m *market.Market, name, reason string) {
	t.Helper()
	events := market.Happened[*matchingv1.StandingSkipped](m)
	account := market.Address(name)
	if len(events) != 1 || string(events[0].Account) != string(account[:]) || !strings.Contains(events[0].Reason, reason) {
		t.Errorf("skipped %v, want that of %s for %q", events, name, reason)
	}
}

// TestStandingOrders: rules alone make, clear and fill the books of two periods,
// with the orders that their owners would have placed.
func TestStandingOrders(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", standingSell(200_000, 1000, "sun"))
	m.Must("home", edited(standingBuy(300_000, 2000), func(r *matchingv1.MsgSetStandingOrder) {
		r.Buy.Preferences = []*matchingv1.Preference{{Attribute: matchingv1.Attribute_ATTRIBUTE_PRICE, WeightPerMille: 1000}}
		r.Buy.Weights = &matchingv1.Weights{Price: 1}
	}))
	m.End()
	m.Block(gate - length) // of the period before p
	m.Block(gate - 1)
	if book(m) != nil {
		t.Fatalf("book %v before its gate", book(m))
	}
	m.Block(gate)
	placed := market.Happened[*matchingv1.BuyPlaced](m)
	if len(placed) != 1 || len(market.Happened[*matchingv1.SellPlaced](m)) != 1 {
		t.Fatalf("placed %v, want a buy and a sell", placed)
	}
	order := placed[0].Order
	if order.Period != p || order.EnergyWh != 2000 || len(order.Preferences) != 1 || order.Weights.GetPrice() != 1 || !order.Consent.GetStanding() || order.GridNode != market.Node("home") {
		t.Errorf("order %v: want all that the rule says", order)
	}
	for _, period := range []int64{p - length, p} {
		if got := matching.MatchesOf(m.Store, period, market.Address("home")); len(got) != 1 || got[0].EnergyWh != 1000 {
			t.Errorf("matches in %d: %v, want one of 1 kWh", period, got)
		}
	}
	if got := escrow(m, "home"); got != 2*205_000 {
		t.Errorf("escrow %d, want that of the matches, 410 000", got)
	}
}

// TestStandingOverridden: an order of one's own takes the place of the rule, on
// whichever side.
func TestStandingOverridden(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", standingSell(200_000, 1000, "sun"))
	m.Must("home", standingBuy(300_000, 2000))
	m.Must("sun", sell(250_000, 10, "sun"))
	m.Must("home", sell(250_000, 10, "home"))
	m.End()
	m.Block(gate)
	if b := book(m); b.Sells != 2 || b.Buys != 0 || len(market.Happened[*matchingv1.SellPlaced](m)) != 0 {
		t.Errorf("book %v, want the two explicit sells only", b)
	}
	m.Block(gate + length)
	if b, _ := matching.BookOf(m.Store, p+length, 0); b.GetMatchedWh() != 1000 {
		t.Errorf("book %v: want the rules again in the next period", b)
	}
}

// TestStandingOfRevoked: who is revoked cannot end its rules, so they end.
func TestStandingOfRevoked(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("home", standingBuy(300_000, 1000))
	home := market.Address("home")
	m.Decree(&registryv1.MsgRevoke{Account: home[:], Reason: "test"})
	m.End()
	m.Block(gate)
	removed := market.Happened[*matchingv1.StandingOrderRemoved](m)
	if len(removed) != 1 || removed[0].Reason != "account_revoked" || len(standingOrders(m)) != 0 {
		t.Errorf("removed %v, rules %v: want none left", removed, standingOrders(m))
	}
}

func TestStandingSkipped(t *testing.T) {
	for _, test := range []struct {
		name, reason string
		rule         *matchingv1.MsgSetStandingOrder
		edit         func(*market.Genesis)
		before       func(*market.Market)
	}{
		{
			name: "not funded", reason: "insufficient_funds", rule: standingBuy(300_000, 1000),
			edit: func(g *market.Genesis) { g.Balance("home").FreeUcoin = 304_999 },
		},
		{name: "frozen", reason: "not_active", rule: standingBuy(300_000, 1000), before: func(m *market.Market) {
			home := market.Address("home")
			m.Decree(&registryv1.MsgFreeze{Account: home[:], Reason: "test"})
		}},
		{name: "no trader any more", reason: "not_active", rule: standingBuy(300_000, 1000), before: func(m *market.Market) {
			home := market.Address("home")
			m.Decree(&registryv1.MsgSetRoles{Account: home[:], Roles: []registryv1.Role{registryv1.Role_ROLE_AUDITOR}})
		}},
		{name: "price outside", reason: "bad_price", rule: standingBuy(2_000_001, 1000)},
		{name: "over the connection", reason: "over_rating", rule: standingBuy(0, 100_001)},
		{name: "not its meter", reason: "meter_not_bound", rule: standingSell(1, 1, "sun")},
		{
			name: "book full", reason: "book_full", rule: standingSell(1, 1, "home"),
			edit:   func(g *market.Genesis) { g.Params().MaxOrders, g.Params().MaxOrdersPerAccount = 1, 1 },
			before: func(m *market.Market) { m.Must("sun", sell(1, 1, "sun")) },
		},
		{name: "nothing measured", reason: "nothing_measured", rule: asMeasured(standingSell(1, 1, "home"))},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, test.edit, "sun", "home")
			m.Begin(gate - length + 1) // p's gate is the next one
			m.Must("home", test.rule)
			if test.before != nil {
				test.before(m)
			}
			m.End()
			balance := escrow(m, "home")
			m.Block(gate)
			skipped(t, m, "home", test.reason)
			if len(standingOrders(m)) != 1 || escrow(m, "home") != balance {
				t.Errorf("rules %v, escrow %d: want the rule kept and nothing held", standingOrders(m), escrow(m, "home"))
			}
		})
	}
}

// TestStandingAsMeasured: the order follows the last period that all the
// account's meters closed, within the rule's bounds, until that is too old.
func TestStandingAsMeasured(t *testing.T) {
	keeping := func(energyWh int64) *matchingv1.MsgSetStandingOrder {
		return edited(asMeasured(standingSell(1, 5000, "home")), func(r *matchingv1.MsgSetStandingOrder) { r.KeepWh = energyWh })
	}
	for _, test := range []struct {
		name               string
		importWh, exportWh int64
		rules              []*matchingv1.MsgSetStandingOrder
		sells, buys        int64
		skipped            int
	}{
		{"surplus", 0, 900, []*matchingv1.MsgSetStandingOrder{asMeasured(standingSell(1, 5000, "home"))}, 900, 0, 0},
		{"what exceeds", 0, 900, []*matchingv1.MsgSetStandingOrder{keeping(200)}, 700, 0, 0},
		{"at most", 0, 900, []*matchingv1.MsgSetStandingOrder{asMeasured(standingSell(1, 500, "home"))}, 500, 0, 0},
		{"nothing exceeds", 0, 900, []*matchingv1.MsgSetStandingOrder{keeping(900)}, 0, 0, 1},
		{"demand", 800, 0, []*matchingv1.MsgSetStandingOrder{asMeasured(standingBuy(1, 5000))}, 0, 800, 0},
		{"whichever side", 800, 0, []*matchingv1.MsgSetStandingOrder{keeping(0), asMeasured(standingBuy(1, 5000))}, 0, 800, 1},
		{"the sell first", 800, 900, []*matchingv1.MsgSetStandingOrder{keeping(0), asMeasured(standingBuy(1, 5000))}, 900, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, nil, "home")
			m.Begin(start)
			m.Read("home", start, 0, 0)
			for _, rule := range test.rules {
				m.Must("home", rule)
			}
			m.End()
			m.Begin(start + length)
			m.Read("home", start+length, test.importWh, test.exportWh)
			m.End()
			m.Block(gate)
			var sold, bid int64
			for _, event := range market.Happened[*matchingv1.SellPlaced](m) {
				sold += event.Order.EnergyWh
			}
			for _, event := range market.Happened[*matchingv1.BuyPlaced](m) {
				bid += event.Order.EnergyWh
			}
			if events := market.Happened[*matchingv1.StandingSkipped](m); sold != test.sells || bid != test.buys || len(events) != test.skipped {
				t.Errorf("sold %d, bid %d, skipped %v: want %d, %d and %d", sold, bid, events, test.sells, test.buys, test.skipped)
			}
		})
	}
}

// TestStandingTooOld: what was measured is followed for as long as settlement
// waits for registers, and not beyond.
func TestStandingTooOld(t *testing.T) {
	m := market.New(t, nil, "home")
	m.Begin(start)
	m.Read("home", start, 0, 0)
	m.Must("home", asMeasured(standingSell(1, 5000, "home")))
	m.End()
	m.Begin(start + length)
	m.Read("home", start+length, 0, 900)
	m.End()
	// The gate of p + 2 lies 36 s after the start of the measured period: more
	// than its deadline of two periods and itself.
	for i, want := range []int{1, 1, 0} {
		m.Block(gate + int64(i)*length)
		if got := market.Happened[*matchingv1.SellPlaced](m); len(got) != want {
			t.Errorf("gate %d: placed %v, want %d", i, got, want)
		}
	}
	skipped(t, m, "home", "nothing_measured")
}

func TestSetStandingOrderRefused(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) { g.Params().MaxOrders, g.Params().MaxOrdersPerAccount = 2, 2 }, "sun", "home", "shop")
	s := func(edit func(*matchingv1.MsgSetStandingOrder)) proto.Message {
		return edited(standingSell(200_000, 1000, "sun"), edit)
	}
	for _, test := range []struct {
		name string
		msg  proto.Message
		want *module.Error
	}{
		{"no side", &matchingv1.MsgSetStandingOrder{}, matching.ErrMalformed},
		{"both sides", s(func(r *matchingv1.MsgSetStandingOrder) { r.Buy = &matchingv1.MsgPlaceBuy{EnergyWh: 1} }), matching.ErrMalformed},
		{"a period", s(func(r *matchingv1.MsgSetStandingOrder) { r.Sell.Period = p }), matching.ErrBadPeriod},
		{"no energy", s(func(r *matchingv1.MsgSetStandingOrder) { r.Sell.EnergyWh = 0 }), matching.ErrBadEnergy},
		{"negative price", s(func(r *matchingv1.MsgSetStandingOrder) { r.Sell.PriceUcoinPerKwh = -1 }), matching.ErrBadPrice},
		{"no meter", s(func(r *matchingv1.MsgSetStandingOrder) { r.Sell.Meter = "" }), matching.ErrMalformed},
		{"kept of a fixed energy", s(func(r *matchingv1.MsgSetStandingOrder) { r.KeepWh = 1 }), matching.ErrBadEnergy},
		{"negative kept", s(func(r *matchingv1.MsgSetStandingOrder) { r.AsMeasured, r.KeepWh = true, -1 }), matching.ErrBadEnergy},
		{"kept of a buy", edited(asMeasured(standingBuy(1, 1)), func(r *matchingv1.MsgSetStandingOrder) { r.KeepWh = 1 }), matching.ErrBadEnergy},
		{"weight", edited(standingBuy(1, 1), func(r *matchingv1.MsgSetStandingOrder) { r.Buy.Weights = &matchingv1.Weights{Loss: 1001} }), matching.ErrOutOfRange},
		{"ends before it begins", s(func(r *matchingv1.MsgSetStandingOrder) { r.UntilMs = start + length }), matching.ErrOutOfRange},
		{"negative end", s(func(r *matchingv1.MsgSetStandingOrder) { r.UntilMs = -1 }), matching.ErrOutOfRange},
		{"cancel of no side", &matchingv1.MsgCancelStandingOrder{}, matching.ErrMalformed},
		{"cancel of none", &matchingv1.MsgCancelStandingOrder{Side: matchingv1.Side_SIDE_BUY}, matching.ErrUnknownStandingOrder},
	} {
		t.Run(test.name, func(t *testing.T) { refused(t, m, "sun", test.msg, test.want) })
	}
	m.Must("sun", standingSell(200_000, 1000, "sun"))
	m.Must("home", standingBuy(1, 1))
	refused(t, m, "shop", standingBuy(1, 1), matching.ErrTooManyStandingOrders)
	m.Must("sun", standingSell(200_000, 500, "sun")) // in place of the first
	if got := standingOrders(m); len(got) != 2 {
		t.Errorf("rules %v, want two", got)
	}
	m.CheckInvariants()
}

// TestStandingEnds: a rule ends at its time or when it is cancelled, and without
// rules the chain forgets the clock.
func TestStandingEnds(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	empty := m.Export()["matching"]
	m.Begin(gate - length + 1)
	m.Must("sun", edited(standingSell(1, 1, "sun"), func(r *matchingv1.MsgSetStandingOrder) { r.UntilMs = p + 1 }))
	m.Must("home", standingBuy(1, 1))
	m.End()
	m.Begin(gate)
	m.Must("home", &matchingv1.MsgCancelStandingOrder{Side: matchingv1.Side_SIDE_BUY})
	m.End()
	if b := book(m); b.Sells != 1 || b.Buys != 0 {
		t.Errorf("book %v, want the sell only", b)
	}
	m.Block(gate + length)
	if events := market.Happened[*matchingv1.StandingOrderRemoved](m); len(events) != 1 || events[0].Reason != "expired" {
		t.Errorf("events %v, want one rule expired", events)
	}
	for period := range 6 {
		m.Block(gate + int64(period+2)*length)
	}
	if got := m.Export()["matching"]; string(got) != string(empty) {
		t.Errorf("left %s", got)
	}
}

// TestStandingAfterGate: a rule that is set in the block of a gate, or in an
// outage's last one, orders from the next gate on.
func TestStandingAfterGate(t *testing.T) {
	m := market.New(t, nil, "home", "sun")
	m.Must("home", standingBuy(1, 1)) // the clock runs
	m.End()
	m.Begin(gate)
	m.Must("sun", standingSell(2, 1, "sun"))
	m.End()
	if b := book(m); b.Buys != 1 || b.Sells != 0 {
		t.Errorf("book %v, want the buy only", b)
	}
	m.Block(gate + length)
	if b, _ := matching.BookOf(m.Store, p+length, 0); b.GetSells() != 1 || b.GetBuys() != 1 {
		t.Errorf("book %v, want both", b)
	}
}

// TestStandingOutage: periods that began while no block came are left to the
// grid; those that can still be cleared get their orders, the oldest first.
func TestStandingOutage(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) { g.Params().GateLeadMs = 14_000 }, "sun", "home")
	m.Must("sun", standingSell(1, 1000, "sun"))
	m.Must("home", standingBuy(1_000_000, 1000))
	m.End()
	m.Block(p + 5*length) // the gate of the next period has passed, too
	var periods []int64
	for _, event := range market.Happened[*matchingv1.PeriodCleared](m) {
		periods = append(periods, event.Book.Period)
	}
	if len(periods) != 1 || periods[0] != p+6*length {
		t.Errorf("cleared %v, want the next period only", periods)
	}
	m.Block(p + 5*length + 6_000)
	if events := market.Happened[*matchingv1.PeriodCleared](m); len(events) != 1 || events[0].Book.Period != p+7*length {
		t.Errorf("cleared %v, want the period after", events)
	}
}

// TestStandingGenesis: a chain that goes on from an export does the same.
func TestStandingGenesis(t *testing.T) {
	m := market.New(t, nil, "sun", "home")
	m.Must("sun", standingSell(200_000, 1000, "sun"))
	m.Must("home", edited(asMeasured(standingBuy(300_000, 2000)), func(r *matchingv1.MsgSetStandingOrder) { r.UntilMs = p + 2*length }))
	m.End()
	for i := range int64(6) {
		again := m.Reborn()
		at := gate + (i-1)*length/2
		m.Block(at)
		again.Block(at)
		if before, after := m.Export(), again.Export(); string(before["matching"]) != string(after["matching"]) {
			t.Fatalf("step %d: the chains part:\n%s\n%s", i, before["matching"], after["matching"])
		}
	}
	for i, data := range []string{
		`{"next_standing_period":"10000"}`,
		`{"standing_orders":[{"account":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","buy":{"energy_wh":"1"}}]}`,
		`{"standing_orders":[{"account":"AAAA","buy":{"energy_wh":"1"}}],"next_standing_period":"10000"}`,
		`{"standing_orders":[{"account":"AAAAAAAAAAAAAAAAAAAAAAAAAAA="}],"next_standing_period":"10000"}`,
		`{"standing_orders":[{"account":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","buy":{"energy_wh":"1"}}],"next_standing_period":"10001"}`,
	} {
		if err := matching.New().InitGenesis(market.New(t, nil).Ctx("gateway"), []byte(data)); err == nil {
			t.Errorf("case %d: accepted %s", i, data)
		}
	}
}
