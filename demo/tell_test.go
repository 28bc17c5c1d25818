package demo

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/units"
)

// told is a run written by hand: what the blocks of a chain would have said that
// keeps to a story's rules. Tests change it.
type told struct {
	*chronicle
	plan       *plan
	statements map[account]*settlementv1.Statement
	roots      map[int]*settlementv1.StatementsRoot
}

const (
	testLength = 3000 // ms
	testPrice  = 400_000
)

// newTold settles every meter of a story's run at the end of its period, without
// a single trade.
func newTold(t *testing.T, name string) *told {
	t.Helper()
	s, err := findStory(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := newPlan(name, generatedMarket(t, 1), anyStart, s.periods)
	if err != nil {
		t.Fatal(err)
	}
	r := &told{
		plan: p, chronicle: &chronicle{firstPeriod: 60_000, length: testLength, gateLead: testLength / 2, of: make(map[string]int)},
		statements: make(map[account]*settlementv1.Statement), roots: make(map[int]*settlementv1.StatementsRoot),
	}
	for n := range p.market.Participants {
		r.of[string(addressOf(n))] = n
	}
	for period := range s.periods {
		root := &settlementv1.StatementsRoot{Period: r.start(period), Version: 1, Root: []byte("root of version 1"), Totals: new(settlementv1.Totals)}
		var events []proto.Message
		for n := range p.market.Participants {
			importWh, exportWh := p.market.Meter(n, p.first+period)
			st := &settlementv1.Statement{Account: addressOf(n), Period: r.start(period), Version: 1, ImportWh: importWh, ExportWh: exportWh}
			r.statements[account{n, period}] = st
			events = append(events, &settlementv1.StatementMade{Statement: st})
		}
		r.roots[period] = root
		r.at(r.start(period+1)+500, append(events, &settlementv1.PeriodSettled{Root: root})...)
	}
	return r
}

func addressOf(n int) []byte { return fmt.Appendf(nil, "participant %d", n) }

// at adds a block with events.
func (r *told) at(timeMs int64, events ...proto.Message) {
	r.moments = append(r.moments, moment{height: int64(len(r.moments) + 1), timeMs: timeMs, txs: 1, events: events})
}

// trade lets a match be confirmed before its period and settle after it.
func (r *told) trade(seller, buyer, period int, contracted, sold int64) *settlementv1.Trade {
	id := fmt.Appendf(nil, "match %d %d %d", seller, buyer, period)
	amount, _ := units.Amount(testPrice, sold)
	trade := &settlementv1.Trade{
		Match: id, Seller: addressOf(seller), Buyer: addressOf(buyer), ContractedWh: contracted, SoldWh: sold, BoughtWh: sold,
		PriceUcoinPerKwh: testPrice, AmountUcoin: amount,
	}
	match := &matchingv1.Match{Id: id, Period: r.start(period), Seller: trade.Seller, Buyer: trade.Buyer, EnergyWh: contracted}
	r.moments[0].events = append(r.moments[0].events, &matchingv1.Matched{Match: match})
	r.at(r.start(period+1)+500, &settlementv1.Settled{Period: r.start(period), Trade: trade})
	for _, n := range []int{seller, buyer} {
		r.statements[account{n, period}].Outcome = 1
	}
	r.statements[account{buyer, period}].BoughtWh += sold
	return trade
}

// broken are the texts of the laws that do not hold.
func (r *told) broken() []string {
	var found []string
	for _, law := range tellStory(r.chronicle, r.plan, r.plan.story.periods).Laws {
		if law.Broken != "" {
			found = append(found, law.Text+": "+law.Broken)
		}
	}
	return found
}

// A chain that keeps to the rules breaks no law of any story; one that does not
// breaks just the law that it should.
func TestTell(t *testing.T) {
	for _, tc := range []struct {
		story string
		run   func(*told)
		cases []breaking
	}{
		{"outage", runOutage, outageCases},
		{"late-data", runLate, lateCases},
		{"short-of-coins", runCoins, coinsCases},
		{"deviation", runDeviation, deviationCases},
	} {
		t.Run(tc.story, func(t *testing.T) {
			sound := newTold(t, tc.story)
			tc.run(sound)
			if broken := sound.broken(); len(broken) > 0 {
				t.Fatalf("a sound run breaks %q", broken)
			}
			if s := tellStory(sound.chronicle, sound.plan, sound.plan.story.periods); len(s.Happened) == 0 {
				t.Error("nothing is told")
			}
			for _, c := range append(tc.cases, everyCases...) {
				r := newTold(t, tc.story)
				tc.run(r)
				c.spoil(r)
				broken := r.broken()
				if len(broken) != 1 || !strings.Contains(broken[0], c.want) {
					t.Errorf("%s: got %q", c.want, broken)
				}
			}
		})
	}
}

// breaking is a run that breaks one law.
type breaking struct {
	want  string
	spoil func(*told)
}

var everyCases = []breaking{
	{"exactly what its meter counted", func(r *told) { r.statements[account{0, 0}].ImportWh++ }},
}

func runOutage(r *told) {
	from, until := r.plan.down.from, r.plan.down.until
	r.trade(1, 2, from-1, 100, 100)
	r.trade(1, 2, from, 200, 150)
	// No block between shortly before one start and shortly after another.
	before, after := r.start(from)-400, r.start(until)+1000
	kept := r.moments
	r.moments = nil
	var late []moment
	for _, m := range kept {
		if m.timeMs > before && m.timeMs < after {
			m.timeMs = after
		}
		if m.timeMs >= after {
			late = append(late, m)
			continue
		}
		r.at(m.timeMs, m.events...)
	}
	r.at(before)
	r.at(after)
	for _, m := range late {
		r.at(m.timeMs, m.events...)
	}
}

var outageCases = []breaking{
	{"the chain stood still", func(r *told) {
		var filled []moment
		for _, m := range r.moments {
			for len(filled) > 0 && m.timeMs-filled[len(filled)-1].timeMs > 1000 {
				filled = append(filled, moment{height: m.height, timeMs: filled[len(filled)-1].timeMs + 1000})
			}
			filled = append(filled, m)
		}
		r.moments = filled
	}},
	{"every node kept", func(r *told) { r.lost = []string{"node2 has another block at height 7"} }},
	{"did not settle as confirmed", func(r *told) { r.settled()[0].GridStoodIn = true }},
	{"did not settle as confirmed", func(r *told) { r.settled()[1].ContractedWh-- }},
	{"period 3 sold 7 Wh", func(r *told) { r.roots[3].Totals.SoldWh = 7 }},
	{"nobody is charged a violation for it", func(r *told) { r.statements[account{1, 2}].Outcome = -10 }},
	{"no reading is lost", func(r *told) { r.statements[account{4, 3}].Estimated = true }},
}

func (r *told) settled() []*settlementv1.Trade {
	var found []*settlementv1.Trade
	for _, s := range all[*settlementv1.Settled](r.chronicle, nil) {
		found = append(found, s.event.Trade)
	}
	return found
}

func runLate(r *told) {
	seller, buyer := r.plan.held[0].participant, r.plan.held[1].participant
	other := 0
	for other == seller || other == buyer || other == r.plan.misread[0].participant {
		other++
	}
	s := r.statements[account{seller, silentPeriod}]
	final := proto.Clone(s).(*settlementv1.Statement)
	stood := r.trade(seller, other, silentPeriod, s.ExportWh, s.ExportWh)
	stood.GridStoodIn = true
	s.Missing, s.ImportWh, s.ExportWh, s.Outcome, s.PenaltyUcoin, s.PenaltyPaidUcoin = true, 0, 0, -10, latePenalty, latePenalty
	final.Version, final.SoldWh, final.ReceivedUcoin, final.PenaltyUcoin, final.Outcome = 2, stood.SoldWh, stood.AmountUcoin, latePenalty, -10
	root := proto.Clone(r.roots[silentPeriod]).(*settlementv1.StatementsRoot)
	root.Version, root.Root, root.Totals = 2, []byte("root of version 2"), &settlementv1.Totals{FundReceivedUcoin: latePenalty}
	r.trade(other, buyer, latePeriod, 50, 50)
	r.delay(account{seller, silentPeriod + 1}, r.start(silentPeriod+2+lateDeadline)+100)
	for _, a := range []account{{buyer, latePeriod}, {other, latePeriod}} {
		r.delay(a, r.start(latePeriod+2)+100)
	}
	r.at(r.start(silentPeriod+2+lateDeadline)+400, &settlementv1.StatementMade{Statement: final}, &settlementv1.PeriodSettled{Root: root})
	r.correct(r.plan.misread[0])
}

// correct makes statements by a register that was too low, and their next versions.
func (r *told) correct(wrong misreading) {
	var corrected []proto.Message
	for period, missed := range map[int]int64{misreadPeriod: wrong.wh, misreadPeriod + 1: -wrong.wh} {
		s := r.statements[account{wrong.participant, period}]
		s.SoldWh, s.ReceivedUcoin = s.ExportWh, 1000
		after := proto.Clone(s).(*settlementv1.Statement)
		after.Version = 2
		s.ExportWh -= missed
		if missed > 0 {
			s.SoldWh, s.MakeWholePaidUcoin, s.PaidUcoin = s.ExportWh, 7, 7
		}
		corrected = append(corrected, &settlementv1.StatementMade{Statement: after})
	}
	r.at(r.start(wrong.until)+100, corrected...)
}

// delay makes a statement later.
func (r *told) delay(a account, timeMs int64) {
	s := r.statements[a]
	for i := range r.moments {
		for j, event := range r.moments[i].events {
			if made, ok := event.(*settlementv1.StatementMade); ok && made.Statement == s {
				r.moments[i].events[j] = &settlementv1.PeriodOverdue{}
				r.at(timeMs, made)
				return
			}
		}
	}
}

var lateCases = []breaking{
	{"the grid stood in for a sale", func(r *told) {
		for _, trade := range r.settled() {
			trade.GridStoodIn, trade.AmountUcoin = false, 0
		}
		last := r.bills()[account{r.plan.held[0].participant, silentPeriod}][1]
		last.SoldWh, last.ReceivedUcoin = 0, 0
	}},
	{"passed to it", func(r *told) { r.bills()[account{r.plan.held[0].participant, silentPeriod}][1].ReceivedUcoin-- }},
	{"charged once", func(r *told) { r.statements[account{r.plan.held[0].participant, silentPeriod}].PenaltyUcoin++ }},
	{"second version", func(r *told) { r.bills()[account{r.plan.held[0].participant, silentPeriod}][1].Version = 3 }},
	{"it moved", func(r *told) { r.misreadBills(misreadPeriod)[0].ExportWh++ }},
	{"made whole with 7, then 1 ucoin", func(r *told) { r.misreadBills(misreadPeriod)[1].MakeWholePaidUcoin = 1 }},
	{"outcomes 0 and 0 became 0 and -10", func(r *told) { r.misreadBills(misreadPeriod + 1)[1].Outcome = -10 }},
	{"they have 2 and 1", func(r *told) {
		for i := range r.moments {
			r.moments[i].events = slices.DeleteFunc(r.moments[i].events, func(e proto.Message) bool {
				made, ok := e.(*settlementv1.StatementMade)
				return ok && made.Statement.Version == 2 && made.Statement.Period == r.start(misreadPeriod+1)
			})
		}
		r.statements[account{r.plan.misread[0].participant, misreadPeriod + 1}].ExportWh -= r.plan.misread[0].wh
	}},
	{"waited in period 5 without a match", func(r *told) { r.delay(account{r.stranger(), latePeriod}, r.start(latePeriod+2)+100) }},
	{"the silent one is charged one violation", func(r *told) { r.statements[account{r.stranger(), 3}].Outcome = -10 }},
}

// misreadBills are the statements of a period of whose register was wrong.
func (r *told) misreadBills(period int) []bill {
	return r.bills()[account{r.plan.misread[0].participant, period}]
}

// stranger is somebody who neither trades nor is cast.
func (r *told) stranger() int { return len(r.plan.market.Participants) - 1 }

func runCoins(r *told) {
	seller, debtor := r.plan.borrowers[0], r.plan.borrowers[1]
	limit := r.plan.params["guarantee_limit_ucoin"]
	s := r.statements[account{seller, 2}]
	s.PaidUcoin, s.DrawnUcoin = 900, 900
	r.statements[account{seller, 4}].LoansRepaidUcoin, r.statements[account{seller, 4}].ReceivedUcoin = 910, 1000
	d := r.statements[account{debtor, 2}]
	d.PaidUcoin, d.DrawnUcoin, d.GuaranteedUcoin, d.DebtUcoin = 500, 500, limit, limit+300
	loan := &creditv1.Loan{Borrower: addressOf(seller), Period: r.start(3), LentUcoin: 900, PrincipalUcoin: 900, InterestUcoin: 10, DuePeriod: r.start(8)}
	r.at(r.start(2)+100, &creditv1.LoansPriced{Pricing: &creditv1.Pricing{
		Period: r.start(3), Borrowers: []*creditv1.Priced{{Borrower: addressOf(debtor), LineUcoin: 500}},
	}})
	r.at(r.start(3)+600, &creditv1.LoanDrawn{Loan: loan, AmountUcoin: 900},
		&bankv1.DebtRecorded{Debtor: addressOf(debtor), AmountUcoin: limit + 300})
	r.at(r.start(8)+100, &creditv1.LoanEnded{Loan: loan}, &bankv1.DebtRepaid{Debtor: addressOf(debtor), AmountUcoin: limit + 300},
		&matchingv1.BuyPlaced{Order: &matchingv1.BuyOrder{Account: addressOf(debtor), Period: r.start(rescuePeriod)}})
	r.refusals = append(r.refusals, refusal{debtor, 6, "msgs[0]: matching/in_debt: sender: expected no debt"})
}

var coinsCases = []breaking{
	{"was short too", func(r *told) { r.statements[account{r.stranger(), 1}].DebtUcoin = 1 }},
	{"with 5 ucoin left", func(r *told) { r.statements[account{r.plan.borrowers[1], 2}].BalanceAfterUcoin = 5 }},
	{"owed others with", func(r *told) { r.statements[account{r.plan.borrowers[1], 2}].GuaranteedUcoin-- }},
	{"with 499 of 500 ucoin drawn", func(r *told) { r.statements[account{r.plan.borrowers[1], 2}].DrawnUcoin = 499 }},
	{"bank 0, fund", func(r *told) {
		r.statements[account{r.plan.borrowers[1], 2}].DrawnUcoin = 0
		for _, s := range all[*creditv1.LoansPriced](r.chronicle, nil) {
			s.event.Pricing.Borrowers = nil
		}
	}},
	{"lent 900, interest 10, repaid 909", func(r *told) { r.statements[account{r.plan.borrowers[0], 4}].LoansRepaidUcoin-- }},
	{"ended late or as a debt", func(r *told) {
		for _, s := range all[*creditv1.LoanEnded](r.chronicle, nil) {
			s.event.DebtUcoin = 1
		}
	}},
	{"none was refused for debt", func(r *told) { r.refusals[0].log = "bank/insufficient_funds" }},
	{"refused in period 8", func(r *told) {
		r.refusals = append(r.refusals, refusal{r.plan.borrowers[1], rescuePeriod, "matching/in_debt: late"})
	}},
	{"ucoin owed", func(r *told) {
		for _, s := range all[*bankv1.DebtRepaid](r.chronicle, nil) {
			s.event.AmountUcoin--
		}
	}},
	{"no order was taken afterwards", func(r *told) {
		for _, s := range all[*matchingv1.BuyPlaced](r.chronicle, nil) {
			s.event.Order.Period = r.start(2)
		}
	}},
}

func runDeviation(r *told) {
	seller, buyer, tolerated := r.plan.offers[0].participant, r.plan.offers[2].participant, r.plan.offers[3].participant
	other := r.stranger()
	for _, period := range []int{shortSeller1, shortSeller2} {
		exported := r.statements[account{seller, period}].ExportWh
		trade := r.trade(seller, other, period, exported*2, exported)
		r.shortfall(account{seller, period}, trade, &trade.MakeWholeBySellerUcoin, r.plan.market.Tariff.Retail-testPrice)
	}
	imported := r.statements[account{buyer, shortBuyer}].ImportWh
	trade := r.trade(other, buyer, shortBuyer, imported*2, imported)
	r.shortfall(account{buyer, shortBuyer}, trade, &trade.MakeWholeByBuyerUcoin, testPrice-r.plan.market.Tariff.FeedIn)
	exported := r.statements[account{tolerated, tolerablePeriod}].ExportWh
	r.trade(tolerated, other, tolerablePeriod, exported+2, exported+2)
	r.trade(seller, other, deviationStory.periods-1, 40, 40)
	r.at(r.start(3)+700, &registryv1.StatusChanged{Account: addressOf(seller), Status: registryv1.Status_STATUS_FROZEN, Reason: "violations"})
	r.at(r.start(5)+100, &registryv1.StatusChanged{Account: addressOf(seller), Status: registryv1.Status_STATUS_ACTIVE, Reason: thawed})
	r.refusals = append(r.refusals, refusal{seller, 5, "msgs[0]: app/account_not_active: signer: account x is STATUS_FROZEN"})
}

// shortfall makes a trade a violation of one side.
func (r *told) shortfall(a account, trade *settlementv1.Trade, makeWhole *int64, price int64) {
	*makeWhole, _ = units.Amount(price, trade.ContractedWh-trade.SoldWh)
	s := r.statements[a]
	s.Outcome, s.MakeWholePaidUcoin, s.PenaltyUcoin, s.PenaltyPaidUcoin = -10, *makeWhole, deviationPenalty, deviationPenalty
}

var deviationCases = []breaking{
	{"within the tolerance", func(r *told) {
		r.statements[account{r.plan.offers[3].participant, tolerablePeriod}].MakeWholePaidUcoin = 1
	}},
	{"made the others whole at the stated price", func(r *told) {
		r.statements[account{r.plan.offers[0].participant, shortSeller1}].MakeWholePaidUcoin++
		r.settled()[0].MakeWholeBySellerUcoin++
	}},
	{"penalty 7 ucoin", func(r *told) { r.statements[account{r.plan.offers[2].participant, shortBuyer}].PenaltyUcoin = 7 }},
	{"the three shortfalls are charged", func(r *told) { r.statements[account{r.plan.offers[0].participant, shortSeller2}].Outcome = 1 }},
	{"the three shortfalls are charged", func(r *told) { r.statements[account{r.stranger(), 4}].Outcome = -10 }},
	{"its status changed 1 times", func(r *told) { r.moments = r.moments[:len(r.moments)-1] }},
	{"no order was refused", func(r *told) { r.refusals = nil }},
}
