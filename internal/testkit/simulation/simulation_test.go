package simulation

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/protocol"
)

// operationsPerSequence are those that are drawn, besides what meters do.
const operationsPerSequence = 200

// TestSimulation runs ten times as many sequences as -rapid.checks says, 100 if
// nothing, side by side; once as many if -short.
func TestSimulation(t *testing.T) {
	parts := 10
	if testing.Short() {
		parts = 1
	}
	t.Run("all", func(t *testing.T) {
		for i := range parts {
			t.Run(fmt.Sprint(i), func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, sequence)
			})
		}
	})
	seen.report(t)
}

// simulation is one sequence: a chain, its model, and the world around them.
type simulation struct {
	*market.Market
	rt      *rapid.T
	model   *model
	gateway map[string]*gateway
	// stopped are whom the authority froze in this block, at what matching knew
	// before and after its hook.
	stopped     []string
	before, now book
	references  int
	placed      []*order
}

func sequence(rt *rapid.T) {
	s := begin(rt)
	for range s.model.names {
		s.demand()
	}
	for range operationsPerSequence {
		s.operation()
	}
	s.finish()
}

// begin draws a chain.
func begin(rt *rapid.T) *simulation {
	s := &simulation{rt: rt, gateway: map[string]*gateway{}}
	var names []string
	for i := range 3 + below(rt, "members", 4) {
		names = append(names, fmt.Sprintf("m%d", i))
	}
	coins := map[string]int64{operator: 100_000_000, fund: rapid.SampledFrom([]int64{50_000, 1, 10_000_000}).Draw(rt, "fund")}
	s.Market = market.New(rt, func(g *market.Genesis) {
		drawParams(rt, g)
		step := rapid.SampledFrom([]int64{1, 100}).Draw(rt, "step of meters")
		for _, name := range names {
			g.MeterOf(name).StepWh = step
			g.Account(name).UserType = userType(name)
			coins[name] = rapid.SampledFrom([]int64{15_000_000, 3_000_000, 1_000_000, 50_000_000}).Draw(rt, "coins of "+name)
			g.Balance(name).FreeUcoin = coins[name]
		}
		for _, name := range []string{operator, fund} {
			g.Bank.Balances = append(g.Bank.Balances, &bankv1.Balance{Account: accountOf(name), FreeUcoin: coins[name]})
		}
		s.model = newModel(g, step, names)
	}, names...)
	s.model.free = coins
	s.AfterHook = func(module string) {
		if module == "matching" {
			s.now = readBook(s.Market)
		}
	}
	for _, name := range names {
		s.gateway[name] = newGateway(rt, name)
	}
	s.openBank()
	return s
}

func drawParams(rt *rapid.T, g *market.Genesis) {
	draw := func(what string, from ...int64) int64 { return rapid.SampledFrom(from).Draw(rt, what) }
	p := g.Params()
	p.DefaultLossPpmPerKm = draw("loss per km", 0, 10_000, 300_000)
	p.FeeUcoinPerKwh = draw("fee", 5_000, 0, 7_777)
	p.RoundLengthMs = draw("round length", 2_000, 4_000)
	p.DeadlinePeriods = draw("deadline", 2, 1, 4)
	p.StatementRetentionPeriods = draw("retention", 1_000, 5, 1)
	p.CorrectionRetentionPeriods = draw("corrections of", p.StatementRetentionPeriods, min(3, p.StatementRetentionPeriods), 0)
	p.SigmaPpm = draw("sigma", 0, 50_000)
	p.GuaranteeLimitUcoin = draw("limit of the fund", 200_000, 0, 10_000_000)
	p.ViolationPenaltyUcoin = draw("penalty", 0, 30_000, 5_000_000)
	if few := draw("loans", 0, 1); few > 0 { // so that the cap counts, not only the need
		p.CreditCapsUcoin = []int64{0, 0, 100_000, 150_000, 200_000, 250_000, 300_000, 350_000, 400_000, 450_000, 500_000}
	}
	p.LeastOutcomeWh = draw("least energy of an outcome", 0, 500)
	drawReliability(rt, p)
	p.FreezeWindow, p.FreezeViolations = 5, draw("violations until frozen", 0, 1, 3)
}

