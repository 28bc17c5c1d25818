package matching

import (
	"fmt"

	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{
		{Name: "I5", Check: checkEscrow},
		{Name: "matching.counts", Check: checkCounts},
		{Name: "matching.energy", Check: checkEnergy},
	}
}

// checkEscrow compares each account's escrow with what its buy orders,
// pre-matches and matches hold.
func checkEscrow(r state.Reader) error {
	held := map[string]int64{}
	for order := range values(buys.All(r, buys.Key())) {
		held[string(order.Account)] += order.EscrowUcoin
	}
	for match := range values(prematches.All(r, prematches.Key())) {
		held[string(match.Buyer)] += match.EscrowUcoin
	}
	for match := range values(matches.All(r, matches.Key())) {
		held[string(match.Buyer)] += match.EscrowUcoin
	}
	for account := range registry.Accounts(r) {
		address := protocol.Address(account.Account)
		if escrow := bank.BalanceOf(r, address).EscrowUcoin; escrow != held[string(account.Account)] {
			return fmt.Errorf("account %v: %d ucoin in escrow, orders and matches hold %d", address, escrow, held[string(account.Account)])
		}
	}
	return nil
}

// checkCounts compares what books and presences say with their rows.
func checkCounts(r state.Reader) error {
	type counts struct{ sells, buys, sellWh, buyWh int64 }
	byAccount := map[string]counts{}
	for book := range Books(r) {
		var rows counts
		sold, bid := ordersOf(r, book.Period, nil)
		for _, order := range sold {
			c := byAccount[string(presenceKey(order.Account, order.Period))]
			byAccount[string(presenceKey(order.Account, order.Period))] = counts{c.sells + 1, c.buys, c.sellWh + order.EnergyWh, c.buyWh}
			rows.sells++
		}
		for _, order := range bid {
			c := byAccount[string(presenceKey(order.Account, order.Period))]
			byAccount[string(presenceKey(order.Account, order.Period))] = counts{c.sells, c.buys + 1, c.sellWh, c.buyWh + order.EnergyWh}
			rows.buys++
		}
		var pending int64
		for range prematches.All(r, prematches.Key().Int64(book.Period)) {
			pending++
		}
		final := rows == counts{} && pending == 0
		if !isFinal(book) && (rows.sells != book.Sells || rows.buys != book.Buys || rows.sells+rows.buys != book.Orders) || pending != book.Pending || isFinal(book) && !final {
			return fmt.Errorf("book of %d: counts %v, has %d sells, %d buys, %d pre-matches", book.Period, book, rows.sells, rows.buys, pending)
		}
	}
	for presence := range values(presences.All(r, presences.Key())) {
		want := counts{presence.Sells, presence.Buys, presence.SellWh, presence.BuyWh}
		if got := byAccount[string(presenceKey(presence.Account, presence.Period))]; got != want {
			return fmt.Errorf("presence of %x in %d: says %+v, orders are %+v", presence.Account, presence.Period, want, got)
		}
	}
	return nil
}

// checkEnergy compares what cleared books say of their energy with their rows,
// over all rounds: what an order has left and what its pre-matches and matches
// hold is no more than it ordered.
func checkEnergy(r state.Reader) error {
	for book := range Books(r) {
		held, waiting := map[string]int64{}, int64(0)
		for match := range values(prematches.All(r, prematches.Key().Int64(book.Period))) {
			waiting += match.EnergyWh
			held[string(match.SellOrder)] += match.EnergyWh
			held[string(match.BuyOrder)] += match.EnergyWh
		}
		for match := range Matches(r, book.Period) {
			held[string(match.SellOrder)] += match.EnergyWh
			held[string(match.BuyOrder)] += match.EnergyWh
		}
		if want := book.MatchedWh + waiting + book.ReturnedWh; book.PrematchedWh != want {
			return fmt.Errorf("book of %d: %d Wh pre-matched, expected %d: matched, waiting and given back", book.Period, book.PrematchedWh, want)
		}
		if pairs := int64(len(declinedIn(r, book.Period))); pairs != book.Declined {
			return fmt.Errorf("book of %d: says %d declined pairs, there are %d", book.Period, book.Declined, pairs)
		}
		sold, bid := ordersOf(r, book.Period, nil)
		for _, order := range sold {
			if order.AvailableWh < 0 || order.AvailableWh+held[string(order.Id)] > order.EnergyWh {
				return fmt.Errorf("sell %x: %d Wh left and %d in matches of %d", order.Id, order.AvailableWh, held[string(order.Id)], order.EnergyWh)
			}
		}
		for _, order := range bid {
			if order.OpenWh < 0 || order.OpenWh+held[string(order.Id)] > order.EnergyWh {
				return fmt.Errorf("buy %x: %d Wh open and %d in matches of %d", order.Id, order.OpenWh, held[string(order.Id)], order.EnergyWh)
			}
		}
	}
	return nil
}
