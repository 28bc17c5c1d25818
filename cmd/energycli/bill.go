package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// billFlags are what a bill is asked for with.
type billFlags struct {
	account, from, to, month, out string
	proof, csv, byMonth           bool
}

func billCommand(o *options) *cobra.Command {
	var f billFlags
	cmd := &cobra.Command{
		Use: "bill --account ACCOUNT", Short: "Show an account's settled periods, with proof if asked", Args: noArguments,
		Long: `Show what an account bought, sold, paid and received in its settled periods, and
what it saved against the grid alone. With --proof the bill is written as a
file that anyone can check with energycli verify bill, without a node.

With --month, or --by-month, the periods are summed by UTC month, and with whom
the account traded, what fees were the chain's and what those of zones, and which
periods are not in the bill. docs/bills.md explains the columns of --csv.`,
		Example: `  energycli bill --account alice --month 2026-11
  energycli bill --account alice --by-month --csv --out alice.csv
  energycli bill --account alice --from 2026-01-31T00:00:00Z --to 2026-02-01T00:00:00Z
  energycli bill --account alice --proof --out bill.json`,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.bill(cmd, f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.account, "account", "", "whose bill: an address or the name of an own key")
	flags.StringVar(&f.from, "from", "", "first period: a time like 2026-01-31T12:00:00Z or Unix milliseconds (default: the chain's first)")
	flags.StringVar(&f.to, "to", "", "last period, likewise (default: the latest settled)")
	flags.BoolVar(&f.proof, "proof", false, "write the bill with all that proves it, as JSON")
	flags.StringVar(&f.month, "month", "", "a UTC month like 2026-11, in place of --from and --to, summed")
	flags.BoolVar(&f.byMonth, "by-month", false, "sum the periods by UTC month")
	flags.StringVar(&f.out, "out", "", "file to write (default: standard output)")
	flags.BoolVar(&f.csv, "csv", false, "write a line per period with commas, for accounting")
	return cmd
}

func (o *options) bill(cmd *cobra.Command, f billFlags) error {
	if f.proof && f.csv {
		return usage("--csv: expected only one of it and --proof")
	}
	if f.csv && o.json() {
		return usage("--csv: expected only one of it and --output json")
	}
	if f.proof && f.byMonth {
		return usage("--by-month: expected only one of it and --proof")
	}
	l := o.link(cmd.Context())
	account, from, to, err := f.read(l)
	if err != nil {
		return err
	}
	if err := l.connect(); err != nil {
		return err
	}
	bill, err := proof.FetchBill(l.ctx, l.Client, l.chainID, account, from, to, f.proof)
	if err != nil {
		return err
	}
	if len(bill.Sections) == 0 {
		return fmt.Errorf("settled periods of %v in that time: %w", account, errNotFound)
	}
	if !f.proof && (f.byMonth || f.month != "") {
		return o.monthlyBill(cmd, f, bill)
	}
	if f.proof || o.json() {
		data, err := json.MarshalIndent(bill, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(cmd, f.out, data); err != nil {
			return err
		}
		if f.proof && f.out != "" && !o.quiet {
			fmt.Fprintf(cmd.ErrOrStderr(), "%s, proved under header %d:%X\n", periodCount(int64(len(bill.Sections))), bill.Header.Signed.Height, bill.Header.Signed.Hash())
		}
		return nil
	}
	text := billText(bill)
	if f.csv {
		if text, err = billCSV(bill); err != nil {
			return err
		}
	}
	return writeFile(cmd, f.out, []byte(text))
}

// monthlyBill writes the bill summed by month.
func (o *options) monthlyBill(cmd *cobra.Command, f billFlags, bill *proof.Bill) error {
	sums, err := monthly(bill)
	if err != nil {
		return err
	}
	text := sums.text()
	switch {
	case o.json():
		data, err := json.MarshalIndent(sums, "", "  ")
		if err != nil {
			return err
		}
		text = string(data)
	case f.csv:
		if text, err = sums.csv(); err != nil {
			return err
		}
	}
	return writeFile(cmd, f.out, []byte(text))
}

// read reads the account and the span of time.
func (f billFlags) read(l *link) (account protocol.Address, from, to int64, err error) {
	request := new(settlementv1.QueryStatementRequest)
	all := leaves(request.ProtoReflect().Descriptor())
	if f.account == "" {
		return account, 0, 0, usage("--account: expected an address or the name of an own key")
	}
	if err := l.reader().set(all[0], f.account, request); err != nil {
		return account, 0, 0, err
	}
	account = protocol.Address(request.Account)
	to = math.MaxInt64 - 1
	if f.month != "" {
		if f.from != "" || f.to != "" {
			return account, 0, 0, usage("--month: expected only one of it and --from, --to")
		}
		if from, err = client.ParseMonth(f.month); err != nil {
			return account, 0, 0, usage("--month: %w", err)
		}
		return account, from, units.MonthOf(from+31*24*3_600_000) - 1, nil
	}
	for _, bound := range []struct {
		flag, text string
		into       *int64
	}{{"from", f.from, &from}, {"to", f.to, &to}} {
		if bound.text == "" {
			continue
		}
		period := leaf{bound.flag, all[1].path, all[1].field}
		if err := l.reader().set(period, bound.text, request); err != nil {
			return account, 0, 0, err
		}
		*bound.into = request.Period
	}
	if from > to {
		return account, 0, 0, usage("--to: expected a time not before --from, got %s", f.to)
	}
	return account, from, to, nil
}

func periodTime(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04:05Z") }

// billText writes a bill for people.
func billText(b *proof.Bill) string {
	kWh := func(wh int64) string { return units.FormatScaled(wh, 3) }
	coins := func(ucoin int64) string { return units.FormatScaled(ucoin, 6) }
	t := newTable("Period", "Bought kWh", "Sold kWh", "From grid kWh", "To grid kWh", "Paid coin", "Received coin", "Fees coin", "Debt coin", "Grid alone coin", "Balance coin", "")
	for _, section := range b.Sections {
		s := section.Statement
		remark := ""
		switch {
		case s.Missing:
			remark = "no readings"
		case s.Estimated:
			remark = "estimated"
		}
		if s.Waived {
			remark = strings.TrimPrefix(remark+", waived", ", ") // late registers may be measured
		}
		if s.CorrectsVersion > 0 {
			remark = strings.TrimPrefix(fmt.Sprintf("%s, corrected (version %d)", remark, s.Version), ", ")
		}
		if s.DrawnUcoin > 0 {
			remark = strings.TrimPrefix(remark+", "+coins(s.DrawnUcoin)+" on loan", ", ")
		}
		t.AppendRow(table.Row{
			periodTime(s.Period), kWh(s.BoughtWh), kWh(s.SoldWh), kWh(s.GridImportWh), kWh(s.GridExportWh), coins(s.PaidUcoin),
			coins(s.ReceivedUcoin), coins(s.FeesUcoin), coins(s.DebtUcoin), coins(s.GridAloneUcoin), coins(s.BalanceAfterUcoin), remark,
		})
	}
	sum := b.Totals
	t.AppendFooter(table.Row{
		"Total", kWh(sum.BoughtWh), kWh(sum.SoldWh), kWh(sum.GridImportWh), kWh(sum.GridExportWh), coins(sum.PaidUcoin),
		coins(sum.ReceivedUcoin), coins(sum.FeesUcoin), coins(sum.DebtUcoin), coins(sum.GridAloneUcoin), "", "",
	})
	return fmt.Sprintf("Account %v on chain %s\n%s\n%sSaved against the grid alone: %s",
		b.Account, b.ChainID, t.Render(), tradesText(b), units.FormatCoins(sum.SavedUcoin))
}

// tradesText writes with whom a bill's account traded, at which price, and by
// what: the market or a contract. Energy is that at the account's own meter.
func tradesText(b *proof.Bill) string {
	t := newTable("Period", "", "kWh", "With", "Price coin/kWh", "Amount coin", "Fee coin", "Unpaid coin", "By")
	for _, section := range b.Sections {
		for _, trade := range section.Statement.Trades {
			side, wh, with, by := "sold", trade.SoldWh, protocol.Address(trade.Buyer), "market"
			if string(trade.Buyer) == string(b.Account[:]) {
				side, wh, with = "bought", trade.BoughtWh, protocol.Address(trade.Seller)
			}
			if len(trade.Contract) > 0 {
				by = "contract " + client.FormatBytes(trade.Contract)
			}
			if trade.GridStoodIn {
				by += ", grid in the seller's place"
			}
			t.AppendRow(table.Row{
				periodTime(section.Statement.Period), side, units.FormatScaled(wh, 3), with, units.FormatScaled(trade.PriceUcoinPerKwh, 6),
				units.FormatScaled(trade.AmountUcoin, 6), units.FormatScaled(trade.FeeUcoin, 6),
				units.FormatScaled(trade.UnpaidAmountUcoin+trade.UnpaidFeeUcoin, 6), by,
			})
		}
	}
	if t.Length() == 0 {
		return ""
	}
	return t.Render() + "\n"
}

// billCSV writes a bill's periods with commas, in kWh and coins.
func billCSV(b *proof.Bill) (string, error) {
	rows := [][]string{{
		"period", "version", "missing", "estimated", "waived", "import_kwh", "export_kwh", "bought_kwh", "sold_kwh", "grid_import_kwh", "grid_export_kwh",
		"paid_coin", "received_coin", "fees_coin", "debt_coin", "repaid_coin", "grid_alone_coin", "balance_before_coin", "balance_after_coin",
		"guaranteed_coin", "penalty_coin", "make_whole_paid_coin", "make_whole_received_coin",
		"drawn_coin", "loans_repaid_coin", "corrects_version", "correction_paid_coin", "correction_received_coin", "correction_debt_coin",
	}}
	for _, section := range b.Sections {
		s := section.Statement
		row := []string{
			time.UnixMilli(s.Period).UTC().Format(time.RFC3339), strconv.FormatInt(s.Version, 10),
			strconv.FormatBool(s.Missing), strconv.FormatBool(s.Estimated), strconv.FormatBool(s.Waived),
		}
		for _, wh := range []int64{s.ImportWh, s.ExportWh, s.BoughtWh, s.SoldWh, s.GridImportWh, s.GridExportWh} {
			row = append(row, units.FormatScaled(wh, 3))
		}
		for _, ucoin := range []int64{
			s.PaidUcoin, s.ReceivedUcoin, s.FeesUcoin, s.DebtUcoin, s.RepaidUcoin, s.GridAloneUcoin, s.BalanceBeforeUcoin, s.BalanceAfterUcoin,
			s.GuaranteedUcoin, s.PenaltyUcoin, s.MakeWholePaidUcoin, s.MakeWholeReceivedUcoin,
			s.DrawnUcoin, s.LoansRepaidUcoin,
		} {
			row = append(row, units.FormatScaled(ucoin, 6))
		}
		row = append(row, strconv.FormatInt(s.CorrectsVersion, 10))
		for _, ucoin := range []int64{s.CorrectionPaidUcoin, s.CorrectionReceivedUcoin, s.CorrectionDebtUcoin} {
			row = append(row, units.FormatScaled(ucoin, 6))
		}
		rows = append(rows, row)
	}
	var out strings.Builder
	err := csv.NewWriter(&out).WriteAll(rows)
	return strings.TrimSuffix(out.String(), "\n"), err
}
