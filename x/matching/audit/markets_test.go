package audit_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/grid"
	"github.com/energyd/energyd/x/matching"
	"github.com/energyd/energyd/x/matching/audit"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/registry"
)

// lead is a gate's of two periods whose rounds overlap.
const lead = 14_000

// marketOfName is where accounts trade, by what their names begin with.
var marketOfName = map[byte]int64{'s': 7, 't': 9}

// sideBySide are three markets in two periods, audited as their blocks come.
type sideBySide struct {
	t        *testing.T
	m        *market.Market
	r        *rand.Rand
	names    []string
	tradings []*client.Trading
	sealed   []secret
	seen     map[string]int // what was audited, so that the test is not in vain
}

// secret is a sealed order that its account can reveal.
type secret struct {
	name   string
	reveal *matchingv1.MsgRevealOrder
}

// TestSideBySide: three markets that share narrow lines, one with sealed orders, in two periods whose rounds overlap; with orders of rules, vetoes,
// lapses, stopped accounts, late blocks, and fees of zones that change after the
// orders. Each clearing is audited by what events say of its own book.
func TestSideBySide(t *testing.T) {
	seen := map[string]int{}
	for seed := range uint64(60) {
		s := &sideBySide{t: t, r: rand.New(rand.NewPCG(seed, 0)), seen: seen}
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s.t = t
			s.run()
		})
	}
	for _, want := range []string{
		"beside", "beside late", "later rounds of market 0", "later rounds of market 7", "sealed", "rules' orders", "cuts", "fees", "stopped",
	} {
		if seen[want] == 0 {
			t.Errorf("no clearing with %s was audited: %v", want, seen)
		}
	}
}

func (s *sideBySide) run() {
	s.start()
	s.order()
	s.m.Decree(&gridv1.MsgSetZoneFee{FromZone: "west", FeeUcoinPerKwh: 1}) // for later periods
	s.m.Decree(&gridv1.MsgSetZoneFee{FeeUcoinPerKwh: 1})
	s.end()
	for at := int64(p - lead); at < p+market.Period; at += 1 + s.r.Int64N(2_500) {
		s.m.Begin(at)
		s.answer()
		s.end()
	}
	s.m.Block(p + market.Period)
}

func (s *sideBySide) start() {
	for i := range 4 {
		s.names = append(s.names, fmt.Sprint("m", i), fmt.Sprint("s", i), fmt.Sprint("t", i))
	}
	mechanism := func() matchingv1.Mechanism {
		return matchingv1.Mechanism(1 + s.r.IntN(len(matchingv1.Mechanism_name)-1))
	}
	s.m = market.New(s.t, func(g *market.Genesis) {
		g.Params().GateLeadMs, g.Params().RoundLengthMs, g.Params().MaxRounds = lead, 3_000, 4
		own := &matchingv1.Market{Mechanism: mechanism(), MaxRatedDistanceM: 1000, BetaUcoinPerKwh: 1000, PostedPriceUcoinPerKwh: 250_000}
		other := proto.CloneOf(own)
		other.Mechanism, other.RevealLengthMs, other.BondUcoin = mechanism(), 2_000, 10
		third := proto.CloneOf(own)
		third.Mechanism = mechanism()
		g.Matching.Markets = []*matchingv1.MarketEntry{{Market: own}, {Number: 7, Market: other}, {Number: 9, Market: third}}
		g.Grid.ZoneFees = []*gridv1.ZoneFee{{FromZone: "west", FeeUcoinPerKwh: 30_000}, {FromZone: "west", ToZone: "west", FeeUcoinPerKwh: 5_000}}
		g.Grid.Nodes = append(g.Grid.Nodes, &gridv1.Node{Node: "hill"}, &gridv1.Node{Node: "town"})
		g.Grid.Lines = []*gridv1.Line{{From: "hill", To: "town", LengthMm: 10_000, CapacityW: 500 * 3_600_000 / market.Period}}
		for _, name := range s.names {
			node, end := g.NodeOf(name), "town"
			if s.r.IntN(2) == 0 {
				node.Zone, end = "west", "hill"
			}
			node.PathMm = nil
			g.Grid.Lines = append(g.Grid.Lines, &gridv1.Line{From: end, To: node.Node, LengthMm: 10_000})
			g.Account(name).Market = marketOfName[name[0]]
		}
	}, s.names...)
	for _, period := range []int64{p, p + market.Period} {
		s.tradings = append(s.tradings, client.NewTrading(period, 0), client.NewTrading(period, 7), client.NewTrading(period, 9))
	}
}

// order places an order of each account in both periods: openly, by a rule, or
// sealed where the market takes that.
func (s *sideBySide) order() {
	for i, name := range s.names {
		least := s.r.Int64N(3) * 200_000
		consent := &matchingv1.Consent{Standing: s.r.IntN(3) == 0, MinSatisfactionPpm: least, RejectBelowPpm: least}
		energy := 100 + s.r.Int64N(500)
		sell := &matchingv1.MsgPlaceSell{PriceUcoinPerKwh: 200_000 + s.r.Int64N(60_000), EnergyWh: energy, Meter: market.Meter(name), Consent: consent}
		buy := &matchingv1.MsgPlaceBuy{PriceUcoinPerKwh: 240_000 + s.r.Int64N(100_000), EnergyWh: energy, Consent: consent, Weights: &matchingv1.Weights{Price: 500, Energy: 300}}
		sells := i%6 < 3
		if s.r.IntN(3) == 0 {
			rule := &matchingv1.MsgSetStandingOrder{Sell: sell}
			if !sells {
				rule = &matchingv1.MsgSetStandingOrder{Buy: buy}
			}
			s.m.Must(name, rule)
			continue
		}
		for _, period := range []int64{p, p + market.Period} {
			sell, buy := proto.CloneOf(sell), proto.CloneOf(buy)
			sell.Period, buy.Period = period, period
			reveal := &matchingv1.MsgRevealOrder{Sell: sell, Salt: bytes.Repeat([]byte{1}, protocol.SaltSize)}
			var open proto.Message = sell
			if !sells {
				reveal.Sell, reveal.Buy, open = nil, buy, buy
			}
			if name[0] == 's' && s.r.IntN(2) == 0 {
				s.seal(name, period, reveal)
			} else {
				s.m.Must(name, open)
			}
		}
	}
}

