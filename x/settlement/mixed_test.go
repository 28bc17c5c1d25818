package settlement_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/matching"
)

// TestMixed adds to what TestSimulation does all that meets in a settled period:
// corrections, certificates that are passed on, retired and stored, fees between zones,
// loans, groups of meters that fail together, revocations, and a chain that is
// exported and begun anew. The invariants hold after every block; in the end
// nothing is escrowed or exposed any more.
func TestMixed(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newMixed(rt)
		s.end()
		s.hoarse = rapid.SampledFrom(s.names).Draw(rt, "hoarse")
		for range 30 {
			s.step()
			for range rapid.IntRange(0, 3).Draw(rt, "more") {
				s.more()
			}
		}
		s.finish()
	})
}

type mixed struct {
	*simulation
	revoked []string
}

func newMixed(rt *rapid.T) *mixed {
	draw := func(what string, from ...int64) int64 { return rapid.SampledFrom(from).Draw(rt, what) }
	s := &mixed{simulation: &simulation{
		rt: rt, coins: map[string]int64{}, counted: map[string]flow{}, due: map[string]int64{}, lent: map[string]int64{},
		made: map[string]*settlementv1.Statement{},
	}}
	for i := range rapid.IntRange(2, 6).Draw(rt, "members") {
		s.names = append(s.names, fmt.Sprintf("m%d", i))
	}
	s.m = market.New(rt, func(g *market.Genesis) {
		p := g.Params()
		p.DefaultLossPpmPerKm, p.SigmaPpm = draw("loss per km", 0, 10_000, 300_000), draw("sigma", 0, 50_000)
		p.RoundLengthMs = 4_000
		p.StatementRetentionPeriods = draw("retention", 1000, 8, 3)
		p.CorrectionRetentionPeriods = p.StatementRetentionPeriods
		endow(g, draw("fund", 0, 50_000, 10_000_000), draw("limit of the fund", 0, 200_000, 10_000_000))
		p.ViolationPenaltyUcoin = draw("penalty", 0, 30_000, 5_000_000)
		p.FreezeWindow, p.FreezeViolations = 5, draw("violations until frozen", 0, 1, 3)
		p.EscrowReliefPpm, p.EscrowReliefAbove = draw("relief", 0, 400_000, 1_000_000), draw("above", 0, 55)
		if rapid.Bool().Draw(rt, "quotas") {
			p.ReliabilityQuotas = []*registryv1.ReliabilityQuota{{Trades: draw("trades", 0, 3, 100), EnergyWh: draw("energy", 0, 3000, 100_000)}}
		}
		if p.StorageEfficiencyPpm = draw("efficiency of storage", 0, 900_000, 1_000_000); rapid.Bool().Draw(rt, "storage") {
			meter(s.names[0], registryv1.EnergyType_ENERGY_TYPE_STORAGE, 1)(g)
		}
		for i, name := range s.names {
			g.Balance(name).FreeUcoin = draw("coins of "+name, 20_000_000, 1_000_000, 100_000)
			g.NodeOf(name).Zone = []string{"east", "west"}[i%2]
		}
		g.Grid.ZoneFees = []*gridv1.ZoneFee{{FromZone: "east", ToZone: "west", FeeUcoinPerKwh: draw("zone fee", 1, 20_000)}}
		aggregator := market.Address("aggregator")
		g.Bank.Balances = append(g.Bank.Balances, &bankv1.Balance{Account: aggregator[:], FreeUcoin: 50_000_000})
	}, s.names...)
	s.m.Must("aggregator", &creditv1.MsgSetBank{Terms: &creditv1.Terms{
		RateMinPpm: 1_000, RateMaxPpm: 200_000, CostPpm: 2_000, PriorDefaultPpm: 10_000, TermPeriods: draw("term", 1, 3), GracePeriods: 1,
	}})
	s.m.Must("aggregator", &creditv1.MsgFundBank{AmountUcoin: draw("capital", 1_000_000, 40_000_000)})
	return s
}

// more is one more message.
func (s *mixed) more() {
	name := rapid.SampledFrom(s.names).Draw(s.rt, "more of")
	switch rapid.IntRange(0, 9).Draw(s.rt, "what") {
	case 0, 1, 2, 3:
		s.correct(name)
	case 4:
		s.passOn(name)
	case 5, 6:
		bank := market.Address("aggregator")
		_, _ = s.send(name, &creditv1.MsgStateDemand{Bank: bank[:], AmountUcoin: 1_000_000, RatePpm: 10_000, NoneFromPpm: 150_000})
	case 7:
		_, _ = s.send(name, &bankv1.MsgTransfer{To: market.Address("aggregator").Bytes(), AmountUcoin: rapid.Int64Range(1, 1_000_000).Draw(s.rt, "sent")})
	case 8:
		if rapid.IntRange(0, 9).Draw(s.rt, "revoke") == 9 && !slices.Contains(s.revoked, name) {
			s.m.Decree(&registryv1.MsgRevoke{Account: market.Address(name).Bytes()})
			s.revoked = append(s.revoked, name)
		}
	case 9:
		s.beginAnew()
	}
}

