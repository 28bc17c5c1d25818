package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/settlement/pricematrix"
)

// settlementCommand groups what can be settled off the chain.
func settlementCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "settlement",
		Short: "Settle a period of bilateral contracts from a file",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(settlementRunCommand())
	return cmd
}

func settlementRunCommand() *cobra.Command {
	var in string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "run --in FILE",
		Short: "Settle one period by its price matrix",
		Long: `Run settles one period: sellers in the order of the file serve their buyers by
priority at the prices of the matrix, what they have left goes to the grid at
the feed-in price, and what buyers miss comes from it at the retail price. No
node is needed. In files energies are in Wh and prices in ucoin per kWh; the
printed table is in kWh and coins.`,
		Example: "  energycli settlement run --in period.json\n  energycli settlement run --in - --json < period.json",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			data, err := readInput(cmd.InOrStdin(), in)
			if err != nil {
				return usageError{err}
			}
			period, err := pricematrix.Read(data)
			if err != nil {
				return usageError{fmt.Errorf("%s: %w", in, err)}
			}
			records, err := period.Settle()
			if err != nil {
				return fmt.Errorf("%s: %w", in, err)
			}
			if asJSON {
				return writeRecordsJSON(cmd.OutOrStdout(), records)
			}
			return writeRecordsText(cmd.OutOrStdout(), records)
		},
	}
	cmd.Flags().StringVar(&in, "in", "", "file of a period, - for standard input")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the records as JSON")
	return cmd
}

func writeRecordsJSON(w io.Writer, records []pricematrix.Record) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	out.SetEscapeHTML(false)
	return out.Encode(struct {
		Records []pricematrix.Record `json:"records"`
	}{records})
}

// writeRecordsText prints the records and their sums, which fit int64 for every
// period that was read.
func writeRecordsText(w io.Writer, records []pricematrix.Record) error {
	list := newTable("Seller", "Buyer", "Energy kWh", "Price coin/kWh", "Amount coin")
	right := make([]table.ColumnConfig, 3)
	for i := range right {
		right[i] = table.ColumnConfig{Number: i + 3, Align: text.AlignRight, AlignFooter: text.AlignRight}
	}
	list.SetColumnConfigs(right)
	var energy, amount int64
	for _, r := range records {
		list.AppendRow(table.Row{
			r.Seller, r.Buyer, units.FormatScaled(r.EnergyWh, 3), units.FormatScaled(r.Price, 6), units.FormatScaled(r.Amount, 6),
		})
		energy += r.EnergyWh
		amount += r.Amount
	}
	list.AppendFooter(table.Row{"", "sum", units.FormatScaled(energy, 3), "", units.FormatScaled(amount, 6)})
	_, err := fmt.Fprintln(w, list.Render())
	return err
}
