package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/clearing"
	"github.com/energyd/energyd/x/matching/kproto"
)

// shownCandidates is how many candidates that did not trade are shown to people.
const shownCandidates = 5

func (s *story) write(w io.Writer) error {
	if err := writeLines(w, s.lines()); err != nil {
		return err
	}
	if s.why == nil {
		return nil
	}
	if len(s.why.Candidates) > 0 {
		if _, err := fmt.Fprintln(w, s.candidates()); err != nil {
			return err
		}
	}
	return writeLines(w, append([]line{{"why", s.rule()}}, s.outcome()...))
}

// lines say what the order is and who was considered.
func (s *story) lines() []line {
	side, limit := "sell", "at"
	if s.buy {
		side, limit = "buy", "for at most"
	}
	lines := []line{
		{"order", fmt.Sprintf("%x, %s of %s", s.order.GetId(), side, client.FormatBytes(s.order.GetAccount()))},
		{"wants", fmt.Sprintf("%s %s %s in the period %s", units.FormatKWh(s.order.GetEnergyWh()), limit,
			units.FormatPrice(s.order.GetPriceUcoinPerKwh()), units.FormatTime(s.gathered.rules.Period))},
	}
	if s.why == nil {
		return append(lines, append([]line{{"cleared", s.notCleared()}}, s.outcome()...)...)
	}
	found, other := s.gathered.cleared(), len(s.book.Buys)
	mine := len(s.book.Sells)
	if s.buy {
		mine, other = other, mine
	}
	lines = append(lines,
		line{"cleared", fmt.Sprintf("in block %d by %s", found.Height, mechanismName(s.gathered.rules.Market.Mechanism))},
		line{"its turn", fmt.Sprintf("%d of %d %ss, by the hash that decides ties", s.why.Place+1, mine, side)},
		line{"considered", s.considered(other)},
	)
	if s.gathered.remark != "" {
		lines = append(lines, line{"remark", s.gathered.remark})
	}
	return lines
}

func (s *story) notCleared() string {
	if s.cancelled != "" {
		return "no: " + strings.ReplaceAll(s.cancelled, "_", " ")
	}
	return "no: the period was " + s.gathered.uncleared()
}

// counts counts the candidates by why they were left out.
func (s *story) counts() (eligible, exhausted int, refused map[clearing.Refusal]int) {
	refused = make(map[clearing.Refusal]int)
	for _, c := range s.why.Candidates {
		switch {
		case c.Refusal != clearing.MayTrade:
			refused[c.Refusal]++
		case c.Exhausted:
			exhausted++
		default:
			eligible++
		}
	}
	return eligible, exhausted, refused
}

func (s *story) considered(others int) string {
	side := "buys"
	if s.buy {
		side = "sells"
	}
	eligible, exhausted, refused := s.counts()
	text := fmt.Sprintf("%d of %d %s", eligible, others, side)
	var reasons []string
	if exhausted > 0 {
		reasons = append(reasons, fmt.Sprintf("%d no energy left in its turn", exhausted))
	}
	for refusal := clearing.SameIdentity; refusal <= clearing.BeyondPrices; refusal++ {
		if refused[refusal] > 0 {
			reasons = append(reasons, fmt.Sprintf("%d %v", refused[refusal], refusal))
		}
	}
	if len(reasons) > 0 {
		text += "; not " + strings.Join(reasons, ", ")
	}
	return text
}

// candidates shows those that traded and the next best with the numbers that the
// mechanism compared.
func (s *story) candidates() string {
	header, row := s.columns()
	shown := newTable(append([]any{"With", "Limit coin/kWh", "Loss %"}, append(header, "Traded kWh", "Cut kWh")...)...)
	shown.SetColumnConfigs(rightAligned(2, 5+len(header)))
	more := 0
	for _, c := range s.why.Candidates {
		if c.TradedWh == 0 {
			if more++; more > shownCandidates {
				continue
			}
		}
		cells := table.Row{short(s.other(c).GetId()), units.FormatScaled(s.other(c).GetPriceUcoinPerKwh(), 6), units.FormatScaled(c.LossPPM, 4)}
		if c.Refusal != clearing.MayTrade {
			cells = append(cells, c.Refusal.String())
			cells = append(cells, make(table.Row, len(header)-1)...)
		} else {
			cells = append(cells, row(c)...)
		}
		shown.AppendRow(append(cells, units.FormatScaled(c.TradedWh, 3), units.FormatScaled(c.CutWh, 3)))
	}
	text := shown.Render()
	if more > shownCandidates {
		text += fmt.Sprintf("\nand %d more", more-shownCandidates)
	}
	return text
}

