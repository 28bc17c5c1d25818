package matching_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching"
)

// by makes the periods be cleared by a market.
func by(m *matchingv1.Market) func(*market.Genesis) {
	return func(g *market.Genesis) {
		g.Matching.Markets = []*matchingv1.MarketEntry{{Market: m}}
	}
}

func pairs(mechanism matchingv1.Mechanism) *matchingv1.Market {
	return &matchingv1.Market{Mechanism: mechanism, MaxRatedDistanceM: 1_000}
}

// TestMechanisms clears one book by each mechanism. Two sells meet two buys; the
// pair of the dear sell and the low bid has no room.
func TestMechanisms(t *testing.T) {
	posted := func(price int64) *matchingv1.Market {
		return &matchingv1.Market{Mechanism: matchingv1.Mechanism_MECHANISM_POSTED, MaxRatedDistanceM: 1, PostedPriceUcoinPerKwh: price}
	}
	for _, test := range []struct {
		name   string
		market *matchingv1.Market
		// Energy matched in Wh, the prices that may be seen, and proof.
		matched     int64
		prices      []int64
		certificate bool
	}{
		// sun asks 200 000 for 1000 Wh, mill 300 000 for 1000; home bids 400 000
		// and shop 260 000 for 800 each; fee 5 000, loss 1000 ppm.
		{"K-prototypes", pairs(matchingv1.Mechanism_MECHANISM_KPROTOTYPES), 1600, []int64{200_000, 300_000}, false},
		// The middle of bid - fee and ask.
		{"CMAP", pairs(matchingv1.Mechanism_MECHANISM_CMAP), 1600, []int64{227_500, 297_500, 347_500}, true},
		// The most energy is not the most gain: sun serves home, and shop with the
		// rest.
		{"welfare", pairs(matchingv1.Mechanism_MECHANISM_WELFARE), 1000, nil, true},
		// 1600 Wh cannot be served at one price: bids less fee are 395 000 and
		// 255 000, asks 200 000 and 300 000. 800 Wh at most go to home and 200 to
		// shop, which is served in part and sets the price.
		{"auction", pairs(matchingv1.Mechanism_MECHANISM_AUCTION), 1000, []int64{255_000}, false},
		{"posted above the low bid", posted(299_000), 800, []int64{299_000}, false},
		{"posted for all", posted(250_000), 1000, []int64{250_000}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, by(test.market), "sun", "mill", "home", "shop")
			m.Must("sun", sell(200_000, 1000, "sun"))
			m.Must("mill", sell(300_000, 1000, "mill"))
			m.Must("home", buy(400_000, 800))
			m.Must("shop", buy(260_000, 800))
			m.End()
			m.Block(gate)
			got := book(m)
			if got.Phase != matchingv1.Phase_PHASE_FINAL || got.Mechanism != test.market.Mechanism || got.MatchedWh != test.matched || got.Fallback {
				t.Errorf("book %v, want %d Wh matched", got, test.matched)
			}
			if a := got.Auction; a == nil || a.MatchedWh != 1000 || a.PriceUcoinPerKwh != 255_000 {
				t.Errorf("auction to compare with: %v", a)
			}
			for match := range matching.Matches(m.Store, p) {
				checkTerms(t, match, test.prices)
			}
			if _, ok := matching.CertificateOf(m.Store, p, 0, 0); ok != test.certificate {
				t.Errorf("certificate: got %t, want %t", ok, test.certificate)
			}
		})
	}
}

// TestApart: no mechanism matches two accounts of one identity, or at one
// connection point, however well they suit each other.
func TestApart(t *testing.T) {
	for number, name := range matchingv1.Mechanism_name {
		mechanism := matchingv1.Mechanism(number)
		if mechanism == matchingv1.Mechanism_MECHANISM_UNSPECIFIED {
			continue
		}
		how := pairs(mechanism)
		if mechanism == matchingv1.Mechanism_MECHANISM_POSTED {
			how.PostedPriceUcoinPerKwh = 250_000
		}
		for _, test := range []struct {
			name string
			edit func(*market.Genesis)
			want int
		}{
			{"apart", func(*market.Genesis) {}, 1},
			{"one identity", func(g *market.Genesis) { g.Account("home").Identity = g.Account("sun").Identity }, 0},
			{"one connection point", func(g *market.Genesis) { g.Account("home").GridNode = market.Node("sun") }, 0},
		} {
			t.Run(name+" "+test.name, func(t *testing.T) {
				m := market.New(t, func(g *market.Genesis) { by(how)(g); test.edit(g) }, "sun", "home")
				m.Must("sun", sell(200_000, 1000, "sun"))
				m.Must("home", buy(300_000, 1000))
				m.End()
				m.Block(gate)
				if got := len(matchesOf(m, "home")); got != test.want {
					t.Errorf("%d matches, want %d", got, test.want)
				}
			})
		}
	}
}

