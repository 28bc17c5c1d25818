package main

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/energyd/energyd/client/proof"
	"github.com/energyd/energyd/units"
)

// monthlyBill is a bill by month as programs read it, in Wh and ucoin.
type monthlyBill struct {
	ChainID string               `json:"chain_id"`
	Account string               `json:"account"`
	Months  []*proof.BillSummary `json:"months"`
	Total   *proof.BillSummary   `json:"total"`
	// Gaps between periods of the bill; Without are the settled periods asked for
	// of which the node has no statement.
	Gaps    []gap   `json:"gaps"`
	Without []int64 `json:"without"`
}

func monthly(b *proof.Bill) (*monthlyBill, error) {
	months, total, err := b.Summaries()
	if err != nil {
		return nil, err
	}
	return &monthlyBill{
		ChainID: b.ChainID, Account: b.Account.String(), Months: months, Total: total, Gaps: gapsOf(b), Without: append([]int64{}, b.Without...),
	}, nil
}

// quantityOf is a number of a summary: its name in files, in kWh or coin, and its
// value.
type quantityOf struct {
	name   string
	places int
	value  func(*proof.BillSummary) int64
}

// summed are the numbers of a summary in the order of the CSV's columns.
var summed = []quantityOf{
	{"import_kwh", 3, func(s *proof.BillSummary) int64 { return s.ImportWh }},
	{"export_kwh", 3, func(s *proof.BillSummary) int64 { return s.ExportWh }},
	{"bought_kwh", 3, func(s *proof.BillSummary) int64 { return s.BoughtWh }},
	{"sold_kwh", 3, func(s *proof.BillSummary) int64 { return s.SoldWh }},
	{"grid_import_kwh", 3, func(s *proof.BillSummary) int64 { return s.GridImportWh }},
	{"grid_export_kwh", 3, func(s *proof.BillSummary) int64 { return s.GridExportWh }},
	{"purchases_coin", 6, func(s *proof.BillSummary) int64 { return s.PurchasesUcoin }},
	{"chain_fees_coin", 6, func(s *proof.BillSummary) int64 { return s.ChainFeesUcoin }},
	{"zone_fees_coin", 6, func(s *proof.BillSummary) int64 { return s.ZoneFeesUcoin }},
	{"grid_paid_coin", 6, func(s *proof.BillSummary) int64 { return s.GridPaidUcoin }},
	{"grid_received_coin", 6, func(s *proof.BillSummary) int64 { return s.GridReceivedUcoin }},
	{"paid_coin", 6, func(s *proof.BillSummary) int64 { return s.PaidUcoin }},
	{"received_coin", 6, func(s *proof.BillSummary) int64 { return s.ReceivedUcoin }},
	{"debt_coin", 6, func(s *proof.BillSummary) int64 { return s.DebtUcoin }},
	{"repaid_coin", 6, func(s *proof.BillSummary) int64 { return s.RepaidUcoin }},
	{"guaranteed_coin", 6, func(s *proof.BillSummary) int64 { return s.GuaranteedUcoin }},
	{"penalty_coin", 6, func(s *proof.BillSummary) int64 { return s.PenaltyUcoin }},
	{"make_whole_paid_coin", 6, func(s *proof.BillSummary) int64 { return s.MakeWholePaidUcoin }},
	{"make_whole_received_coin", 6, func(s *proof.BillSummary) int64 { return s.MakeWholeReceivedUcoin }},
	{"drawn_coin", 6, func(s *proof.BillSummary) int64 { return s.DrawnUcoin }},
	{"loans_repaid_coin", 6, func(s *proof.BillSummary) int64 { return s.LoansRepaidUcoin }},
	{"grid_alone_coin", 6, func(s *proof.BillSummary) int64 { return s.GridAloneUcoin }},
	{"saved_coin", 6, func(s *proof.BillSummary) int64 { return s.SavedUcoin }},
	{"certificates_kwh", 3, func(s *proof.BillSummary) int64 { return s.CertificatesWh }},
	{"certificates_netted_kwh", 3, func(s *proof.BillSummary) int64 { return s.CertificatesNettedWh }},
	{"balance_before_coin", 6, func(s *proof.BillSummary) int64 { return s.BalanceBeforeUcoin }},
	{"balance_after_coin", 6, func(s *proof.BillSummary) int64 { return s.BalanceAfterUcoin }},
}

