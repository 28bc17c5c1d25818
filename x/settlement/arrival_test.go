package settlement_test

import (
	"fmt"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/bank"
)

// TestArrivalsSplit: registers that come in one block meet in memory, those of
// several blocks in the store. Whatever blocks they come in, the energies and money
// of a period are the same; and where nobody lacks coins, so that no order of
// payments matters, so is all that modules hold, roots included.
func TestArrivalsSplit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := drawArrivals(rt)
		together, apart := s.tell(rt, nil, -1), s.tell(rt, s.block, s.reborn)
		for _, m := range []*market.Market{together, apart} {
			if failed := market.Happened[*settlementv1.SettlementFailed](m); len(failed) > 0 {
				rt.Fatalf("%v", failed)
			}
		}
		for _, name := range s.names {
			if want, got := netWorth(together, name), netWorth(apart, name); got != want {
				rt.Errorf("%s is worth %d, and %d if all come at once", name, got, want)
			}
		}
		compareSettled(rt, together, apart, s.rich)
		if !s.rich {
			return
		}
		want := together.Export()
		for name, part := range apart.Export() {
			if at := differ(part, want[name]); at >= 0 && !slices.Contains([]string{"settlement", "metering"}, name) {
				rt.Errorf("%s:\n got ...%s\nif all come at once ...%s", name, part[at:], want[name][at:])
			}
		}
	})
}

// arrivals is a market of matches and contracts for p and the blocks in which the
// registers of its members come.
type arrivals struct {
	names     []string
	rich      bool
	edit      func(*market.Genesis)
	matches   []*matchingv1.Match
	contracts [][2]string
	counted   map[string]flow
	// estimated are read with a quality that is none, late after the deadline.
	estimated, late map[string]bool
	// block is the one of spread in which each comes; reborn is the one after which
	// the chain is exported and begun anew, -1 for none.
	block  map[string]int64
	reborn int64
}

// spread is over how many blocks registers come.
const spread = 4

func drawArrivals(rt *rapid.T) *arrivals {
	s := &arrivals{
		rich: rapid.Bool().Draw(rt, "rich"), counted: map[string]flow{},
		estimated: map[string]bool{}, late: map[string]bool{}, block: map[string]int64{},
		reborn: rapid.Int64Range(-1, 2*spread-1).Draw(rt, "reborn"),
	}
	sellers := rapid.IntRange(1, 4).Draw(rt, "sellers")
	for i := range sellers + rapid.IntRange(1, 4).Draw(rt, "buyers") {
		s.names = append(s.names, fmt.Sprintf("m%d", i))
	}
	coins := map[string]int64{}
	one := func(what string, in int) bool { return rapid.IntRange(1, in).Draw(rt, what) == in }
	for _, name := range s.names {
		coins[name] = market.Coins
		if !s.rich {
			coins[name] = rapid.SampledFrom([]int64{6_000_000, market.Coins}).Draw(rt, "coins of "+name)
		}
		s.counted[name] = flow{rapid.Int64Range(0, 4000).Draw(rt, "import of "+name), rapid.Int64Range(0, 4000).Draw(rt, "export of "+name)}
		s.block[name] = rapid.Int64Range(0, spread-1).Draw(rt, "block of "+name)
		s.estimated[name], s.late[name] = one("estimated: "+name, 5), one("late: "+name, 5)
	}
	for _, seller := range s.names[:sellers] {
		for _, buyer := range s.names[sellers:] {
			switch rapid.IntRange(0, 4).Draw(rt, seller+" to "+buyer) {
			case 0, 1, 2:
				match := market.Match(seller, buyer, p, rapid.Int64Range(1, 1500).Draw(rt, "energy"), rapid.Int64Range(50_000, 550_000).Draw(rt, "price"))
				drawCover(rt, match)
				s.matches = append(s.matches, match)
			case 3:
				s.contracts = append(s.contracts, [2]string{seller, buyer})
			}
		}
	}
	sigma := rapid.SampledFrom([]int64{0, 50_000}).Draw(rt, "sigma")
	penalty := rapid.SampledFrom([]int64{0, 30_000}).Draw(rt, "penalty")
	s.edit = func(g *market.Genesis) {
		g.Params().DefaultLossPpmPerKm, g.Params().SigmaPpm, g.Params().ViolationPenaltyUcoin = 10_000, sigma, penalty
		endow(g, 100_000, 200_000)
		for name, ucoin := range coins {
			g.Balance(name).FreeUcoin = ucoin
		}
	}
	return s
}

