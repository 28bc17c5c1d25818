package demo

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/units"
)

// deviationStory lets a seller sell and a buyer buy more than their meters count.
var deviationStory = story{
	name:    "deviation",
	about:   "a seller delivers less than it sold, twice, a buyer takes less than it bought, a third one stays within the tolerance",
	periods: 8,
	rules: []string{
		"Who is short by no more than sigma_ppm of its matches is not short: they settle in full, the grid has the difference.",
		"Who is short makes the other side whole: a seller pays (retail - price - fee), a buyer (price - feed-in) for each kWh that it is short of what the other could have.",
		"Short by more than violation_ppm and violation_wh: -10 for the credit value, and a penalty to the guarantee fund.",
		"After freeze_violations the account is frozen: its orders are cancelled and refused.",
		"It thaws once it has read its meters again and owes nothing.",
	},
	plan: planDeviation,
	tell: tellDeviation,
}

const (
	shortPPM          = 1_600_000 // what the two offer of what their meters count
	tolerablePPM      = 1_030_000
	deviationSigma    = 50_000 // ppm
	deviationPenalty  = 100_000
	deviationFreeze   = 2
	shortSeller1      = 1 // periods
	shortSeller2      = 2
	shortBuyer        = 4
	tolerablePeriod   = 1
	violationPPM      = 100_000
	violationWh       = 5
	deviationOutcomes = 10
)

func planDeviation(p *plan, starts []int, periods int) bool {
	start, cast, ok := best(starts, func(at int) ([]int, int64) { return p.market.traders(at, periods, 2, 1) })
	if !ok {
		return false
	}
	seller, tolerated, buyer := cast[0], cast[1], cast[2]
	p.first = start
	p.params = map[string]int64{
		"sigma_ppm": deviationSigma, "violation_penalty_ucoin": deviationPenalty, "violation_ppm": violationPPM, "violation_wh": violationWh,
		"freeze_violations": deviationFreeze, "freeze_window": deviationOutcomes,
	}
	p.offers = []offer{
		{seller, shortSeller1, shortPPM}, {seller, shortSeller2, shortPPM}, {buyer, shortBuyer, shortPPM}, {tolerated, tolerablePeriod, tolerablePPM},
	}
	p.role(seller, "sells 60 % more than its meter will count, in two periods")
	p.role(buyer, "buys 60 % more than its meter will count, in one period")
	p.role(tolerated, "sells 3 % more than its meter will count, within the tolerance")
	return true
}

func tellDeviation(t *teller) {
	seller, buyer, tolerated := t.plan.offers[0].participant, t.plan.offers[2].participant, t.plan.offers[3].participant
	t.tolerated(tolerated)
	t.short(seller, shortSeller1)
	t.short(seller, shortSeller2)
	t.frozen(seller)
	t.short(buyer, shortBuyer)
	t.onlyViolated("the three shortfalls are charged, nobody else",
		account{seller, shortSeller1}, account{seller, shortSeller2}, account{buyer, shortBuyer})
}

// contracted sums up the trades of a side: what was matched, delivered as sold,
// and the amounts.
func contracted(trades []*settlementv1.Trade) (matched, sold int64) {
	for _, trade := range trades {
		matched += trade.ContractedWh
		sold += trade.SoldWh
	}
	return matched, sold
}

// tolerated tells of who is within the tolerance.
func (t *teller) tolerated(n int) {
	trades := t.trades[account{n, tolerablePeriod}]
	matched, sold := contracted(trades)
	b := t.firstBill(n, tolerablePeriod)
	if b.Statement == nil {
		return // metersSettled says so
	}
	t.line(tolerablePeriod, n, 1, sold, 0, "sold %s kWh, delivered %s, tolerance %s: settled in full, credit value %+d",
		fixed(matched, 3, 3), fixed(b.ExportWh, 3, 3), fixed(b.ToleranceWh, 3, 3), b.Outcome)
	t.law("a shortfall within the tolerance costs nothing", expect(
		matched > b.ExportWh && sold == matched && b.MakeWholePaidUcoin == 0 && b.Outcome > 0,
		"sold %d Wh, settled %d, measured %d, make-whole %d ucoin, outcome %d", matched, sold, b.ExportWh, b.MakeWholePaidUcoin, b.Outcome))
}

