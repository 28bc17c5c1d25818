package settlement_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/settlement"
)

func settled(m *market.Market, period int64) bool {
	_, ok := settlement.RootOf(m.Store, period)
	return ok
}

// TestOutage: the chain stands still for five periods. Matches from before it
// settle normally; periods inside it settle once registers for them arrive, and
// are not opened for anybody else's sake.
func TestOutage(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	m.Begin(gate)
	for _, name := range []string{"sun", "home"} {
		m.Read(name, start+length, 0, 0)
	}
	m.End() // cleared and confirmed by standing consent
	back := int64(p + 5*length + 500)
	m.Block(back)
	if settled(m, p) || settled(m, p+length) {
		t.Fatal("settled without registers")
	}
	m.Begin(back + 1000)
	for i := range int64(6) {
		m.Read("sun", p+i*length, 0, i*1000)
		m.Read("home", p+i*length, i*1000, 0)
	}
	m.End()
	for i := range int64(5) {
		if !settled(m, p+i*length) {
			t.Errorf("period %d of the outage is not settled", i)
		}
	}
	if s := statement(m, "sun"); s.SoldWh != 1000 {
		t.Errorf("sun sold %d, want 1000", s.SoldWh)
	}
	// Nobody's meter spoke in the one before the present: it has a block.
	m.Block(back + length)
	if events := market.Happened[*settlementv1.PeriodSettled](m); len(events) != 0 {
		t.Errorf("settled %v, want the period with a block to wait for its registers", events)
	}
	if _, err := period(m, p+5*length); err != nil {
		t.Errorf("the period with blocks is not open: %v", err)
	}
}

func period(m *market.Market, start int64) (*settlementv1.QueryPeriodResponse, error) {
	return market.Query[*settlementv1.QueryPeriodResponse](m, &settlementv1.QueryPeriodRequest{Period: start})
}

// TestFastClock: a meter whose clock is ahead ends the period in the chain's
// eyes not before the chain's own time does.
func TestFastClock(t *testing.T) {
	m := market.New(t, nil, "home")
	m.End()
	m.Begin(p + length - 100)
	m.Read("home", p, 0, 0)
	m.Read("home", p+length, 100, 0)
	m.End()
	if _, err := period(m, p); !errors.Is(err, settlement.ErrUnknownPeriod) || settled(m, p) {
		t.Errorf("got %v, want the period not to be in settlement yet", err)
	}
	m.Block(p + length)
	if !settled(m, p) {
		t.Error("not settled in the first block after its end")
	}
}

// TestUnmatchedBooks: what was ordered for an outage and never matched leaves
// nothing behind.
func TestUnmatchedBooks(t *testing.T) {
	m := market.New(t, nil, "home")
	m.Must("home", buy(p, 300_000, 1000))
	m.Must("home", buy(p+length, 300_000, 1000))
	m.End()
	m.Block(p + 3*length)
	for book := range matching.Books(m.Store) {
		t.Errorf("left %v", book)
	}
}

// TestLongOutage: a block opens at most 100 periods, the rest follows.
func TestLongOutage(t *testing.T) {
	m := market.New(t, nil, "home")
	m.End()
	m.Begin(start + length)
	m.Read("home", start+length, 0, 0)
	m.End()
	const passed = 250
	m.Begin(start + (passed+1)*length)
	for i := int64(2); i <= passed+1; i++ {
		m.Read("home", start+i*length, 10, 0)
	}
	m.End()
	count := func() (n int) {
		for i := int64(1); i <= passed; i++ {
			if settled(m, start+i*length) {
				n++
			}
		}
		return n
	}
	// The last period before the outage is opened for its blocks.
	for i, want := range []int{100, 200, 250} {
		if i > 0 {
			m.Block(m.TimeMs + 10)
		}
		if got := count(); got != want {
			t.Errorf("after block %d: %d periods settled, want %d", i, got, want)
		}
	}
}

