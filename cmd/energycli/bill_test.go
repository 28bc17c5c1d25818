package main

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
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
