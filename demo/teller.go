package demo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/units"
)

// teller writes a story from what was seen of a run.
type teller struct {
	*chronicle
	plan    *plan
	periods int
	bills   map[account][]bill
	trades  map[account][]*settlementv1.Trade
	story   *Story
}

// tellStory tells a plan's story of a run of some periods.
func tellStory(c *chronicle, p *plan, periods int) *Story {
	t := &teller{chronicle: c, plan: p, periods: periods, bills: c.bills(), trades: c.trades(), story: &Story{
		Name: p.story.name, About: p.story.about, Cast: p.cast, Happened: []Happening{}, Rules: p.story.rules, Laws: []Law{},
	}}
	t.metersSettled()
	p.story.tell(t)
	slices.SortStableFunc(t.story.Happened, func(a, b Happening) int { return cmp.Compare(a.Period, b.Period) })
	return t.story
}

// line tells what happened to a participant in a period, by a rule.
func (t *teller) line(period, participant, rule int, wh, ucoin int64, format string, args ...any) {
	t.story.Happened = append(t.story.Happened, Happening{
		Period: t.start(period), LocalTime: t.plan.market.Scenario.LocalTime(t.plan.first + period),
		Who: t.name(participant), What: fmt.Sprintf(format, args...), EnergyWh: wh, Ucoin: ucoin, Rule: rule,
	})
}

// name of a participant; below 0: everybody.
func (t *teller) name(participant int) string {
	if participant < 0 {
		return "everybody"
	}
	return t.plan.market.Participants[participant].Name
}

// law says what must be so; wrong are the cases in which it is not.
func (t *teller) law(text string, wrong []string) {
	const most = 5
	if len(wrong) > most {
		wrong = append(wrong[:most:most], fmt.Sprintf("and %d more", len(wrong)-most))
	}
	t.story.Laws = append(t.story.Laws, Law{Text: text, Broken: strings.Join(wrong, "; ")})
}

// expect is a list of wrong cases: empty if ok.
func expect(ok bool, format string, args ...any) []string {
	if ok {
		return nil
	}
	return []string{fmt.Sprintf(format, args...)}
}

// each calls fn for every participant and period.
func (t *teller) each(fn func(participant, period int)) {
	for period := range t.periods {
		for n := range t.plan.market.Participants {
			fn(n, period)
		}
	}
}

// metersSettled is a law of every story: in the end every account is settled by
// exactly what its meter counted.
func (t *teller) metersSettled() {
	var wrong []string
	t.each(func(n, period int) {
		importWh, exportWh := t.plan.market.Meter(n, t.plan.first+period)
		bills := t.bills[account{n, period}]
		if len(bills) == 0 {
			wrong = append(wrong, fmt.Sprintf("%s has no statement of period %d", t.name(n), period))
			return
		}
		last := bills[len(bills)-1]
		if last.Missing || last.ImportWh != importWh || last.ExportWh != exportWh {
			wrong = append(wrong, fmt.Sprintf("%s in period %d: settled %s and %s, measured %s and %s", t.name(n), period,
				units.FormatKWh(last.ImportWh), units.FormatKWh(last.ExportWh), units.FormatKWh(importWh), units.FormatKWh(exportWh)))
		}
	})
	t.law("every household is settled by exactly what its meter counted", wrong)
}

// onlyViolated requires that of all only those named were charged a violation.
func (t *teller) onlyViolated(text string, expected ...account) {
	left := make(map[account]bool, len(expected))
	for _, v := range expected {
		left[v] = true
	}
	var wrong []string
	t.each(func(n, period int) {
		for _, b := range t.bills[account{n, period}] {
			v := account{n, period}
			if b.Version > 1 || b.Outcome >= 0 {
				continue
			}
			if !left[v] {
				wrong = append(wrong, fmt.Sprintf("%s was, in period %d", t.name(n), period))
			}
			delete(left, v)
		}
	})
	for _, v := range expected {
		wrong = append(wrong, expect(!left[v], "%s was not, in period %d", t.name(v.participant), v.period)...)
	}
	t.law(text, wrong)
}

// penalty tells of a violation's.
func (t *teller) penalty(b bill, participant, period, rule int) {
	paid := "paid"
	if b.PenaltyPaidUcoin < b.PenaltyUcoin {
		paid = "owed"
	}
	t.line(period, participant, rule, 0, -b.PenaltyUcoin, "violation: credit value %d to %d, penalty %s to the guarantee fund", b.Outcome, b.Reputation, paid)
}

// firstBill is a participant's first statement of a period, empty if there is none.
func (t *teller) firstBill(participant, period int) bill {
	if bills := t.bills[account{participant, period}]; len(bills) > 0 {
		return bills[0]
	}
	return bill{}
}
