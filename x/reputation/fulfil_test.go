package reputation_test

import (
	"errors"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

// dealt is an amount dealt with a member.
type dealt struct {
	name   string
	amount int64
}

// dealings are those with members of a market.
func dealings(m *market.Market, all ...dealt) []reputation.Dealing {
	var found []reputation.Dealing
	for _, d := range all {
		found = append(found, reputation.Dealing{With: registry.IdentityOf(m.Store, market.Address(d.name)), Amount: d.amount})
	}
	return found
}

// TestTenOfAHundred: a counterparty's outcomes make room for new ones as they fall
// out of the last hundred, one by one.
func TestTenOfAHundred(t *testing.T) {
	names := []string{"sun"}
	for i := range 10 {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	m := market.New(t, nil, names...)
	ctx, sun := m.Ctx("sun"), market.Address("sun")
	with := func(name string) bool { return reputation.Fulfil(ctx, sun, dealings(m, dealt{name, 1}), 0) }
	for i, name := range names[1:] {
		for j := range 10 {
			if !with(name) {
				t.Fatalf("outcome %d with %s is withheld", 10*i+j, name)
			}
		}
		if i < 9 && with(name) {
			t.Fatalf("an eleventh outcome stands for %s", name)
		}
	}
	// A hundred stand. The next one pushes the oldest, n0's, out.
	if with("n5") || !with("n0") || with("n1") {
		t.Error("want room for n0 only, whose oldest outcome falls out")
	}
	reputation.Record(ctx, sun, reputation.Violated) // of nobody: another of n0's falls out
	if !with("n0") {
		t.Error("want room for n0 again")
	}
	m.CheckInvariants()
}

// TestFulfil: what stands for whom.
func TestFulfil(t *testing.T) {
	for _, test := range []struct {
		name     string
		dealings []dealt
		least    int64
		want     bool
	}{
		{"with nobody", nil, 0, false},
		{"with itself", []dealt{{"sun", 1000}}, 0, false},
		{"with its other account", []dealt{{"roof", 1000}}, 0, false},
		{"with both of those and a third", []dealt{{"roof", 1000}, {"home", 10}}, 11, false},
		{"the third suffices", []dealt{{"roof", 1000}, {"home", 10}}, 10, true},
		{"nothing delivered, no least", []dealt{{"home", 0}}, 0, true},
		{"two make the least", []dealt{{"home", 5}, {"shop", 5}}, 10, true},
	} {
		m := market.New(t, func(g *market.Genesis) { g.Account("roof").Identity = g.Account("sun").Identity }, "sun", "roof", "home", "shop")
		sun := market.Address("sun")
		if got := reputation.Fulfil(m.Ctx("sun"), sun, dealings(m, test.dealings...), test.least); got != test.want {
			t.Errorf("%s: got %t", test.name, got)
		}
		if got := reputation.ValueOf(m.Store, sun); (got == 61) != test.want {
			t.Errorf("%s: the value is %d", test.name, got)
		}
	}
}

// TestQuota: an order that does not fit is not charged; the counters never pass
// the quota, and what is refunded is room again.
func TestQuota(t *testing.T) {
	m := market.New(t, nil, "home")
	ctx, home := m.Ctx("home"), market.Address("home")
	quota := &registryv1.ReliabilityQuota{Trades: 3, EnergyWh: 1000}
	for i, step := range []struct{ wh, want, trades, energy int64 }{
		{1001, 0, 0, 0}, {600, 1, 1, 600}, {401, 0, 1, 600}, {400, 1, 2, 1000}, {1, 0, 2, 1000}, {1 << 62, 0, 2, 1000},
	} {
		got := reputation.Charge(ctx, home, quota, step.wh)
		known := reputation.ReliabilityOf(m.Store, home)
		if got != step.want || known.Trades != step.trades || known.EnergyWh != step.energy {
			t.Errorf("step %d: charged to %d, %v", i, got, known)
		}
	}
	reputation.Refund(ctx, home[:], 1, 1, 400)
	reputation.Refund(ctx, home[:], 2, 1, 400) // of a verification that never was
	if known := reputation.ReliabilityOf(m.Store, home); known.Trades != 1 || known.EnergyWh != 600 {
		t.Errorf("refunded: %v", known)
	}
	for i, want := range []int64{1, 1, 0} { // room for two more orders
		if got := reputation.Charge(ctx, home, quota, 1); got != want {
			t.Errorf("order %d: charged to verification %d, want %d", i, got, want)
		}
	}
	if reputation.Charge(ctx, home, &registryv1.ReliabilityQuota{}, 0) != 0 {
		t.Error("a quota of nothing has no room")
	}
}

// TestReauthorise: both signatures, the right ones, without debt.
func TestReauthorise(t *testing.T) {
	m := market.New(t, nil, "home", "shop")
	ctx, home := m.Ctx("home"), market.Address("home")
	reputation.Charge(ctx, home, &registryv1.ReliabilityQuota{Trades: 5, EnergyWh: 5000}, 1000)
	countersign := func(account protocol.Address) *reputationv1.MsgCountersign {
		return &reputationv1.MsgCountersign{Account: account[:]}
	}
	refused := func(name string, msg proto.Message, want *module.Error) {
		t.Helper()
		if _, err := m.Send(name, msg); !errors.Is(err, want) {
			t.Errorf("%s: %T: got %v, want %v", name, msg, err, want)
		}
	}
	refused("aggregator", countersign(home), reputation.ErrNotAsked)
	owe := func(coins int64) {
		if err := bank.Owe(m.Ctx("home"), home, protocol.GridAddress, coins); err != nil {
			t.Fatal(err)
		}
	}
	recharge := func(reference string) { // a receipt repays
		m.Decree(&bankv1.MsgRecharge{Account: home[:], AmountUcoin: 1, Reference: reference})
	}
	owe(1)
	refused("home", &reputationv1.MsgReauthorise{}, reputation.ErrInDebt)
	recharge("first")
	m.Must("home", &reputationv1.MsgReauthorise{})
	refused("home", &reputationv1.MsgReauthorise{}, reputation.ErrAlreadyAsked)
	refused("shop", countersign(home), reputation.ErrNotVerifier)
	owe(1)
	refused("aggregator", countersign(home), reputation.ErrInDebt)
	recharge("second")
	refused("aggregator", &reputationv1.MsgCountersign{}, reputation.ErrInvalidField)
	refused("aggregator", countersign(protocol.GridAddress), reputation.ErrNotActive)
	m = m.Reborn()
	m.Must("aggregator", countersign(home))
	want := &reputationv1.Reliability{Account: home[:], Verification: 2}
	if got := reputation.ReliabilityOf(m.Store, home); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	// Nobody verifies itself.
	m.Must("aggregator", &reputationv1.MsgReauthorise{})
	refused("aggregator", countersign(market.Address("aggregator")), reputation.ErrNotVerifier)
	m.Decree(countersign(market.Address("aggregator")))
}

// TestQueryReliability: what is charged, the quota of the type, and what an order
// would escrow.
func TestQueryReliability(t *testing.T) {
	m := market.New(t, func(g *market.Genesis) {
		g.Params().ReliabilityQuotas = []*registryv1.ReliabilityQuota{{Trades: 1, EnergyWh: 1000}}
		g.Params().EscrowReliefPpm, g.Params().EscrowReliefAbove = 400_000, 50
	}, "home")
	home := market.Address("home")
	ask := func() *reputationv1.QueryReliabilityResponse {
		got, err := market.Query[*reputationv1.QueryReliabilityResponse](m, &reputationv1.QueryReliabilityRequest{Account: home[:]})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := &reputationv1.QueryReliabilityResponse{
		Reliability: &reputationv1.Reliability{Account: home[:], Verification: 1},
		QuotaTrades: 1, QuotaEnergyWh: 1000, Valid: true, EscrowSharePpm: 920_000, // 60 is a fifth of the way from 50 to 100
	}
	if got := ask(); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	reputation.Charge(m.Ctx("home"), home, &registryv1.ReliabilityQuota{Trades: 1, EnergyWh: 1000}, 10)
	want.Reliability.Trades, want.Reliability.EnergyWh, want.Valid = 1, 10, false
	if got := ask(); !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if _, err := market.Query[*reputationv1.QueryReliabilityResponse](m, &reputationv1.QueryReliabilityRequest{}); !errors.Is(err, reputation.ErrInvalidField) {
		t.Errorf("no account: got %v", err)
	}
}
