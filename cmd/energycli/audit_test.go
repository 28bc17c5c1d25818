package main

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit"
)

// market is a period that was cleared: member0 sells 1 kWh at 0.3, member1 buys
// 2 at 0.4 and 1 at 0.1, and took back a third order.
type market struct {
	node                      *node
	user                      *user
	period                    int64
	sell, buy, low, withdrawn string // ids of orders
}

func clearedMarket(t *testing.T, mechanism matchingv1.Mechanism) *market {
	t.Helper()
	n := newNode(t, func(g *app.Genesis) {
		g.Matching = &matchingv1.GenesisState{Markets: []*matchingv1.MarketEntry{{Market: &matchingv1.Market{
			Mechanism: mechanism, MaxRatedDistanceM: 1000, PostedPriceUcoinPerKwh: 350_000,
		}}}}
	})
	m := &market{node: n, user: newUser(t, n), period: 1_700_000_020_000}
	at := fmt.Sprintf(" --period %d", m.period)
	place := func(line string) string {
		created := readReceipt(t, m.user.must(line+at+" --consent.standing --output json")).Created
		if len(created) != 1 {
			t.Fatalf("%s: made %+v, want an order", line, created)
		}
		return created[0].ID
	}
	m.sell = place("tx matching place-sell --from member0 --energy 1 --price 0.3 --meter meter-member0")
	m.buy = place("tx matching place-buy --from member1 --energy 2 --price 0.4 --weights.price 1000")
	m.low = place("tx matching place-buy --from member1 --energy 1 --price 0.1")
	m.withdrawn = place("tx matching place-buy --from member1 --energy 1 --price 0.2")
	m.user.must("tx matching cancel --from member1 --order " + m.withdrawn + at)
	return m
}

// clear makes blocks until the market is cleared.
func (m *market) clear() { m.node.Until(time.UnixMilli(m.period).Add(-2 * time.Second)) }

func TestAuditClearing(t *testing.T) {
	for number, name := range matchingv1.Mechanism_name {
		if number == 0 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			m := clearedMarket(t, matchingv1.Mechanism(number))
			line := fmt.Sprintf("audit clearing --period %d", m.period)
			if _, code, text := m.user.run("", line); code != exitUnreachable || !strings.Contains(text, "not cleared yet") {
				t.Errorf("before the gate: exit code %d, %s", code, text)
			}
			m.clear()
			contains(t, "audit", m.user.must(line), "1 sells, 2 buys", m.sell[:12], m.buy[:12], "confirmed", "verdict", "right: clearing this book again")
			contains(t, "audit as JSON", m.user.must(line+" --output json"), `"right": true`, `"sell": "`+m.sell, `"fate": "confirmed"`)
			m.node.forge(t)
			out, code, text := m.user.run("", line)
			if code != exitError || !strings.Contains(text, "the clearing is wrong") || !strings.Contains(text, "1 kWh, got 0.999 kWh") && !strings.Contains(text, "certificate") {
				t.Errorf("a forged match: exit code %d, %s", code, text)
			}
			contains(t, "audit", out, "verdict", "WRONG")
		})
	}
}

// forge changes what the node says of the energy of matches.
func (n *node) forge(t *testing.T) {
	t.Helper()
	forged := 0
	n.With(func() {
		for _, block := range n.Blocks {
			for i, event := range block.Events {
				matched := new(matchingv1.Matched)
				if event.Type != string(matched.ProtoReflect().Descriptor().FullName()) {
					continue
				}
				seen := client.Event{Type: event.Type, Attributes: []client.Attribute{{Value: event.Attributes[0].Value}}}
				if err := seen.Decode(matched); err != nil {
					t.Fatal(err)
				}
				matched.Match.EnergyWh = 999
				encoded, err := proto.Marshal(matched)
				if err != nil {
					t.Fatal(err)
				}
				block.Events[i].Attributes = []abci.EventAttribute{{Key: event.Attributes[0].Key, Value: base64.StdEncoding.EncodeToString(encoded)}}
				forged++
			}
		}
	})
	if forged == 0 {
		t.Fatal("there was nothing to forge")
	}
}

