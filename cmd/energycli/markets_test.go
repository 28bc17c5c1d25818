package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/app"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/protocol"
)

// at is the period of these tests.
const at = 1_700_000_020_000

// hillAndTown has market 7 beside market 0, both by K-prototypes, in which the
// members from the third on trade. Members with even numbers are on the hill, in
// the zone west, the others in town; between the two is a line for 1 kWh a period.
// Market 7 takes sealed orders.
func hillAndTown(t *testing.T) *node {
	return newNodeOf(t, 6, func(g *app.Genesis) {
		g.Registry.Params[0].Params.RoundLengthMs = 1_500
		own := &matchingv1.Market{Mechanism: matchingv1.Mechanism_MECHANISM_KPROTOTYPES, MaxRatedDistanceM: 1000}
		other := proto.CloneOf(own)
		other.RevealLengthMs, other.BondUcoin = 2_000, 10
		g.Matching = &matchingv1.GenesisState{Markets: []*matchingv1.MarketEntry{{Market: own}, {Number: 7, Market: other}}}
		g.Grid.Lines = []*gridv1.Line{{From: "hill", To: "town", LengthMm: 1000, CapacityW: 360_000}}
		for i, node := range g.Grid.Nodes {
			end := "town"
			if i%2 == 0 {
				node.Zone, end = "west", "hill"
			}
			node.PathMm = nil
			g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: end, To: node.Node, LengthMm: 1000})
		}
		g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: "hill"}, &gridv1.Node{Node: "town"})
		g.Grid.ZoneFees = []*gridv1.ZoneFee{{FromZone: "west", FeeUcoinPerKwh: 20_000}}
		for i, account := range g.Registry.Accounts[2:] { // after the operators
			if i >= 3 {
				account.Market = 7
			}
		}
	})
}

func sells(by int, price, energyWh int64, consent *matchingv1.Consent) sent {
	return sent{by, &matchingv1.MsgPlaceSell{Period: at, PriceUcoinPerKwh: price, EnergyWh: energyWh, Meter: fmt.Sprint("meter-member", by), Consent: consent}}
}

func buys(by int, price, energyWh int64) sent {
	return sent{by, &matchingv1.MsgPlaceBuy{Period: at, PriceUcoinPerKwh: price, EnergyWh: energyWh, Consent: standing, Weights: &matchingv1.Weights{Price: 1000}}}
}

var standing = &matchingv1.Consent{Standing: true}

// events returns those of a kind of all blocks, oldest first.
func events[E proto.Message](t *testing.T, n *node) (found []E) {
	t.Helper()
	for height := int64(1); height <= n.Chain.Height; height++ {
		made := n.Blocks[height]
		if made == nil {
			continue // the genesis has none
		}
		block := testkit.Seen(height, made.Results, made.Events)
		all, err := block.AllEvents()
		if err != nil {
			t.Fatal(err)
		}
		for _, event := range all {
			if e, ok := event.(E); ok {
				found = append(found, e)
			}
		}
	}
	return found
}

