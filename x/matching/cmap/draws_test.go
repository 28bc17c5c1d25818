package cmap

import "math/rand/v2"

// drawS3Ch4 draws a book as S3 4.4.1 does, by the reading of matching.md 4.
func drawS3Ch4(n int, seed uint64) *testBook {
	r := rand.New(rand.NewPCG(seed, 4))
	k := &testBook{p: Params{PriceMin: 302_300, PriceMax: 1_416_700, RMaxM: 20_000}}
	price := func() int64 { return 302_300 + r.Int64N(1_416_700-302_300+1) }
	buyerPrefers := []Preference{{Price, 500}, {Loss, 300}, {Environment, 200}}
	sellerPrefers := []Preference{{Price, 500}, {Demand, 300}, {Loss, 200}}
	for demand, supply := int64(1), int64(0); supply < demand; {
		k.buys, k.sells, demand, supply = nil, nil, 0, 0
		for range n {
			b := Buy{price(), 48_960 + r.Int64N(453_620-48_960+1), 60 + r.Int64N(41), r.Int32N(5), buyerPrefers}
			s := Sell{price(), 48_960 + r.Int64N(453_620-48_960+1), 60 + r.Int64N(41), r.Int32N(5), false, sellerPrefers}
			s.Clean = s.EnergyType > 0
			k.buys, k.sells = append(k.buys, b), append(k.sells, s)
			demand, supply = demand+b.EnergyWh, supply+s.EnergyWh
		}
	}
	at := make([][4]int64, n)
	for i := range at {
		at[i] = [4]int64{r.Int64N(51_100), r.Int64N(51_100), r.Int64N(51_100), r.Int64N(51_100)}
	}
	k.link = func(b, s int) Link {
		return Link{DistanceM: straight(at[b][0]-at[s][2], at[b][1]-at[s][3]), Eligible: true}
	}
	return k
}
