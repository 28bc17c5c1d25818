package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/book"
)

// marketCommand groups what can be done with a market's orders off the chain.
func marketCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "market",
		Short: "Try a market's mechanism on orders in a file",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(marketClearCommand(), marketSimulateCommand(), marketPapersCommand())
	return cmd
}

func marketClearCommand() *cobra.Command {
	var in string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "clear --in FILE",
		Short: "Clear a book of orders, as the chain would",
		Long: `Clear runs a market's mechanism on a book of orders, with the very code that
the chain runs, checks the trades by other code and prints them with a summary.
No node is needed. In files energies are in Wh and prices in ucoin per kWh; the
printed table is in kWh and coins.

A file is one JSON object {"mechanism", "params", "buys", "sells"}:

  mechanism    params (? may be left out)
  kprototypes  range {price, energy_wh, credit, loss_ppm}, loss_ppm_per_km,
               respect_limits? (true), fee?
  cmap         mode (paper or limit), price_min, price_max, r_max_m,
               fixed_scale?, fee? (mode limit), loss_ppm_per_km?
  welfare      price_min, price_max, r_max_m, beta?, fee?, loss_ppm_per_km?
  auction      fee?, loss_ppm_per_km?
  posted       price, or retail and feed_in; fee?, loss_ppm_per_km?
  highlow      fee?, loss_ppm_per_km?

  orders       id, price, energy_wh; and
  kprototypes  x_m, y_m; buys weights {price?, energy?, environment?, credit?,
               loss?, energy_type?} and the wishes environment?, credit?,
               wanted_loss_ppm?, energy_type?, max_loss_ppm?;
               sells environment, credit, energy_type
  cmap,        x_m, y_m, reputation, energy_type, prefer [attributes],
  welfare      weights? [per mille]; sells environment?
  others       x_m?, y_m?, energy_type?, environment? for the statistics

An order may say more than its mechanism looks at. A sell is clean by its
environment, or else if its energy_type is not fossil.`,
		Example: "  energycli market clear --in book.json\n  energycli market clear --in - --json < book.json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := readInput(cmd.InOrStdin(), in)
			if err != nil {
				return usageError{err}
			}
			b, err := book.Read(data)
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", in, err)}
			}
			start := time.Now()
			result, err := b.Clear()
			if err != nil {
				return fmt.Errorf("%s: %w", in, err)
			}
			elapsed := time.Since(start)
			write := writeClearingText
			if asJSON {
				write = func(w io.Writer, r *book.Result) error { return writeClearingJSON(w, r, elapsed) }
			}
			if err := write(cmd.OutOrStdout(), result); err != nil {
				return err
			}
			if !result.Certificate.Verified {
				return fmt.Errorf("%s: %w: %s", in, errWrongClearing, result.Certificate.Note)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&in, "in", "", "book file, - for standard input")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// readInput reads the file that a flag --in names.
func readInput(stdin io.Reader, name string) ([]byte, error) {
	switch name {
	case "":
		return nil, fmt.Errorf("flag --in: expected a file, or - for standard input, got nothing")
	case "-":
		data, err := io.ReadAll(stdin)
		if err != nil {
			return nil, fmt.Errorf("flag --in: read standard input: %w", err)
		}
		return data, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("flag --in: %w", err)
	}
	return data, nil
}

// clearingJSON is a result with the time it took, clearing and check together.
type clearingJSON struct {
	*book.Result
	Stats clearingStats `json:"stats"` // in place of the result's own
}

type clearingStats struct {
	book.Stats
	SolveMS float64 `json:"solve_ms"`
}

func writeClearingJSON(w io.Writer, r *book.Result, elapsed time.Duration) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(clearingJSON{r, clearingStats{r.Stats, float64(elapsed.Microseconds()) / 1000}})
}

func writeClearingText(w io.Writer, r *book.Result) error {
	trades := newTable("Buyer", "Seller", "Energy kWh", "Price coin/kWh", "Satisfaction %")
	trades.SetColumnConfigs([]table.ColumnConfig{
		{Number: 3, Align: text.AlignRight}, {Number: 4, Align: text.AlignRight}, {Number: 5, Align: text.AlignRight},
	})
	for _, t := range r.Trades {
		trades.AppendRow(table.Row{
			t.Buy, t.Sell, units.FormatScaled(t.EnergyWh, 3),
			units.FormatScaled(t.Price, 6), units.FormatScaled(t.SatisfactionPPM, 4),
		})
	}
	checked := "the trades follow the mechanism"
	if !r.Certificate.Verified {
		checked = "FAILED: the trades do not follow the mechanism"
	}
	if r.Certificate.Note != "" {
		checked += "\n" + r.Certificate.Note
	}
	summary := newTable("Summary", "")
	summary.AppendRows([]table.Row{
		{"mechanism", r.Mechanism},
		{"buys, sells, trades", fmt.Sprintf("%d, %d, %d", r.Stats.Buys, r.Stats.Sells, r.Stats.Matches)},
		{"energy traded", units.FormatKWh(r.TradedWh)},
		{"mean price", units.FormatPrice(r.Stats.MeanPrice)},
		{"surplus", units.FormatCoins(r.Stats.Surplus)},
		{"clean share", units.FormatPercent(r.Stats.CleanPPM)},
		{"mean loss", units.FormatPercent(r.Stats.LossPPM)},
		{"mean distance", units.FormatScaled(r.Stats.MeanDistanceM, 3) + " km"},
		{"against limits", units.FormatKWh(r.Stats.LimitViolationsWh)},
		{"check", checked},
	})
	_, err := fmt.Fprintf(w, "%s\n%s\n", trades.Render(), summary.Render())
	return err
}

// newTable returns an empty table whose header is written as it is given.
func newTable(header ...any) table.Writer {
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header, t.Style().Format.Footer = text.FormatDefault, text.FormatDefault
	t.AppendHeader(header)
	return t
}