func (s *simulation) openBank() {
	draw := func(what string, from ...int64) int64 { return rapid.SampledFrom(from).Draw(s.rt, what) }
	terms := &creditv1.Terms{
		RateMinPpm: 1_000, RateMaxPpm: draw("greatest rate", 200_000, 20_000), CostPpm: draw("cost", 2_000, 0), PriorDefaultPpm: 10_000,
		TermPeriods: draw("term", 2, 1, 4), GracePeriods: draw("grace", 1, 3),
	}
	s.model.terms = terms
	s.Must(operator, &creditv1.MsgSetBank{Terms: terms})
	capital := draw("capital", 30_000_000, 1_000_000)
	s.Must(operator, &creditv1.MsgFundBank{AmountUcoin: capital})
	s.model.free[operator] -= capital
	s.model.free[pool] += capital
}

// end ends a block and compares.
func (s *simulation) end() {
	s.before = readBook(s.Market)
	s.End()
	if err := s.compareCover(); err != nil {
		s.rt.Fatalf("height %d: %v", s.Height, err)
	}
	s.model.endBlock(s.TimeMs, s.stopped, s.before, s.now)
	s.stopped = nil
	s.model.judge()
	var record *creditv1.Pricing
	for _, event := range market.Happened[*creditv1.LoansPriced](s.Market) {
		record = event.Pricing
	}
	if err := s.model.price(record); err != nil {
		s.rt.Fatalf("height %d: loans: %v", s.Height, err)
	}
	for _, difference := range s.compare() {
		s.rt.Errorf("height %d: %s", s.Height, difference)
	}
	if s.rt.Failed() {
		s.rt.FailNow()
	}
	seen.count(s)
}

// pass begins the next block; meters go on counting until then, and gateways send
// what they have.
func (s *simulation) pass(ms int64) {
	s.end()
	s.Begin(s.TimeMs + ms)
	for _, name := range s.model.names {
		s.gateway[name].pass(s)
	}
}

// finish lets all meters speak and passes the deadlines.
func (s *simulation) finish() {
	for range 2 + s.model.params.DeadlinePeriods {
		s.pass(market.Period)
		for _, name := range s.model.names {
			s.gateway[name].sendAll(s)
		}
	}
	s.end()
}

// send sends a message and says whether it was taken; wanted is what the model
// says.
func (s *simulation) send(name string, msg proto.Message, wanted bool) bool {
	_, err := s.Send(name, msg)
	if (err == nil) != wanted {
		s.rt.Fatalf("height %d: %s sends %T %v: got %v, the model says taken: %t", s.Height, name, msg, msg, err, wanted)
	}
	return wanted
}

// compare returns what differs between chain and model.
func (s *simulation) compare() []string {
	var found []string
	differ := func(err error) {
		if err != nil {
			found = append(found, err.Error())
		}
	}
	for _, name := range append(slices.Clone(s.model.names), operator, fund, pool, upperGrid, feeLedger) {
		differ(s.compareMoney(name))
	}
	for _, name := range s.model.names {
		differ(s.compareConduct(name))
		differ(s.compareLoans(name))
		differ(s.compareCertificates(name))
		differ(s.compareReliability(name))
	}
	differ(s.compareSettlement())
	return found
}

func accountOf(name string) []byte {
	special := map[string]protocol.Address{
		upperGrid: protocol.GridAddress, feeLedger: protocol.FeeAddress, fund: protocol.GuaranteeAddress,
		pool: protocol.CreditBankAddress(market.Address(operator)),
	}
	if address, ok := special[name]; ok {
		return address.Bytes()
	}
	return addressOf(name)
}

// tally counts what happened in all sequences: a simulation in which nothing
// happens proves nothing.
type tally struct {
	blocks, trades, wholes, stoodIn, late, violations, lent, defaults, repaid, guaranteed, frozen, thawed, estimated, waived, certified, withheld, corrected, claimed, reclaimed,
	charged, exposed, secured, verified, passedOn, usedUp, unpaid, securities atomic.Int64
}

