package credit_test

import (
	"errors"
	"testing"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit/market"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/credit"
)

// TestLineCoversOrders: an order that is not escrowed may cost what is free and
// what the lesser of two lines in a row may still draw, to the ucoin; not if it is
// dearer than the grid, for which no bank pays.
func TestLineCoversOrders(t *testing.T) {
	w := newWorld(t, func(g *market.Genesis) {
		g.Params().ReliabilityQuotas = []*registryv1.ReliabilityQuota{{Trades: 9, EnergyWh: 1_000_000}}
		g.Params().FeeUcoinPerKwh = 0
	}, map[string]int64{"home": 8 * million}, "home")
	home := market.Address("home")
	undrawn := func() int64 { return credit.Undrawn(w.Ctx("home"), home) }
	w.openBank(50 * million)
	w.Must("home", demand())
	w.End()
	w.next(nil, "home")
	w.next(map[string]flow{"home": {10_000, 0}}, "home") // 5 coins: a line of 2 for the next period
	if got := undrawn(); got != 0 || w.lineOf("home", w.k+1) == 0 {
		t.Errorf("with the next period's line only: %d", got)
	}
	w.open(map[string]flow{"home": {6_000, 0}}, "home") // the 3 coins that are left
	if got := undrawn(); got != 0 {
		t.Errorf("with one line: %d, want nothing before the next is priced", got)
	}
	w.End()
	w.Begin(w.TimeMs + 1)
	present, next := w.lineOf("home", w.k), w.lineOf("home", w.k+1)
	if got := undrawn(); got != min(present, next) || got == 0 {
		t.Fatalf("got %d, want the lesser of %d and %d", got, present, next)
	}
	covered := bank.BalanceOf(w.Store, home).FreeUcoin + undrawn()
	order := func(price, energyWh int64) error {
		_, err := w.Send("home", &matchingv1.MsgPlaceBuy{Period: at(w.k + 2), PriceUcoinPerKwh: price, EnergyWh: energyWh})
		return err
	}
	const price = 500_000 // the retail price
	energy := covered / price * 1000
	if err := order(price, energy+2000); !errors.Is(err, bank.ErrExposed) {
		t.Errorf("beyond balance and line: %v", err)
	}
	if err := order(price+1, energy); !errors.Is(err, bank.ErrExposed) {
		t.Errorf("dearer than the grid: %v", err)
	}
	if err := order(price, energy); err != nil {
		t.Errorf("within balance and line: %v", err)
	}
	w.End()
}