// short tells of a violation, and requires what it has to cost.
func (t *teller) short(n, period int) {
	b := t.firstBill(n, period)
	if b.Statement == nil {
		return
	}
	matched, sold := contracted(t.trades[account{n, period}])
	verb, counted := "sold", b.ExportWh
	if b.BoughtWh > 0 {
		verb, counted = "bought", b.ImportWh
	}
	t.line(period, n, 2, matched-sold, -b.MakeWholePaidUcoin, "%s %s kWh, its meter counted %s: makes the others whole", verb, fixed(matched, 3, 3), fixed(counted, 3, 3))
	t.penalty(b, n, period, 3)
	var wrong []string
	var due int64
	for _, trade := range t.trades[account{n, period}] {
		paid, price := trade.MakeWholeBySellerUcoin, t.plan.market.Tariff.Retail-trade.PriceUcoinPerKwh-trade.FeeUcoinPerKwh
		if verb == "bought" {
			paid, price = trade.MakeWholeByBuyerUcoin, trade.PriceUcoinPerKwh-t.plan.market.Tariff.FeedIn
		}
		expected, err := units.Amount(max(price, 0), trade.ContractedWh-trade.SoldWh)
		wrong = append(wrong, expect(err == nil && paid == expected, "match %x: expected %d ucoin, got %d", trade.Match[:4], expected, paid)...)
		due += paid
		if other, known := t.of[string(otherSide(trade, t.is(trade.Seller, n)))]; known && paid > 0 {
			t.line(period, other, 2, trade.ContractedWh-trade.SoldWh, paid, "is made whole by %s", t.name(n))
		}
	}
	wrong = append(wrong, expect(matched > sold && due > 0, "%d of %d Wh delivered, %d ucoin paid", sold, matched, due)...)
	wrong = append(wrong, expect(b.MakeWholePaidUcoin == due, "its statement says %d ucoin, its trades %d", b.MakeWholePaidUcoin, due)...)
	wrong = append(wrong, expect(b.PenaltyUcoin == deviationPenalty && b.PenaltyPaidUcoin == deviationPenalty, "penalty %d ucoin", b.PenaltyUcoin)...)
	t.law("who "+verb+" more than its meter counted made the others whole at the stated price and paid the penalty, "+t.local(period), wrong)
}

func (t *teller) local(period int) string {
	return t.plan.market.Scenario.LocalTime(t.plan.first + period)
}

func otherSide(trade *settlementv1.Trade, seller bool) []byte {
	if seller {
		return trade.Buyer
	}
	return trade.Seller
}

// thawed is the reason that settlement gives when it thaws an account.
const thawed = "read again and paid"

// frozen tells of the freeze, the refusals and the thaw.
func (t *teller) frozen(n int) {
	changes := all(t.chronicle, func(e *registryv1.StatusChanged) bool {
		return t.is(e.Account, n) && (e.Status == registryv1.Status_STATUS_FROZEN || e.Reason == thawed)
	})
	var wrong []string
	refused := 0
	if len(changes) == 2 {
		frozen, active := changes[0], changes[1]
		t.line(t.number(frozen.at.timeMs), n, 4, 0, 0, "frozen: %s", frozen.event.Reason)
		for _, s := range all(t.chronicle, func(e *matchingv1.OrderCancelled) bool { return t.is(e.Account, n) }) {
			t.line(t.number(s.event.Period), n, 4, 0, 0, "its order is cancelled")
		}
		for _, r := range t.refused(n) {
			refused++
			t.line(r.period, n, 4, 0, 0, "its order is refused: %s", r.code())
			wrong = append(wrong, expect(r.code() == "app/account_not_active", "refused in period %d: %s", r.period, r.log)...)
		}
		t.line(t.number(active.at.timeMs), n, 5, 0, 0, "thawed: %s", active.event.Reason)
		wrong = append(wrong, expect(frozen.event.Status == registryv1.Status_STATUS_FROZEN && active.event.Status == registryv1.Status_STATUS_ACTIVE,
			"%v and then %v", frozen.event.Status, active.event.Status)...)
	}
	wrong = append(wrong, expect(len(changes) == 2, "its status changed %d times", len(changes))...)
	wrong = append(wrong, expect(refused > 0, "no order was refused")...)
	last := t.periods - 1
	_, sold := contracted(t.trades[account{n, last}])
	t.line(last, n, 5, sold, 0, "sells again what it has")
	wrong = append(wrong, expect(sold > 0, "it sold nothing in the last period")...)
	t.law("two violations freeze the seller, and it sells again once thawed", wrong)
}
