package demo

import (
	"slices"
	"strings"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/units"
)

// lateStory keeps a seller's readings back past the deadline, and a buyer's within
// it; another seller's gateway sends a wrong register and corrects it.
var lateStory = story{
	name:    "late-data",
	about:   "a seller's meter is silent past the deadline, a buyer's is late within it, a wrong register is corrected",
	periods: 7,
	rules: []string{
		"At the deadline the grid stands in: buyers get what they bought, the seller's money waits with the grid.",
		"Registers that are missing at the deadline are a violation: -10 for the credit value and a penalty to the guarantee fund. Nothing takes it back.",
		"Late registers settle the rest with the grid at the period's own tariff, and pass energy and money on that wait, as far as they cover the matches.",
		"They make version 2 of the statement and of the period's root; version 1 of the others stands.",
		"Who is late within the deadline holds up its counterparties only, and is charged nothing.",
		"A corrected register settles both periods beside it again, at their own prices: what differs moves, in the next version of the statements. Credit values stay.",
	},
	plan: func(p *plan, starts []int, periods int) bool {
		start, cast, ok := best(starts, func(at int) ([]int, int64) { return p.market.traders(at, periods, 2, 1) })
		if !ok {
			return false
		}
		seller, other, buyer := cast[0], cast[1], cast[2]
		_, exportWh := p.market.Meter(other, start+misreadPeriod)
		p.first = start
		p.params = map[string]int64{
			"deadline_periods": lateDeadline, "violation_penalty_ucoin": latePenalty,
			"violation_ppm": lateViolation, "correction_retention_periods": lateRetention,
		}
		p.misread = []misreading{{other, misreadPeriod + 1, misreadPeriod + 3, exportWh / missedPart}}
		p.held = []hold{{seller, silentPeriod + 1, silentPeriod + 1 + lateDeadline}, {buyer, latePeriod + 1, latePeriod + 2}}
		p.role(other, "sells; its gateway sends a register that is too low, and corrects it two periods later")
		p.role(seller, "sells; its meter is silent past the deadline of one period")
		p.role(buyer, "buys; its meter is late by a period, within the deadline")
		return true
	},
	tell: tellLate,
}

const (
	lateDeadline = 2       // periods
	latePenalty  = 200_000 // ucoin
	silentPeriod = 1       // the one that the seller misses the deadline of
	latePeriod   = 5       // the one that the buyer is late for
	// misreadPeriod is the one at the end of which a register is too low, by one
	// part in missedPart of what was exported in it.
	misreadPeriod = 3
	missedPart    = 4
	lateViolation = 500_000 // ppm: more than the register misses
	lateRetention = 10      // periods
)

func tellLate(t *teller) {
	seller, buyer := t.plan.held[0].participant, t.plan.held[1].participant
	t.stoodIn(seller)
	t.corrected(t.plan.misread[0])
	t.heldUp()
	t.onlyViolated("the silent one is charged one violation, nobody else any", account{seller, silentPeriod})
	if b := t.firstBill(buyer, latePeriod); b.Statement != nil {
		t.line(latePeriod, buyer, 5, b.BoughtWh, 0, "registers a period late, within the deadline: credit value %+d, no penalty", b.Outcome)
	}
}

// stoodIn tells of the silent seller, from the deadline to the second version.
func (t *teller) stoodIn(seller int) {
	bills := t.bills[account{seller, silentPeriod}]
	if len(bills) != 2 {
		t.law("the silent seller's statement has two versions", expect(false, "it has %d", len(bills)))
		return
	}
	before, after := bills[0], bills[1]
	var wh, ucoin int64
	for _, trade := range t.trades[account{seller, silentPeriod}] {
		if trade.GridStoodIn {
			wh += trade.SoldWh
			ucoin += trade.AmountUcoin
		}
	}
	t.line(silentPeriod, seller, 1, wh, -ucoin, "no registers by the deadline: the grid delivered in its place, the money waits")
	t.penalty(before, seller, silentPeriod, 2)
	passed := after.ReceivedUcoin - after.GridReceivedUcoin
	t.line(silentPeriod, seller, 3, after.SoldWh, passed, "registers arrived: what it sold and its money passed on")
	if after.GridExportWh != 0 || after.GridImportWh != 0 {
		t.line(silentPeriod, seller, 3, after.GridExportWh-after.GridImportWh, after.GridReceivedUcoin-after.GridPaidUcoin, "and the rest settled with the grid")
	}
	roots := t.roots(silentPeriod)
	versions := len(roots)
	if versions == 2 {
		t.line(silentPeriod, seller, 4, 0, 0, "statement version %d; root of the period %x, now %x", after.Version, roots[0].Root[:4], roots[1].Root[:4])
	}
	t.law("the grid stood in for a sale", expect(before.Missing && wh > 0, "missing: %v, stood in for %d Wh", before.Missing, wh))
	t.law("all that the grid held for the seller passed to it", expect(after.SoldWh == wh && passed == ucoin,
		"it stood in for %d Wh and %d ucoin, passed on %d and %d", wh, ucoin, after.SoldWh, passed))
	t.law("the penalty was charged once, to the guarantee fund", expect(
		before.PenaltyUcoin == latePenalty && after.PenaltyUcoin == latePenalty && versions > 0 && roots[versions-1].Totals.FundReceivedUcoin == latePenalty,
		"%d and then %d ucoin", before.PenaltyUcoin, after.PenaltyUcoin))
	t.law("late registers made a second version of statement and root", expect(
		after.Version == 2 && versions == 2 && roots[1].Version == 2 && string(roots[0].Root) != string(roots[1].Root), "version %d, %d roots", after.Version, versions))
}

