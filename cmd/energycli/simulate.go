package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/x/matching/book"
	"github.com/energyd/energyd/x/matching/simulate"
)

// simulation holds the flags of market simulate.
type simulation struct {
	draws, mechanisms, size, plot string
	runs                          int
	seed                          uint64
	asJSON, misreport             bool
}

func marketSimulateCommand() *cobra.Command {
	var s simulation
	cmd := &cobra.Command{
		Use:   "simulate --draws s3ch3|s3ch4|FILE",
		Short: "Compare the mechanisms on the same orders",
		Long: `Simulate clears the same orders by several mechanisms and prints what each made
of them, in the mean over all runs: volume, surplus, price, clean share, loss,
distance, satisfaction, energy against limits. Every clearing is checked.

Orders are drawn as the papers draw them: s3ch3 as chapter 3 of the thesis (500
buys, 1000 sells), s3ch4 as chapter 4 (500 x 500). kprototypes and cmap are as
published there, kprototypes-limit and cmap-limit respect the limits of orders.
Or they are those of a book file (energycli market clear --help): its own
mechanism has the file's parameters, the others defaults, which are stated.

Satisfaction is measured by CMAP's scores for all mechanisms, so that they
compare. The same seed prints the same report everywhere.

With --misreport it draws --runs small books (--size 20x20) of chapter 4 and
prints what a seller gains who asks for more or less than its cost.`,
		Example: "  energycli market simulate --draws s3ch4 --runs 5\n  energycli market simulate --draws book.json --plot compare.svg\n  energycli market simulate --misreport --runs 300",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if s.misreport {
				return s.runMisreport(cmd)
			}
			return s.run(cmd)
		},
	}
	cmd.Flags().StringVar(&s.draws, "draws", "", "s3ch3, s3ch4, or a book file")
	cmd.Flags().StringVar(&s.mechanisms, "mechanisms", "all", "mechanisms to compare, with commas between, or all")
	cmd.Flags().StringVar(&s.size, "size", "", "buys and sells to draw, such as 100x120")
	cmd.Flags().IntVar(&s.runs, "runs", 1, "books to draw")
	cmd.Flags().Uint64Var(&s.seed, "seed", 1, "seed of the draws")
	cmd.Flags().StringVar(&s.plot, "plot", "", "write the comparison as SVG to this file")
	cmd.Flags().BoolVar(&s.asJSON, "json", false, "print the report as JSON")
	cmd.Flags().BoolVar(&s.misreport, "misreport", false, "print what misreporting gains")
	return cmd
}

func (s *simulation) run(cmd *cobra.Command) error {
	draw, err := s.draw(cmd)
	if err != nil {
		return usageError{err}
	}
	config := simulate.Config{Draw: draw, Runs: s.runs, Seed: s.seed}
	if s.mechanisms != "all" {
		config.Mechanisms = strings.Split(s.mechanisms, ",")
	}
	report, err := simulate.Run(config)
	if err != nil {
		return simulationError(err)
	}
	if s.plot != "" {
		if err := writePlot(s.plot, report.WriteSVG); err != nil {
			return err
		}
	}
	if s.asJSON {
		return writeIndented(cmd.OutOrStdout(), report)
	}
	return writeReport(cmd.OutOrStdout(), report)
}

