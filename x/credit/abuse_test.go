package credit_test

import (
	"testing"

	"google.golang.org/protobuf/proto"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// TestLineIsNoMoney: the wallet that borrower and bank share pays for metered
// energy and for nothing else. home has no coins and a line of 5: it cannot send
// them, bid with them, put them into a bank or repay its loan with them, and
// nobody sends coins into the bank by a transfer.
func TestLineIsNoMoney(t *testing.T) {
	other, capital := market.Address("other"), pool()
	for _, test := range []struct {
		name, sender string
		msg          proto.Message
		code         string
	}{
		{"a transfer", "home", &bankv1.MsgTransfer{To: other[:], AmountUcoin: 1}, "bank/insufficient_funds"},
		{"a buy in the market", "home", &matchingv1.MsgPlaceBuy{
			Period: at(6), PriceUcoinPerKwh: 300_000, EnergyWh: 1000, Consent: &matchingv1.Consent{Standing: true},
		}, "bank/insufficient_funds"},
		{"its loan", "home", repay(1), "bank/insufficient_funds"},
		{"a transfer to the bank", "other", &bankv1.MsgTransfer{To: capital[:], AmountUcoin: 1}, "bank/unknown_account"},
		{"more capital than there is", agg, &creditv1.MsgWithdrawCapital{AmountUcoin: 43*million + 1}, "credit/insufficient_capital"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t, nil, map[string]int64{"home": 8 * million}, "home", "other")
			w.openBank(50 * million)
			w.Must("home", demand())
			w.End()
			drawn := map[string]flow{"home": {10_000, 0}}
			w.next(nil, "home")
			w.next(drawn, "home")
			w.next(drawn, "home")
			w.open(nil, "home")
			if got := w.loans("home"); got.Line.GetUndrawnUcoin() != 5*million || got.OwedUcoin == 0 || w.free("home") != 0 {
				t.Fatalf("want a line, a loan and no coins: %v, %d", got, w.free("home"))
			}
			before := string(w.Export()["credit"]) + string(w.Export()["bank"])
			if _, err := w.Send(test.sender, test.msg); !is(err, test.code) {
				t.Errorf("got %v, want %s", err, test.code)
			}
			if string(w.Export()["credit"])+string(w.Export()["bank"]) != before {
				t.Error("refused, and changed the state")
			}
		})
	}
}
