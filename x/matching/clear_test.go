package matching_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
)

// TestClear: home takes the offer nearest to its wishes, then the next; price is
// the ask, the escrow of a match ask + fee, and the rest goes back.
func TestClear(t *testing.T) {
	m := market.New(t, nil, "sun", "mill", "home")
	m.Must("sun", sell(290_000, 600, "sun"))
	m.Must("mill", sell(200_000, 600, "mill"))
	m.Must("home", edited(buy(300_000, 1000), func(o *matchingv1.MsgPlaceBuy) { o.Weights = &matchingv1.Weights{Price: 1000} }))
	m.End()
	m.Block(gate)

	// The nearest price is sun's; d = 1000 * (10 000 * Q / 200 000)^2.
	got := matchesOf(m, "home")
	slices.SortFunc(got, func(a, b *matchingv1.Match) int { return int(b.PriceUcoinPerKwh - a.PriceUcoinPerKwh) })
	if len(got) != 2 {
		t.Fatalf("got %v, want two matches", got)
	}
	for i, want := range []struct {
		seller                              string
		energy, price, escrow, satisfaction int64
	}{
		// 10 000 of a range of 200 000 is 1638 of 32768 (1638.4): 10^6 - floor(1638^2 * 10^6 / 2^30).
		{"sun", 600, 290_000, 174_000 + 3_000, 1_000_000 - 2_498},
		// 100 000: 16384^2 / 2^30 = 1/4.
		{"mill", 400, 200_000, 80_000 + 2_000, 750_000},
	} {
		match := got[i]
		if match.EnergyWh != want.energy || match.PriceUcoinPerKwh != want.price || match.EscrowUcoin != want.escrow ||
			match.BuyerSatisfactionPpm != want.satisfaction || match.SellerSatisfactionPpm != 1_000_000 ||
			!bytes.Equal(match.Seller, matchesOf(m, want.seller)[0].Seller) || match.LossPpm != 1000 || match.Environment != 1 ||
			match.EnergyType != registryv1.EnergyType_ENERGY_TYPE_SOLAR || match.FeeUcoinPerKwh != 5_000 || match.Meter != market.Meter(want.seller) {
			t.Errorf("match %d: %v, want %+v", i, match, want)
		}
	}
	if got := escrow(m, "home"); got != 177_000+82_000 {
		t.Errorf("escrow %d, want that of the matches, 259 000", got)
	}
	want := &matchingv1.Book{
		Period: p, Phase: matchingv1.Phase_PHASE_FINAL, Orders: 3, Sells: 2, Buys: 1, ConfirmUntilMs: gate,
		PrematchedWh: 1000, MatchedWh: 1000, CleanWh: 1000, Matches: 2,
		Mechanism: matchingv1.Mechanism_MECHANISM_KPROTOTYPES, SurplusUcoin: 46_000,
		// All the cheapest energy first; the dearest sell is served in part and sets the price.
		Auction: &matchingv1.Auction{PriceUcoinPerKwh: 290_000, MatchedWh: 1000, CleanWh: 1000, SurplusUcoin: 64_000},
		Round:   1,
	}
	if !proto.Equal(book(m), want) {
		t.Errorf("book %v,\nwant %v", book(m), want)
	}
	if orders, err := market.Query[*matchingv1.QueryOrdersResponse](m, &matchingv1.QueryOrdersRequest{Period: p}); err != nil || len(orders.Sells)+len(orders.Buys) != 0 {
		t.Errorf("orders are left: %v, %v", orders, err)
	}
}

// TestIneligible: what never matches, whatever the price.
func TestIneligible(t *testing.T) {
	for _, test := range []struct {
		name  string
		edit  func(*market.Genesis)
		order func(*matchingv1.MsgPlaceBuy)
		want  int
	}{
		{"as it is", func(*market.Genesis) {}, func(*matchingv1.MsgPlaceBuy) {}, 1},
		{"ask and fee above the bid", func(*market.Genesis) {}, func(o *matchingv1.MsgPlaceBuy) { o.PriceUcoinPerKwh = 204_999 }, 0},
		{"ask and fee equal to the bid", func(*market.Genesis) {}, func(o *matchingv1.MsgPlaceBuy) { o.PriceUcoinPerKwh = 205_000 }, 1},
		{"one identity", func(g *market.Genesis) { g.Account("home").Identity = g.Account("sun").Identity }, func(*matchingv1.MsgPlaceBuy) {}, 0},
		{"one connection point", func(g *market.Genesis) { g.Account("home").GridNode = market.Node("sun") }, func(*matchingv1.MsgPlaceBuy) {}, 0},
		{"more loss than the buyer takes", func(*market.Genesis) {}, func(o *matchingv1.MsgPlaceBuy) { o.MaxLossPpm = proto.Int64(999) }, 0},
		{"as much loss as the buyer takes", func(*market.Genesis) {}, func(o *matchingv1.MsgPlaceBuy) { o.MaxLossPpm = proto.Int64(1000) }, 1},
		{"no loss wanted", func(*market.Genesis) {}, func(o *matchingv1.MsgPlaceBuy) { o.MaxLossPpm = proto.Int64(0) }, 0},
		{"more loss than the market takes", func(g *market.Genesis) { g.Params().MaxLossPpm = 999 }, func(o *matchingv1.MsgPlaceBuy) { o.MaxLossPpm = proto.Int64(1_000_000) }, 0},
		{"no path", func(g *market.Genesis) { g.NodeOf("sun").PathMm = nil }, func(*matchingv1.MsgPlaceBuy) {}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, test.edit, "sun", "home")
			m.Must("sun", sell(200_000, 1000, "sun"))
			m.Must("home", edited(buy(300_000, 1000), test.order))
			m.End()
			m.Block(gate)
			if got := len(matchesOf(m, "home")); got != test.want {
				t.Errorf("%d matches, want %d", got, test.want)
			}
			if test.want == 0 && escrow(m, "home") != 0 {
				t.Errorf("escrow %d is left", escrow(m, "home"))
			}
		})
	}
}

