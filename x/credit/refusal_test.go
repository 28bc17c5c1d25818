package credit_test

import (
	"strings"
	"testing"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
)

// is says whether an error has the code, "credit/in_debt".
func is(err error, code string) bool { return err != nil && module.Code(err).Error() == code }

// drawFor lets a member draw for energy of the grid at retail.
func drawFor(w *world, payer protocol.Address, ucoin int64) (int64, int64, error) {
	return credit.Draw(w.Ctx("home"), credit.Shortfall{
		Payer: payer, Payee: protocol.GridAddress, Ucoin: ucoin, PriceUcoinPerKwh: market.Retail, RetailUcoinPerKwh: market.Retail,
	})
}

// TestRefusedDraws: each leaves bank, line and loans as they are, and says why.
func TestRefusedDraws(t *testing.T) {
	home, other := market.Address("home"), market.Address("other")
	for _, test := range []struct {
		name   string
		before func(*world)
		edit   func(*credit.Shortfall)
		reason string
		lent   int64
	}{
		{"within the line", nil, nil, "", 1000},
		{"beyond the line", nil, func(s *credit.Shortfall) { s.Ucoin = 5*million + 1 }, "beyond_line", 5 * million},
		{"above retail", nil, func(s *credit.Shortfall) { s.PriceUcoinPerKwh++ }, "above_retail", 0},
		{"to the bank itself", nil, func(s *credit.Shortfall) { s.Payee = pool() }, "not_energy", 0},
		{"to the same identity", nil, func(s *credit.Shortfall) { s.Payee = other }, "same_identity", 0},
		{"to itself", nil, func(s *credit.Shortfall) { s.Payee = home }, "same_identity", 0},
		{"frozen", func(w *world) { w.Decree(&registryv1.MsgFreeze{Account: home[:], Reason: "test"}) }, nil, "not_active", 0},
		{"revoked", func(w *world) { w.Decree(&registryv1.MsgRevoke{Account: home[:], Reason: "test"}) }, nil, "not_active", 0},
		{"bank's aggregator frozen", func(w *world) {
			address := market.Address(agg)
			w.Decree(&registryv1.MsgFreeze{Account: address[:], Reason: "test"})
		}, nil, "not_active", 0},
		{"in debt", func(w *world) {
			if err := bank.Owe(w.Ctx("home"), home, other, 1); err != nil {
				w.T.Fatal(err)
			}
		}, nil, "in_debt", 0},
		{"without a line", nil, func(s *credit.Shortfall) { s.Payer = other }, "", 0},
		{"nothing", nil, func(s *credit.Shortfall) { s.Ucoin = 0 }, "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, func(g *market.Genesis) {
				g.Account("other").Identity = g.Account("home").Identity
				secondAggregator(g)
			}, map[string]int64{"home": 8 * million}, "home", "other")
			w.openBank(50 * million)
			w.Must("home", demand())
			w.End()
			w.next(nil, "home")
			w.next(map[string]flow{"home": {16_000, 0}}, "home") // 8 coins: all it has
			w.open(nil, "home")
			line := w.loans("home").Line.GetUndrawnUcoin()
			if line != 8*million {
				t.Fatalf("line: got %d", line)
			}
			w.Must(agg, &creditv1.MsgWithdrawCapital{AmountUcoin: 42 * million}) // the rest is promised
			if test.reason == "beyond_line" {
				if lent, _, err := drawFor(w, home, 3*million); err != nil || lent != 3*million {
					t.Fatal(lent, err)
				}
			}
			before := w.capital()
			if test.before != nil {
				test.before(w)
			}
			shortfall := credit.Shortfall{Payer: home, Payee: protocol.GridAddress, Ucoin: 1000, PriceUcoinPerKwh: market.Retail, RetailUcoinPerKwh: market.Retail}
			if test.edit != nil {
				test.edit(&shortfall)
			}
			w.Events = nil
			lent, repaid, err := credit.Draw(w.Ctx("home"), shortfall)
			if err != nil || lent != test.lent || repaid != 0 || before-w.capital() != lent {
				t.Errorf("lent %d, repaid %d, capital from %d to %d: %v", lent, repaid, before, w.capital(), err)
			}
			refused := market.Happened[*creditv1.LoanRefused](w.Market)
			switch {
			case test.reason == "" && len(refused) != 0, test.reason != "" && (len(refused) != 1 ||
				refused[0].Reason != test.reason || refused[0].AmountUcoin != shortfall.Ucoin-lent):
				t.Errorf("refused: got %v, want %q", refused, test.reason)
			}
			w.CheckInvariants()
		})
	}
}