// TestRetention: statements go when their time is over, the root stays.
func TestRetention(t *testing.T) {
	m := market.New(t, nil, "home")
	deliver(m, map[string]flow{"home": {1000, 0}}, "home")
	// Complete in the first period after p; six periods are kept.
	for i := int64(2); i <= 8; i++ {
		if _, ok := settlement.StatementOf(m.Store, p, market.Address("home")); !ok {
			t.Fatalf("statement is gone %d periods after p", i-1)
		}
		m.Begin(p + i*length + 500)
		m.Read("home", p+i*length, 0, 0)
		m.End()
	}
	if _, ok := settlement.StatementOf(m.Store, p, market.Address("home")); ok {
		t.Error("statement is still there after seven periods")
	}
	if !settled(m, p) {
		t.Error("the root is gone")
	}
	home := market.Address("home")
	_, err := market.Query[*settlementv1.QueryStatementResponse](m, &settlementv1.QueryStatementRequest{Account: home[:], Period: p})
	if !errors.Is(err, settlement.ErrUnknownStatement) {
		t.Errorf("got %v, want ErrUnknownStatement", err)
	}
}

// TestWaiting: a period waits for a missing account until its registers arrived;
// they make a further root while the statements are kept.
func TestWaiting(t *testing.T) {
	m := market.New(t, nil, "home", "shop")
	deliver(m, map[string]flow{"home": {1000, 0}}, "home", "shop")
	for i := int64(2); i <= 8; i++ {
		m.Begin(p + i*length + 500)
		m.Read("home", p+i*length, 0, 0)
		m.End()
	}
	if s := statement(m, "home"); s.Version != 1 {
		t.Errorf("want the statement of home kept: %v", s)
	}
	if answer, err := period(m, p); err != nil || answer.Period.GetMissing() != 1 {
		t.Errorf("period %v, %v: want one missing", answer, err)
	}
	// shop reads again after the end of period p + 8: the gap gives registers to
	// every period, p among them.
	m.Begin(p + 9*length + 500)
	m.Read("shop", p+9*length, 900, 0)
	m.End()
	if s := statement(m, "shop"); s.Missing || s.ImportWh != 100 || !s.Estimated || s.Version != 2 {
		t.Errorf("want registers drawn through the gap: %v", s)
	}
	if answer, err := period(m, p); err != nil || answer.Period != nil || answer.Root.Version != 2 {
		t.Errorf("period %v, %v: want it complete with a second root", answer, err)
	}
}

// TestNeverArrives: a meter that was first read after a period never gives
// registers for it.
func TestNeverArrives(t *testing.T) {
	m := market.New(t, nil, "home")
	m.End()
	for i := int64(1); i <= 5; i++ { // no readings: p and others go missing
		m.Block(start + i*length)
	}
	if s := statement(m, "home"); !s.Missing {
		t.Fatalf("want a missing statement: %v", s)
	}
	m.Begin(start + 6*length)
	m.Read("home", start+6*length, 0, 0)
	m.End()
	if answer, _ := period(m, p); answer.Period.GetMissing() != 1 {
		t.Errorf("want p to wait: %v", answer)
	}
	m.Begin(start + 7*length)
	m.Read("home", start+7*length, 10, 0)
	m.End()
	if answer, err := period(m, p); err != nil || answer.Period != nil {
		t.Errorf("period %v, %v: want nobody waited for", answer, err)
	}
	if s := statement(m, "home"); !s.Missing || s.Version != 1 {
		t.Errorf("want the statement as it was: %v", s)
	}
}

