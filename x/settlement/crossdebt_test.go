package settlement_test

import (
	"testing"

	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
)

// TestCrossDebts: sun, the seller, owes home, the buyer, who owes the grid. What
// sun is paid goes to home and on to the grid; what comes back of home's escrow
// repays as well, and home's statement says so.
func TestCrossDebts(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.Balance("home").FreeUcoin = 305_000
	}, "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	sun, home := market.Address("sun"), market.Address("home")
	m.Block(gate) // home has 100 000 free, 205 000 in escrow
	m.Begin(gate + 1)
	// home first pays 100 000 away and owes the grid 500 000; sun is emptied to the grid and owes home 50 000.
	pay := func(from, to protocol.Address, n int64) {
		if _, _, err := bank.Pay(m.Ctx("sun"), from, to, n); err != nil {
			t.Fatal(err)
		}
	}
	pay(home, protocol.GridAddress, 100_000+500_000)
	pay(sun, protocol.GridAddress, market.Coins)
	pay(sun, home, 50_000)
	m.End()
	m.Begin(p + 500)
	m.Read("sun", p, 0, 0)
	m.Read("home", p, 0, 0)
	m.End()
	m.Begin(p + length + 500)
	m.Read("sun", p+length, 0, 800) // 160 000 + 4 000 of 205 000: 41 000 come back
	m.Read("home", p+length, 800, 0)
	m.End()
	s := statement(m, "home")
	if s.BalanceBeforeUcoin != 205_000 {
		t.Errorf("home had 205 000 (all in escrow), its statement says %d", s.BalanceBeforeUcoin)
	}
	if s.RepaidUcoin != 41_000 {
		t.Errorf("41 000 of the escrow came back and repaid, statement says %d", s.RepaidUcoin)
	}
}
