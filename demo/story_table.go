package demo

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
)

// printCast says what a run's disturbance is and whom it is about.
func printCast(w io.Writer, p *plan) {
	fmt.Fprintf(w, "Scenario %s: %s.\n", p.story.name, p.story.about)
	for _, role := range p.cast {
		fmt.Fprintf(w, "  %s %s\n", role.Member, role.Does)
	}
}

// PrintStory prints what happened, a line each, the rules by which it did, and
// the laws that were checked.
func PrintStory(w io.Writer, s *Story) {
	fmt.Fprintf(w, "Scenario %s, what happened (coins: below 0 what it cost the household; [n]: the rule):\n", s.Name)
	t := newTable("local time", "who", "what", "kWh", "coins", "rule")
	t.SetColumnConfigs([]table.ColumnConfig{
		{Number: 3, WidthMax: 76, WidthMaxEnforcer: text.WrapSoft},
		{Number: 4, Align: text.AlignRight, AlignHeader: text.AlignRight},
		{Number: 5, Align: text.AlignRight, AlignHeader: text.AlignRight},
		{Number: 6, Align: text.AlignRight, AlignHeader: text.AlignRight},
	})
	for _, line := range s.Happened {
		t.AppendRow(table.Row{
			line.LocalTime, line.Who, line.What, shown(line.EnergyWh, 3), shown(line.Ucoin, 6), "[" + strconv.Itoa(line.Rule) + "]",
		})
	}
	for line := range strings.Lines(t.Render()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	for i, rule := range s.Rules {
		fmt.Fprintf(w, "[%d] %s\n", i+1, rule)
	}
	for _, law := range s.Laws {
		if law.Broken == "" {
			fmt.Fprintf(w, "holds: %s\n", law.Text)
		} else {
			fmt.Fprintf(w, "DOES NOT HOLD: %s: %s\n", law.Text, law.Broken)
		}
	}
}

// shown is a number with all its decimals, and nothing for none.
func shown(v int64, scale int) string {
	if v == 0 {
		return ""
	}
	return fixed(v, scale, scale)
}