// marketPapersCommand is what make paper runs.
func marketPapersCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "papers",
		Short: "Write the papers' tables beside ours, as Markdown",
		Long: `Papers prints docs/papers.md: the figures of the papers, what their draws come to
with exact arithmetic, and what this program makes of them.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return simulate.WritePapers(cmd.OutOrStdout()) },
	}
}

// draw returns the draw that the flags name.
func (s *simulation) draw(cmd *cobra.Command) (simulate.Draw, error) {
	buys, sells, err := parseSize(s.size)
	if err != nil {
		return nil, err
	}
	switch s.draws {
	case "":
		return nil, fmt.Errorf("flag --draws: expected s3ch3, s3ch4 or a book file, got nothing")
	case simulate.S3Ch3, simulate.S3Ch4:
		return simulate.NewDraw(s.draws, buys, sells)
	}
	for _, flag := range []string{"size", "runs", "seed"} {
		if cmd.Flags().Changed(flag) {
			return nil, fmt.Errorf("flag --%s: expected none with a book file, which is not drawn", flag)
		}
	}
	data, err := os.ReadFile(s.draws)
	if err != nil {
		return nil, fmt.Errorf("flag --draws: expected s3ch3, s3ch4 or a book file: %w", err)
	}
	b, err := book.Read(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.draws, err)
	}
	return simulate.NewFileDraw(s.draws, b), nil
}

// parseSize reads "100x120"; nothing is 0 and 0.
func parseSize(size string) (buys, sells int, err error) {
	if size == "" {
		return 0, 0, nil
	}
	left, right, _ := strings.Cut(size, "x")
	buys, err = strconv.Atoi(left)
	if err == nil {
		sells, err = strconv.Atoi(right)
	}
	if err != nil || buys < 1 || sells < 1 {
		return 0, 0, fmt.Errorf("flag --size: expected buys and sells such as 100x120, got %q", size)
	}
	return buys, sells, nil
}

func (s *simulation) runMisreport(cmd *cobra.Command) error {
	for _, flag := range []string{"draws", "mechanisms", "plot"} {
		if cmd.Flags().Changed(flag) {
			return usage("flag --%s: expected none with --misreport, which has its own", flag)
		}
	}
	buys, sells, err := parseSize(s.size)
	switch {
	case err != nil:
		return usageError{err}
	case s.size == "":
		buys = 20
	case buys != sells:
		return usage("flag --size: expected as many sells as buys, got %q", s.size)
	}
	report, err := simulate.RunMisreport(s.runs, buys, s.seed)
	if err != nil {
		return simulationError(err)
	}
	if s.asJSON {
		return writeIndented(cmd.OutOrStdout(), report)
	}
	return writeMisreport(cmd.OutOrStdout(), report)
}

// simulationError tells a wrong clearing from a wrong wish.
func simulationError(err error) error {
	if errors.Is(err, simulate.ErrUnproven) {
		return err
	}
	return usageError{err}
}

func writeIndented(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(v)
}

// writePlot writes the file that a flag --plot names.
func writePlot(path string, draw func(io.Writer) error) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("flag --plot: %w", err)
	}
	if err := draw(f); err != nil {
		_ = f.Close() // the file is given up
		return fmt.Errorf("flag --plot: %w", err)
	}
	return f.Close()
}

func writeReport(w io.Writer, r *simulate.Report) error {
	header := []any{fmt.Sprintf("%s, %dx%d, runs %d", r.Draws, r.Buys, r.Sells, r.Runs)}
	for _, l := range r.Mechanisms {
		header = append(header, l.Name)
	}
	t := newTable(header...)
	t.SetColumnConfigs(rightFrom(2, len(header)))
	for _, m := range simulate.Measures {
		row := table.Row{m.Name}
		for i := range r.Mechanisms {
			row = append(row, m.Text(&r.Mechanisms[i]))
		}
		t.AppendRow(row)
	}
	_, err := fmt.Fprintf(w, "%s\n%s\n", t.Render(), strings.Join(r.Notes, "\n"))
	return err
}

func writeMisreport(w io.Writer, m *simulate.Misreport) error {
	header := []any{fmt.Sprintf("%d books, %dx%d", m.Books, m.Size, m.Size), "honest surplus coin"}
	for _, shade := range simulate.Shades {
		header = append(header, fmt.Sprintf("ask %+d %%", shade))
	}
	t := newTable(header...)
	t.SetColumnConfigs(rightFrom(2, len(header)))
	for _, l := range m.Lines {
		row := table.Row{l.Name, l.HonestText()}
		for k := range simulate.Shades {
			row = append(row, l.Text(k))
		}
		t.AppendRow(row)
	}
	_, err := fmt.Fprintf(w, "%s\nmean change of a seller's surplus in coins, and in how many books it gains\n", t.Render())
	return err
}

// rightFrom aligns the columns from first to last to the right.
func rightFrom(first, last int) (columns []table.ColumnConfig) {
	for n := first; n <= last; n++ {
		columns = append(columns, table.ColumnConfig{Number: n, Align: text.AlignRight})
	}
	return columns
}
