package credit_test

import (
	"testing"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	gridv1 "github.com/energyd/energyd/gen/energy/grid/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// limit is what the only borrower of the block's pricing might borrow.
func (w *world) limit() int64 {
	w.T.Helper()
	priced := market.Happened[*creditv1.LoansPriced](w.Market)
	if len(priced) != 1 || len(priced[0].Pricing.Borrowers) != 1 {
		w.T.Fatalf("want one pricing of one borrower, got %v", priced)
	}
	return priced[0].Pricing.Borrowers[0].LimitUcoin
}

// TestLimitLessOwed: of the cap of 10 coins 2 are owed and 5 may still be drawn in
// the running period; two bills of 5 that nothing covers would need 10.
func TestLimitLessOwed(t *testing.T) {
	w := short(t)
	w.next(nil) // nothing read
	if got := w.limit(); got != 3*million {
		t.Errorf("got %d, want 3 coins", got)
	}
}

// TestLimitLessEscrow: coins held for an order cover what is to be paid as well.
func TestLimitLessEscrow(t *testing.T) {
	w := newWorld(t, nil, map[string]int64{"home": 8 * million}, "home")
	w.openBank(50 * million)
	w.Must("home", demand())
	w.Must("home", &matchingv1.MsgPlaceBuy{
		Period: at(5), PriceUcoinPerKwh: 300_000, EnergyWh: 5_000, Consent: &matchingv1.Consent{Standing: true},
	})
	if held := 8*million - w.free("home"); held < million {
		t.Fatalf("held: %d", held)
	}
	w.End()
	w.next(nil, "home")
	w.next(map[string]flow{"home": {10_000, 0}}, "home")
	if got := w.limit(); got != 2*million {
		t.Errorf("got %d, want 2 coins: a bill of 5 less the 3 that it has", got)
	}
}

// TestLimitAtRetailToCome: the bill is estimated at the price of the period that
// is priced, not of the running one.
func TestLimitAtRetailToCome(t *testing.T) {
	w := newWorld(t, nil, map[string]int64{"home": 5 * million}, "home")
	w.openBank(50 * million)
	w.Must("home", demand())
	w.Decree(&gridv1.MsgSetTariff{TariffClass: "home", RetailUcoinPerKwh: 700_000, FeedInUcoinPerKwh: market.FeedIn})
	from := market.Happened[*gridv1.TariffSet](w.Market)[0].FromPeriod
	w.End()
	for at(w.k+2) < from {
		w.next(nil, "home")
	}
	w.next(map[string]flow{"home": {10_000, 0}}, "home") // 5 coins at 0.5: all it has
	if got := w.limit(); at(w.k+1) != from || got != 7*million {
		t.Errorf("got %d, want 10 kWh at 0.7", got)
	}
}

// TestLimitOfSilentMeter: each period that the meters have not closed is one more
// bill to expect, until the deadline at which the account is settled as missing.
func TestLimitOfSilentMeter(t *testing.T) {
	w := newWorld(t, func(g *market.Genesis) { g.Params().CreditCapsUcoin = []int64{50 * million} },
		map[string]int64{"home": 5 * million}, "home")
	w.openBank(90 * million)
	w.Must("home", demand())
	w.End()
	w.next(nil, "home")
	w.next(map[string]flow{"home": {10_000, 0}}, "home") // 5 coins: all it has
	for i, want := range []int64{5, 10, 15, 15, 15} {    // the deadline is two periods later
		if i > 0 {
			w.next(nil)
		}
		if got := w.limit(); got != want*million {
			t.Errorf("silent for %d periods: got %d, want %d coins", i, got, want)
		}
	}
}