var seen tally

// order counts what stands behind one.
func (t *tally) order(o *order) {
	if o.verification > 0 {
		t.charged.Add(1)
	}
	if o.escrow > 0 && o.exposed > 0 {
		t.exposed.Add(1)
	}
	if !o.buys && o.escrow > 0 {
		t.secured.Add(1)
	}
}

func (t *tally) count(s *simulation) {
	t.blocks.Add(1)
	for _, trade := range s.model.settled {
		t.trades.Add(1)
		if trade.MakeWholeByBuyerUcoin+trade.MakeWholeBySellerUcoin > 0 {
			t.wholes.Add(1)
		}
		if trade.GridStoodIn {
			t.stoodIn.Add(1)
		}
		if trade.UnpaidAmountUcoin+trade.UnpaidFeeUcoin > 0 {
			t.unpaid.Add(1)
		}
	}
	for _, made := range s.model.made {
		for _, happened := range []struct {
			is    bool
			count *atomic.Int64
		}{
			{made.Version > 1 && made.CorrectsVersion == 0, &t.late},
			{made.Version == 1 && made.Outcome < 0, &t.violations},
			{made.DrawnUcoin > 0, &t.lent},
			{made.RepaidUcoin+made.LoansRepaidUcoin > 0, &t.repaid},
			{made.GuaranteedUcoin > 0, &t.guaranteed},
			{made.Estimated, &t.estimated},
			{made.Waived, &t.waived},
			{made.CertificatesWh > 0, &t.certified},
			{made.CorrectsVersion > 0, &t.corrected},
			{made.ClaimsUcoin > 0, &t.claimed},
			{made.CertificatesReclaimedWh > 0, &t.reclaimed},
		} {
			if happened.is {
				happened.count.Add(1)
			}
		}
	}
	t.frozen.Add(happened(s, "violations"))
	t.thawed.Add(happened(s, "read again and paid"))
	t.withheld.Add(int64(len(market.Happened[*reputationv1.OutcomeWithheld](s.Market))))
	for _, ended := range market.Happened[*creditv1.LoanEnded](s.Market) {
		if ended.DebtUcoin > 0 {
			t.defaults.Add(1)
		}
	}
}

// report fails a test in which something never happened, unless it is a short one:
// some of it comes once in a hundred sequences.
func (t *tally) report(tb testing.TB) {
	for _, row := range []struct {
		what  string
		count *atomic.Int64
	}{
		{"blocks", &t.blocks},
		{"trades", &t.trades},
		{"make-whole payments", &t.wholes},
		{"trades of the grid in place of others", &t.stoodIn},
		{"late statements", &t.late},
		{"violations", &t.violations},
		{"statements with loans", &t.lent},
		{"defaults", &t.defaults},
		{"statements with repayments", &t.repaid},
		{"statements with payments of the fund", &t.guaranteed},
		{"estimated statements", &t.estimated},
		{"freezes for violations", &t.frozen},
		{"thaws", &t.thawed},
		{"waived violations", &t.waived},
		{"statements with certificates", &t.certified},
		{"outcomes withheld", &t.withheld},
		{"corrected statements", &t.corrected},
		{"statements with claims of corrections", &t.claimed},
		{"statements whose certificates were taken back", &t.reclaimed},
		{"orders within a quota", &t.charged},
		{"orders escrowed in part", &t.exposed},
		{"sells with security", &t.secured},
		{"payments out of security", &t.securities},
		{"trades of exposed orders that left debt", &t.unpaid},
		{"full verifications", &t.verified},
		{"certificates passed on", &t.passedOn},
		{"certificates used up", &t.usedUp},
	} {
		tb.Logf("%8d %s", row.count.Load(), row.what)
		if row.count.Load() == 0 && !tb.Failed() && !testing.Short() {
			tb.Errorf("no %s", row.what)
		}
	}
}
