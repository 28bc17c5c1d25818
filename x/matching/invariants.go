package matching

import (
	"bytes"
	"fmt"
	"iter"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
	"github.com/energyd/energyd/x/reputation"
)

// Invariants implements module.InvariantChecker.
func (Module) Invariants() []module.Invariant {
	return []module.Invariant{
		{Name: "I5", Check: checkEscrow},
		{Name: "matching.exposure", Check: checkExposure},
		{Name: "matching.charges", Check: checkCharges},
		{Name: "matching.counts", Check: checkCounts},
		{Name: "matching.energy", Check: checkEnergy},
		{Name: "matching.purchases", Check: checkPurchases},
	}
}

// checkEscrow compares each account's escrow with what its orders, bonds,
// pre-matches and matches hold.
func checkEscrow(r state.Reader) error {
	held := map[string]int64{}
	for order := range values(sells.All(r, sells.Key())) {
		held[string(order.Account)] += order.SecurityUcoin
	}
	for order := range values(buys.All(r, buys.Key())) {
		held[string(order.Account)] += order.EscrowUcoin
	}
	for seal := range values(seals.All(r, seals.Key())) {
		held[string(seal.Account)] += seal.BondUcoin
	}
	for match := range allMatches(r) {
		held[string(match.Buyer)] += match.EscrowUcoin
		held[string(match.Seller)] += match.SecurityUcoin
	}
	for account := range registry.Accounts(r) {
		address := protocol.Address(account.Account)
		if escrow := bank.BalanceOf(r, address).EscrowUcoin; escrow != held[string(account.Account)] {
			return fmt.Errorf("account %v: %d ucoin in escrow, orders and matches hold %d", address, escrow, held[string(account.Account)])
		}
	}
	return nil
}

// checkExposure compares each account's exposure with what its demands and their
// matches may cost beyond their escrow, no part of which is below zero.
func checkExposure(r state.Reader) error {
	exposed := map[string]int64{}
	for order := range values(buys.All(r, buys.Key())) {
		if order.ExposedUcoin < 0 || order.EscrowUcoin < 0 {
			return fmt.Errorf("buy %x: %d ucoin in escrow and %d exposed", order.Id, order.EscrowUcoin, order.ExposedUcoin)
		}
		exposed[string(order.Account)] += order.ExposedUcoin
	}
	for order := range values(sells.All(r, sells.Key())) {
		if order.SecurityUcoin < 0 {
			return fmt.Errorf("sell %x: %d ucoin of security", order.Id, order.SecurityUcoin)
		}
	}
	for match := range allMatches(r) {
		if match.ExposedUcoin < 0 || match.EscrowUcoin < 0 || match.SecurityUcoin < 0 {
			return fmt.Errorf("match %x: %d ucoin in escrow, %d exposed, %d of security", match.Id, match.EscrowUcoin, match.ExposedUcoin, match.SecurityUcoin)
		}
		exposed[string(match.Buyer)] += match.ExposedUcoin
	}
	for account := range registry.Accounts(r) {
		address := protocol.Address(account.Account)
		if got := bank.BalanceOf(r, address).ExposedUcoin; got != exposed[string(account.Account)] {
			return fmt.Errorf("account %v: %d ucoin exposed, orders and matches come to %d", address, got, exposed[string(account.Account)])
		}
	}
	return nil
}

// allMatches yields pre-matches and matches.
func allMatches(r state.Reader) iter.Seq[*matchingv1.Match] {
	return func(yield func(*matchingv1.Match) bool) {
		for _, table := range []state.Map[*matchingv1.Match]{prematches, matches} {
			for _, match := range table.All(r, table.Key()) {
				if !yield(match) {
					return
				}
			}
		}
	}
}

// checkCharges says that an account's quota is charged for at least the orders
// that are in books and were charged to its present verification: with what they
// have left and in matches. What was matched before stays charged.
func checkCharges(r state.Reader) error {
	held := map[string]int64{}
	for match := range allMatches(r) {
		held[string(match.SellOrder)] += match.EnergyWh
		held[string(match.BuyOrder)] += match.EnergyWh
	}
	type charges struct{ orders, energyWh int64 }
	least := map[string]charges{}
	count := func(account []byte, verification int64, id []byte, restWh int64) {
		known := reputation.ReliabilityOf(r, protocol.Address(account))
		if energyWh := restWh + held[string(id)]; energyWh > 0 && verification == known.Verification {
			c := least[string(account)]
			least[string(account)] = charges{c.orders + 1, c.energyWh + energyWh}
		}
	}
	for order := range values(sells.All(r, sells.Key())) {
		count(order.Account, order.Verification, order.Id, order.AvailableWh)
	}
	for order := range values(buys.All(r, buys.Key())) {
		count(order.Account, order.Verification, order.Id, order.OpenWh)
	}
	for account := range registry.Accounts(r) {
		known, want := reputation.ReliabilityOf(r, protocol.Address(account.Account)), least[string(account.Account)]
		if known.Trades < want.orders || known.EnergyWh < want.energyWh {
			return fmt.Errorf("account %v: charged for %d orders and %d Wh, those in books come to %d and %d",
				protocol.Address(account.Account), known.Trades, known.EnergyWh, want.orders, want.energyWh)
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

// checkPurchases says that each match is found from its buyer, once, and that
// nothing but books of their period keeps the rows that lead to matches.
func checkPurchases(r state.Reader) error {
	rows, found := 0, map[string]int{}
	for period := range Periods(r) {
		prefix := purchases.Key().Int64(period)
		for key, row := range purchases.All(r, prefix) {
			rows++
			buyer := key[len(prefix):][:protocol.AddressSize]
			if n := len(row.Purchases); n < 1 || n > maxPurchases || !bytes.Equal(key, purchasesKey(period, buyer, row.Purchases[0].Match)) {
				return fmt.Errorf("purchases of %v in %d: %d in row %x, expected 1 to %d and the key of the first", protocol.Address(buyer), period, n, []byte(key), maxPurchases)
			}
			for _, purchase := range row.Purchases {
				at := matchKey(period, purchase.Seller, purchase.Match)
				if match, ok := matches.Get(r, at); ok && bytes.Equal(match.Buyer, buyer) {
					found[string(at)]++
				} else if ok {
					return fmt.Errorf("match %x: found from %v, its buyer is %v", match.Id, protocol.Address(buyer), protocol.Address(match.Buyer))
				}
			}
		}
	}
	for key, match := range matches.All(r, matches.Key()) {
		if n := found[string(key)]; n != 1 {
			return fmt.Errorf("match %x: found %d times from its buyer, expected once", match.Id, n)
		}
	}
	for range r.Range(purchases.Key(), nil) {
		rows--
	}
	if rows != 0 {
		return fmt.Errorf("%d rows of purchases in periods without a book", -rows)
	}
	return nil
}