// corrected tells of a wrong register and of its correction.
func (t *teller) corrected(wrong misreading) {
	who := wrong.participant
	first, second := t.bills[account{who, misreadPeriod}], t.bills[account{who, misreadPeriod + 1}]
	if len(first) != 2 || len(second) != 2 {
		t.law("the statements beside the wrong register have two versions", expect(false, "they have %d and %d", len(first), len(second)))
		return
	}
	before, after := first[0], first[1]
	t.line(misreadPeriod, who, 6, before.SoldWh, before.ReceivedUcoin-before.PaidUcoin, "register too low by %s: short of what it sold, buyers made whole with %s",
		units.FormatKWh(wrong.wh), units.FormatCoins(before.MakeWholePaidUcoin))
	t.line(misreadPeriod, who, 6, after.SoldWh, after.ReceivedUcoin-after.PaidUcoin, "corrected: statement version %d", after.Version)
	t.line(misreadPeriod+1, who, 6, second[1].SoldWh, second[1].ReceivedUcoin-second[1].PaidUcoin,
		"the period after it too: version %d, with %s less exported", second[1].Version, units.FormatKWh(second[0].ExportWh-second[1].ExportWh))
	t.law("the correction moved the energy that the register missed from one period to the other", expect(
		after.ExportWh-before.ExportWh == wrong.wh && second[0].ExportWh-second[1].ExportWh == wrong.wh,
		"it moved %d Wh, and %d Wh, for %d", after.ExportWh-before.ExportWh, second[0].ExportWh-second[1].ExportWh, wrong.wh))
	t.law("who was made whole by mistake gave it back", expect(after.SoldWh > before.SoldWh && after.MakeWholePaidUcoin == 0 && before.MakeWholePaidUcoin > 0,
		"sold %d, then %d Wh; made whole with %d, then %d ucoin", before.SoldWh, after.SoldWh, before.MakeWholePaidUcoin, after.MakeWholePaidUcoin))
	t.law("credit values stay as they were", expect(before.Outcome == after.Outcome && second[0].Outcome == second[1].Outcome,
		"outcomes %d and %d became %d and %d", before.Outcome, second[0].Outcome, after.Outcome, second[1].Outcome))
}

// heldUp tells who waited for late registers in each period: nobody but their
// counterparties may.
func (t *teller) heldUp() {
	var wrong []string
	for period := range t.periods {
		absent, sent := t.absent(period)
		if len(absent) == 0 {
			continue
		}
		var waited []string
		for n := range t.plan.market.Participants {
			b := t.firstBill(n, period)
			if slices.Contains(absent, n) || b.Statement == nil || b.at.timeMs < sent {
				continue
			}
			waited = append(waited, t.name(n))
			wrong = append(wrong, expect(t.tradesWith(n, absent, period), "%s waited in period %d without a match", t.name(n), period)...)
		}
		names := strings.Join(waited, ", ")
		if len(waited) == 0 {
			names = "nobody"
		}
		t.line(period, absent[0], 5, 0, 0, "registers late: of %d only %s waited for them, until they came or the deadline passed",
			len(t.plan.market.Participants), names)
	}
	t.law("nobody waited for late registers but those with a match", wrong)
}

// absent are the participants whose reading of a period's end came late, and when
// the earliest of them was sent at the earliest, or the deadline passed; ms.
func (t *teller) absent(period int) (absent []int, sent int64) {
	for _, h := range t.plan.held {
		if h.from <= period+1 && period+1 < h.until {
			absent = append(absent, h.participant)
			at := t.start(min(h.until, period+1+lateDeadline))
			if sent == 0 || at < sent {
				sent = at
			}
		}
	}
	return absent, sent
}

func (t *teller) tradesWith(participant int, others []int, period int) bool {
	return slices.ContainsFunc(t.trades[account{participant, period}], func(trade *settlementv1.Trade) bool {
		return slices.ContainsFunc(others, func(other int) bool { return t.is(trade.Seller, other) || t.is(trade.Buyer, other) })
	})
}