// TestAuditMarkets: market 0 has two rounds, and its match on the line leaves
// market 7 the rest; there one side was sealed, the other a rule's. The fee
// between the zones changed for later periods after the orders. Both are audited
// and explained as they were.
func TestAuditMarkets(t *testing.T) {
	n := hillAndTown(t)
	u := newUser(t, n)
	reveal := &matchingv1.MsgRevealOrder{Sell: sells(4, 200_000, 900, standing).msg.(*matchingv1.MsgPlaceSell), Salt: bytes.Repeat([]byte{1}, protocol.SaltSize)}
	commitment, err := protocol.SealCommitment(testkit.ChainID, n.Members[4].Address(), reveal)
	if err != nil {
		t.Fatal(err)
	}
	rule := buys(3, 300_000, 900).msg.(*matchingv1.MsgPlaceBuy)
	rule.Period = 0
	n.must(
		sells(0, 290_000, 800, nil), sells(2, 200_000, 700, standing), buys(1, 320_000, 800),
		sent{4, &matchingv1.MsgSealOrder{Period: at, Commitment: commitment}}, sent{3, &matchingv1.MsgSetStandingOrder{Buy: rule}},
		buys(5, 250_000, 500),
	)
	gone := events[*matchingv1.BuyPlaced](t, n)[1].Order.Id
	n.must(sent{5, &matchingv1.MsgCancel{Period: at, Order: gone}}, sent{-1, &gridv1.MsgSetZoneFee{FromZone: "west", FeeUcoinPerKwh: 100_000}})
	own, other := fmt.Sprintf("audit clearing --period %d", at), fmt.Sprintf("audit clearing --period %d --market 7", at)
	if _, code, text := u.run("", own); code != exitUnreachable || !strings.Contains(text, "not cleared yet") {
		t.Errorf("before the gate: exit code %d, %s", code, text)
	}
	if _, code, text := u.run("", other); code != exitUnreachable || !strings.Contains(text, "not cleared yet") {
		t.Errorf("sealed: exit code %d, %s", code, text)
	}
	sealed := protocol.SealID(commitment).String()
	if _, code, text := u.run("", "query explain "+sealed); code != exitUnreachable || !strings.Contains(text, "in market 7 and not revealed yet") {
		t.Errorf("a sealed order: exit code %d, %s", code, text)
	}
	n.Until(time.UnixMilli(at - 4_000))
	proposed := events[*matchingv1.PreMatched](t, n)
	if len(proposed) != 1 || proposed[0].Match.Market != 0 {
		t.Fatalf("proposed %v, want the dear sell of market 0", proposed)
	}
	n.must(sent{0, &matchingv1.MsgConfirm{Period: at, Match: proposed[0].Match.Id, Veto: true}})
	n.must(sent{4, reveal})
	n.Until(time.UnixMilli(at - 500))
	books := events[*matchingv1.PeriodFinal](t, n)[1:] // the first is a book of the rule alone
	if len(books) != 2 || books[0].Book.Round != 2 || books[1].Book.CutWh == 0 {
		t.Fatalf("books %v, want two rounds of market 0 and a cut in market 7", books)
	}
	contains(t, "market 0", u.must(own), "round 1", "vetoed", "round 2", "confirmed", "right: clearing this book again")
	contains(t, "market 7", u.must(other), "round 1", "1 sells, 1 buys", "right: clearing this book again")
	contains(t, "the sealed sell", u.must("query explain "+sealed), "1 of 1 buys", "0.3 kWh matched and confirmed; 0.6 kWh found no match", "cut", "0.6 kWh by the line")
	ruled := events[*matchingv1.BuyPlaced](t, n)[3].Order
	contains(t, "the rule's buy", u.must(fmt.Sprintf("query explain %x --period %d --market 7", ruled.Id, at)), "1 of 1 sells", sealed[:12], "0.3 kWh matched and confirmed")
	contains(t, "the vetoed sell", u.must(fmt.Sprintf("query explain %x", proposed[0].Match.SellOrder)),
		"round 1", "vetoed", "round 2", "declined each other in an earlier round", "0.8 kWh found no match", "0.8 kWh were proposed and came back")
}

