package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/energyd/energyd/internal/svg"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/credit/stackelberg"
)

const (
	lendingPoints  = 240 // steps into which the plot divides the rates
	lendingFigures = 6   // borrowers up to whom it draws each one's utility
)

// lendingReport is what credit simulate prints.
type lendingReport struct {
	Bank         stackelberg.Bank       `json:"bank"`
	Borrowers    []stackelberg.Borrower `json:"borrowers"`
	Offer        *stackelberg.Offer     `json:"offer"`
	Utilities    []int64                `json:"utilities_ucoin"` // of the borrowers, rounded to ucoin
	UtilityUcoin int64                  `json:"utility_ucoin"`   // their sum
	Candidates   []lendingPoint         `json:"candidates"`      // the rates that were compared
	Curve        []lendingPoint         `json:"curve"`           // rates up to where demand ends
}

// lendingPoint is what happens at a rate. Where Rationed, demand exceeds capital,
// and the bank only offers the rate if it is the greatest.
type lendingPoint struct {
	RatePPM      int64 `json:"rate_ppm"`
	DemandUcoin  int64 `json:"demand_ucoin"`
	ProfitUcoin  int64 `json:"expected_profit_ucoin"`
	UtilityUcoin int64 `json:"utility_ucoin"`
	Rationed     bool  `json:"rationed"`
	utilities    []int64
}

func newLendingReport(bank stackelberg.Bank, borrowers []stackelberg.Borrower) (*lendingReport, error) {
	offer, candidates, err := stackelberg.Price(bank, borrowers)
	if err != nil {
		return nil, err
	}
	r := &lendingReport{Bank: bank, Borrowers: borrowers, Offer: offer}
	r.Utilities, r.UtilityUcoin = utilities(borrowers, offer)
	if r.Candidates, err = r.points(candidates); err != nil {
		return nil, err
	}
	r.Curve, err = r.points(curveRates(bank, borrowers, offer.RatePPM))
	return r, err
}

// curveRates returns the rates of the plot: even steps up to where the last
// borrower leaves, and the best one.
func curveRates(bank stackelberg.Bank, borrowers []stackelberg.Borrower, best int64) []int64 {
	last := best
	for _, b := range borrowers {
		last = max(last, min(b.NoneFromPPM, bank.RateMaxPPM))
	}
	rates := []int64{best}
	for i := range int64(lendingPoints + 1) {
		rates = append(rates, bank.RateMinPPM+(last-bank.RateMinPPM)*i/lendingPoints)
	}
	slices.Sort(rates)
	return slices.Compact(rates)
}

func (r *lendingReport) points(rates []int64) ([]lendingPoint, error) {
	list := make([]lendingPoint, 0, len(rates))
	for _, rate := range rates {
		o, err := stackelberg.At(r.Bank, r.Borrowers, rate)
		if err != nil {
			return nil, err
		}
		p := lendingPoint{RatePPM: rate, DemandUcoin: o.DemandUcoin, ProfitUcoin: o.ProfitUcoin, Rationed: o.Rationed}
		p.utilities, p.UtilityUcoin = utilities(r.Borrowers, o)
		list = append(list, p)
	}
	return list, nil
}

// utilities returns theta ln(1 + q/k) - r q of each borrower and their sum, in
// ucoin. It is for people; no rule needs it.
func utilities(borrowers []stackelberg.Borrower, o *stackelberg.Offer) (each []int64, sum int64) {
	each = make([]int64, len(borrowers))
	for i, b := range borrowers {
		k := float64(b.AmountUcoin) * float64(b.RatePPM) / float64(b.NoneFromPPM-b.RatePPM)
		q := float64(o.Loans[i].Ucoin)
		each[i] = int64(math.Round((k*float64(b.NoneFromPPM)*math.Log1p(q/k) - float64(o.RatePPM)*q) / units.PPM))
		sum += each[i]
	}
	return each, sum
}

