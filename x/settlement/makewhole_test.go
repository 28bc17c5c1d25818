package settlement_test

import (
	"testing"

	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
)

// TestMakeWhole: sun sold 1000 Wh to home at 0.2, the fee is 0.005; retail is 0.5,
// feed-in 0.1. A seller owes 0.295 for each kWh that the buyer could take, a buyer
// 0.1 for each that the seller could deliver.
func TestMakeWhole(t *testing.T) {
	const price = 200_000
	classes := func(g *market.Genesis) {
		g.Grid.Tariffs = append(g.Grid.Tariffs,
			&gridv1.Tariff{TariffClass: "dear", RetailUcoinPerKwh: 600_000, FeedInUcoinPerKwh: 50_000})
	}
	for _, test := range []struct {
		name              string
		edit              func(*market.Genesis)
		price             int64
		out, in           int64 // sun exports, home imports
		bySeller, byBuyer int64
		paid, debt        int64
	}{
		{name: "all delivered", out: 1000, in: 1000},
		{name: "more than matched on both sides", out: 1500, in: 1500},
		{name: "short seller", out: 400, in: 1000, bySeller: 177_000, paid: 177_000},
		{name: "short buyer", out: 1000, in: 400, byBuyer: 60_000, paid: 60_000},
		{name: "common shortfall costs nothing", out: 400, in: 400},
		{name: "what goes beyond the common one", out: 400, in: 700, bySeller: 88_500, paid: 88_500},
		{name: "a step less is not short", out: 999, in: 1000},
		{name: "two steps less are", out: 998, in: 1000, bySeller: 590, paid: 590},
		{name: "within a coarse step", edit: func(g *market.Genesis) { g.MeterOf("sun").StepWh = 10 }, out: 990, in: 1000},
		{name: "beyond a coarse step", edit: func(g *market.Genesis) { g.MeterOf("sun").StepWh = 10 }, out: 980, in: 1000, bySeller: 5_900, paid: 5_900},
		{name: "within the tolerance", edit: func(g *market.Genesis) { g.Params().SigmaPpm = 100_000 }, out: 1000, in: 900},
		{name: "dearer than retail", price: 498_000, out: 0, in: 1000},
		{name: "cheaper than feed-in", price: 90_000, out: 1000, in: 0},
		{
			name: "retail of the buyer", edit: func(g *market.Genesis) { classes(g); g.Account("home").TariffClass = "dear" },
			out: 0, in: 1000, bySeller: 395_000, paid: 395_000,
		},
		{
			name: "not that of the seller", edit: func(g *market.Genesis) { classes(g); g.Account("sun").TariffClass = "dear" },
			out: 0, in: 1000, bySeller: 295_000, paid: 295_000,
		},
		{
			name: "feed-in of the seller", edit: func(g *market.Genesis) { classes(g); g.Account("sun").TariffClass = "dear" },
			out: 1000, in: 0, byBuyer: 150_000, paid: 150_000,
		},
		{name: "a poor seller owes it", edit: poor("sun", 7_000), out: 400, in: 1000, bySeller: 177_000, paid: 7_000 + 80_000, debt: 90_000},
		{
			name: "without the guarantee fund", edit: func(g *market.Genesis) { endow(g, 1_000_000, 1_000_000); poor("sun", 7_000)(g) },
			out: 400, in: 1000, bySeller: 177_000, paid: 7_000 + 80_000, debt: 90_000,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.price == 0 {
				test.price = price
			}
			m := market.New(t, func(g *market.Genesis) {
				noLoss(g)
				g.Params().PriceMaxUcoinPerKwh = 2_000_000
				if test.edit != nil {
					test.edit(g)
				}
			}, "sun", "home")
			m.Must("sun", sell(p, test.price, 1000, "sun"))
			m.Must("home", buy(p, 600_000, 1000))
			m.End()
			deliver(m, map[string]flow{"sun": {0, test.out}, "home": {test.in, 0}}, "sun", "home")
			trade := statement(m, "sun").Trades[0]
			if trade.MakeWholeBySellerUcoin != test.bySeller || trade.MakeWholeByBuyerUcoin != test.byBuyer || trade.UnpaidMakeWholeUcoin != test.debt {
				t.Errorf("by seller %d, by buyer %d, unpaid %d; want %d, %d, %d", trade.MakeWholeBySellerUcoin, trade.MakeWholeByBuyerUcoin,
					trade.UnpaidMakeWholeUcoin, test.bySeller, test.byBuyer, test.debt)
			}
			short, other := "sun", "home"
			if test.byBuyer > 0 {
				short, other = other, short
			}
			if got := statement(m, short).MakeWholePaidUcoin; got != test.paid || statement(m, other).MakeWholeReceivedUcoin != test.paid {
				t.Errorf("%s paid %d, %s received %d; want %d", short, got, other, statement(m, other).MakeWholeReceivedUcoin, test.paid)
			}
			if owed := bank.DebtOf(m.Store, market.Address(short)); owed != test.debt || statement(m, short).DebtUcoin != test.debt {
				t.Errorf("%s owes %d, its statement says %d; want %d", short, owed, statement(m, short).DebtUcoin, test.debt)
			}
			if bank.OwedToFund(m.Store, market.Address(short)) != 0 {
				t.Error("the guarantee fund paid")
			}
		})
	}
}

