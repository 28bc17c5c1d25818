package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
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
	side, limit := "sell", "at"
	if s.buy {
		side, limit = "buy", "for at most"
	}
	lines := []line{
		{"order", fmt.Sprintf("%x, %s of %s", s.order.GetId(), side, client.FormatBytes(s.order.GetAccount()))},
		{"wants", fmt.Sprintf("%s %s %s in the period %s", units.FormatKWh(s.order.GetEnergyWh()), limit,
			units.FormatPrice(s.order.GetPriceUcoinPerKwh()), units.FormatTime(s.gathered.rules.Period))},
	}
	if len(s.chapters) == 0 {
		lines = append(lines, line{"cleared", s.notCleared()})
	}
	if s.gathered.remark != "" {
		lines = append(lines, line{"remark", s.gathered.remark})
	}
	if err := writeLines(w, lines); err != nil {
		return err
	}
	for i := range s.chapters {
		if err := s.chapters[i].write(w, side); err != nil {
			return err
		}
	}
	return writeLines(w, s.outcome())
}

func (s *story) notCleared() string {
	if s.cancelled != "" {
		return "no: " + strings.ReplaceAll(s.cancelled, "_", " ")
	}
	return "no: the period was " + s.gathered.uncleared()
}

// write says of a round who was considered, and shows the numbers.
func (c *chapter) write(w io.Writer, side string) error {
	mine := len(c.book.Sells)
	if c.story.buy {
		mine = len(c.book.Buys)
	}
	if err := writeLines(w, []line{
		{"cleared", fmt.Sprintf("in block %d, round %d, by %s", c.Height, c.Book.Round, mechanismName(c.rules.Market.Mechanism))},
		{"its turn", fmt.Sprintf("%d of %d %ss, by priority and the hash that decides ties", c.why.Place+1, mine, side)},
		{"considered", c.considered()},
	}); err != nil {
		return err
	}
	if len(c.why.Candidates) > 0 {
		if _, err := fmt.Fprintln(w, c.candidates()); err != nil {
			return err
		}
	}
	return writeLines(w, []line{{"why", c.rule()}})
}

// counts counts the candidates by why they were left out.
func (c *chapter) counts() (eligible, exhausted int, refused map[clearing.Refusal]int) {
	refused = make(map[clearing.Refusal]int)
	for _, candidate := range c.why.Candidates {
		switch {
		case candidate.Refusal != clearing.MayTrade:
			refused[candidate.Refusal]++
		case candidate.Exhausted:
			exhausted++
		default:
			eligible++
		}
	}
	return eligible, exhausted, refused
}

func (c *chapter) considered() string {
	side := "buys"
	if c.story.buy {
		side = "sells"
	}
	eligible, exhausted, refused := c.counts()
	var reasons []string
	if exhausted > 0 {
		reasons = append(reasons, fmt.Sprintf("%d no energy left in its turn", exhausted))
	}
	for refusal := clearing.SameIdentity; refusal <= clearing.BeyondPrices; refusal++ {
		if refused[refusal] > 0 {
			reasons = append(reasons, fmt.Sprintf("%d %v", refused[refusal], refusal))
		}
	}
	text := fmt.Sprintf("%d of %d %s", eligible, len(c.why.Candidates), side)
	if len(reasons) > 0 {
		text += "; not " + strings.Join(reasons, ", ")
	}
	return text
}

// candidates shows those that traded and the next best with the numbers that the
// mechanism compared.
func (c *chapter) candidates() string {
	header, row := c.columns()
	shown := newTable(append([]any{"With", "Limit coin/kWh", "Loss %"}, append(header, "Traded kWh", "Cut kWh", "Became")...)...)
	shown.SetColumnConfigs(rightAligned(2, 5+len(header)))
	more := 0
	for _, candidate := range c.why.Candidates {
		if candidate.TradedWh == 0 {
			if more++; more > shownCandidates {
				continue
			}
		}
		other := c.other(candidate)
		cells := table.Row{short(other.GetId()), units.FormatScaled(other.GetPriceUcoinPerKwh(), 6), units.FormatScaled(candidate.LossPPM, 4)}
		became := c.became(candidate)
		if candidate.Refusal == clearing.MayTrade {
			cells = append(cells, row(candidate)...)
		} else {
			for range header {
				cells = append(cells, "")
			}
			became = candidate.Refusal.String()
		}
		shown.AppendRow(append(cells, units.FormatScaled(candidate.TradedWh, 3), units.FormatScaled(candidate.CutWh, 3), became))
	}
	text := shown.Render()
	if more > shownCandidates {
		text += fmt.Sprintf("\nand %d more", more-shownCandidates)
	}
	return text
}

