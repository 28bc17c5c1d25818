package demo

import (
	"strings"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// coinsStory lets two households run out of coins: one with panels, whose loan
// its sales repay, and one whose line and guarantee do not last.
var coinsStory = story{
	name:    "short-of-coins",
	about:   "two households run out of coins: a loan repaid from sales, and the way to a debt",
	periods: coinsPeriods,
	rules: []string{
		"What a meter counted is always settled: from the household's own coins, then its line at the credit bank, then the guarantee fund, and the rest becomes debt to the creditor.",
		"Receipts for energy repay debts first, then loans, interest before principal.",
		"An order holds its coins: none without them, and none of who is in debt, until it has paid.",
		"Coins paid in repay debts at once, the oldest first.",
	},
	plan: planCoins,
	tell: tellCoins,
}

const (
	coinsPeriods = 9
	// importPeriods is for how many periods the one with panels draws on the grid
	// before it sells.
	importPeriods = 4
	// coveredPeriods of those its own coins pay: no bank lends before it knows a
	// period's registers.
	coveredPeriods = 2
	// rescuePeriod is the one before whose orders the debtor pays coins in.
	rescuePeriod = 8
	// debtorOrders is from when on the debtor tries to order: its coins are gone by
	// then, and soon line and guarantee are.
	debtorOrders = 5

	coinsTerm    = 5 // periods
	rescueCoins  = 20_000_000
	fundCoins    = 5_000_000
	bankCoins    = 5_000_000
	demandCoins  = 100_000_000
	coinsMinRate = 10_000 // ppm
	coinsMaxRate = 20_000 // ppm
)

func planCoins(p *plan, starts []int, _ int) bool {
	m := p.market
	start, cast, ok := best(starts, func(at int) ([]int, int64) { return m.borrowers(at) })
	if !ok {
		return false
	}
	seller, debtor := cast[0], cast[1]
	lent, most := loanOf(m.costs(seller, start, importPeriods)), m.costs(debtor, start, importPeriods)
	p.first, p.borrowers, p.fund = start, cast, fundCoins
	p.params = map[string]int64{
		"credit_caps_ucoin": lent, "guarantee_limit_ucoin": most[coveredPeriods] / 2, "credit_min_outcome_ucoin": 1,
	}
	p.coins = map[int]int64{
		seller: sum(m.costs(seller, start, coveredPeriods)), debtor: sum(m.costs(debtor, start, coveredPeriods)),
	}
	p.quiet = []quiet{{seller, importPeriods}, {debtor, debtorOrders}}
	p.rescues = []rescue{{debtor, rescuePeriod, rescueCoins}}
	p.role(seller, "has coins for two periods, then draws on its line, then sells")
	p.role(debtor, "has coins for two periods, then nothing until it pays some in")
	return true
}

// loanOf is what of the costs the household's own coins do not cover.
func loanOf(costs []int64) int64 { return sum(costs[coveredPeriods:]) }

// borrowers casts a household with panels that imports at first and then exports
// enough to repay that at feed-in, and the one without that imports most. Its
// worth is what the first one borrows, ucoin.
func (m *Market) borrowers(start int) ([]int, int64) {
	var seller, debtor int
	var lent, most int64
	for n := range m.Scenario.Members {
		costs := m.costs(n, start, coinsPeriods)
		if m.Participants[n].Energy == "" {
			if least := min(costs[2], costs[3], costs[4], costs[rescuePeriod]); firstLine(costs) > 0 && least > most {
				debtor, most = n, least
			}
			continue
		}
		if loan := loanOf(costs[:importPeriods]); lineSuffices(costs) && m.repays(n, start, loan) && loan > lent {
			seller, lent = n, loan
		}
	}
	if lent == 0 || most <= lent {
		return nil, 0 // the second one's line would last
	}
	return []int{seller, debtor}, lent
}

// firstLine is the line with which the first period can be paid that the own
// coins do not cover: the bank goes by what the latest period cost whose registers
// it knows, for each one since, less the coins that are left.
func firstLine(costs []int64) int64 { return 2*costs[0] - costs[1] }

// lineSuffices says whether the bank lends what the periods cost that the own
// coins do not cover.
func lineSuffices(costs []int64) bool {
	return min(costs[0], costs[1], costs[2], costs[3]) > 0 && costs[2] <= firstLine(costs) && costs[3] <= 2*costs[1]
}

// repays says whether the exports of the three periods after the imports repay a
// loan at feed-in, with the interest and some more.
func (m *Market) repays(participant, start int, loan int64) bool {
	var wh int64
	for i := importPeriods; i < importPeriods+3; i++ {
		_, exportWh := m.Meter(participant, start+i)
		wh += exportWh
	}
	return wh <= maxIntervalWh && wh*m.Tariff.FeedIn/1000 > loan*11/10
}

func tellCoins(t *teller) {
	seller, debtor := t.plan.borrowers[0], t.plan.borrowers[1]
	for period := range t.periods {
		for _, n := range t.plan.borrowers {
			t.shortfall(n, period)
		}
		t.repaid(seller, period)
		t.orders(debtor, period)
	}
	t.waterfall(seller, debtor)
	t.loanRepaid(seller)
	t.debtRepaid(debtor)
}

// shortfall tells who paid for what a participant could not.
func (t *teller) shortfall(n, period int) {
	b := t.firstBill(n, period)
	if b.Statement == nil || b.DrawnUcoin == 0 && b.DebtUcoin == 0 {
		return
	}
	due := b.PaidUcoin + b.DebtUcoin
	var parts []string
	for _, part := range []struct {
		name  string
		ucoin int64
	}{
		{"own coins", b.PaidUcoin - b.DrawnUcoin},
		{"lent by the bank", b.DrawnUcoin},
		{"paid by the fund, and owed to it", b.GuaranteedUcoin},
		{"owed to the grid", b.DebtUcoin - b.GuaranteedUcoin},
	} {
		if part.ucoin != 0 {
			parts = append(parts, part.name+" "+fixed(part.ucoin, 6, 6))
		}
	}
	t.line(period, n, 1, b.ImportWh, -due, "its bill: %s", strings.Join(parts, ", "))
}

// repaid tells what of a participant's receipts repaid its loans.
func (t *teller) repaid(n, period int) {
	b := t.firstBill(n, period)
	if b.Statement != nil && b.LoansRepaidUcoin > 0 {
		t.line(period, n, 2, b.ExportWh, -b.LoansRepaidUcoin, "of %s coins for its energy the loans took this", fixed(b.ReceivedUcoin, 6, 6))
	}
}

// orders tells of the debtor's orders and of the coins that it paid in.
func (t *teller) orders(n, period int) {
	for _, r := range t.plan.rescues {
		if r.period == period {
			t.line(period, n, 4, 0, r.ucoin, "paid coins in: %s of them repaid its debts", fixed(t.repaidByCoins(n), 6, 6))
		}
	}
	for _, r := range t.refused(n) {
		if r.period == period {
			t.line(period, n, 3, 0, 0, "its order is refused: %s", r.code())
		}
	}
	for range t.bought(n, period) {
		t.line(period, n, 3, 0, 0, "its order is taken")
	}
}

func (t *teller) bought(n, period int) []seen[*matchingv1.BuyPlaced] {
	return all(t.chronicle, func(e *matchingv1.BuyPlaced) bool {
		return t.is(e.Order.Account, n) && t.number(e.Order.Period) == period
	})
}

// repaidByCoins is what of coins paid in repaid a participant's debts, ucoin.
func (t *teller) repaidByCoins(n int) int64 {
	var total int64
	for _, s := range all(t.chronicle, func(e *bankv1.DebtRepaid) bool { return t.is(e.Debtor, n) }) {
		total += s.event.AmountUcoin
	}
	return total
}

// waterfall requires that each step was reached only after the one before.
func (t *teller) waterfall(seller, debtor int) {
	var wrong []string
	var drawn, fund, debt int64
	limit := t.plan.params["guarantee_limit_ucoin"]
	t.each(func(n, period int) {
		b := t.firstBill(n, period)
		if b.Statement == nil || b.DebtUcoin == 0 && b.DrawnUcoin == 0 {
			return
		}
		wrong = append(wrong, expect(n == seller || n == debtor, "%s was short too, in period %d", t.name(n), period)...)
		if n != debtor {
			return
		}
		owedBefore := fund+debt > 0 // then nothing more is lent
		drawn += b.DrawnUcoin
		fund += b.GuaranteedUcoin
		debt += b.DebtUcoin - b.GuaranteedUcoin
		line := t.lineOf(debtor, t.number(b.at.timeMs))
		wrong = append(wrong, expect(b.DebtUcoin == 0 || owedBefore || b.DrawnUcoin == line, "in period %d it owed with %d of %d ucoin drawn", period, b.DrawnUcoin, line)...)
		wrong = append(wrong, expect(b.DebtUcoin == 0 || b.BalanceAfterUcoin == 0, "in period %d it owed with %d ucoin left", period, b.BalanceAfterUcoin)...)
		wrong = append(wrong, expect(debt == 0 || fund == limit, "in period %d it owed others with %d of %d ucoin guaranteed", period, fund, limit)...)
	})
	wrong = append(wrong, expect(drawn > 0 && fund > 0 && debt > 0, "bank %d, fund %d, debt %d ucoin", drawn, fund, debt)...)
	t.law("the debtor's coins, line, the fund up to its limit, and debt came in this order, and nobody else was short", wrong)
}

// lineOf is what a participant could draw in blocks of a period, ucoin.
func (t *teller) lineOf(n, period int) int64 {
	for _, s := range all(t.chronicle, func(e *creditv1.LoansPriced) bool { return t.number(e.Pricing.Period) == period }) {
		for _, b := range s.event.Pricing.Borrowers {
			if t.is(b.Borrower, n) {
				return b.LineUcoin
			}
		}
	}
	return 0
}

// loanRepaid requires that the seller's loans were repaid from its sales.
func (t *teller) loanRepaid(seller int) {
	var drawn, repaid, interest int64
	for period := range t.periods {
		if b := t.firstBill(seller, period); b.Statement != nil {
			drawn += b.DrawnUcoin
			repaid += b.LoansRepaidUcoin
		}
	}
	last := make(map[int64]*creditv1.Loan)
	for _, s := range all(t.chronicle, func(e *creditv1.LoanDrawn) bool { return t.is(e.Loan.Borrower, seller) }) {
		last[s.event.Loan.Period] = s.event.Loan
	}
	for _, loan := range last {
		interest += loan.InterestUcoin
	}
	wrong := expect(drawn > 0 && interest > 0 && repaid == drawn+interest, "lent %d, interest %d, repaid %d ucoin", drawn, interest, repaid)
	for _, s := range all(t.chronicle, func(e *creditv1.LoanEnded) bool { return t.is(e.Loan.Borrower, seller) }) {
		t.line(min(t.number(s.event.Loan.DuePeriod), t.periods-1), seller, 2, 0, 0, "a loan of %s coins is due: repaid", fixed(s.event.Loan.LentUcoin, 6, 6))
		wrong = append(wrong, expect(s.event.DebtUcoin == 0 && !s.event.Loan.Late, "one ended late or as a debt of %d ucoin", s.event.DebtUcoin)...)
	}
	t.law("the seller's loans and their interest were repaid from its sales, in time", wrong)
}

// debtRepaid requires that a debtor could order again once its coins repaid all
// that it owed, and not before.
func (t *teller) debtRepaid(debtor int) {
	var owed int64
	for _, s := range all(t.chronicle, func(e *bankv1.DebtRecorded) bool { return t.is(e.Debtor, debtor) }) {
		owed += s.event.AmountUcoin
	}
	var wrong []string
	inDebt := 0
	for _, r := range t.refused(debtor) {
		if r.code() == "matching/in_debt" {
			inDebt++
		}
		wrong = append(wrong, expect(r.period < rescuePeriod, "refused in period %d: %s", r.period, r.log)...)
	}
	repaid := t.repaidByCoins(debtor)
	wrong = append(wrong, expect(inDebt > 0, "none was refused for debt")...)
	wrong = append(wrong, expect(owed > 0 && owed == repaid, "%d ucoin owed, %d repaid", owed, repaid)...)
	wrong = append(wrong, expect(len(t.bought(debtor, rescuePeriod)) > 0, "no order was taken afterwards")...)
	t.law("the debtor's orders were refused until coins paid in repaid all its debts", wrong)
}
