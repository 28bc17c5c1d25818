package audit_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/matching/audit"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

const (
	p    = market.Start + 2*market.Period
	gate = p - 4_000
)

// cleared is a period's market, cleared, as an auditor finds it.
type cleared struct {
	rules        []clearing.Rules // by round
	trading      *client.Trading
	certificates []*matchingv1.Certificate
}

// clear lets a market with a narrow line clear two sells and three buys; one of
// the sellers and one of the buyers sign each match. The buyer vetoes what it is
// proposed first, so that there is another round.
func clear(t *testing.T, mechanism matchingv1.Mechanism) *cleared {
	t.Helper()
	m := market.New(t, func(g *market.Genesis) {
		g.Matching.Markets = []*matchingv1.MarketEntry{{Market: &matchingv1.Market{
			Mechanism: mechanism, MaxRatedDistanceM: 1000, BetaUcoinPerKwh: 1000, PostedPriceUcoinPerKwh: 250_000,
		}}}
		g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: "hill"}, &gridv1.Node{Node: "town"})
		for _, ends := range [][2]string{{"hill", "town"}, {"hill", market.Node("sun")}, {"hill", market.Node("mill")}, {"town", market.Node("home")}, {"town", market.Node("shop")}, {"hill", market.Node("farm")}} {
			line := &gridv1.Line{From: ends[0], To: ends[1], LengthMm: 10_000}
			if ends[1] == "town" {
				line.CapacityW = 300 * 3_600_000 / market.Period // 300 Wh a period
			}
			g.Grid.Lines = append(g.Grid.Lines, line)
		}
	}, "sun", "mill", "home", "shop", "farm")
	trading := client.NewTrading(p, 0)
	sign := &matchingv1.Consent{}
	standing := &matchingv1.Consent{Standing: true}
	sell := func(name string, price int64, consent *matchingv1.Consent) {
		m.Must(name, &matchingv1.MsgPlaceSell{Period: p, PriceUcoinPerKwh: price, EnergyWh: 400, Meter: market.Meter(name), Consent: consent})
	}
	buy := func(name string, price int64, consent *matchingv1.Consent) {
		m.Must(name, &matchingv1.MsgPlaceBuy{Period: p, PriceUcoinPerKwh: price, EnergyWh: 300, Consent: consent, Weights: &matchingv1.Weights{Price: 500, Energy: 500}})
	}
	sell("sun", 200_000, standing)
	sell("mill", 240_000, sign)
	buy("home", 400_000, standing)
	buy("shop", 380_000, sign)
	gone := m.Must("shop", &matchingv1.MsgPlaceBuy{Period: p, PriceUcoinPerKwh: 300_000, EnergyWh: 10})
	m.Must("shop", &matchingv1.MsgCancel{Period: p, Order: gone.Bytes()})
	buy("farm", 300_000, standing)
	m.End()
	trading.Add(m.Height, m.Events)
	c := &cleared{trading: trading}
	for round := range int64(2) {
		c.round(m, gate+1000*round)
	}
	m.Block(p) // what was not signed lapses
	trading.Add(m.Height, m.Events)
	return c
}

// round makes the block of a round; shop vetoes what it has to sign.
func (c *cleared) round(m *market.Market, timeMs int64) {
	m.Begin(timeMs)
	params := registry.ParamsAt(m.Store, p)
	rules := clearing.Rules{
		Period: p, PeriodLengthMs: market.Period, PrevAppHash: m.Ctx("sun").PrevAppHash, Params: params,
		Market: marketOf(m), Paths: grid.PathsOf(m.Store, params.DefaultLossPpmPerKm),
	}
	m.End()
	c.trading.Add(m.Height, m.Events)
	round := len(c.trading.Clearings)
	if round == len(c.rules) {
		return // nothing came back
	}
	rules.Declined, rules.Standing = c.trading.Clearings[round-1].Declined, c.trading.Clearings[round-1].Standing
	certificate, _ := matching.CertificateOf(m.Store, p, 0, int64(round))
	c.rules, c.certificates = append(c.rules, rules), append(c.certificates, certificate)
	m.Begin(timeMs + 500)
	for _, match := range c.trading.Clearings[round-1].Matches {
		if shop := market.Address("shop"); bytes.Equal(match.Buyer, shop[:]) {
			m.Must("shop", &matchingv1.MsgConfirm{Period: p, Match: match.Id, Veto: true})
		}
		if mill := market.Address("mill"); bytes.Equal(match.Seller, mill[:]) && c.trading.Fates[string(match.Id)] == client.Waits {
			_, _ = m.Send("mill", &matchingv1.MsgConfirm{Period: p, Match: match.Id}) // unless shop was faster
		}
	}
	m.End()
	c.trading.Add(m.Height, m.Events)
}