// TestRefusedMessages: each has a code and changes nothing.
func TestRefusedMessages(t *testing.T) {
	w := newWorld(t, func(g *market.Genesis) {
		g.Account("kin").Identity = g.Account(agg).Identity
		g.Params().CreditMaxDemands = 1
		g.Params().CreditMaxTermPeriods = 10
		g.Params().CreditRateMinPpm = 500
	}, map[string]int64{"poor": 1}, "home", "kin", "poor", "more")
	set := func(edit func(*creditv1.Terms)) *creditv1.MsgSetBank {
		msg := &creditv1.MsgSetBank{Terms: terms()}
		edit(msg.Terms)
		return msg
	}
	ask := func(edit func(*creditv1.MsgStateDemand)) *creditv1.MsgStateDemand {
		msg := demand()
		edit(msg)
		return msg
	}
	type refusal struct {
		name string
		msg  proto.Message
		code string
		text string
	}
	refuse := func(tests ...refusal) {
		t.Helper()
		for _, test := range tests {
			before := string(w.Export()["credit"]) + string(w.Export()["bank"])
			if _, err := w.Send(test.name, test.msg); !is(err, test.code) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("%s: %v: got %v, want %s: %s", test.name, test.msg, err, test.code, test.text)
			}
			if string(w.Export()["credit"])+string(w.Export()["bank"]) != before {
				t.Errorf("%s: %v was refused and changed the state", test.name, test.msg)
			}
		}
	}
	home := market.Address("home")
	refuse(
		refusal{agg, &creditv1.MsgFundBank{AmountUcoin: 1}, "credit/unknown_bank", "sender"},
		refusal{agg, &creditv1.MsgWithdrawCapital{AmountUcoin: 1}, "credit/unknown_bank", "sender"},
		refusal{"home", demand(), "credit/unknown_bank", "bank"},
		refusal{"home", ask(func(d *creditv1.MsgStateDemand) { d.Bank = home[:] }), "credit/not_home_bank", "bank"},
		refusal{"home", ask(func(d *creditv1.MsgStateDemand) { d.Bank = home[:3] }), "credit/invalid_field", "bank"},
		refusal{"home", ask(func(d *creditv1.MsgStateDemand) { d.AmountUcoin = -1 }), "credit/invalid_field", "amount_ucoin"},
		refusal{"home", ask(func(d *creditv1.MsgStateDemand) { d.AmountUcoin = 0 }), "credit/invalid_field", "rate_ppm"},
		refusal{"home", ask(func(d *creditv1.MsgStateDemand) { d.RatePpm = 0 }), "credit/invalid_field", "rate_ppm"},
		refusal{"home", ask(func(d *creditv1.MsgStateDemand) { d.NoneFromPpm = d.RatePpm }), "credit/invalid_field", "none_from_ppm"},
		refusal{agg, &creditv1.MsgSetBank{}, "credit/invalid_field", "terms"},
		refusal{agg, set(func(t *creditv1.Terms) { t.RateMinPpm = 499 }), "credit/invalid_field", "rate_min_ppm"},
		refusal{agg, set(func(t *creditv1.Terms) { t.RateMaxPpm = 200_001 }), "credit/invalid_field", "rate_max_ppm"},
		refusal{agg, set(func(t *creditv1.Terms) { t.RateMinPpm, t.RateMaxPpm = 2000, 1999 }), "credit/invalid_field", "rate_min_ppm"},
		refusal{agg, set(func(t *creditv1.Terms) { t.CostPpm = -1 }), "credit/invalid_field", "cost_ppm"},
		refusal{agg, set(func(t *creditv1.Terms) { t.PriorDefaultPpm = million + 1 }), "credit/invalid_field", "prior_default_ppm"},
		refusal{agg, set(func(t *creditv1.Terms) { t.TermPeriods = 11 }), "credit/invalid_field", "term_periods"},
		refusal{agg, set(func(t *creditv1.Terms) { t.GracePeriods = 0 }), "credit/invalid_field", "grace_periods"},
	)
	w.Must(agg, &creditv1.MsgSetBank{Terms: terms()})
	w.Must(agg, &creditv1.MsgFundBank{AmountUcoin: 10 * million})
	refuse(
		refusal{agg, &creditv1.MsgFundBank{AmountUcoin: 90*million + 1}, "bank/insufficient_funds", "amount_ucoin"},
		refusal{agg, &creditv1.MsgFundBank{AmountUcoin: 0}, "credit/invalid_field", "amount_ucoin"},
		refusal{agg, &creditv1.MsgWithdrawCapital{AmountUcoin: -1}, "credit/invalid_field", "amount_ucoin"},
		refusal{agg, &creditv1.MsgWithdrawCapital{AmountUcoin: 10*million + 1}, "credit/insufficient_capital", "amount_ucoin"},
		refusal{"kin", demand(), "credit/same_identity", "bank"},
		refusal{"home", &creditv1.MsgStateDemand{Bank: demand().Bank}, "credit/unknown_demand", "amount_ucoin"},
	)
	w.Must("home", demand())
	refuse(refusal{"more", demand(), "credit/too_many_demands", "bank"})
	w.Must("home", demand()) // again is no further one
	w.Must("home", &creditv1.MsgStateDemand{Bank: demand().Bank})
	w.Must("more", demand())
	if err := bank.Owe(w.Ctx("poor"), market.Address("poor"), home, 1); err != nil {
		t.Fatal(err)
	}
	if err := bank.Owe(w.Ctx(agg), market.Address(agg), home, 1); err != nil {
		t.Fatal(err)
	}
	refuse(
		refusal{"poor", demand(), "credit/in_debt", "borrower"},
		refusal{agg, &creditv1.MsgFundBank{AmountUcoin: 1}, "credit/in_debt", "sender"},
	)
	w.CheckInvariants()
}