// send is a message of a member that is active.
func (s *mixed) send(name string, msg proto.Message) (protocol.ID, error) {
	if status(s.m, name) != registryv1.Status_STATUS_ACTIVE {
		return protocol.ID{}, nil
	}
	return s.m.Send(name, msg)
}

// correct corrects one or two boundaries of a meter, or is refused.
func (s *mixed) correct(name string) {
	answer, err := market.Query[*meteringv1.QueryBoundariesResponse](s.m, &meteringv1.QueryBoundariesRequest{Meter: market.Meter(name), Limit: 100})
	if err != nil || len(answer.Boundaries) < 2 {
		return
	}
	at := rapid.SampledFrom(answer.Boundaries).Draw(s.rt, "boundary").TimeMs
	in, out := rapid.Int64Range(-900, 900).Draw(s.rt, "more in"), rapid.Int64Range(-900, 900).Draw(s.rt, "more out")
	_ = s.m.Correct(name, at, in, out)
}

// passOn transfers or retires some of what a member holds.
func (s *mixed) passOn(name string) {
	answer, err := market.Query[*originv1.QueryCertificatesResponse](s.m, &originv1.QueryCertificatesRequest{Account: market.Address(name).Bytes()})
	if err != nil {
		s.rt.Fatal(err)
	}
	for _, h := range answer.Holdings {
		wh := rapid.Int64Range(1, 2000).Draw(s.rt, "passed on")
		if rapid.Bool().Draw(s.rt, "retires") {
			_, _ = s.send(name, &originv1.MsgRetireCertificate{EnergyType: h.EnergyType, Month: h.Month, EnergyWh: wh, Purpose: "use"})
			continue
		}
		_, _ = s.send(name, &originv1.MsgTransferCertificate{To: market.Address(s.names[0]).Bytes(), EnergyType: h.EnergyType, Month: h.Month, EnergyWh: wh})
	}
}

// beginAnew ends the block, exports the chain and begins one from that: it exports
// the same, also a period later.
func (s *mixed) beginAnew() {
	s.end()
	reborn := s.m.Reborn()
	s.same(atOnce, reborn)
	at := s.m.TimeMs + rapid.SampledFrom([]int64{500, length}).Draw(s.rt, "later")
	reborn.Block(at) // which lets go of what no correction needs, of all meters
	s.m.Begin(at)
	s.end()
	s.same("a block later", reborn)
	s.m.Begin(at + 100)
}

const atOnce = "at once"

func (s *mixed) same(when string, reborn *market.Market) {
	want := s.m.Export()
	for name, part := range reborn.Export() {
		if at := differ(part, want[name]); at >= 0 && (name != "metering" || when == atOnce) {
			s.rt.Fatalf("%s, %s:\n got ...%s\nwant ...%s", when, name, part[at:], want[name][at:])
		}
	}
}

// differ returns where two texts begin to differ, a little before that; -1 if they
// do not.
func differ(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return max(0, n-200)
}

// end ends a block.
func (s *mixed) end() {
	s.m.End()
	for _, event := range market.Happened[*settlementv1.SettlementFailed](s.m) {
		s.rt.Fatalf("%v", event)
	}
	for _, event := range market.Happened[*settlementv1.CorrectionFailed](s.m) {
		if !s.isRevoked(event.Account) { // it took no part in periods since
			s.rt.Fatalf("%v", event)
		}
	}
}

func (s *mixed) isRevoked(account []byte) bool {
	return slices.ContainsFunc(s.revoked, func(name string) bool { return bytes.Equal(market.Address(name).Bytes(), account) })
}

// step is one block but for its end, which is that of the block before.
func (s *mixed) step() {
	rt := s.rt
	s.end()
	s.m.Begin(s.m.TimeMs + rapid.SampledFrom([]int64{4_000, 2_000, 3_000, 6_000, length, 3 * length}).Draw(rt, "ahead"))
	for _, name := range s.names {
		if slices.Contains(s.revoked, name) {
			if rapid.Bool().Draw(rt, "speaks") {
				s.read(name)
			}
			continue
		}
		switch rapid.IntRange(0, 4).Draw(rt, "does "+name) {
		case 0:
			s.order(name)
		case 1:
			s.confirm(name)
		case 2:
			if name > s.hoarse || rapid.IntRange(0, 9).Draw(rt, "speaks") == 0 {
				s.read(name)
			}
		case 3:
			s.contract(name)
			s.verify(name)
		}
	}
}

// finish lets all meters speak.
func (s *mixed) finish() {
	for range 8 {
		s.end()
		s.m.Begin(s.m.TimeMs + length)
		for _, name := range s.names {
			s.read(name)
		}
	}
	s.end()
	for _, name := range s.names {
		if held := bank.BalanceOf(s.m.Store, market.Address(name)); held.EscrowUcoin != 0 || held.ExposedUcoin != 0 {
			s.rt.Errorf("%s: %v", name, held)
		}
		for period := range matching.Periods(s.m.Store) {
			if matching.HasMatches(s.m.Store, period, market.Address(name)) {
				s.rt.Errorf("%s has matches of %d", name, period)
			}
		}
	}
}
