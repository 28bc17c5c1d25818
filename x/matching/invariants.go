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

// checkCounts compares what books, presences, loads and the clock of the standing
// orders say with their rows.
func checkCounts(r state.Reader) error {
	if err := checkStandingCount(r); err != nil {
		return err
	}
	type counts struct{ sells, buys, seals, sellWh, buyWh int64 }
	byAccount := map[string]counts{}
	for book := range Books(r) {
		var rows counts
		sold, bid := ordersOf(r, book.Period, book.Market, nil)
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
		for _, seal := range sealsOf(r, book.Period, book.Market, nil) {
			c := byAccount[string(presenceKey(seal.Account, seal.Period))]
			c.seals++
			byAccount[string(presenceKey(seal.Account, seal.Period))] = c
			rows.seals++
		}
		pending := int64(len(prematchesOf(r, book)))
		final := rows == counts{} && pending == 0
		counted := rows.sells == book.Sells && rows.buys == book.Buys && rows.seals == book.Seals && rows.sells+rows.buys+rows.seals == book.Orders
		if !isFinal(book) && !counted || pending != book.Pending || isFinal(book) && !final {
			return fmt.Errorf("book of %d, market %d: counts %v, has %d sells, %d buys, %d sealed, %d pre-matches",
				book.Period, book.Market, book, rows.sells, rows.buys, rows.seals, pending)
		}
	}
	for presence := range values(presences.All(r, presences.Key())) {
		want := counts{presence.Sells, presence.Buys, presence.Seals, presence.SellWh, presence.BuyWh}
		if got := byAccount[string(presenceKey(presence.Account, presence.Period))]; got != want {
			return fmt.Errorf("presence of %x in %d: says %+v, orders are %+v", presence.Account, presence.Period, want, got)
		}
	}
	return checkLoads(r)
}

// checkLoads compares the load of each period with the books of all markets.
func checkLoads(r state.Reader) error {
	orders := map[int64]int64{}
	for book := range Books(r) {
		if book.Orders > 0 {
			orders[book.Period] += book.Orders
		}
	}
	for load := range values(loads.All(r, loads.Key())) {
		if load.Orders != orders[load.Period] {
			return fmt.Errorf("load of %d: says %d orders, books have %d", load.Period, load.Orders, orders[load.Period])
		}
		delete(orders, load.Period)
	}
	if len(orders) > 0 {
		return fmt.Errorf("%d periods with orders have no load", len(orders))
	}
	return nil
}

// checkEnergy compares what cleared books say of their energy with their rows,
// over all rounds: what an order has left and what its pre-matches and matches
// hold is no more than it ordered.
func checkEnergy(r state.Reader) error {
	for book := range Books(r) {
		held, waiting := map[string]int64{}, int64(0)
		for _, match := range prematchesOf(r, book) {
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
		if pairs := int64(len(declinedIn(r, book.Period, book.Market))); pairs != book.Declined {
			return fmt.Errorf("book of %d: says %d declined pairs, there are %d", book.Period, book.Declined, pairs)
		}
		sold, bid := ordersOf(r, book.Period, book.Market, nil)
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
