package settlement_test

import (
	"errors"
	"testing"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

func closedAt(m *market.Market, name string) int64 {
	account, _ := registry.AccountOf(m.Store, market.Address(name))
	return account.ClosedAtMs
}

// payOut is the authority's payout of a ucoin, refused or not.
func payOut(m *market.Market, name, reference string) error {
	address := market.Address(name)
	ctx := m.Ctx(name)
	ctx.Signer = module.Signer{Authority: true}
	for _, route := range bank.New().Routes() {
		msg := &bankv1.MsgWithdraw{Account: address[:], AmountUcoin: 1, Reference: reference}
		if route.Type == string(msg.ProtoReflect().Descriptor().FullName()) {
			return ctx.Atomic(func(ctx *module.Ctx) error { return route.Exec(ctx, msg) })
		}
	}
	return nil
}

func revoke(m *market.Market, name string) {
	address := market.Address(name)
	m.Decree(&registryv1.MsgRevoke{Account: address[:]})
}

// TestCloseWithOpenObligations: home is revoked with a match of p that stands. It
// is not paid out before it has settled all that it owes: the match, its residual
// and, as it had spent its coins, its debt.
func TestCloseWithOpenObligations(t *testing.T) {
	m := market.New(t, quota(1, 1000, noFund), "sun", "home")
	m.Must("sun", sell(p, 200_000, 1000, "sun"))
	m.Must("home", buy(p, 300_000, 1000))
	m.End()
	m.Begin(start + length + 500)
	for _, name := range []string{"sun", "home"} {
		m.Read(name, start, 0, 0)
		m.Read(name, start+length, 0, 0)
	}
	m.End()
	m.Block(gate)
	m.Begin(gate + 500)
	revoke(m, "home")
	m.End()
	spend(m, "home", 210_000)
	still := func(when string) {
		t.Helper()
		if err := payOut(m, "home", when); !errors.Is(err, bank.ErrOpenObligations) || closedAt(m, "home") != 0 {
			t.Errorf("%s: got %v, closed at %d, want it refused for open obligations", when, err, closedAt(m, "home"))
		}
	}
	still("with a match")
	m.Begin(p + 500)
	for _, name := range []string{"sun", "home"} {
		m.Read(name, p, 0, 0)
	}
	m.End()
	still("with a match of the period that runs")
	m.Begin(p + length + 500)
	m.Read("sun", p+length, 0, 1000)
	m.End()
	still("with its registers outstanding")
	m.Begin(p + length + 600)
	m.Read("home", p+length, 1100, 0) // 100 Wh more: 50 000 for the grid, 45 000 lacking
	m.End()
	m.Block(p + 2*length + 500)
	if err := payOut(m, "home", "in debt"); !errors.Is(err, bank.ErrInDebt) || closedAt(m, "home") != 0 {
		t.Errorf("in debt: got %v, closed at %d", err, closedAt(m, "home"))
	}
	m.Begin(p + 2*length + 600)
	address := market.Address("home")
	m.Decree(&bankv1.MsgRecharge{Account: address[:], AmountUcoin: 45_010, Reference: "pays"})
	m.End()
	still("until the next period")
	m.Block(p + 3*length + 500)
	closed := market.Happened[*registryv1.AccountClosed](m)
	if len(closed) != 1 || closedAt(m, "home") != p+3*length+500 {
		t.Errorf("events %v, closed at %d", closed, closedAt(m, "home"))
	}
	if err := payOut(m, "home", "closed"); err != nil {
		t.Errorf("closed: %v", err)
	}
	m = m.Reborn()
	m.CheckInvariants()
	if len(registry.Closing(m.Store)) != 0 {
		t.Error("the closed account waits again")
	}
}

// TestCloseWithoutRegisters: a meter that never speaks again is waited for as long
// as the statements of its last period are kept.
func TestCloseWithoutRegisters(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		noLoss(g)
		g.Params().StatementRetentionPeriods = 3
	}, "sun", "home")
	m.Block(start + length + 500)
	m.Begin(p + 500)
	revoke(m, "home")
	m.End()
	last := int64(0)
	for i := int64(1); i < 12 && closedAt(m, "home") == 0; i++ {
		m = m.Reborn()
		last = i
		m.Block(p + i*length + 500)
	}
	// Two periods follow p to its deadline, three keep its statement.
	if last != 7 {
		t.Errorf("closed %d periods after it was revoked, want 7", last)
	}
}