// TestExplainUnmatched: an order that found nothing, or not enough, is told why:
// the line, another's turn, a side that was stopped.
func TestExplainUnmatched(t *testing.T) {
	n := hillAndTown(t)
	u := newUser(t, n)
	explain := func(id []byte) string { return u.must(fmt.Sprintf("query explain %x", id)) }
	n.must(buys(1, 400_000, 1_500), buys(5, 400_000, 500))
	bid := events[*matchingv1.BuyPlaced](t, n)[0].Order.Id
	gone := events[*matchingv1.BuyPlaced](t, n)[1].Order.Id
	n.must(sent{5, &matchingv1.MsgCancel{Period: at, Order: gone}})
	contains(t, "beside a cancelled order of another market", explain(bid), "not cleared yet", "1.5 kWh wait for the clearing", "0.6075 coin held")
	// The buy takes the dear sell first, as its price is more like its own, and
	// leaves nothing to the second buy.
	n.must(sells(2, 200_000, 1_500, standing), sells(0, 350_000, 400, nil))
	sold := events[*matchingv1.SellPlaced](t, n)
	n.Until(time.UnixMilli(at - 4_000))
	contains(t, "a cut buy", explain(bid), "2 of 2 sells", "0.6 kWh matched and confirmed; 0.4 kWh matched, waits for signatures; 0.5 kWh found no match so far",
		"0.5 kWh by the line", "comes back when the book is final")
	contains(t, "a cut sell", explain(sold[0].Order.Id), "0.6 kWh matched and confirmed; 0.9 kWh found no match so far, the book is not final")
	member := n.Members[1].Address()
	n.must(sent{-1, &registryv1.MsgFreeze{Account: member[:], Reason: "test"}})
	contains(t, "of a stopped account", explain(bid), "stopped", "0.9 kWh withdrawn after the clearing: account stopped", "0.4725 coin came back")
	n.Until(time.UnixMilli(at))
	contains(t, "with a stopped account", explain(sold[1].Order.Id), "stopped", "0.4 kWh found no match, left to the grid", "0.4 kWh were proposed and came back")
	contains(t, "another market's cancelled order", explain(gone), "no: cancelled", "0.5 kWh withdrawn")
	contains(t, "audit", u.must(fmt.Sprintf("audit clearing --period %d", at)), "right: clearing")
	unknown := strings.Repeat("ab", protocol.IDSize)
	for line, want := range map[string]struct {
		code int
		text string
	}{
		"audit clearing --period 1700000030000":                                 {exitUnreachable, "orders for the period 2023-11-14T22:13:50Z in market 0: not on the chain"},
		"audit clearing --period 1700000020000 --market 7":                      {exitUnreachable, "not cleared, as all orders were cancelled"},
		"audit clearing --period 1700000020000 --market 9":                      {exitRejected, "check the names and times that you gave"},
		"query explain " + unknown:                                              {exitUnreachable, "in blocks 1 to"},
		"query explain " + unknown + " --period 1700000020000":                  {exitUnreachable, "2023-11-14T22:13:40Z in market 0: not on the chain"},
		"query explain " + unknown + " --period 1700000030000":                  {exitUnreachable, "orders for the period"},
		fmt.Sprintf("query explain %x --period 1700000020000 --market 0", gone): {exitUnreachable, "in market 0: not on the chain"},
		fmt.Sprintf("query explain %x --period 1700000020000 --market 9", bid):  {exitRejected, "unknown_market"},
		fmt.Sprintf("query explain %x --period 1700000020001", bid):             {exitUsage, "the start of a period"},
	} {
		if _, code, text := u.run("", line); code != want.code || !strings.Contains(text, want.text) {
			t.Errorf("%s: exit code %d, %s, want %d and %q", line, code, text, want.code, want.text)
		}
	}
}

// TestExplainTurns: of two buys the one whose turn comes later finds the only sell
// sold out, and each mechanism says so in its way.
func TestExplainTurns(t *testing.T) {
	for number, want := range map[matchingv1.Mechanism]string{
		matchingv1.Mechanism_MECHANISM_KPROTOTYPES: "0 of 1 sells; not 1 no energy left in its turn",
		matchingv1.Mechanism_MECHANISM_CMAP:        "better elsewhere by",
		matchingv1.Mechanism_MECHANISM_WELFARE:     "better elsewhere by",
		matchingv1.Mechanism_MECHANISM_AUCTION:     "share of what is traded at that price is",
		matchingv1.Mechanism_MECHANISM_POSTED:      "all trade at 0.3 coin/kWh",
	} {
		t.Run(number.String(), func(t *testing.T) {
			n := newNodeOf(t, 3, func(g *app.Genesis) {
				g.Matching = &matchingv1.GenesisState{Markets: []*matchingv1.MarketEntry{{Market: &matchingv1.Market{
					Mechanism: number, MaxRatedDistanceM: 1000, PostedPriceUcoinPerKwh: 300_000,
				}}}}
			})
			u := newUser(t, n)
			n.must(sells(0, 200_000, 500, standing), buys(1, 400_000, 500), buys(2, 390_000, 500))
			n.Until(time.UnixMilli(at - 3_000))
			left := 0
			for _, placed := range events[*matchingv1.BuyPlaced](t, n) {
				out := u.must(fmt.Sprintf("query explain %x", placed.Order.Id))
				if !strings.Contains(out, "0.5 kWh matched and confirmed") {
					left++
					contains(t, "the buy with less", out, want, "found no match, left to the grid")
				}
			}
			if left == 0 {
				t.Error("both buys were served")
			}
		})
	}
}
