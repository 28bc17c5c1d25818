package settlement_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/metering"
	"github.com/energyd/energyd/x/settlement"
)

// What a block does at most, as end_block.go says.
const (
	registersPerBlock = 20_000
	leavesPerBlock    = 50_000
)

// stranger is an account id that no member has; strangers come before members.
func stranger(i int) []byte {
	return binary.BigEndian.AppendUint64(make([]byte, 0, 20), uint64(i))[:20]
}

// load adds records to a module's state.
func load(m *market.Market, mod module.Module, genesis proto.Message) {
	m.T.Helper()
	data, err := module.MarshalGenesis(genesis)
	if err != nil {
		m.T.Fatal(err)
	}
	if err := mod.InitGenesis(m.Ctx("gateway"), data); err != nil {
		m.T.Fatal(err)
	}
}

func ready(m *market.Market) (n int) {
	for range metering.Ready(m.Store) {
		n++
	}
	return n
}

// TestRegistersPerBlock: what is ready beyond the bound waits for the next
// blocks, and the deadline of its period with it.
func TestRegistersPerBlock(t *testing.T) {
	m := market.New(t, nil, "home")
	deliver(m, nil, "home")
	m.Block(p + 2*length + 500)
	backlog := &meteringv1.GenesisState{}
	for i := range 2*registersPerBlock + 10 {
		backlog.Ready = append(backlog.Ready, &meteringv1.Energy{Account: stranger(i), Period: p})
	}
	home := market.Address("home")
	backlog.Ready = append(backlog.Ready, &meteringv1.Energy{Account: home[:], Period: p, ImportWh: 100})
	load(m, metering.New(), backlog)
	for i := range 2 {
		m.Block(overdue + int64(i))
		if got, want := ready(m), len(backlog.Ready)-(i+1)*registersPerBlock; got != want {
			t.Fatalf("block %d leaves %d registers, want %d", i, got, want)
		}
		if settled(m, p) || len(market.Happened[*settlementv1.PeriodOverdue](m)) > 0 {
			t.Fatalf("block %d passes the deadline of a period whose registers wait", i)
		}
	}
	m.Block(overdue + 2)
	if got := ready(m); got != 0 {
		t.Errorf("%d registers are left", got)
	}
	check(m, "home", &settlementv1.Statement{
		Version: 1, ImportWh: 100, GridImportWh: 100, PaidUcoin: 50_000, GridPaidUcoin: 50_000, GridAloneUcoin: 50_000,
	})
}

// waiting is a period with accounts that are settled, but for home.
func waiting(genesis *settlementv1.GenesisState, period int64, accounts int) {
	home := market.Address("home")
	all := []*settlementv1.Statement{{Account: home[:], Period: period, Version: 1, Missing: true}}
	for i := range accounts - 1 {
		all = append(all, &settlementv1.Statement{Account: stranger(i), Period: period, Version: 1})
	}
	genesis.Statements = append(genesis.Statements, all...)
	genesis.Periods = append(genesis.Periods, &settlementv1.Period{Period: period, Accounts: int64(accounts), Overdue: true, Missing: 1})
	genesis.Roots = append(genesis.Roots, &settlementv1.StatementsRoot{
		Period: period, Version: 1, Accounts: int64(accounts), Root: make([]byte, 32), Totals: &settlementv1.Totals{},
	})
	genesis.Missing = append(genesis.Missing, &settlementv1.Missing{Account: home[:], Period: period})
	genesis.Retirements = append(genesis.Retirements, &settlementv1.Due{Count: 100, Period: period})
}

// TestLateRootsPerBlock: a meter that comes back after several periods has them
// settled over several blocks, the oldest first; deadlines wait as well.
func TestLateRootsPerBlock(t *testing.T) {
	const count = 10
	m := market.New(t, nil, "home", "shop")
	home, shop := market.Address("home"), market.Address("shop")
	genesis := &settlementv1.GenesisState{
		Clock:   &settlementv1.Clock{FirstPeriod: start - 2*length, LastPeriod: p + 3*length, Count: count},
		Periods: []*settlementv1.Period{{Period: start, Accounts: 1, OpenAccounts: 1, Deadline: count}},
		Tallies: []*settlementv1.Tally{{Account: shop[:], Period: start}},
	}
	backlog := &meteringv1.GenesisState{}
	for i := range int64(3) {
		waiting(genesis, p+i*length, leavesPerBlock/2)
		backlog.Ready = append(backlog.Ready, &meteringv1.Energy{Account: home[:], Period: p + i*length, ImportWh: 100})
	}
	load(m, settlement.New(), genesis)
	load(m, metering.New(), backlog)
	for block, want := range [][]int64{{2, 2, 1}, {2, 2, 2}} {
		m.Block(p + 3*length + 500 + int64(block))
		for i, version := range want {
			root, _ := settlement.RootOf(m.Store, p+int64(i)*length)
			s, _ := settlement.StatementOf(m.Store, p+int64(i)*length, home)
			if root.Version != version || s.Version != version || s.Missing != (version == 1) {
				t.Errorf("block %d, period %d: root %d, statement %d, want version %d", block, i, root.Version, s.Version, version)
			}
		}
		if settled(m, start) != (block == 1) {
			t.Errorf("block %d: deadline has passed: %v", block, settled(m, start))
		}
	}
	if got := ready(m); got != 0 {
		t.Errorf("%d registers are left", got)
	}
}

// TestCorrectionsPerBlock: corrections of those who bought of one great seller each
// read its statement of 1000 trades; a block begins none once it has read 100 000
// trades. The rest follows in the next one.
func TestCorrectionsPerBlock(t *testing.T) {
	const buyers = 1000
	names, flows := []string{"park"}, map[string]flow{"park": {0, 80 * buyers}}
	var matches []*matchingv1.Match
	for i := range buyers {
		name := fmt.Sprintf("b%d", i)
		names, flows[name] = append(names, name), flow{80, 0}
		matches = append(matches, market.Match("park", name, p, 80, 200_000))
	}
	m := market.New(t, correctable, names...)
	m.SkipInvariants = true // of 1000 members
	m.Stand(matches)
	m.End()
	deliver(m, flows, names...)
	reread(m, names...)
	settled := func() int { return len(market.Happened[*settlementv1.AccountCorrected](m)) }
	m.Begin(m.TimeMs + 100)
	for _, name := range names[1:101] {
		if err := m.Correct(name, p+length, -1, 0); err != nil {
			t.Fatal(err)
		}
	}
	m.End()
	if got := settled(); got != 100 { // of p, each with the 1001 trades of park and its own
		t.Errorf("%d corrections in the first block, want 100", got)
	}
	m.Block(m.TimeMs + 100)
	if got := settled(); got != 100 { // of the period after it
		t.Errorf("%d corrections in the second block, want the other 100", got)
	}
}