// columns are those of a mechanism's own numbers.
func (s *story) columns() (header []any, row func(clearing.Candidate) table.Row) {
	switch s.gathered.rules.Market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP, matchingv1.Mechanism_MECHANISM_WELFARE:
		worth := "Worth points"
		if s.gathered.rules.Market.Mechanism == matchingv1.Mechanism_MECHANISM_WELFARE {
			worth = "Worth coin/kWh"
		}
		header = []any{"Buyer likes %", "Seller likes %", worth, "Better elsewhere by"}
		return header, func(c clearing.Candidate) table.Row {
			better := units.FormatScaled(c.Shortfall, 6)
			if !s.why.Proven {
				better = "-"
			}
			return table.Row{units.FormatScaled(c.BuyerPPM, 4), units.FormatScaled(c.SellerPPM, 4), units.FormatScaled(c.Worth, 6), better}
		}
	case matchingv1.Mechanism_MECHANISM_AUCTION, matchingv1.Mechanism_MECHANISM_POSTED:
		return []any{"Bid less ask and fee"}, func(c clearing.Candidate) table.Row {
			return table.Row{units.FormatScaled(s.book.Margin(c.Buy, c.Sell), 6)}
		}
	}
	header = []any{"Had left kWh", "Dissimilar", "by price", "energy", "environment", "credit", "loss", "type"}
	return header, func(c clearing.Candidate) table.Row {
		t, cells := c.Terms, table.Row{units.FormatScaled(c.LeftWh, 3)}
		for _, term := range []int64{t.Sum(), t.Price, t.Energy, t.Environment, t.Credit, t.Loss, t.EnergyType} {
			cells = append(cells, points(term))
		}
		return cells
	}
}

// points writes a term of a dissimilarity so that one range off at full weight
// counts 1000.
func points(term int64) string {
	thousandths, err := units.MulDiv(term, 1000, kproto.Q*kproto.Q)
	if err != nil { // ten million ranges
		return "beyond all"
	}
	return units.FormatScaled(thousandths, 3)
}

// rule says in a sentence how the mechanism chose.
func (s *story) rule() string {
	switch s.gathered.rules.Market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP:
		return "of all ways to trade the most energy, these matches satisfy both sides together most; a kWh of another pair would lose what stands under \"better elsewhere by\""
	case matchingv1.Mechanism_MECHANISM_WELFARE:
		return "these matches gain the most for all; a kWh of another pair would lose what stands under \"better elsewhere by\", in coins"
	case matchingv1.Mechanism_MECHANISM_AUCTION, matchingv1.Mechanism_MECHANISM_POSTED:
		return fmt.Sprintf("all trade at %s: this order's share of what is traded at that price is %s; buys in turn take from the sells in turn",
			units.FormatPrice(s.why.Uniform.Price), units.FormatKWh(s.why.Uniform.ShareWh))
	}
	if s.buy {
		return "in its turn a buy takes what is least dissimilar from its wishes and has energy left (1000 is one range off at full weight), until it is served"
	}
	return "buys choose: each in its turn takes what is least dissimilar from its wishes (1000 is one range off at full weight) until it is served, or this sell is sold out"
}

// outcome says what became of energy and escrow.
func (s *story) outcome() []line {
	f, final := s.fate, s.gathered.trading.Final != nil
	var parts []string
	add := func(wh int64, what string) {
		if wh > 0 {
			parts = append(parts, units.FormatKWh(wh)+" "+what)
		}
	}
	add(f.Confirmed, "matched and confirmed")
	add(f.Waits, "matched, waits for signatures")
	add(f.Lapsed, "matched, not signed in time, left to the grid")
	add(f.Vetoed, "matched, vetoed, left to the grid")
	add(f.Cut, "cut by "+s.lineNames()+", left to the grid")
	switch {
	case s.cancelled != "":
		add(f.Unmatched, "withdrawn")
	case s.why != nil || final:
		add(f.Unmatched, "found no match, left to the grid")
	default:
		add(f.Unmatched, "wait for the clearing")
	}
	lines := []line{{"became", strings.Join(parts, "; ")}}
	if !s.buy {
		return lines
	}
	back := "came back"
	if !final && s.cancelled == "" {
		back = "comes back when the book is final"
		if s.why == nil {
			return append(lines, line{"escrow", units.FormatCoins(f.Escrowed) + " held"})
		}
	}
	return append(lines, line{"escrow", fmt.Sprintf("of %s, %s stay with matches until settlement, %s %s",
		units.FormatCoins(f.Escrowed), units.FormatCoins(f.Held), units.FormatCoins(f.Escrowed-f.Held), back)})
}

// lineNames names the lines that cut the order's matches.
func (s *story) lineNames() string {
	if s.why == nil {
		return ""
	}
	var names []string
	for _, cut := range s.gathered.cleared().Cuts {
		name := "the line " + cut.LineFrom + " - " + cut.LineTo
		if bytes.Equal(s.mine(cut.BuyOrder, cut.SellOrder), s.order.GetId()) && !strings.Contains(strings.Join(names, ";"), name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}
