package settlement_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/settlement"
)

// made returns the statement of p that an account got in the last block.
func made(m *market.Market, name string) *settlementv1.Statement {
	account := market.Address(name)
	for _, event := range market.Happened[*settlementv1.StatementMade](m) {
		if s := event.Statement; s.Period == p && string(s.Account) == string(account[:]) {
			return s
		}
	}
	return nil
}

// silent is a market in which sun sold 1000 Wh to home, never gave registers
// for p, and the retention time of p is over.
func silent(t *testing.T) *market.Market {
	m := pair(t, map[string]flow{"home": {1200, 0}})
	// Complete at the deadline in the third period after p; six are kept.
	for i := int64(4); i <= 10; i++ {
		for _, name := range []string{"sun", "home"} {
			if _, ok := settlement.StatementOf(m.Store, p, market.Address(name)); !ok {
				t.Fatalf("statement of %s is gone before period %d after p", name, i)
			}
		}
		m.Begin(p + i*length + 500)
		m.Read("home", p+i*length, 0, 0)
		m.End()
	}
	return m
}

// TestRetentionOfSilentMeter: a meter that does not speak keeps nobody's
// statements in state. When it speaks its money is settled all the same.
func TestRetentionOfSilentMeter(t *testing.T) {
	m := silent(t)
	for _, name := range []string{"sun", "home"} {
		account := market.Address(name)
		_, err := market.Query[*settlementv1.QueryStatementResponse](m, &settlementv1.QueryStatementRequest{Account: account[:], Period: p})
		if !errors.Is(err, settlement.ErrUnknownStatement) {
			t.Errorf("%s: got %v, want ErrUnknownStatement", name, err)
		}
	}
	if answer, err := period(m, p); err != nil || answer.Period.GetMissing() != 1 {
		t.Fatalf("period %v, %v: want one missing", answer, err)
	}
	first, _ := settlement.RootOf(m.Store, p)
	grid := free(m, protocol.GridAddress)

	if diff := cmp.Diff(m.Export(), m.Reborn().Export()); diff != "" {
		t.Errorf("export differs after import (-before +after):\n%s", diff)
	}

	m.Begin(m.TimeMs + 1000)
	m.Read("sun", p+length, 0, 700)
	m.End()
	if s := made(m, "sun"); s.GetVersion() != 2 || s.Missing || s.ExportWh != 700 || s.SoldWh != 700 || s.ReceivedUcoin != 140_000 {
		t.Errorf("want 700 Wh sold in version 2: %v", s)
	}
	if got := free(m, market.Address("sun")); got != market.Coins+140_000 {
		t.Errorf("sun has %d, want %d", got, market.Coins+140_000)
	}
	if got := free(m, protocol.GridAddress); got != grid-140_000 {
		t.Errorf("the grid has %d, want %d", got, grid-140_000)
	}
	if root, _ := settlement.RootOf(m.Store, p); !proto.Equal(root, first) || root.Version != 1 {
		t.Errorf("the root changed: %v", root)
	}
	if _, ok := settlement.StatementOf(m.Store, p, market.Address("sun")); ok {
		t.Error("the late statement stays in state")
	}
	if answer, err := period(m, p); err != nil || answer.Period != nil {
		t.Errorf("period %v, %v: want nobody waited for", answer, err)
	}
}

// TestRetentionThenNever: registers of a later period end the waiting for those
// that never come, and what was kept for it.
func TestRetentionThenNever(t *testing.T) {
	m := market.New(t, nil, "home", "shop")
	m.Begin(start + length + 500)
	m.Read("home", start+length, 0, 0)
	m.End()
	for i := int64(0); i <= 12; i++ { // shop is first read long after p
		m.Begin(p + i*length + 500)
		m.Read("home", p+i*length, 0, 0)
		if i >= 11 {
			m.Read("shop", p+i*length, 0, 0)
		}
		m.End()
	}
	if answer, err := period(m, p); err != nil || answer.Period != nil || answer.Root.Version != 1 {
		t.Errorf("period %v, %v: want nobody waited for", answer, err)
	}
	if s := made(m, "shop"); s != nil {
		t.Errorf("want no further statement: %v", s)
	}
}

// TestLateWhileRemoved: registers that arrive while the statements of a period
// are being removed, some a block, leave the root as it is.
func TestLateWhileRemoved(t *testing.T) {
	const accounts, count = 5_100, 10
	m := market.New(t, nil, "home")
	genesis := &settlementv1.GenesisState{Clock: &settlementv1.Clock{FirstPeriod: start, LastPeriod: p + 3*length, Count: count}}
	waiting(genesis, p, accounts)
	genesis.Retirements[0].Count = count
	load(m, settlement.New(), genesis)
	m.Block(p + 3*length + 500) // removes 5000
	if s := statement(m, "home"); !s.Missing {
		t.Fatalf("want home missing: %v", s)
	}
	m.Begin(p + 3*length + 1000)
	m.Read("home", p, 0, 0)
	m.Read("home", p+length, 100, 0)
	m.End()
	if s := made(m, "home"); s.GetVersion() != 2 || s.PaidUcoin != 50_000 {
		t.Errorf("want 100 Wh paid in version 2: %v", s)
	}
	if root, _ := settlement.RootOf(m.Store, p); root.Version != 1 {
		t.Errorf("the root changed: %v", root)
	}
	page, err := market.Query[*settlementv1.QueryStatementsResponse](m, &settlementv1.QueryStatementsRequest{Period: p})
	if err != nil || len(page.Statements) != 0 {
		t.Errorf("left %v, %v", page, err)
	}
}
