package main

import (
	"bytes"
	"encoding/csv"
	"encoding/hex"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/energyd/energyd/client/proof"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// TestBillNamesTrades: a bill says with whom, at which price and by what its
// account traded, in kWh at its own meter.
func TestBillNamesTrades(t *testing.T) {
	bill := billOf(1000)
	if text := billText(bill); strings.Contains(text, "With") {
		t.Errorf("no trades, and yet:\n%s", text)
	}
	other := bytes.Repeat([]byte{9}, 20)
	contract := bytes.Repeat([]byte{7}, 16)
	bill.Sections[0].Statement.Trades = []*settlementv1.Trade{
		{Seller: bill.Account[:], Buyer: other, SoldWh: 1001, BoughtWh: 1000, PriceUcoinPerKwh: 400_000},
		{Seller: other, Buyer: bill.Account[:], SoldWh: 502, BoughtWh: 501, Contract: contract, UnpaidAmountUcoin: 1, UnpaidFeeUcoin: 2},
	}
	text := billText(bill)
	for _, want := range []string{
		"sold", "1.001", "0.4", "market", "bought", "0.501", "0.000003", "contract " + hex.EncodeToString(contract), protocol.Address(other).String(),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("expected %q in:\n%s", want, text)
		}
	}
}

// monthBill has two periods of october and one of november, with a gap.
func monthBill() *proof.Bill {
	const october = 1_793_490_300_000 // 2026-10-31T23:45:00Z
	bill := billOf(october-900_000, october, october+3*900_000)
	other := bytes.Repeat([]byte{9}, 20)
	bill.Without = []int64{october + 900_000}
	s := bill.Sections[1].Statement
	s.ImportWh, s.BoughtWh, s.PaidUcoin, s.GridAloneUcoin, s.BalanceBeforeUcoin, s.BalanceAfterUcoin = 1500, 1500, 345_000, 900_000, 7, 8
	s.Trades = []*settlementv1.Trade{{
		Seller: other, Buyer: bill.Account[:], SoldWh: 1500, BoughtWh: 1500, AmountUcoin: 300_000, FeeUcoin: 45_000,
		FromZone: "east", ToZone: "west", ZoneFeeUcoinPerKwh: 20_000,
	}}
	bill.Sections[2].Statement.Missing = true
	return bill
}

// TestMonthlyBill: sums by month in all forms, and names what is not in it.
func TestMonthlyBill(t *testing.T) {
	sums, err := monthly(monthBill())
	if err != nil {
		t.Fatal(err)
	}
	text := sums.text()
	for _, want := range []string{
		"2026-10", "2026-11", "total", "bought kWh", "1.5", "chain fees coin", "0.015", "zone fees coin", "0.03", "saved coin", "0.555",
		"east", "west", protocol.Address(bytes.Repeat([]byte{9}, 20)).String(),
		"No readings: 1 period.", "Not in it: 2 periods, from 2026-11-01 00:00:00Z to 2026-11-01 00:15:00Z.", "No statement: 1 period, 2026-11-01 00:00:00Z.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "penalty") {
		t.Errorf("a line of zeros in\n%s", text)
	}
	table, err := sums.csv()
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || len(rows) != 4 {
		t.Fatalf("%v: %q", err, table)
	}
	for at, want := range map[int][]string{1: {"2026-10", "2", "1.5", "0.015"}, 2: {"2026-11", "1", "0", "0"}, 3: {"total", "3", "1.5", "0.015"}} {
		place := func(name string) string { return rows[at][slices.Index(rows[0], name)] }
		if got := []string{place("month"), place("periods"), place("bought_kwh"), place("chain_fees_coin")}; !slices.Equal(got, want) {
			t.Errorf("line %d: %v, want %v", at, got, want)
		}
	}
	// The page that explains the columns names each.
	page, err := os.ReadFile("../../docs/bills.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range rows[0] {
		if !strings.Contains(string(page), "`"+column+"`") {
			t.Errorf("docs/bills.md does not explain %s", column)
		}
	}
}

// TestBillMonth: a month is all of its periods and no other's.
func TestBillMonth(t *testing.T) {
	account := protocol.Address(bytes.Repeat([]byte{9}, 20)).String()
	l := new(options).link(t.Context())
	_, from, to, err := billFlags{account: account, month: "2026-02"}.read(l)
	if err != nil || units.FormatTime(from) != "2026-02-01T00:00:00Z" || units.FormatTime(to) != "2026-02-28T23:59:59.999Z" {
		t.Errorf("%s to %s, %v", units.FormatTime(from), units.FormatTime(to), err)
	}
	for _, f := range []billFlags{{account: account, month: "february"}, {account: account, month: "2026-13"}, {account: account, month: "2026-02", from: "7"}} {
		if _, _, _, err := f.read(l); !is[usageError](err) || !strings.HasPrefix(err.Error(), "--month: ") {
			t.Errorf("%+v: %v, want an error of usage", f, err)
		}
	}
}