// TestWishes: a wish that was not stated counts for nothing, one that was stated
// is served first.
func TestWishes(t *testing.T) {
	for _, test := range []struct {
		name  string
		order func(*matchingv1.MsgPlaceBuy)
		want  string
	}{
		{"wind", func(o *matchingv1.MsgPlaceBuy) { o.WantedEnergyType = registryv1.EnergyType_ENERGY_TYPE_WIND }, "mill"},
		{"solar", func(o *matchingv1.MsgPlaceBuy) { o.WantedEnergyType = registryv1.EnergyType_ENERGY_TYPE_SOLAR }, "sun"},
		{"clean", func(o *matchingv1.MsgPlaceBuy) { o.WantedEnvironment = proto.Int64(1) }, "sun or mill"},
		{"fossil", func(o *matchingv1.MsgPlaceBuy) { o.WantedEnvironment = proto.Int64(0) }, "plant"},
		{"good credit", func(o *matchingv1.MsgPlaceBuy) { o.WantedCredit = proto.Int64(100) }, "mill"},
		{"unstated wishes", func(o *matchingv1.MsgPlaceBuy) { o.WantedLossPpm = 100_000; o.Weights.Price = 1 }, "plant"},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := market.New(t, func(g *market.Genesis) {
				g.MeterOf("mill").EnergyType = registryv1.EnergyType_ENERGY_TYPE_WIND
				g.MeterOf("plant").EnergyType = registryv1.EnergyType_ENERGY_TYPE_FOSSIL
				g.MeterOf("plant").Environment = 0
				g.Account("mill").InitialReputation = 90
			}, "sun", "mill", "plant", "home")
			m.Must("sun", sell(200_000, 1000, "sun"))
			m.Must("mill", sell(200_000, 1000, "mill"))
			m.Must("plant", sell(250_000, 1000, "plant"))
			m.Must("home", edited(buy(300_000, 1000), func(o *matchingv1.MsgPlaceBuy) {
				o.Weights = &matchingv1.Weights{Environment: 1000, Credit: 1000, EnergyType: 1000}
				test.order(o)
			}))
			m.End()
			m.Block(gate)
			got := matchesOf(m, "home")
			if len(got) != 1 {
				t.Fatalf("%d matches, want one", len(got))
			}
			for _, name := range []string{"sun", "mill", "plant"} {
				if len(matchesOf(m, name)) == 1 && !bytes.Contains([]byte(test.want), []byte(name)) {
					t.Errorf("took %s, want %s", name, test.want)
				}
			}
		})
	}
}

// TestTieBreak: buyers are served in the order of SHA-256(period | previous app
// hash | order id), so which of two equal ones gets the energy is known to
// nobody when they order.
func TestTieBreak(t *testing.T) {
	m := market.New(t, nil, "sun", "home", "shop")
	m.Must("sun", sell(200_000, 1000, "sun"))
	ids := map[string]protocol.ID{"home": m.Must("home", buy(300_000, 1000)), "shop": m.Must("shop", buy(300_000, 1000))}
	m.End()
	m.Begin(gate)
	appHash := m.Ctx("sun").PrevAppHash
	rank := func(name string) []byte {
		id := ids[name]
		data := binary.BigEndian.AppendUint64(nil, p)
		sum := sha256.Sum256(slices.Concat(data, appHash, id[:]))
		return sum[:]
	}
	m.End()
	first, second := "home", "shop"
	if bytes.Compare(rank("shop"), rank("home")) < 0 {
		first, second = second, first
	}
	if len(matchesOf(m, first)) != 1 || len(matchesOf(m, second)) != 0 {
		t.Errorf("%s has %d matches and %s %d, want the first served", first, len(matchesOf(m, first)), second, len(matchesOf(m, second)))
	}
}
