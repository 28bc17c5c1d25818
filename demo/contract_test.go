package demo

import (
	"reflect"
	"testing"
)

// TestContracts: what is drawn follows from the seed and is what the chain
// takes: pairs once, of different connection points, at prices between feed-in
// and retail, no more of an account than it may have.
func TestContracts(t *testing.T) {
	for seed := range uint64(20) {
		market, err := NewMarket(Generate(seed, generatedMembers, generatedDays), DefaultTariff, seed)
		if err != nil {
			t.Fatal(err)
		}
		drawn := market.Contracts()
		if len(drawn) == 0 {
			t.Fatalf("seed %d: no contracts", seed)
		}
		if !reflect.DeepEqual(drawn, market.Contracts()) {
			t.Fatalf("seed %d: drawn anew, the contracts are others", seed)
		}
		pairs, of := map[[2]int]bool{}, map[int]int{}
		for _, c := range drawn {
			pair := [2]int{c.Seller, c.Buyer}
			seller, buyer := market.Participants[c.Seller], market.Participants[c.Buyer]
			if pairs[pair] || seller.Bus == buyer.Bus || seller.Energy == "" {
				t.Errorf("seed %d: contract of %s and %s, twice: %t", seed, seller.Name, buyer.Name, pairs[pair])
			}
			pairs[pair] = true
			of[c.Seller]++
			of[c.Buyer]++
			if c.Price <= market.Tariff.FeedIn || c.Price >= market.Tariff.Retail || c.Priority < 1 || c.Rank < 1 {
				t.Errorf("seed %d: %+v, want a price between feed-in and retail", seed, c)
			}
		}
		for participant, count := range of {
			if count > maxBuyers+maxSellersOfBuyer {
				t.Errorf("seed %d: participant %d has %d contracts", seed, participant, count)
			}
		}
	}
}
