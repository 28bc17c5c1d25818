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
	}
}

// checkEscrow compares each account's escrow with what its buy orders,
// pre-matches and matches hold.
func checkEscrow(r state.Reader) error {
	held := map[string]int64{}
	for order := range values(buys.All(r, buys.Key())) {
		held[string(order.Account)] += order.EscrowUcoin
	}
	for seal := range values(seals.All(r, seals.Key())) {
		held[string(seal.Account)] += seal.BondUcoin
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

// checkCounts compares what books, presences and the clock of the standing
// orders say with their rows.
func checkCounts(r state.Reader) error {
	if err := checkStandingCount(r); err != nil {
		return err
	}
	type counts struct{ sells, buys, seals, sellWh, buyWh int64 }
	byAccount := map[string]counts{}
	for book := range Books(r) {
		var rows counts
		sold, bid := ordersOf(r, book.Period, nil)
		for _, order := range sold {
			c := byAccount[string(presenceKey(order.Account, order.Period))]
			c.sells++
			c.sellWh += order.EnergyWh
			byAccount[string(presenceKey(order.Account, order.Period))] = c
			rows.sells++
		}
		for _, order := range bid {
			c := byAccount[string(presenceKey(order.Account, order.Period))]
			c.buys++
			c.buyWh += order.EnergyWh
			byAccount[string(presenceKey(order.Account, order.Period))] = c
			rows.buys++
		}
		for _, seal := range sealsOf(r, book.Period, nil) {
			c := byAccount[string(presenceKey(seal.Account, seal.Period))]
			c.seals++
			byAccount[string(presenceKey(seal.Account, seal.Period))] = c
			rows.seals++
		}
		var pending int64
		for range prematches.All(r, prematches.Key().Int64(book.Period)) {
			pending++
		}
		final := rows == counts{} && pending == 0
		counted := rows.sells == book.Sells && rows.buys == book.Buys && rows.seals == book.Seals && rows.sells+rows.buys+rows.seals == book.Orders
		if !isFinal(book) && !counted || pending != book.Pending || isFinal(book) && !final {
			return fmt.Errorf("book of %d: counts %v, has %d sells, %d buys, %d sealed, %d pre-matches", book.Period, book, rows.sells, rows.buys, rows.seals, pending)
		}
	}
	for presence := range values(presences.All(r, presences.Key())) {
		want := counts{presence.Sells, presence.Buys, presence.Seals, presence.SellWh, presence.BuyWh}
		if got := byAccount[string(presenceKey(presence.Account, presence.Period))]; got != want {
			return fmt.Errorf("presence of %x in %d: says %+v, orders are %+v", presence.Account, presence.Period, want, got)
		}
	}
	return nil
}