// csv writes a line per month and one for all, in kWh and coins.
func (b *monthlyBill) csv() (string, error) {
	header := []string{"month", "periods", "missing", "estimated"}
	for _, q := range summed {
		header = append(header, q.name)
	}
	rows := [][]string{header}
	for _, s := range append(b.Months[:len(b.Months):len(b.Months)], b.Total) {
		row := []string{cmp.Or(s.Month, "total"), strconv.FormatInt(s.Periods, 10), strconv.FormatInt(s.Missing, 10), strconv.FormatInt(s.Estimated, 10)}
		for _, q := range summed {
			row = append(row, units.FormatScaled(q.value(s), q.places))
		}
		rows = append(rows, row)
	}
	var out strings.Builder
	err := csv.NewWriter(&out).WriteAll(rows)
	return strings.TrimSuffix(out.String(), "\n"), err
}

// text writes the months beside each other, a line per number that any of them has,
// then with whom the account traded, what ways between zones cost, and what is not
// in the bill.
func (b *monthlyBill) text() string {
	columns := append(b.Months[:len(b.Months):len(b.Months)], b.Total)
	if len(b.Months) == 1 {
		columns = b.Months
	}
	heads := []any{""}
	for _, s := range columns {
		heads = append(heads, cmp.Or(s.Month, "total"))
	}
	t := newTable(heads...)
	for _, q := range summed {
		row, says := table.Row{nameOf(q)}, false
		for _, s := range columns {
			row = append(row, units.FormatScaled(q.value(s), q.places))
			says = says || q.value(s) != 0
		}
		if says {
			t.AppendRow(row)
		}
	}
	return fmt.Sprintf("Account %s on chain %s\n%s\n%s%s%s", b.Account, b.ChainID, t.Render(), b.partners(), b.ways(), b.notIn())
}

// nameOf writes a column's name for people: "grid import kWh".
func nameOf(q quantityOf) string {
	name := strings.ReplaceAll(q.name, "_", " ")
	if short, isEnergy := strings.CutSuffix(name, "kwh"); isEnergy {
		return short + "kWh"
	}
	return name
}

func (b *monthlyBill) partners() string {
	if len(b.Total.Partners) == 0 {
		return ""
	}
	t := newTable("With", "Bought kWh", "for coin", "Fees coin", "Sold kWh", "for coin", "By contract kWh", "Certified kWh")
	for _, p := range b.Total.Partners {
		t.AppendRow(table.Row{
			p.Account, units.FormatScaled(p.BoughtWh, 3), units.FormatScaled(p.BoughtUcoin, 6), units.FormatScaled(p.FeesUcoin, 6),
			units.FormatScaled(p.SoldWh, 3), units.FormatScaled(p.SoldUcoin, 6), units.FormatScaled(p.ContractWh, 3), units.FormatScaled(p.CertifiedWh, 3),
		})
	}
	return t.Render() + "\n"
}

func (b *monthlyBill) ways() string {
	if len(b.Total.Ways) == 0 {
		return ""
	}
	t := newTable("From zone", "To zone", "kWh", "Fee coin")
	for _, w := range b.Total.Ways {
		t.AppendRow(table.Row{w.FromZone, w.ToZone, units.FormatScaled(w.SoldWh, 3), units.FormatScaled(w.FeeUcoin, 6)})
	}
	return t.Render() + "\n"
}

// notIn names what a reader could miss: periods without registers or statement.
func (b *monthlyBill) notIn() string {
	var out strings.Builder
	if n := b.Total.Missing; n > 0 {
		fmt.Fprintf(&out, "No readings: %s. What the grid delivered or took in them is not settled.\n", periodCount(n))
	}
	if n := b.Total.Estimated; n > 0 {
		fmt.Fprintf(&out, "Estimated: %s.\n", periodCount(n))
	}
	for _, g := range b.Gaps {
		fmt.Fprintf(&out, "Not in it: %v.\n", g)
	}
	if n := len(b.Without); n > 0 {
		fmt.Fprintf(&out, "No statement: %s, %s. The account took no part, or the node removed them.\n", periodCount(int64(n)), span(b.Without[0], b.Without[n-1]))
	}
	return strings.TrimSuffix(out.String(), "\n")
}
