package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// columns of the text report. Widths are fixed, so that periods can be printed
// one by one as they settle and still line up.
var columns = []struct {
	title string
	width int
}{
	{"local time", 16},
	{"orders", 6},
	{"matched kWh", 11},
	{"sold kWh", 9},
	{"clean", 7},
	{"coin/kWh", 8},
	{"loss kWh", 8},
	{"to grid kWh", 11},
	{"from grid kWh", 13},
	{"settled coins", 13},
}

// PrintHeader prints the column titles of PrintPeriod.
func PrintHeader(w io.Writer) {
	row := make(table.Row, len(columns))
	for i, c := range columns {
		row[i] = c.title
	}
	printRow(w, row)
}

// PrintPeriod prints a period on one line: local time, orders, kWh matched and
// sold, clean share, mean price, loss, kWh to and from the grid, and the coins
// that changed hands (with grid and fees).
func PrintPeriod(w io.Writer, p Period) { printSums(w, p.LocalTime, p.Sums) }

// PrintTotals prints the line of all periods and what the members saved.
func PrintTotals(w io.Writer, r *Report) {
	printSums(w, "total", r.Totals)
	var paid, received, debt int64
	for _, m := range r.Totals.Members {
		paid += m.Paid
		received += m.Received
		debt += m.Debt
	}
	net := paid + debt - received
	fmt.Fprintf(w, "Members %s net; with the grid alone they would have %s: saved %s.\n",
		spent(net), spent(net+r.Saved), fixed(r.Saved, 6, 6))
	if r.Totals.Auction == (Auction{}) {
		return // nobody could have traded
	}
	fmt.Fprintf(w, "The market matched %s kWh, bids %s coins above asks; a uniform-price auction of the same orders %s kWh, %s coins.\n",
		fixed(r.Totals.MatchedWh, 3, 3), fixed(r.Totals.Surplus, 6, 2), fixed(r.Totals.Auction.MatchedWh, 3, 3), fixed(r.Totals.Auction.Surplus, 6, 2))
}

// spent says in words which way the coins went. All of them are shown, so that
// the difference of two such numbers is that of what they show.
func spent(ucoin int64) string {
	if ucoin < 0 {
		return "earned " + strings.TrimPrefix(fixed(ucoin, 6, 6), "-") + " coins"
	}
	return "spent " + fixed(ucoin, 6, 6) + " coins"
}

func printSums(w io.Writer, first string, s Sums) {
	settled := s.Grid.Paid + s.Fund.Paid
	for _, m := range s.Members {
		settled += m.Paid
	}
	printRow(w, table.Row{
		first, strconv.FormatInt(s.Orders, 10), fixed(s.MatchedWh, 3, 3), fixed(s.SoldWh, 3, 3),
		fixed(s.CleanPpm, 4, 1) + " %", fixed(s.MeanPrice, 6, 3), fixed(s.LossWh, 3, 3),
		fixed(s.Grid.BoughtWh, 3, 3), fixed(s.Grid.SoldWh, 3, 3), fixed(settled, 6, 2),
	})
}

func printRow(w io.Writer, row table.Row) {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	var configs []table.ColumnConfig
	for i, c := range columns {
		align := text.AlignRight
		if i == 0 {
			align = text.AlignLeft
		}
		configs = append(configs, table.ColumnConfig{Number: i + 1, Align: align, WidthMin: c.width})
	}
	t.SetColumnConfigs(configs)
	t.AppendRow(row)
	fmt.Fprintln(w, strings.TrimRight(t.Render(), " "))
}

// fixed writes v / 10^scale with as many decimals as shown, rounded half away
// from zero: fixed(1234567, 6, 2) = "1.23".
func fixed(v int64, scale, shown int) string {
	// the magnitude as uint64, because -v overflows for the least int64
	sign, u := "", uint64(v)
	if v < 0 {
		sign, u = "-", -u
	}
	unit := power10(scale - shown)
	u = u/unit + (u%unit+unit/2)/unit
	if u == 0 {
		sign = ""
	}
	if shown == 0 {
		return sign + strconv.FormatUint(u, 10)
	}
	one := power10(shown)
	return fmt.Sprintf("%s%d.%0*d", sign, u/one, shown, u%one)
}

func power10(n int) uint64 {
	p := uint64(1)
	for range n {
		p *= 10
	}
	return p
}

// PrintComparison prints what each mechanism makes of the same orders, the one
// that ran marked by a star.
func PrintComparison(w io.Writer, r *Report) {
	if len(r.Comparison) == 0 {
		return // nobody ordered
	}
	fmt.Fprintln(w, "All mechanisms on the same orders, each book's first round, before signatures (* the one that ran):")
	t := newTable("mechanism", "kWh", "surplus coins", "clean", "loss", "coin/kWh", "matches", "satisfaction")
	for _, mechanism := range compared {
		name := mechanismName(mechanism)
		row := r.Comparison[name]
		mark := ""
		if name == r.Mechanism {
			mark = " *"
		}
		if row.LeftOut > 0 {
			mark += fmt.Sprintf(" (without %d periods: more than %d orders a side)", row.LeftOut, mostCompared)
		}
		t.AppendRow(table.Row{
			name + mark, fixed(row.VolumeWh, 3, 3), fixed(row.Surplus, 6, 2), fixed(row.CleanPpm, 4, 1) + " %", fixed(row.LossPpm, 4, 2) + " %",
			fixed(row.MeanPrice, 6, 3), strconv.FormatInt(row.Matches, 10), fixed(row.SatisfactionPpm, 4, 1) + " %",
		})
	}
	for line := range strings.Lines(t.Render()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
}

// newTable returns a table without lines whose first column is text.
func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header = text.FormatDefault
	t.SetStyle(style)
	var configs []table.ColumnConfig
	for i := range header[1:] {
		configs = append(configs, table.ColumnConfig{Number: i + 2, Align: text.AlignRight, AlignHeader: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
	t.AppendHeader(header)
	return t
}