// tell runs the story with registers in the given blocks, or, without any, all in
// the last one that they may come in.
func (s *arrivals) tell(t market.TB, block map[string]int64, reborn int64) *market.Market {
	m := market.New(t, s.edit, s.names...)
	for _, sides := range s.contracts {
		agree(m, sides[0], sides[1], proposal(sides[0], sides[1], 150_000))
	}
	if len(s.matches) > 0 {
		m.Stand(s.matches)
	}
	m.End()
	m.Block(gate)
	m.Begin(p + 500)
	for _, name := range s.names {
		s.read(m, name, 0)
	}
	m.End()
	for _, late := range []bool{false, true} {
		from := int64(p + length + 500)
		if late {
			m.Block(p + 2*length + 500)
			m.Block(overdue)
			from = overdue + 500
		}
		for i := range int64(spread) {
			m.Begin(from + i*500)
			for _, name := range s.names {
				if at, ok := block[name]; s.late[name] == late && (ok && at == i || !ok && i == spread-1) {
					s.read(m, name, 1)
				}
			}
			m.End()
			if late && reborn == spread+i || !late && reborn == i {
				m = m.Reborn()
			}
		}
	}
	return m
}

// read submits a member's registers at the start of p or at its end.
func (s *arrivals) read(m *market.Market, name string, end int64) {
	reading := &meteringv1.Reading{
		Meter: market.Meter(name), Sequence: 1 + uint64(end), TimeMs: p + end*length, Quality: meteringv1.Quality_QUALITY_MEASURED,
		ImportWh: end * s.counted[name].in, ExportWh: end * s.counted[name].out,
	}
	if end == 1 && s.estimated[name] {
		reading.Quality = meteringv1.Quality_QUALITY_ESTIMATED
	}
	if err := m.Submit(reading); err != nil {
		m.T.Fatal(err)
	}
}

// netWorth is what a member holds less what it owes, and what others owe to it.
func netWorth(m *market.Market, name string) int64 {
	account := market.Address(name)
	return worth(m, account) - bank.DebtOf(m.Store, account) + bank.OwedTo(m.Store, account)
}

// compareSettled compares what two markets hold of settlement: versions of roots
// tell how many blocks late registers came in, and where coins lack, who was paid
// what first depends on that as well.
func compareSettled(rt *rapid.T, together, apart *market.Market, rich bool) {
	want, got := settledState(rt, together, rich), settledState(rt, apart, rich)
	for i, statement := range got.Statements {
		if !proto.Equal(statement, want.Statements[i]) {
			rt.Errorf("statement:\n got %v\nif all come at once %v", statement, want.Statements[i])
		}
	}
	want.Statements, got.Statements = nil, nil
	if !proto.Equal(want, got) {
		rt.Errorf("state:\n got %v\nif all come at once %v", got, want)
	}
}

func settledState(rt *rapid.T, m *market.Market, rich bool) *settlementv1.GenesisState {
	held := new(settlementv1.GenesisState)
	if err := module.UnmarshalGenesis(m.Export()["settlement"], held); err != nil {
		rt.Fatal(err)
	}
	for _, root := range held.Roots {
		root.Version = 0
		if !rich {
			root.Root, root.Totals = nil, nil
		}
	}
	for _, s := range held.Statements {
		if !rich {
			forgetOrder(s)
		}
	}
	return held
}

// forgetOrder removes from a statement what depends on who paid first.
func forgetOrder(s *settlementv1.Statement) {
	s.PaidUcoin, s.ReceivedUcoin, s.RepaidUcoin, s.DebtUcoin, s.GuaranteedUcoin, s.FeesUcoin = 0, 0, 0, 0, 0, 0
	s.BalanceBeforeUcoin, s.BalanceAfterUcoin, s.PenaltyPaidUcoin = 0, 0, 0
	s.GridPaidUcoin, s.MakeWholePaidUcoin, s.MakeWholeReceivedUcoin = 0, 0, 0
	for _, trade := range s.Trades {
		trade.UnpaidAmountUcoin, trade.UnpaidFeeUcoin, trade.UnpaidMakeWholeUcoin = 0, 0, 0
		trade.GuaranteedAmountUcoin, trade.GuaranteedFeeUcoin = 0, 0
	}
}
