package pricematrix

import "github.com/energyd/energyd/units"

// Pair is a contract by the places of its sides, with what is lost on the way.
type Pair struct {
	Seller, Buyer int
	LossPPM       int64
}

// Share serves contracts one after the other: a seller delivers what it has left,
// but no more than meets the buyer's need with what arrives. left are the
// sellers' Wh, need the buyers', both 0 or more; what remains of them is left
// behind. It returns what each contract delivers in Wh at the seller's meter, of
// which units.Net arrives.
func Share(pairs []Pair, left, need []int64) []int64 {
	deliveries := make([]int64, len(pairs))
	for i, pair := range pairs {
		if need[pair.Buyer] == 0 {
			continue
		}
		delivered := units.GrossFor(need[pair.Buyer], pair.LossPPM, left[pair.Seller])
		deliveries[i] = delivered
		left[pair.Seller] -= delivered
		need[pair.Buyer] -= units.Net(delivered, pair.LossPPM)
	}
	return deliveries
}
