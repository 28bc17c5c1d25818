package credit_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
)

const (
	million = 1_000_000
	agg     = "aggregator"
)

// at is the start of the k-th period of the chain.
func at(k int64) int64 { return market.Start + k*market.Period }

// flow is what a meter counts in a period, in Wh.
type flow struct{ importWh, exportWh int64 }

// world is a market of which the test knows the present period.
type world struct {
	*market.Market
	k int64
}

// newWorld starts a chain whose aggregator has 100 coins and whose members have
// what balances says, 100 coins if nothing.
func newWorld(t market.TB, edit func(*market.Genesis), balances map[string]int64, names ...string) *world {
	t.Helper()
	m := market.New(t, func(g *market.Genesis) {
		address := market.Address(agg)
		g.Bank.Balances = append(g.Bank.Balances, &bankv1.Balance{Account: address[:], FreeUcoin: 100 * million})
		for _, name := range names {
			if ucoin, ok := balances[name]; ok {
				g.Balance(name).FreeUcoin = ucoin
			}
		}
		if edit != nil {
			edit(g)
		}
	}, names...)
	return &world{Market: m}
}

// secondAggregator adds a further validator, so that the bank's may be frozen or
// revoked.
func secondAggregator(g *market.Genesis) {
	second := proto.Clone(g.Account(agg)).(*registryv1.Account)
	address := protocol.KeyAddress(make([]byte, 32))
	second.Account, second.Keys, second.HomeAggregator = address[:], [][]byte{make([]byte, 32)}, address[:]
	second.ValidatorKey = append(address.Bytes(), address[:12]...)
	g.Registry.Accounts = append(g.Registry.Accounts, second)
}

// open begins the next period's block and has the meters read at its start.
func (w *world) open(flows map[string]flow, names ...string) {
	w.T.Helper()
	w.k++
	w.Begin(at(w.k) + 1000)
	for _, name := range names {
		w.Read(name, at(w.k), flows[name].importWh, flows[name].exportWh)
	}
}

// next is a period's only block.
func (w *world) next(flows map[string]flow, names ...string) {
	w.T.Helper()
	w.open(flows, names...)
	w.End()
}

func terms() *creditv1.Terms {
	return &creditv1.Terms{RateMinPpm: 1_000, RateMaxPpm: 200_000, CostPpm: 2_000, PriorDefaultPpm: 10_000, TermPeriods: 2, GracePeriods: 1}
}

func (w *world) openBank(capital int64) {
	w.T.Helper()
	w.Must(agg, &creditv1.MsgSetBank{Terms: terms()})
	w.Must(agg, &creditv1.MsgFundBank{AmountUcoin: capital})
}

// demand is that of the examples: k = 10 coins, theta = 9e11.
func demand() *creditv1.MsgStateDemand {
	address := market.Address(agg)
	return &creditv1.MsgStateDemand{Bank: address[:], AmountUcoin: 20 * million, RatePpm: 30_000, NoneFromPpm: 90_000}
}

func (w *world) recharge(name string, ucoin int64, reference string) {
	w.T.Helper()
	address := market.Address(name)
	w.Decree(&bankv1.MsgRecharge{Account: address[:], AmountUcoin: ucoin, Reference: reference})
}

func (w *world) free(name string) int64 {
	return bank.BalanceOf(w.Store, market.Address(name)).FreeUcoin
}

func (w *world) capital() int64 { return credit.CapitalOf(w.Store, market.Address(agg)) }

func pool() protocol.Address { return protocol.CreditBankAddress(market.Address(agg)) }

func (w *world) loans(name string) *creditv1.QueryLoansResponse {
	w.T.Helper()
	address := market.Address(name)
	answer, err := market.Query[*creditv1.QueryLoansResponse](w.Market, &creditv1.QueryLoansRequest{Account: address[:]})
	if err != nil {
		w.T.Fatal(err)
	}
	return answer
}

func (w *world) wantBank(paidIn, earned, outstanding, capital, undrawn int64) {
	w.T.Helper()
	address := market.Address(agg)
	got, err := market.Query[*creditv1.QueryBankResponse](w.Market, &creditv1.QueryBankRequest{Aggregator: address[:]})
	if err != nil {
		w.T.Fatal(err)
	}
	if b := got.Bank; b.PaidInUcoin != paidIn || b.EarnedUcoin != earned || b.OutstandingUcoin != outstanding ||
		got.CapitalUcoin != capital || got.UndrawnUcoin != undrawn {
		w.T.Errorf("bank: got paid in %d, earned %d, outstanding %d, capital %d, undrawn %d; want %d, %d, %d, %d, %d",
			b.PaidInUcoin, b.EarnedUcoin, b.OutstandingUcoin, got.CapitalUcoin, got.UndrawnUcoin, paidIn, earned, outstanding, capital, undrawn)
	}
}

// wantLoan compares the only loan of a member.
func (w *world) wantLoan(name string, want *creditv1.Loan) {
	w.T.Helper()
	got := w.loans(name).Loans
	if len(got) != 1 {
		w.T.Fatalf("loans of %s: got %v, want one", name, got)
	}
	borrower, aggregator := market.Address(name), market.Address(agg)
	want.Borrower, want.Bank = borrower[:], aggregator[:]
	if !proto.Equal(got[0], want) {
		w.T.Errorf("loan of %s:\n got %v\nwant %v", name, got[0], want)
	}
}

// short brings home to where it has drawn 2 of the 5 coins that it owed the grid:
// two periods of 10 kWh at 0.5 leave it 3 of 8 coins, and the bank, which saw the
// first, gave it a line of the missing 2 at the best rate. At its limit until
// theta/(k + L) = 9e11/12e6 = 75 000 ppm, and dearer the bank gains less.
func short(t *testing.T) *world {
	t.Helper()
	w := newWorld(t, nil, map[string]int64{"home": 8 * million}, "home")
	w.openBank(50 * million)
	w.Must("home", demand())
	w.End()
	drawn := map[string]flow{"home": {10_000, 0}}
	w.next(nil, "home")
	w.next(drawn, "home")
	w.wantBank(50*million, 0, 0, 50*million, 2*million)
	w.next(drawn, "home")
	return w
}

// lineOf is what a member may draw in the k-th period.
func (w *world) lineOf(name string, k int64) int64 {
	w.T.Helper()
	address, borrower := market.Address(agg), market.Address(name)
	answer, err := market.Query[*creditv1.QueryOffersResponse](w.Market, &creditv1.QueryOffersRequest{Aggregator: address[:], Period: at(k)})
	if is(err, "credit/unknown_offer") {
		return 0
	}
	if err != nil {
		w.T.Fatal(err)
	}
	for _, line := range answer.Lines {
		if string(line.Borrower) == string(borrower[:]) {
			return line.UndrawnUcoin
		}
	}
	return 0
}
