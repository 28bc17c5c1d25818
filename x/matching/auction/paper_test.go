package auction

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/energyd/energyd/x/matching/allocation"
)

// TestS3Chapter4 draws the books of S3 4.4 (matching.md 4) and compares the
// simple bilateral matching with the figures reproduced there: 250 pairs, 26.6
// km, 79.8 % clean, 0.853.
func TestS3Chapter4(t *testing.T) {
	const n, runs = 500, 5
	r := rand.New(rand.NewPCG(4, 4))
	var pairs, clean, price, km float64
	for range runs {
		draw := func() (orders, [][2]float64) {
			list, places := make(orders, n), make([][2]float64, n)
			for i := range list {
				list[i] = allocation.Order{Price: 302_300 + r.Int64N(1_114_401), EnergyWh: 48_960 + r.Int64N(404_661)}
				places[i] = [2]float64{51.1 * r.Float64(), 51.1 * r.Float64()}
			}
			return list, places
		}
		buys, from := draw()
		sells, to := draw()
		at, trades, err := HighLow(0, buys, sells)
		if err != nil {
			t.Fatal(err)
		}
		price += float64(at) / runs
		pairs += float64(len(trades)) / runs
		var energy, green float64
		for _, trade := range trades {
			energy += float64(trade.EnergyWh)
			if trade.Sell%5 > 0 { // one type of five is not clean
				green += float64(trade.EnergyWh)
			}
			dx, dy := from[trade.Buy][0]-to[trade.Sell][0], from[trade.Buy][1]-to[trade.Sell][1]
			km += math.Hypot(dx, dy) / float64(len(trades)) / runs
		}
		clean += green / energy / runs
	}
	t.Logf("pairs %.0f, distance %.1f km, clean %.1f %%, price %.3f", pairs, km, 100*clean, price/1e6)
	near(t, "pairs", pairs, 250, 0.05)
	near(t, "distance", km, 26.6, 0.05)
	near(t, "clean", clean, 0.798, 0.05)
	near(t, "price", price/1e6, 0.853, 0.05)
}

// TestS3Chapter3 draws the books of S3 3.5 (matching.md 4), where the double
// auction sells no clean energy: reproduced 0 %, and 3451 to 4652 kWh.
func TestS3Chapter3(t *testing.T) {
	const runs = 5
	r := rand.New(rand.NewPCG(3, 3))
	var clean, energy float64
	for range runs {
		buys, sells := make(orders, 500), make(orders, 1000)
		for i := range buys {
			buys[i] = allocation.Order{Price: 400_000 + r.Int64N(200_001), EnergyWh: 10_000 + r.Int64N(10_001)}
		}
		for i := range sells {
			sells[i] = allocation.Order{Price: 500_000 + r.Int64N(100_001), EnergyWh: 10_000 + r.Int64N(40_001)}
			if i%5 == 0 { // fossil
				sells[i].Price -= 100_000
			}
		}
		a, err := Clear(0, buys, sells)
		if err != nil {
			t.Fatal(err)
		}
		energy += float64(a.EnergyWh) / 1000 / runs
		for i, sold := range a.Sold {
			if i%5 > 0 {
				clean += float64(sold) / float64(a.EnergyWh) / runs
			}
		}
	}
	t.Logf("clean %.1f %%, %.0f kWh", 100*clean, energy)
	if clean > 0.05 {
		t.Errorf("clean: got %.3f, want 0.05 at most", clean)
	}
	if energy < 3451 || energy > 4652*1.05 {
		t.Errorf("energy: got %.0f kWh, want 3451 to 4652", energy)
	}
}

func near(t *testing.T, name string, got, want, tolerance float64) {
	t.Helper()
	if math.Abs(got-want) > tolerance*want {
		t.Errorf("%s: got %.3f, want %.3f within %.0f %%", name, got, want, 100*tolerance)
	}
}
