package cmap

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"
)

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

// figures are those of S3 4.4 over the matches of some books.
type figures struct {
	mean, top, worst       float64 // satisfaction of all, of the best and the worst tenth
	rejected               float64 // share of matches below 0.43
	buyers, sellers        float64 // share of their own optimum
	price, clean, distance float64
	matches                float64
}

func (k *testBook) figures(r *Result) figures {
	var satisfactions []int64
	var f figures
	n := float64(len(r.Trades))
	for _, t := range r.Trades {
		satisfactions = append(satisfactions, t.SatisfactionPPM)
		f.price += float64(t.Price) / n
		f.distance += float64(k.link(t.Buy, t.Sell).DistanceM) / n
		if k.sells[t.Sell].Clean {
			f.clean += 1 / n
		}
		if t.SatisfactionPPM < 430_000 {
			f.rejected += 1 / n
		}
	}
	slices.Sort(satisfactions)
	mean := func(values []int64) (sum float64) {
		for _, v := range values {
			sum += float64(v) / One / float64(len(values))
		}
		return sum
	}
	tenth := len(satisfactions) / 10
	f.matches, f.mean, f.worst, f.top = n, mean(satisfactions), mean(satisfactions[:tenth]), mean(satisfactions[len(satisfactions)-tenth:])
	share := func(s *Side) float64 {
		q, _ := new(big.Rat).SetFrac(s.Z, s.Max).Float64()
		return q
	}
	f.buyers, f.sellers = share(&r.Buyers), share(&r.Sellers)
	return f
}

// TestS3Ch4 draws books as S3 4.4.1 does and compares the figures with the
// reproduced column of matching.md 4: within 5 % for satisfaction, shares, price
// and clean share. Every book has above 100 MWh.
func TestS3Ch4(t *testing.T) {
	const draws = 5
	var sum figures
	for seed := range uint64(draws) {
		k := drawS3Ch4(500, seed)
		r := mustClear(t, k)
		f := k.figures(r)
		for _, add := range []struct{ to, of *float64 }{
			{&sum.mean, &f.mean},
			{&sum.top, &f.top},
			{&sum.worst, &f.worst},
			{&sum.rejected, &f.rejected},
			{&sum.buyers, &f.buyers},
			{&sum.sellers, &f.sellers},
			{&sum.price, &f.price},
			{&sum.clean, &f.clean},
			{&sum.distance, &f.distance},
			{&sum.matches, &f.matches},
		} {
			*add.to += *add.of / draws
		}
	}
	t.Logf("%+v", sum)
	for _, c := range []struct {
		name             string
		got, want, close float64
	}{
		{"mean satisfaction", sum.mean, 0.705, 0.05},
		{"top tenth", sum.top, 0.894, 0.05},
		{"worst tenth", sum.worst, 0.445, 0.05},
		{"buyers' share of their optimum", sum.buyers, 0.935, 0.05},
		{"sellers' share of their optimum", sum.sellers, 0.958, 0.05},
		{"price", sum.price, 859_000, 0.05},
		{"clean share", sum.clean, 0.819, 0.05},
		{"distance", sum.distance, 3500, 0.15},
		{"matches", sum.matches, 993, 0.01},
	} {
		if off := c.got/c.want - 1; off > c.close || off < -c.close {
			t.Errorf("%s: %g, want %g within %g", c.name, c.got, c.want, c.close)
		}
	}
}
