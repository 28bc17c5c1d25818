package proof

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
)

// TestSummaries sums three periods of two months by hand.
func TestSummaries(t *testing.T) {
	me, sun, home := protocol.KeyAddress([]byte("me")), protocol.KeyAddress([]byte("sun")), protocol.KeyAddress([]byte("home"))
	at := func(text string) int64 {
		moment, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment.UnixMilli()
	}
	bill := &Bill{Account: me, Sections: []BillSection{
		{Statement: &settlementv1.Statement{
			Period: at("2026-10-31T23:45:00Z"), ImportWh: 1000, BoughtWh: 999, GridImportWh: 1, PaidUcoin: 245_500, FeesUcoin: 45_000, GridPaidUcoin: 500,
			GridAloneUcoin: 500_000, CertificatesWh: 999, BalanceBeforeUcoin: 10, BalanceAfterUcoin: 20,
			Trades: []*settlementv1.Trade{{
				Seller: sun[:], Buyer: me[:], SoldWh: 1000, BoughtWh: 999, AmountUcoin: 200_000, FeeUcoin: 45_000, FromZone: "east", ToZone: "west",
				ZoneFeeUcoinPerKwh: 20_000, CertifiedWh: 1000,
			}},
		}},
		{Statement: &settlementv1.Statement{
			Period: at("2026-11-01T00:00:00Z"), ExportWh: 500, SoldWh: 400, GridExportWh: 100, ReceivedUcoin: 90_000, GridReceivedUcoin: 10_000,
			GridAloneUcoin: -50_000, Estimated: true, BalanceBeforeUcoin: 20, BalanceAfterUcoin: 30, LoansRepaidUcoin: 7,
			Trades: []*settlementv1.Trade{{Seller: me[:], Buyer: home[:], SoldWh: 400, BoughtWh: 399, AmountUcoin: 80_000, FeeUcoin: 2_000, Contract: []byte{1}}},
		}},
		{Statement: &settlementv1.Statement{Period: at("2026-11-01T00:15:00Z"), Missing: true, DebtUcoin: 5, PenaltyUcoin: 5, BalanceBeforeUcoin: 30, BalanceAfterUcoin: 30}},
	}}
	months, all, err := bill.Summaries()
	if err != nil {
		t.Fatal(err)
	}
	fromSun := Partner{Account: sun.String(), BoughtWh: 999, BoughtUcoin: 200_000, FeesUcoin: 45_000, CertifiedWh: 1000}
	toHome := Partner{Account: home.String(), SoldWh: 400, SoldUcoin: 80_000, ContractWh: 400}
	october := &BillSummary{
		Month: "2026-10", Periods: 1, ImportWh: 1000, BoughtWh: 999, GridImportWh: 1, PurchasesUcoin: 200_000, ChainFeesUcoin: 25_000, ZoneFeesUcoin: 20_000,
		GridPaidUcoin: 500, PaidUcoin: 245_500, GridAloneUcoin: 500_000, SavedUcoin: 254_500, CertificatesWh: 999, BalanceBeforeUcoin: 10, BalanceAfterUcoin: 20,
		Partners: []Partner{fromSun}, Ways: []Way{{FromZone: "east", ToZone: "west", SoldWh: 1000, FeeUcoin: 20_000}},
	}
	november := &BillSummary{
		Month: "2026-11", Periods: 2, Missing: 1, Estimated: 1, ExportWh: 500, SoldWh: 400, GridExportWh: 100, GridReceivedUcoin: 10_000, ReceivedUcoin: 90_000,
		DebtUcoin: 5, PenaltyUcoin: 5, LoansRepaidUcoin: 7, GridAloneUcoin: -50_000, SavedUcoin: 39_995, BalanceBeforeUcoin: 20, BalanceAfterUcoin: 30,
		Partners: []Partner{toHome},
	}
	ignore := cmpopts.IgnoreUnexported(Partner{})
	if diff := cmp.Diff([]*BillSummary{october, november}, months, ignore); diff != "" {
		t.Errorf("months (-want +got):\n%s", diff)
	}
	if all.Month != "" || all.Periods != 3 || all.SavedUcoin != 254_500+39_995 || all.BalanceBeforeUcoin != 10 || all.BalanceAfterUcoin != 30 || len(all.Partners) != 2 {
		t.Errorf("in all: %+v", all)
	}
	bill.Sections[1].Statement.DebtUcoin = 1<<63 - 1
	if _, _, err := bill.Summaries(); err == nil {
		t.Error("a sum beyond 64 bits")
	}
}

// TestOldBillVerifies: a file of before statements knew of certificates and zones
// verifies; what says something may not be left out, nor may a number change.
func TestOldBillVerifies(t *testing.T) {
	w := newWorld(t)
	data := string(marshal(t, w.bill))
	newer := regexp.MustCompile(`,\s*"(certified_wh|energy_type|from_zone|to_zone|zone_fee_ucoin_per_kwh|zone_fees_ucoin|certificates[a-z_]*)": (0|""|"unspecified")`)
	old := newer.ReplaceAllString(data, "")
	if strings.Contains(old, "certificates") || strings.Contains(old, "zone") || len(old) == len(data) {
		t.Fatalf("nothing was left out:\n%s", old)
	}
	if err := check([]byte(old), w.trusted()); err != nil {
		t.Errorf("old file: %v", err)
	}
	for _, tc := range []struct{ from, to string }{
		{`"version": 1,`, ``},
		{`"fees_ucoin": 9900,`, ``},
		{`"import_wh": 1500`, `"import_wh": 1501`},
		{`"outcome": 1`, `"outcome": 1.0`},
		{`"missing": false`, `"missing": true`},
		{`"missing": false`, `"certificates_wh": 1, "missing": false`},
		{`"repaid_ucoin": 0`, `"repaid_ucoin": 00`},
	} {
		changed := strings.Replace(old, tc.from, tc.to, 1)
		if changed == old {
			t.Fatalf("%q is not in the bill", tc.from)
		}
		if err := check([]byte(changed), w.trusted()); err == nil {
			t.Errorf("%q for %q verifies", tc.to, tc.from)
		}
	}
}
