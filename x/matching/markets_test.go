package matching_test

import (
	"bytes"
	"testing"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/registry"
)

// twoMarkets are K-prototypes as market 0 and another as market 7, in which those
// whose names end in 7 trade.
func twoMarkets(other *matchingv1.Market, names ...string) func(*market.Genesis) {
	return func(g *market.Genesis) {
		g.Matching.Markets = []*matchingv1.MarketEntry{
			{Market: pairs(matchingv1.Mechanism_MECHANISM_KPROTOTYPES)}, {Number: 7, Market: other},
		}
		for _, name := range names {
			if name[len(name)-1] == '7' {
				g.Account(name).Market = 7
			}
		}
	}
}

func bookIn(t *testing.T, m *market.Market, number int64) *matchingv1.Book {
	t.Helper()
	found, ok := matching.BookOf(m.Store, p, number)
	if !ok {
		t.Fatalf("market %d has no book", number)
	}
	return found
}

// TestMarketsSideBySide: the same orders in two markets, which clear them in the
// same block by their own mechanisms and never across; the dear buyer of the one
// does not meet the cheap seller of the other.
func TestMarketsSideBySide(t *testing.T) {
	names := []string{"sun", "home", "sun7", "home7", "shop7"}
	m := market.New(t, twoMarkets(pairs(matchingv1.Mechanism_MECHANISM_CMAP), names...), names...)
	for _, suffix := range []string{"", "7"} {
		m.Must("sun"+suffix, sell(200_000, 1000, "sun"+suffix))
		m.Must("home"+suffix, buy(400_000, 800))
	}
	m.Must("shop7", buy(2_000_000, 5000))
	m.End()
	reborn := m.Reborn()
	for name, m := range map[string]*market.Market{"went on": m, "was started from an export": reborn} {
		t.Run(name, func(t *testing.T) {
			m.T = t
			m.Block(gate)
			own, other := bookIn(t, m, 0), bookIn(t, m, 7)
			if own.Mechanism != matchingv1.Mechanism_MECHANISM_KPROTOTYPES || own.MatchedWh != 800 || own.Orders != 2 {
				t.Errorf("market 0: %v", own)
			}
			if other.Mechanism != matchingv1.Mechanism_MECHANISM_CMAP || other.MatchedWh != 1000 || other.Orders != 3 {
				t.Errorf("market 7: %v", other)
			}
			cleared := market.Happened[*matchingv1.PeriodCleared](m)
			if len(cleared) != 2 || cleared[0].Book.Market != 0 || cleared[1].Book.Market != 7 {
				t.Errorf("cleared %v, want market 0 before market 7", cleared)
			}
			found := 0
			for match := range matching.Matches(m.Store, p) {
				found++
				seller, _ := registry.AccountOf(m.Store, [20]byte(match.Seller))
				buyer, _ := registry.AccountOf(m.Store, [20]byte(match.Buyer))
				if seller.Market != match.Market || buyer.Market != match.Market {
					t.Errorf("match %v is across markets", match)
				}
			}
			if found < 2 {
				t.Errorf("%d matches, want some in both markets", found)
			}
			if _, ok := matching.CertificateOf(m.Store, p, 7, 0); !ok {
				t.Error("CMAP left no certificate")
			}
			if _, ok := matching.CertificateOf(m.Store, p, 0, 0); ok {
				t.Error("K-prototypes left a certificate")
			}
		})
	}
}