// columns are those of a mechanism's own numbers.
func (c *chapter) columns() (header []any, row func(clearing.Candidate) table.Row) {
	switch c.rules.Market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP, matchingv1.Mechanism_MECHANISM_WELFARE:
		worth := "Worth points"
		if c.rules.Market.Mechanism == matchingv1.Mechanism_MECHANISM_WELFARE {
			worth = "Worth coin/kWh"
		}
		header = []any{"Buyer likes %", "Seller likes %", worth, "Better elsewhere by"}
		return header, func(p clearing.Candidate) table.Row {
			better := units.FormatScaled(p.Shortfall, 6)
			if !c.why.Proven {
				better = "-"
			}
			return table.Row{units.FormatScaled(p.BuyerPPM, 4), units.FormatScaled(p.SellerPPM, 4), units.FormatScaled(p.Worth, 6), better}
		}
	case matchingv1.Mechanism_MECHANISM_AUCTION, matchingv1.Mechanism_MECHANISM_POSTED:
		return []any{"Bid less ask and fee"}, func(p clearing.Candidate) table.Row {
			return table.Row{units.FormatScaled(c.book.Margin(p.Buy, p.Sell), 6)}
		}
	}
	header = []any{"Had left kWh", "Dissimilar", "by price", "energy", "environment", "credit", "loss", "type"}
	return header, func(p clearing.Candidate) table.Row {
		t, cells := p.Terms, table.Row{units.FormatScaled(p.LeftWh, 3)}
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
func (c *chapter) rule() string {
	switch c.rules.Market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP:
		return "of all ways to trade the most energy, these matches satisfy both sides together most; a kWh of another pair would lose what stands under \"better elsewhere by\""
	case matchingv1.Mechanism_MECHANISM_WELFARE:
		return "these matches gain the most for all; a kWh of another pair would lose what stands under \"better elsewhere by\", in coins"
	case matchingv1.Mechanism_MECHANISM_AUCTION, matchingv1.Mechanism_MECHANISM_POSTED:
		return fmt.Sprintf("all trade at %s: this order's share of what is traded at that price is %s; buys in turn take from the sells in turn",
			units.FormatPrice(c.why.Uniform.Price), units.FormatKWh(c.why.Uniform.ShareWh))
	}
	if c.story.buy {
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
	rest := "found no match, left to the grid"
	switch sell, isSell := s.order.(*matchingv1.SellOrder); {
	case s.cancelled != "":
		rest = "withdrawn"
	case !final:
		rest = "wait for the clearing"
	case isSell && sell.Rest == matchingv1.Rest_REST_WITHHOLD:
		rest = "found no match, to be held back"
	case isSell && sell.Rest == matchingv1.Rest_REST_STORE:
		rest = "found no match, to be stored"
	}
	add(f.Unmatched, rest)
	lines := []line{{"became", strings.Join(parts, "; ")}}
	if f.Cut > 0 {
		lines = append(lines, line{"cut", units.FormatKWh(f.Cut) + " by " + s.lineNames()})
	}
	if f.Declined > 0 {
		lines = append(lines, line{"declined", units.FormatKWh(f.Declined) + " were proposed and came back, see the rounds"})
	}
	if s.buy {
		lines = append(lines, line{"escrow", s.escrow()})
	}
	return lines
}

// escrow says where a buy's coins are.
func (s *story) escrow() string {
	f := s.fate
	back := "came back"
	if s.gathered.trading.Final == nil && s.cancelled == "" {
		if len(s.chapters) == 0 {
			return units.FormatCoins(f.Escrowed) + " held"
		}
		back = "comes back when the book is final"
	}
	return fmt.Sprintf("of %s, %s stay with matches until settlement, %s %s",
		units.FormatCoins(f.Escrowed), units.FormatCoins(f.Held), units.FormatCoins(f.Escrowed-f.Held), back)
}

// lineNames names the lines that cut the order's matches in the last round.
func (s *story) lineNames() string {
	var names []string
	for _, cut := range s.chapters[len(s.chapters)-1].Cuts {
		name := "the line " + cut.LineFrom + " - " + cut.LineTo
		if bytes.Equal(s.mine(cut.BuyOrder, cut.SellOrder), s.order.GetId()) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " and ")
}