func (s *sideBySide) seal(name string, period int64, reveal *matchingv1.MsgRevealOrder) {
	commitment, err := protocol.SealCommitment(market.ChainID, market.Address(name), reveal)
	if err != nil {
		s.t.Fatal(err)
	}
	s.m.Must(name, &matchingv1.MsgSealOrder{Period: period, Commitment: commitment})
	s.sealed = append(s.sealed, secret{name, reveal})
}

// answer lets accounts reveal, sign, veto, or not, and stops one now and then.
func (s *sideBySide) answer() {
	for _, secret := range s.sealed {
		if s.r.IntN(2) == 0 {
			_, _ = s.m.Send(secret.name, secret.reveal) // unless it is too early, late or done
		}
	}
	for _, trading := range s.tradings {
		for _, c := range trading.Clearings {
			for _, match := range c.Matches {
				if s.r.IntN(3) == 0 || trading.Fates[string(match.Id)] != client.Waits {
					continue
				}
				veto := s.r.IntN(4) == 0
				for _, name := range s.names {
					address := market.Address(name)
					if bytes.Equal(address[:], match.Seller) || bytes.Equal(address[:], match.Buyer) {
						_, _ = s.m.Send(name, &matchingv1.MsgConfirm{Period: trading.Period, Match: match.Id, Veto: veto})
					}
				}
			}
		}
	}
	if s.r.IntN(8) == 0 {
		address := market.Address(s.names[s.r.IntN(len(s.names))])
		if account, _ := registry.AccountOf(s.m.Store, address); account.Status == registryv1.Status_STATUS_ACTIVE {
			s.m.Decree(&registryv1.MsgFreeze{Account: address[:], Reason: "test"})
			s.seen["stopped"]++
		}
	}
}

// end ends the block and audits what was cleared in it.
func (s *sideBySide) end() {
	s.m.End()
	for _, trading := range s.tradings {
		rounds := len(trading.Clearings)
		trading.Add(s.m.Height, s.m.Events)
		if len(trading.Clearings) > rounds {
			s.audit(trading, trading.Clearings[rounds])
		}
	}
}

func (s *sideBySide) audit(trading *client.Trading, found *client.Clearing) {
	decides := found.Height
	if trading.Revealing > 0 {
		decides = trading.Revealing
		s.seen["sealed"]++
	}
	hash := sha256.Sum256(fmt.Appendf(nil, "root of %d", decides-1))
	params := registry.ParamsAt(s.m.Store, trading.Period)
	entry, err := market.Query[*matchingv1.QueryMarketResponse](s.m, &matchingv1.QueryMarketRequest{Period: trading.Period, Market: trading.Market})
	if err != nil {
		s.t.Fatal(err)
	}
	rules := clearing.Rules{
		Period: trading.Period, PeriodLengthMs: market.Period, PrevAppHash: hash[:], Params: params, Market: entry.Entry.Market,
		Paths: grid.PathsOf(s.m.Store, params.DefaultLossPpmPerKm), Declined: found.Declined, Standing: found.Standing,
	}
	rules.Fees = grid.FeesOf(s.m.Store, rules.Paths, trading.Period)
	for _, flow := range found.Beside {
		from, _ := rules.Paths.Place(flow.From)
		to, _ := rules.Paths.Place(flow.To)
		rules.Beside = append(rules.Beside, clearing.Flow{From: from, To: to, EnergyWh: flow.EnergyWh})
	}
	said := audit.Record{Matches: found.Matches, Cuts: found.Cuts, Book: found.Book}
	said.Certificate, _ = matching.CertificateOf(s.m.Store, trading.Period, trading.Market, found.Book.Round)
	if found.Book.Round > 1 {
		said.Before = trading.Clearings[found.Book.Round-2].Book
	}
	report, err := audit.Check(rules, found.Sells, found.Buys, said)
	if err != nil {
		s.t.Fatal(err)
	}
	if wrong := report.Wrong(); wrong != nil {
		s.t.Errorf("period %d, market %d, round %d, height %d: %s: %s", trading.Period-p, trading.Market, found.Book.Round, s.m.Height, wrong.Check, wrong.Wrong)
	}
	s.count(trading, found)
}

// count notes what a clearing was an example of.
func (s *sideBySide) count(trading *client.Trading, found *client.Clearing) {
	for name, happened := range map[string]bool{
		"beside": len(found.Beside) > 0, "beside late": len(found.Beside) > 0 && found.Book.Round > 1, "cuts": len(found.Cuts) > 0,
		fmt.Sprintf("later rounds of market %d", trading.Market): found.Book.Round > 1,
		"fees": slices.ContainsFunc(found.Matches, func(match *matchingv1.Match) bool { return match.FeeUcoinPerKwh > 5_000 }),
		"rules' orders": slices.ContainsFunc(s.m.Events, func(event proto.Message) bool {
			placed, ok := event.(*matchingv1.SellPlaced)
			return ok && slices.ContainsFunc(found.Sells, func(order *matchingv1.SellOrder) bool { return bytes.Equal(order.Id, placed.Order.Id) })
		}),
	} {
		if happened {
			s.seen[name]++
		}
	}
}