func marketOf(m *market.Market) *matchingv1.Market {
	answer, err := market.Query[*matchingv1.QueryMarketResponse](m, &matchingv1.QueryMarketRequest{Period: p})
	if err != nil {
		m.T.Fatal(err)
	}
	return answer.Entry.Market
}

// audited audits a round, of which edit may change what is said.
func (c *cleared) audited(t *testing.T, round int, edit func(*audit.Record)) *audit.Report {
	t.Helper()
	found := c.trading.Clearings[round]
	said := audit.Record{Book: proto.CloneOf(found.Book), Certificate: proto.CloneOf(c.certificates[round])}
	if round > 0 {
		said.Before = c.trading.Clearings[round-1].Book
	}
	for _, match := range found.Matches {
		said.Matches = append(said.Matches, proto.CloneOf(match))
	}
	for _, cut := range found.Cuts {
		said.Cuts = append(said.Cuts, proto.CloneOf(cut))
	}
	if edit != nil {
		edit(&said)
	}
	report, err := audit.Check(c.rules[round], found.Sells, found.Buys, said)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// TestRight: what the chain made of a book is what clearing it again makes,
// whatever the mechanism, cut or not, signed or lapsed.
func TestRight(t *testing.T) {
	for number, name := range matchingv1.Mechanism_name {
		if number == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := clear(t, matchingv1.Mechanism(number))
			found := c.trading.Clearings
			// The line cuts what the auction gives shop, which has nothing to veto.
			rounds := 2
			if number == int32(matchingv1.Mechanism_MECHANISM_AUCTION) {
				rounds = 1
			}
			if len(found) != rounds || len(found[0].Matches) < 2 || len(found[0].Sells) != 2 || len(found[0].Buys) != 3 || len(c.trading.Cancelled) != 1 || c.trading.Final == nil {
				t.Fatalf("clearings %+v, want %d rounds, the first of two sells and three buys with matches", found, rounds)
			}
			if found[0].Book.CutWh == 0 || len(found[rounds-1].Declined) != rounds-1 {
				t.Errorf("cut %d Wh, declined %v: not all is audited", found[0].Book.CutWh, found[rounds-1].Declined)
			}
			for _, round := range found {
				for _, match := range round.Matches {
					if c.trading.Fates[string(match.Id)] == client.Waits {
						t.Errorf("%v waits in a final book", match)
					}
				}
			}
			for round := range found {
				report := c.audited(t, round, nil)
				if wrong := report.Wrong(); wrong != nil {
					t.Errorf("round %d: %s: %s", round+1, wrong.Check, wrong.Wrong)
				}
				if len(report.Pairs) != len(found[round].Matches) {
					t.Errorf("round %d: %d pairs, want %d", round+1, len(report.Pairs), len(found[round].Matches))
				}
			}
		})
	}
}