// checkTerms says whether a match is within the limits of TestMechanisms' book.
func checkTerms(t *testing.T, match *matchingv1.Match, prices []int64) {
	t.Helper()
	ask, bid := int64(200_000), int64(400_000)
	if string(match.Seller) == string(marketAddress("mill")) {
		ask = 300_000
	}
	if string(match.Buyer) == string(marketAddress("shop")) {
		bid = 260_000
	}
	if match.PriceUcoinPerKwh < ask || match.PriceUcoinPerKwh+match.FeeUcoinPerKwh > bid || match.LossPpm != 1000 {
		t.Errorf("match %v with ask %d, bid %d", match, ask, bid)
	}
	known := len(prices) == 0
	for _, price := range prices {
		known = known || match.PriceUcoinPerKwh == price
	}
	if !known {
		t.Errorf("price %d, want one of %v", match.PriceUcoinPerKwh, prices)
	}
	for _, ppm := range []int64{match.BuyerSatisfactionPpm, match.SellerSatisfactionPpm} {
		if ppm < 0 || ppm > units.PPM {
			t.Errorf("satisfactions of %v", match)
		}
	}
}

func marketAddress(name string) []byte {
	address := market.Address(name)
	return address[:]
}

// TestSetMarket: a change holds from the first period whose orders are not open
// yet; those that are keep theirs.
func TestSetMarket(t *testing.T) {
	m := market.New(t, nil, "home")
	m.Decree(&matchingv1.MsgSetMarket{Market: pairs(matchingv1.Mechanism_MECHANISM_WELFARE)})
	events := market.Happened[*matchingv1.MarketSet](m)
	if len(events) != 1 || events[0].Entry.FromPeriod <= p {
		t.Fatalf("events %v, want one from a period after %d", events, int64(p))
	}
	from := events[0].Entry.FromPeriod
	for period, want := range map[int64]matchingv1.Mechanism{
		p: matchingv1.Mechanism_MECHANISM_KPROTOTYPES, from - length: matchingv1.Mechanism_MECHANISM_KPROTOTYPES,
		from: matchingv1.Mechanism_MECHANISM_WELFARE, from + 9*length: matchingv1.Mechanism_MECHANISM_WELFARE,
	} {
		answer, err := market.Query[*matchingv1.QueryMarketResponse](m, &matchingv1.QueryMarketRequest{Period: period})
		if err != nil || answer.Entry.Market.Mechanism != want {
			t.Errorf("period %d: %v, %v, want %v", period, answer, err, want)
		}
	}
}

func TestBadMarkets(t *testing.T) {
	good := pairs(matchingv1.Mechanism_MECHANISM_CMAP)
	for i, edit := range []func(*matchingv1.Market){
		func(m *matchingv1.Market) { m.Mechanism = 0 },
		func(m *matchingv1.Market) { m.Mechanism = 99 },
		func(m *matchingv1.Market) { m.MaxRatedDistanceM = 0 },
		func(m *matchingv1.Market) { m.BetaUcoinPerKwh = -1 },
		func(m *matchingv1.Market) { m.PostedPriceUcoinPerKwh = -1 },
		func(m *matchingv1.Market) { m.PostedFeedInUcoinPerKwh = 2; m.PostedRetailUcoinPerKwh = 1 },
		func(m *matchingv1.Market) { m.MaxOrdersPerSide = -1 },
		func(m *matchingv1.Market) { m.MaxOrdersPerSide = 1001 },                           // CMAP costs the square
		func(m *matchingv1.Market) { m.Mechanism = matchingv1.Mechanism_MECHANISM_POSTED }, // without a price
	} {
		bad := proto.CloneOf(good)
		edit(bad)
		for _, route := range matching.New().Routes() {
			if route.Type != "energy.matching.v1.MsgSetMarket" {
				continue
			}
			if err := route.Check("", &matchingv1.MsgSetMarket{Market: bad}); err == nil {
				t.Errorf("case %d: %v was accepted", i, bad)
			}
			if err := route.Check("", &matchingv1.MsgSetMarket{Market: good}); err != nil {
				t.Errorf("good one: %v", err)
			}
		}
	}
}

// TestPreferences: what CMAP rates by is checked when the order is placed.
func TestPreferences(t *testing.T) {
	m := market.New(t, by(pairs(matchingv1.Mechanism_MECHANISM_CMAP)), "home")
	prefer := func(attribute matchingv1.Attribute, weight int64) *matchingv1.Preference {
		return &matchingv1.Preference{Attribute: attribute, WeightPerMille: weight}
	}
	for i, test := range []struct {
		stated []*matchingv1.Preference
		good   bool
	}{
		{nil, true},
		{[]*matchingv1.Preference{prefer(matchingv1.Attribute_ATTRIBUTE_PRICE, 1000)}, true},
		{[]*matchingv1.Preference{prefer(matchingv1.Attribute_ATTRIBUTE_PRICE, 999)}, false},
		{[]*matchingv1.Preference{prefer(matchingv1.Attribute_ATTRIBUTE_PRICE, 500), prefer(matchingv1.Attribute_ATTRIBUTE_PRICE, 500)}, false},
		{[]*matchingv1.Preference{prefer(matchingv1.Attribute_ATTRIBUTE_DEMAND, 1000)}, false}, // a seller's
		{[]*matchingv1.Preference{prefer(0, 1000)}, false},
		{[]*matchingv1.Preference{prefer(99, 1000)}, false},
	} {
		order := edited(buy(300_000, 100), func(o *matchingv1.MsgPlaceBuy) { o.Preferences = test.stated })
		if test.good {
			m.Must("home", order)
			continue
		}
		if _, err := m.Send("home", order); err == nil {
			t.Errorf("case %d: %v was accepted", i, test.stated)
		}
	}
}