// TestPromisedCapital: what lines may draw is not withdrawn, a coin less is.
func TestPromisedCapital(t *testing.T) {
	w := short(t) // 48 coins, of which a line may draw 5
	if _, err := w.Send(agg, &creditv1.MsgWithdrawCapital{AmountUcoin: 43*million + 1}); !is(err, "credit/insufficient_capital") {
		t.Errorf("one ucoin too many: %v", err)
	}
	w.Must(agg, &creditv1.MsgWithdrawCapital{AmountUcoin: 43 * million})
	w.wantBank(7*million, 0, 2*million, 5*million, 5*million)
	w.next(map[string]flow{"home": {10_000, 0}}, "home")
	if got := w.capital(); got != 0 {
		t.Errorf("capital: %d, want all of it lent", got)
	}
}

// TestRevokedAggregator: its bank lends no more and gives its capital back.
func TestRevokedAggregator(t *testing.T) {
	w := newWorld(t, secondAggregator, nil, "home")
	w.openBank(50 * million)
	w.Must("home", demand())
	w.End()
	w.open(nil, "home")
	address := market.Address(agg)
	w.Decree(&registryv1.MsgRevoke{Account: address[:], Reason: "test"})
	w.End()
	if got := w.free(agg); got != 100*million || w.capital() != 0 {
		t.Errorf("got %d ucoin and capital %d, want all of it back", got, w.capital())
	}
	w.wantBank(0, 0, 0, 0, 0)
	if _, err := w.Send("home", demand()); !is(err, "credit/not_active") {
		t.Errorf("a demand to it: %v", err)
	}
}

// TestRevokedKeepsPromised: what a running line might draw stays with the bank
// until the line lapses, then it goes back too.
func TestRevokedKeepsPromised(t *testing.T) {
	w := newWorld(t, secondAggregator, map[string]int64{"home": 8 * million}, "home")
	w.openBank(50 * million)
	w.Must("home", demand())
	w.End()
	w.next(nil, "home")
	w.next(map[string]flow{"home": {10_000, 0}}, "home")
	w.open(nil, "home")
	address := market.Address(agg)
	w.Decree(&registryv1.MsgRevoke{Account: address[:], Reason: "test"})
	w.End()
	w.wantBank(2*million, 0, 0, 2*million, 2*million)
	w.next(nil, "home")
	w.wantBank(0, 0, 0, 0, 0)
	if got := w.free(agg); got != 100*million {
		t.Errorf("got %d ucoin, want all of it back", got)
	}
}