// TestAuditBills: once the period is settled, its statements prove the matches;
// one that the node invents is in none.
func TestAuditBills(t *testing.T) {
	m := clearedMarket(t, matchingv1.Mechanism_MECHANISM_WELFARE)
	m.clear()
	line := fmt.Sprintf("audit clearing --bills --period %d", m.period)
	contains(t, "before settlement", m.user.must(line), "bills", "not checked: of 1 buyers' statements only 0 are made", "right: clearing")
	m.node.Until(time.UnixMilli(m.period).Add(5 * testkit.Period)) // no readings came: the deadline settles
	contains(t, "settled", m.user.must(line), "bills    right", "right: clearing this book again")
	if out := m.user.must(line + " --output json"); !strings.Contains(out, `"check": "bills"`) || strings.Contains(out, `"wrong"`) {
		t.Errorf("as JSON: %s", out)
	}
	m.node.forge(t)
	if out, code, _ := m.user.run("", line); code != exitError || !strings.Contains(out, "expected 0.999 kWh in the buyer's statement, got 1 kWh") {
		t.Errorf("a forged match: exit code %d, %s", code, out)
	}
}

func TestAuditUsage(t *testing.T) {
	n := newNode(t)
	u := newUser(t, n)
	for line, want := range map[string]int{
		"audit clearing":                            exitUsage,
		"audit clearing --period x":                 exitUsage,
		"audit clearing --period 1700000000001":     exitUsage,
		"audit clearing --period 1700000000000":     exitUnreachable, // nobody ordered
		"query explain abcd":                        exitUsage,
		"query explain " + strings.Repeat("ab", 16): exitUnreachable,
	} {
		if _, code, text := u.run("", line); code != want {
			t.Errorf("%s: exit code %d, %s, want %d", line, code, text, want)
		}
	}
	u.env["ENERGYD_NODE"] = "tcp://127.0.0.1:1"
	if _, code, _ := u.run("", "audit clearing --period 1700000000000"); code != exitUnreachable {
		t.Errorf("without a node: exit code %d", code)
	}
}

// TestExplain: an order that was matched, one that was not, one that was taken
// back, and the seller's side.
func TestExplain(t *testing.T) {
	for number, own := range map[matchingv1.Mechanism][]string{
		matchingv1.Mechanism_MECHANISM_KPROTOTYPES: {"Dissimilar", "250", "in its turn a buy takes"}, // (0.1/0.2)^2 of 1000
		matchingv1.Mechanism_MECHANISM_CMAP:        {"Better elsewhere by", "satisfy both sides together most"},
		matchingv1.Mechanism_MECHANISM_WELFARE:     {"Worth coin/kWh", "gain the most for all"},
		matchingv1.Mechanism_MECHANISM_AUCTION:     {"all trade at", "share of what is traded at that price is 1 kWh"},
		matchingv1.Mechanism_MECHANISM_POSTED:      {"all trade at 0.35 coin/kWh"},
	} {
		t.Run(number.String(), func(t *testing.T) {
			m := clearedMarket(t, number)
			contains(t, "before the gate", m.user.must("query explain "+m.buy), "no: the period was not cleared yet", "2 kWh wait for the clearing", "held")
			m.clear()
			contains(t, "the buy", m.user.must("query explain "+m.buy), append(own, "2 kWh for at most 0.4 coin/kWh", "considered", "1 of 1 sells",
				m.sell[:12], "1 kWh matched and confirmed; 1 kWh found no match, left to the grid", "came back")...)
			low := m.user.must(fmt.Sprintf("query explain %s --period %d", m.low, m.period))
			if strings.Contains(low, "nil") {
				t.Errorf("an empty cell in\n%s", low)
			}
			contains(t, "the low buy", low, "0 of 1 sells; not 1 prices too far apart", "1 kWh found no match")
			contains(t, "the sell", m.user.must("query explain "+m.sell), "1 of 2 buys; not 1 prices too far apart", m.buy[:12], "1 kWh matched and confirmed")
			contains(t, "withdrawn", m.user.must("query explain "+m.withdrawn), "no: cancelled", "1 kWh withdrawn", "came back")
			contains(t, "as JSON", m.user.must("query explain "+m.buy+" --output json"), `"side": "buy"`, `"eligible": 1`, `"confirmed_wh": 1000`, `"unmatched_wh": 1000`, `"order": "`+m.sell)
		})
	}
}