// TestSideCap: a market may cap each side.
func TestSideCap(t *testing.T) {
	capped := pairs(matchingv1.Mechanism_MECHANISM_WELFARE)
	capped.MaxOrdersPerSide = 2
	var names []string
	for i := range 4 {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	m := market.New(t, by(capped), names...)
	m.Must("n0", buy(300_000, 100))
	m.Must("n1", buy(300_000, 100))
	refused(t, m, "n2", buy(300_000, 100), matching.ErrBookFull)
	m.Must("n3", sell(200_000, 100, "n3"))
}

// TestDefaultSideCap: a market that names no cap has one where clearing costs the
// square of the book.
func TestDefaultSideCap(t *testing.T) {
	var names []string
	for i := range 501 {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	m := market.New(t, by(pairs(matchingv1.Mechanism_MECHANISM_CMAP)), names...)
	m.SkipInvariants = true
	for _, name := range names[:500] {
		m.Must(name, buy(300_000, 100))
	}
	refused(t, m, names[500], buy(300_000, 100), matching.ErrBookFull)
	m.Must(names[500], sell(200_000, 100, names[500]))
}

// TestOutOfReach: a member whom no lines reach, or who is too far away, goes
// without trades; the others trade on.
func TestOutOfReach(t *testing.T) {
	for name, mechanism := range matchingv1.Mechanism_value {
		if mechanism == 0 {
			continue
		}
		for where, edit := range map[string]func(*market.Genesis){
			"an island": func(g *market.Genesis) {
				g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: "rock"})
				g.Grid.Lines = []*gridv1.Line{
					{From: market.Node("sun"), To: market.Node("home"), LengthMm: 1000}, {From: market.Node("isle"), To: "rock", LengthMm: 1000},
				}
			},
			"far away": func(g *market.Genesis) { g.NodeOf("isle").PathMm = proto.Int64(150_000_000) },
		} {
			t.Run(name+" "+where, func(t *testing.T) {
				m := market.New(t, func(g *market.Genesis) {
					rules := pairs(matchingv1.Mechanism(mechanism))
					rules.PostedPriceUcoinPerKwh = 250_000
					by(rules)(g)
					edit(g)
				}, "sun", "home", "isle")
				m.Must("sun", sell(200_000, 1000, "sun"))
				m.Must("home", buy(300_000, 400))
				m.Must("isle", buy(310_000, 400))
				m.End()
				m.Block(gate)
				if failed := market.Happened[*matchingv1.ClearingFailed](m); len(failed) != 0 {
					t.Fatalf("the book was cancelled: %v", failed)
				}
				if got := book(m); got.MatchedWh != 400 || len(matchesOf(m, "isle")) != 0 {
					t.Errorf("book %v, want 400 Wh for home", got)
				}
			})
		}
	}
}

// TestRing: limits are held in radial grids; elsewhere the book says that they
// are not.
func TestRing(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		line := func(from, to string) {
			g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: from, To: to, LengthMm: 1000, CapacityW: 1})
		}
		line(market.Node("sun"), market.Node("home"))
		line(market.Node("home"), market.Node("mill"))
		line(market.Node("mill"), market.Node("sun"))
	}, "sun", "home", "mill")
	m.Must("sun", sell(200_000, 1000, "sun"))
	m.Must("home", buy(300_000, 400))
	m.End()
	m.Block(gate)
	if got := book(m); !got.LimitsNotHeld || got.MatchedWh != 400 {
		t.Errorf("book %v, want it to say that limits were not held", got)
	}
}

func TestBadGenesisMarkets(t *testing.T) {
	entry := func(from int64) *matchingv1.MarketEntry {
		return &matchingv1.MarketEntry{FromPeriod: from, Market: pairs(matchingv1.Mechanism_MECHANISM_CMAP)}
	}
	for name, genesis := range map[string]*matchingv1.GenesisState{
		"twice":                  {Markets: []*matchingv1.MarketEntry{entry(p), entry(p)}},
		"before time":            {Markets: []*matchingv1.MarketEntry{entry(-length)}},
		"no period":              {Markets: []*matchingv1.MarketEntry{entry(p + 1)}},
		"none":                   {Markets: []*matchingv1.MarketEntry{{FromPeriod: p}}},
		"certificate of no book": {Certificates: []*matchingv1.Certificate{{Period: p}}},
	} {
		data, err := module.MarshalGenesis(genesis)
		if err != nil {
			t.Fatal(err)
		}
		if err := matching.New().InitGenesis(market.New(t, nil, "home").Ctx("home"), data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
