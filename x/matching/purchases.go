package matching

import (
	"bytes"
	"cmp"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// maxPurchases is the most matches that a row of purchases leads to, so that no
// row grows with what its buyer buys.
const maxPurchases = 64

// MatchesOf returns an account's confirmed matches of a period by id. An
// account is on one side of a period only.
func MatchesOf(r state.Reader, period int64, account protocol.Address) []*matchingv1.Match {
	var found []*matchingv1.Match
	for _, match := range matches.All(r, matches.Key().Int64(period).Bytes(account[:])) {
		found = append(found, match)
	}
	if len(found) > 0 {
		return found // who sells in a period does not buy
	}
	for _, row := range purchases.All(r, purchases.Key().Int64(period).Bytes(account[:])) {
		for _, purchase := range row.Purchases {
			if match, ok := matches.Get(r, matchKey(period, purchase.Seller, purchase.Match)); ok {
				found = append(found, match)
			}
		}
	}
	// Rows that were written at different times overlap.
	slices.SortFunc(found, func(a, b *matchingv1.Match) int { return bytes.Compare(a.Id, b.Id) })
	return found
}

// HasMatches says whether an account has confirmed matches in a period.
func HasMatches(r state.Reader, period int64, account protocol.Address) bool {
	for range r.Range(matches.Key().Int64(period).Bytes(account[:]), nil) {
		return true
	}
	for _, row := range purchases.All(r, purchases.Key().Int64(period).Bytes(account[:])) {
		for _, purchase := range row.Purchases {
			if matches.Has(r, matchKey(period, purchase.Seller, purchase.Match)) {
				return true
			}
		}
	}
	return false
}

// recordPurchases writes how matches that were made together are found from their
// buyers, and sorts them for that. No row is written twice: its key names a match
// that was made just now.
func recordPurchases(store state.Store, made []*matchingv1.Match) {
	slices.SortFunc(made, func(a, b *matchingv1.Match) int {
		return cmp.Or(cmp.Compare(a.Period, b.Period), bytes.Compare(a.Buyer, b.Buyer), bytes.Compare(a.Id, b.Id))
	})
	for len(made) > 0 {
		first, row := made[0], &matchingv1.Purchases{}
		for len(made) > 0 && len(row.Purchases) < maxPurchases && made[0].Period == first.Period && bytes.Equal(made[0].Buyer, first.Buyer) {
			row.Purchases = append(row.Purchases, &matchingv1.Purchase{Seller: made[0].Seller, Match: made[0].Id})
			made = made[1:]
		}
		purchases.Set(store, purchasesKey(first.Period, first.Buyer, first.Id), row)
	}
}

// closePurchases removes the rows of a period that has no matches any more.
func closePurchases(store state.Store, period int64) {
	for key := range store.Range(purchases.Key().Int64(period), nil) {
		store.Delete(key)
	}
}
