package pricematrix

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/energyd/energyd/units"
)

// TestShare: whatever the pairs and losses, nobody delivers more than it has or
// gets more than it needs, nothing is lost on the books, and where a contract
// leaves something over on both sides one Wh more would arrive as one too many.
func TestShare(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		energies := rapid.SliceOfN(rapid.Int64Range(0, 3000), 3, 3)
		supply, demand := energies.Draw(rt, "supply"), energies.Draw(rt, "demand")
		var pairs []Pair
		for range rapid.IntRange(0, 9).Draw(rt, "pairs") {
			place := rapid.IntRange(0, 2)
			pairs = append(pairs, Pair{place.Draw(rt, "seller"), place.Draw(rt, "buyer"), rapid.Int64Range(0, 999_999).Draw(rt, "loss")})
		}
		left, need := append([]int64(nil), supply...), append([]int64(nil), demand...)
		for i, delivered := range Share(pairs, left, need) {
			pair := pairs[i]
			if delivered < 0 {
				rt.Fatalf("pair %d delivers %d", i, delivered)
			}
			supply[pair.Seller] -= delivered
			demand[pair.Buyer] -= units.Net(delivered, pair.LossPPM)
			if supply[pair.Seller] > 0 && demand[pair.Buyer] > 0 && units.Net(delivered+1, pair.LossPPM) <= demand[pair.Buyer]+units.Net(delivered, pair.LossPPM) {
				rt.Fatalf("pair %d delivers %d, and one more would be taken", i, delivered)
			}
		}
		for i := range supply {
			if left[i] != supply[i] || need[i] != demand[i] || left[i] < 0 || need[i] < 0 {
				rt.Fatalf("left %v and need %v, want %v and %v, none below 0", left, need, supply, demand)
			}
		}
	})
}