// TestNoMakeWholeUnseen: what stands in for missing or estimated registers makes
// nobody pay.
func TestNoMakeWholeUnseen(t *testing.T) {
	for _, test := range []struct {
		name  string
		flows map[string]flow
	}{
		{"short seller, missing buyer", map[string]flow{"sun": {0, 100}}},
		{"short buyer, missing seller", map[string]flow{"home": {100, 0}}},
		{"both missing", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := pair(t, test.flows)
			late := map[string]flow{"sun": {0, 0}, "home": {1000, 0}}
			m.Begin(overdue + 1000)
			for _, name := range []string{"sun", "home"} {
				if _, spoke := test.flows[name]; !spoke {
					m.Read(name, p+length, late[name].in, late[name].out)
				}
			}
			m.End()
			for _, name := range []string{"sun", "home"} {
				if s := statement(m, name); s.MakeWholePaidUcoin != 0 || s.MakeWholeReceivedUcoin != 0 || s.Missing {
					t.Errorf("want no make-whole payment: %v", s)
				}
			}
		})
	}
	for _, first := range []string{"sun", "home"} {
		t.Run(first+" estimated", func(t *testing.T) {
			m := market.New(t, noLoss, "sun", "home")
			m.Must("sun", sell(p, 200_000, 1000, "sun"))
			m.Must("home", buy(p, 300_000, 1000))
			m.End()
			// One side is read at start and then at p + 2 only: p is estimated.
			deliver(m, nil)
			m.Begin(p + 2*length + 500)
			for _, name := range []string{"sun", "home"} {
				m.Read(name, start, 0, 0)
			}
			for _, name := range []string{"sun", "home"} {
				if name != first {
					m.Read(name, p, 0, 0)
					m.Read(name, p+length, 0, 0) // nothing of 1000 Wh
				}
				m.Read(name, p+2*length, 2000, 2000)
			}
			m.End()
			for _, name := range []string{"sun", "home"} {
				if s := statement(m, name); s.MakeWholePaidUcoin != 0 || s.MakeWholeReceivedUcoin != 0 || s.Estimated != (name == first) {
					t.Errorf("want no make-whole payment, %s estimated: %v", first, s)
				}
			}
		})
	}
}

// TestMakeWholeRepays: what home gets of sun repays what home owes the grid.
func TestMakeWholeRepays(t *testing.T) {
	m := market.New(t, noLoss, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	m.Block(gate)
	m.Begin(gate + 1)
	home := market.Address("home")
	if _, _, err := bank.Pay(m.Ctx("home"), home, protocol.GridAddress, free(m, home)+400_000); err != nil {
		t.Fatal(err)
	}
	m.End()
	m.Begin(p + 500)
	for _, name := range []string{"sun", "home"} {
		m.Read(name, p, 0, 0)
	}
	m.End()
	m.Begin(p + length + 500)
	m.Read("sun", p+length, 0, 0)
	m.Read("home", p+length, 1000, 0)
	m.End()
	// 205 000 of escrow come back, 295 000 make it whole: 400 000 repaid, then
	// 100 000 of the grid's 500 000 are paid.
	s := statement(m, "home")
	if s.MakeWholeReceivedUcoin != 295_000 || s.RepaidUcoin != 400_000 || s.GridPaidUcoin != 100_000 || s.DebtUcoin != 400_000 {
		t.Errorf("want 295 000 received, 400 000 repaid, 100 000 paid, 400 000 owed: %v", s)
	}
}

// TestMakeWholeInAnyOrder: it is the same whoever's registers come last.
func TestMakeWholeInAnyOrder(t *testing.T) {
	for _, names := range [][]string{{"sun", "home"}, {"home", "sun"}} {
		m := market.New(t, noLoss, "sun", "home")
		m.Must("sun", sell(p, 200_000, 1000, "sun"))
		m.Must("home", buy(p, 600_000, 1000))
		m.End()
		flows := map[string]flow{"sun": {0, 400}, "home": {1000, 0}}
		deliver(m, map[string]flow{names[0]: flows[names[0]]}, "sun", "home")
		m.Begin(p + length + 600)
		m.Read(names[1], p+length, flows[names[1]].in, flows[names[1]].out)
		m.End()
		if got := statement(m, "sun"); got.MakeWholePaidUcoin != 177_000 {
			t.Errorf("%s last: sun paid %d, want 177 000", names[1], got.MakeWholePaidUcoin)
		}
	}
}