// TestMarketsSettle: the matches of all markets settle as one period, and its books
// go together.
func TestMarketsSettle(t *testing.T) {
	names := []string{"sun", "home", "sun7", "home7"}
	m := market.New(t, twoMarkets(pairs(matchingv1.Mechanism_MECHANISM_WELFARE), names...), names...)
	for _, suffix := range []string{"", "7"} {
		m.Must("sun"+suffix, sell(200_000, 1000, "sun"+suffix))
		m.Must("home"+suffix, buy(400_000, 1000))
	}
	m.End()
	m.Block(gate)
	m.Begin(p)
	for _, name := range names {
		m.Read(name, p, 0, 0)
	}
	m.End()
	if got := matching.MatchCount(m.Store, p); got != 2 {
		t.Fatalf("%d matches, want one in either market", got)
	}
	m.Begin(p + length)
	for _, suffix := range []string{"", "7"} {
		m.Read("sun"+suffix, p+length, 0, 1000)
		m.Read("home"+suffix, p+length, 999, 0)
	}
	m.End()
	for book := range matching.Books(m.Store) {
		t.Errorf("left %v", book)
	}
	for period := range matching.Periods(m.Store) {
		t.Errorf("left period %d", period)
	}
	for match := range matching.Matches(m.Store, p) {
		t.Errorf("left %v", match)
	}
	if escrow(m, "home")+escrow(m, "home7") != 0 {
		t.Error("escrow is left")
	}
}

// TestMarketOfOthers: who is in one market neither cancels nor signs in another,
// and a book that waits holds up its own market only.
func TestMarketOfOthers(t *testing.T) {
	names := []string{"sun", "home", "sun7", "home7"}
	m := market.New(t, twoMarkets(pairs(matchingv1.Mechanism_MECHANISM_AUCTION), names...), names...)
	m.Must("sun", sell(200_000, 1000, "sun"))
	bought := m.Must("home", buy(400_000, 800))
	m.Must("home7", buy(400_000, 800))
	refused(t, m, "home7", &matchingv1.MsgCancel{Period: p, Order: bought.Bytes()}, matching.ErrUnknownOrder)
	asked := sell(200_000, 1000, "sun7")
	asked.Consent = nil
	m.Must("sun7", asked)
	m.End()
	m.Block(gate)
	// Market 7 waits for a signature, market 0 is done.
	if own, other := bookIn(t, m, 0), bookIn(t, m, 7); own.Phase != matchingv1.Phase_PHASE_FINAL || other.Phase != matchingv1.Phase_PHASE_CONFIRM || other.Pending != 1 {
		t.Errorf("got %v and %v", own, other)
	}
	home := market.Address("home7")
	waiting, err := market.Query[*matchingv1.QueryMatchesResponse](m, &matchingv1.QueryMatchesRequest{Period: p, Account: home[:]})
	if err != nil || len(waiting.Prematches) != 1 {
		t.Fatalf("got %v, %v, want one pre-match", waiting, err)
	}
	confirm := &matchingv1.MsgConfirm{Period: p, Match: waiting.Prematches[0].Id}
	refused(t, m, "sun", confirm, matching.ErrWindowClosed)
	m.Must("sun7", confirm)
	m.End()
	if got := bookIn(t, m, 7); got.Phase != matchingv1.Phase_PHASE_FINAL || got.MatchedWh != 800 {
		t.Errorf("market 7: %v", got)
	}
}

// TestMarketCaps: the chain's cap counts all markets, a market's its own book.
func TestMarketCaps(t *testing.T) {
	names := []string{"sun", "home", "sun7", "home7", "shop7"}
	other := pairs(matchingv1.Mechanism_MECHANISM_AUCTION)
	other.MaxOrders = 2
	m := market.New(t, func(g *market.Genesis) {
		twoMarkets(other, names...)(g)
		g.Params().MaxOrders, g.Params().MaxOrdersPerAccount = 4, 4
	}, names...)
	m.Must("home7", buy(300_000, 1))
	last := m.Must("home7", buy(300_000, 1))
	refused(t, m, "shop7", buy(300_000, 1), matching.ErrBookFull) // of the market
	m.Must("home", buy(300_000, 1))
	m.Must("home", buy(300_000, 1))
	refused(t, m, "sun", sell(200_000, 1, "sun"), matching.ErrBookFull) // of the chain
	m.Must("home7", &matchingv1.MsgCancel{Period: p, Order: last.Bytes()})
	m.Must("sun", sell(200_000, 1, "sun"))
	refused(t, m, "shop7", buy(300_000, 1), matching.ErrBookFull)
	m.End()
}