func writeLendingText(w io.Writer, r *lendingReport) error {
	coins := func(ucoin int64) string { return units.FormatScaled(ucoin, 6) }
	loans := newTable("Borrower", "Limit coin", "Loan coin", "Interest coin", "Risk %", "Expected profit coin", "Utility coin", "Demand")
	loans.SetColumnConfigs(rightFrom(2, 7))
	for i, l := range r.Offer.Loans {
		interest, err := units.MulDiv(l.Ucoin, r.Offer.RatePPM, units.PPM)
		if err != nil {
			return err
		}
		loans.AppendRow(table.Row{
			r.Borrowers[i].ID, coins(r.Borrowers[i].LimitUcoin), coins(l.Ucoin), coins(interest),
			units.FormatScaled(l.DefaultPPM, 4), coins(l.ProfitUcoin), coins(r.Utilities[i]), l.Branch,
		})
	}
	lent := units.FormatCoins(r.Offer.LentUcoin)
	switch {
	case r.Offer.Reason != "":
		lent += ": " + string(r.Offer.Reason)
	case r.Offer.Rationed:
		lent += ", demand exceeds capital: cut in proportion"
	}
	summary := newTable("Summary", "")
	summary.AppendRows([]table.Row{
		{"rate per term", units.FormatPercent(r.Offer.RatePPM)},
		{"rates the bank may ask", units.FormatPercent(r.Bank.RateMinPPM) + " to " + units.FormatPercent(r.Bank.RateMaxPPM)},
		{"capital", units.FormatCoins(r.Bank.CapitalUcoin)},
		{"demand", units.FormatCoins(r.Offer.DemandUcoin)},
		{"lent", lent},
		{"bank's expected profit", units.FormatCoins(r.Offer.ProfitUcoin)},
		{"borrowers' utility", units.FormatCoins(r.UtilityUcoin)},
		{"rates compared", len(r.Candidates)},
	})
	_, err := fmt.Fprintf(w, "%s\n%s\n", loans.Render(), summary.Render())
	return err
}

// writeLendingPlot draws profit, demand and utilities against the rate.
func writeLendingPlot(w io.Writer, r *lendingReport) error {
	charts := []svg.Chart{
		{Title: "bank's expected profit, coin", Lines: []svg.Line{
			r.line("all served", 0, func(p *lendingPoint) (int64, bool) { return p.ProfitUcoin, !p.Rationed }),
			r.line("capital shared out", 7, func(p *lendingPoint) (int64, bool) { return p.ProfitUcoin, p.Rationed }),
		}},
		{Title: "demand, coin", Lines: []svg.Line{
			r.line("demand", 2, func(p *lendingPoint) (int64, bool) { return p.DemandUcoin, true }),
			r.line("capital", 6, func(*lendingPoint) (int64, bool) { return r.Bank.CapitalUcoin, true }),
		}},
		{Title: "utility of a borrower, coin", Lines: r.utilityLines()},
	}
	rate := units.FormatPercent(r.Offer.RatePPM)
	title := fmt.Sprintf("Credit bank and %d borrowers: best rate %s", len(r.Borrowers), rate)
	return svg.Write(w, svg.ChartWidth, svg.TitleHeight+len(charts)*svg.ChartHeight, title, func(b *strings.Builder) {
		for i := range charts {
			c := &charts[i]
			c.Across, c.X = "rate per term", units.FormatPercent
			c.Y = func(ucoin int64) string { return units.FormatScaled(ucoin, 6) }
			c.Mark, c.MarkName = r.Offer.RatePPM, rate
			c.Draw(b, 0, svg.TitleHeight+i*svg.ChartHeight)
		}
	})
}

// utilityLines are those of all borrowers if they are few.
func (r *lendingReport) utilityLines() (lines []svg.Line) {
	if len(r.Borrowers) > lendingFigures {
		return []svg.Line{
			r.line("greatest", 1, func(p *lendingPoint) (int64, bool) { return slices.Max(p.utilities), true }),
			r.line("mean", 4, func(p *lendingPoint) (int64, bool) { return p.UtilityUcoin / int64(len(p.utilities)), true }),
		}
	}
	for i, b := range r.Borrowers {
		lines = append(lines, r.line(b.ID, i, func(p *lendingPoint) (int64, bool) { return p.utilities[i], true }))
	}
	return lines
}

// line is a line over the curve; where of does not draw there is a gap.
func (r *lendingReport) line(name string, colour int, of func(p *lendingPoint) (y int64, drawn bool)) svg.Line {
	l, gap := svg.Line{Name: name, Colour: svg.Palette[colour]}, true
	for i := range r.Curve {
		y, drawn := of(&r.Curve[i])
		if drawn {
			l.Points = append(l.Points, svg.Point{X: r.Curve[i].RatePPM, Y: y, Gap: gap})
		}
		gap = !drawn
	}
	return l
}