// TestWrong injects a wrong clearing by each mechanism, and each is caught.
func TestWrong(t *testing.T) {
	cmapOrWelfare := func(m matchingv1.Mechanism) bool {
		return m == matchingv1.Mechanism_MECHANISM_CMAP || m == matchingv1.Mechanism_MECHANISM_WELFARE
	}
	for _, test := range []struct {
		name   string
		edit   func(*audit.Record)
		checks string // those that may be first to find it
		proof  bool   // needs a certificate
	}{
		{"an altered energy", func(r *audit.Record) { r.Matches[0].EnergyWh-- }, "certificate trades", false},
		{"energy beyond an order", func(r *audit.Record) { r.Matches[0].EnergyWh += 1000 }, "energies", false},
		{"an omitted trade", func(r *audit.Record) { r.Matches = r.Matches[1:] }, "certificate trades", false},
		{"a trade twice", func(r *audit.Record) { r.Matches = append(r.Matches, r.Matches[0]) }, "orders", false},
		{"a swapped price", func(r *audit.Record) {
			r.Matches[0].PriceUcoinPerKwh++
		}, "limits trades", false},
		{"a price beyond the bid", func(r *audit.Record) { r.Matches[0].PriceUcoinPerKwh = 400_000 }, "limits", false},
		{"a price below the ask", func(r *audit.Record) { r.Matches[0].PriceUcoinPerKwh = 1 }, "limits", false},
		{"another fee", func(r *audit.Record) { r.Matches[0].FeeUcoinPerKwh++ }, "limits", false},
		{"another loss", func(r *audit.Record) { r.Matches[0].LossPpm++ }, "trades", false},
		{"another satisfaction", func(r *audit.Record) { r.Matches[0].BuyerSatisfactionPpm-- }, "trades", false},
		{"another seller", func(r *audit.Record) { r.Matches[0].Seller = r.Matches[0].Buyer }, "orders", false},
		{"another meter", func(r *audit.Record) { r.Matches[0].Meter = "meter-home" }, "orders", false},
		{"an unknown order", func(r *audit.Record) { r.Matches[0].BuyOrder = make([]byte, 32) }, "orders", false},
		{"a cut that was not", func(r *audit.Record) { r.Cuts = append(r.Cuts, r.Cuts[0]) }, "certificate cuts", false},
		{"a cut by another line", func(r *audit.Record) { r.Cuts[0].LineTo = "moon" }, "cuts", false},
		{"no cut", func(r *audit.Record) { r.Cuts = nil }, "certificate cuts", false},
		{"another objective", func(r *audit.Record) { r.Book.Objective += "1" }, "book", false},
		{"another round", func(r *audit.Record) { r.Book.Round++ }, "orders", false},
		{"another surplus", func(r *audit.Record) { r.Book.SurplusUcoin++ }, "book", false},
		{"another comparison", func(r *audit.Record) { r.Book.Auction.CleanWh++ }, "book", false},
		{"altered potentials of a buy", func(r *audit.Record) { r.Certificate.BuyPotentials[0]++ }, "certificate", true},
		{"altered potentials of a sell", func(r *audit.Record) { r.Certificate.SellPotentials[0]-- }, "certificate", true},
		{"too few potentials", func(r *audit.Record) { r.Certificate.SellPotentials = nil }, "certificate", true},
		{"another bonus", func(r *audit.Record) { r.Certificate.Bonus++ }, "certificate", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			for number, name := range matchingv1.Mechanism_name {
				if mechanism := matchingv1.Mechanism(number); number == 0 || test.proof && !cmapOrWelfare(mechanism) {
					continue
				}
				wrong := clear(t, matchingv1.Mechanism(number)).audited(t, 0, test.edit).Wrong()
				if wrong == nil || !strings.Contains(test.checks, wrong.Check) {
					t.Errorf("%s: found %+v, want it found by %s", name, wrong, test.checks)
				}
			}
		})
	}
}

// TestNoCertificate: once the chain dropped the certificate, an audit says that
// it only cleared again.
func TestNoCertificate(t *testing.T) {
	c := clear(t, matchingv1.Mechanism_MECHANISM_WELFARE)
	report := c.audited(t, 0, func(r *audit.Record) { r.Certificate = nil })
	if report.Wrong() != nil {
		t.Errorf("found %+v", report.Wrong())
	}
	for _, finding := range report.Findings {
		if (finding.Skipped != "") != (finding.Check == "certificate") {
			t.Errorf("finding %+v", finding)
		}
	}
}