// TestSetMarkets: a market is open from the first period whose orders were not
// open when it was set, and changing one leaves the others as they are.
func TestSetMarkets(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) { g.Account("home").Market = 3 }, "home", "sun")
	refused(t, m, "home", buy(300_000, 1), matching.ErrUnknownMarket)
	first := registry.FirstUnopened(m.Store, m.TimeMs)
	opened := pairs(matchingv1.Mechanism_MECHANISM_AUCTION)
	opened.Region = "Chengdu north"
	m.Decree(&matchingv1.MsgSetMarket{Number: 3, Market: opened})
	refused(t, m, "home", buy(300_000, 1), matching.ErrUnknownMarket)
	m.Begin(first - 60_000)
	m.Must("home", edited(buy(300_000, 1), func(o *matchingv1.MsgPlaceBuy) { o.Period = first }))
	m.Must("sun", edited(sell(200_000, 1, "sun"), func(o *matchingv1.MsgPlaceSell) { o.Period = first }))
	m.End()
	for _, test := range []struct {
		period int64
		want   []int64
	}{{first - length, []int64{0}}, {first, []int64{0, 3}}} {
		got, err := market.Query[*matchingv1.QueryMarketsResponse](m, &matchingv1.QueryMarketsRequest{Period: test.period})
		if err != nil || len(got.Markets) != len(test.want) {
			t.Fatalf("markets of %d: got %v, %v, want %v", test.period, got, err, test.want)
		}
		for i, entry := range got.Markets {
			if entry.Number != test.want[i] {
				t.Errorf("got market %d, want %d", entry.Number, test.want[i])
			}
		}
	}
	if _, err := market.Query[*matchingv1.QueryMarketResponse](m, &matchingv1.QueryMarketRequest{Period: first, Market: 4}); module.Code(err) != matching.ErrUnknownMarket {
		t.Errorf("got %v, want %v", err, matching.ErrUnknownMarket)
	}
	own, err := market.Query[*matchingv1.QueryMarketResponse](m, &matchingv1.QueryMarketRequest{Period: first})
	if err != nil || own.Entry.Market.Mechanism != matchingv1.Mechanism_MECHANISM_KPROTOTYPES {
		t.Errorf("market 0: %v, %v", own, err)
	}
	before, after := m.Export()["matching"], m.Reborn().Export()["matching"]
	if !bytes.Equal(before, after) {
		t.Errorf("exported %s, then %s", before, after)
	}
}

// TestMarketFields: numbers and texts out of range are refused.
func TestMarketFields(t *testing.T) {
	for name, msg := range map[string]*matchingv1.MsgSetMarket{
		"negative number":     {Number: -1},
		"great number":        {Number: 256},
		"region too long":     {Market: &matchingv1.Market{Region: string(bytes.Repeat([]byte("x"), 65))}},
		"unprintable region":  {Market: &matchingv1.Market{Region: "a\nb"}},
		"negative max_orders": {Market: &matchingv1.Market{MaxOrders: -1}},
		"great max_orders":    {Market: &matchingv1.Market{MaxOrders: 100_001}},
	} {
		t.Run(name, func(t *testing.T) {
			if msg.Market == nil {
				msg.Market = &matchingv1.Market{}
			}
			msg.Market.Mechanism, msg.Market.MaxRatedDistanceM = matchingv1.Mechanism_MECHANISM_CMAP, 1
			for _, route := range matching.New().Routes() {
				if route.Type != "energy.matching.v1.MsgSetMarket" {
					continue
				}
				if err := route.Check("", msg); err == nil {
					t.Error("taken")
				}
			}
		})
	}
}