// TestGenesis: an export in the midst of everything is the same again, and the
// chain goes on from it.
func TestGenesis(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home", "shop", "mill")
	m.Must("sun", sell(p, 200_000, 2000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.Must("shop", buy(p, 300_000, 500))
	m.End()
	// sun's shares wait for home, shop is settled, mill is missing throughout.
	deliver(m, map[string]flow{"sun": {0, 2000}, "shop": {500, 0}}, "sun", "home", "shop")
	m.Must("sun", sell(p+4*length, 200_000, 2000, "sun"))
	m.Must("home", buy(p+4*length, 300_000, 1000))
	for range 6 {
		again := m.Reborn()
		if diff := cmp.Diff(m.Export(), again.Export()); diff != "" {
			t.Fatalf("height %d: export differs after import (-before +after):\n%s", m.Height, diff)
		}
		again.CheckInvariants()
		m.Block(m.TimeMs + length)
		again.Block(again.TimeMs + length)
		if diff := cmp.Diff(m.Export(), again.Export()); diff != "" {
			t.Fatalf("height %d: the chains part (-before +after):\n%s", m.Height, diff)
		}
	}
	if s := statement(m, "home"); !s.Missing || s.BoughtWh != 1000 {
		t.Errorf("want home to be missing in the end: %v", s)
	}
}

func TestGenesisRefused(t *testing.T) {
	for _, test := range []struct{ name, data string }{
		{"unknown field", `{"bills":[]}`},
		{"short account", `{"tallies":[{"account":"AAAA","period":"10000"}]}`},
		{"short match", `{"shares":[{"account":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","match":"AAAA"}]}`},
		{"no match", `{"trades":[{"account":"AAAAAAAAAAAAAAAAAAAAAAAAAAA="}]}`},
		{"short root", `{"roots":[{"period":"10000","root":"AAAA","totals":{}}]}`},
		{"waiting with another's statement", `{"missing":[{"account":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","statement":{"period":"1"}}]}`},
		{"waiting for no period", `{"missing":[{"account":"AAAAAAAAAAAAAAAAAAAAAAAAAAA=","statement":{"account":"AAAAAAAAAAAAAAAAAAAAAAAAAAA="}}]}`},
		{"period without tallies", `{"periods":[{"period":"10000","accounts":"1","open_accounts":"1"}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, nil)
			if err := settlement.New().InitGenesis(m.Ctx("gateway"), []byte(test.data)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestQueries: paging, and a path that leads from a statement to the root.
func TestQueries(t *testing.T) {
	m := market.New(t, nil, "sun", "home", "shop")
	deliver(m, map[string]flow{"sun": {0, 100}, "home": {1000, 0}, "shop": {1, 2}}, "sun", "home", "shop")
	var after []byte
	for i := range int64(3) {
		page, err := market.Query[*settlementv1.QueryStatementsResponse](m, &settlementv1.QueryStatementsRequest{Period: p, After: after, Limit: 1})
		if err != nil || len(page.Statements) != 1 {
			t.Fatalf("page %d: %v, %v", i, page, err)
		}
		after = page.Statements[0].Account
		got, err := market.Query[*settlementv1.QueryStatementResponse](m, &settlementv1.QueryStatementRequest{Account: after, Period: p})
		if err != nil || got.Index != i {
			t.Fatalf("statement %d: index %d, %v", i, got.GetIndex(), err)
		}
		leaf, err := protocol.StatementLeaf(got.Statement)
		if err != nil {
			t.Fatal(err)
		}
		if root := protocol.PathRoot(leaf, got.Index, got.Root.Accounts, got.Aunts); string(root) != string(got.Root.Root) {
			t.Errorf("statement %d: path leads to %x, want %x", i, root, got.Root.Root)
		}
	}
	// The period in which the chain began is not settled, the next one is.
	list, err := market.Query[*settlementv1.QueryRootsResponse](m, &settlementv1.QueryRootsRequest{})
	if err != nil || len(list.Roots) != 2 || list.Roots[0].Period != start+length || list.Roots[1].Period != p {
		t.Errorf("roots %v, %v: want two", list, err)
	}
	if list, err = market.Query[*settlementv1.QueryRootsResponse](m, &settlementv1.QueryRootsRequest{FromPeriod: p}); err != nil || len(list.Roots) != 1 {
		t.Errorf("roots from p: %v, %v", list, err)
	}
	for _, request := range []struct {
		name string
		ask  func() error
		want error
	}{
		{"short account", func() error {
			_, err := market.Query[*settlementv1.QueryStatementResponse](m, &settlementv1.QueryStatementRequest{Account: []byte{1}, Period: p})
			return err
		}, settlement.ErrMalformed},
		{"short after", func() error {
			_, err := market.Query[*settlementv1.QueryStatementsResponse](m, &settlementv1.QueryStatementsRequest{Period: p, After: []byte{1}})
			return err
		}, settlement.ErrMalformed},
		{"negative limit", func() error {
			_, err := market.Query[*settlementv1.QueryRootsResponse](m, &settlementv1.QueryRootsRequest{Limit: -1})
			return err
		}, settlement.ErrMalformed},
		{"unknown period", func() error { _, err := period(m, p+1); return err }, settlement.ErrUnknownPeriod},
	} {
		if err := request.ask(); !errors.Is(err, request.want) {
			t.Errorf("%s: got %v, want %v", request.name, err, request.want)
		}
	}
}