// TestMarketGenesis: an order lies in the book of its account's market.
func TestMarketGenesis(t *testing.T) {
	m := market.New(t, nil, "home")
	home := market.Address("home")
	id := module.DeriveID("test", home[:])
	part, err := module.MarshalGenesis(&matchingv1.GenesisState{
		Books: []*matchingv1.Book{{Period: p, Market: 7, Phase: matchingv1.Phase_PHASE_OPEN, Orders: 1, Buys: 1}},
		Buys:  []*matchingv1.BuyOrder{{Id: id.Bytes(), Account: home[:], Period: p, Market: 7, EnergyWh: 1, PriceUcoinPerKwh: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := matching.New().InitGenesis(m.Ctx("home"), part); module.Code(err) != matching.ErrUnknownMarket {
		t.Errorf("got %v, want %v", err, matching.ErrUnknownMarket)
	}
}

// TestMarketsShareLines: what one market trades over a line, signed or not, the
// next does not get; energy the other way makes room.
func TestMarketsShareLines(t *testing.T) {
	const watts = 1000 * 3_600_000 / length
	names := []string{"sun", "home", "sun7", "home7"}
	for _, test := range []struct {
		name    string
		signed  bool
		from    string // of the sell in market 7
		matched int64  // there
	}{
		{"the same way", true, "sun7", 200},
		{"the same way, not signed yet", false, "sun7", 200},
		{"the other way", true, "home7", 1500},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, func(g *market.Genesis) {
				twoMarkets(pairs(matchingv1.Mechanism_MECHANISM_WELFARE), names...)(g)
				g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: "hill"}, &gridv1.Node{Node: "town"})
				g.Grid.Lines = []*gridv1.Line{{From: "hill", To: "town", LengthMm: 1, CapacityW: watts}}
				for _, name := range names {
					end := "hill"
					if name[0] == 'h' {
						end = "town"
					}
					g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: end, To: market.Node(name), LengthMm: 1})
				}
			}, names...)
			own := sell(200_000, 800, "sun")
			if !test.signed {
				own.Consent = nil
			}
			m.Must("sun", own)
			m.Must("home", buy(400_000, 800))
			to := "home7"
			if test.from == to {
				to = "sun7"
			}
			m.Must(test.from, sell(200_000, 1500, test.from))
			m.Must(to, buy(400_000, 1500))
			m.End()
			m.Block(gate)
			if got := bookIn(t, m, 0); got.PrematchedWh != 800 || got.CutWh != 0 {
				t.Errorf("market 0: %v", got)
			}
			if got := bookIn(t, m, 7); got.MatchedWh != test.matched || got.CutWh != 1500-test.matched {
				t.Errorf("market 7: %v, want %d Wh", got, test.matched)
			}
		})
	}
}

// TestMarketsRounds: a round of one market leaves the other's book alone, whose
// pairs are not barred, and a start from an export in between goes on alike.
func TestMarketsRounds(t *testing.T) {
	names := []string{"sun", "mill", "home", "sun7", "home7"}
	m := market.New(t, twoMarkets(pairs(matchingv1.Mechanism_MECHANISM_CMAP), names...), names...)
	m.Must("sun", asked(200_000, 1000, "sun"))
	m.Must("mill", asked(200_000, 1000, "mill"))
	m.Must("home", buy(300_000, 800))
	m.Must("sun7", sell(200_000, 1000, "sun7"))
	m.Must("home7", buy(300_000, 800))
	m.End()
	m.Block(gate)
	m.Begin(gate + 1)
	for _, name := range []string{"sun", "mill"} {
		answer(m, name, true)
	}
	m.End()
	before := m.Export()["matching"]
	m = m.Reborn()
	if after := m.Export()["matching"]; !bytes.Equal(before, after) {
		t.Fatalf("exported %s, then %s", before, after)
	}
	m.Block(gate + 2)
	if own, other := bookIn(t, m, 0), bookIn(t, m, 7); own.Round != 2 || own.Declined != 1 || other.Round != 1 || other.Declined != 0 || other.MatchedWh != 800 {
		t.Errorf("got %v and %v", own, other)
	}
}
