package kproto

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

var thesisParams = Params{RespectLimits: true, RangePrice: 200_000, RangeEnergyWh: 40_000, RangeCredit: 100, RangeLossPPM: 100_000}

func thesisPlane(seed uint64, n int) ([]Buy, []Sell, *Plane) {
	r := rand.New(rand.NewPCG(seed, 2))
	between := func(low, high int64) int64 { return low + r.Int64N(high-low+1) }
	place := func() Place { return Place{between(0, 7071), between(0, 7071)} }
	buys, sells := make([]Buy, n), make([]Sell, n)
	plane := &Plane{Buys: make([]Place, n), Sells: make([]Place, n), PPMPerKM: 10_000}
	weight := func() int64 { return between(0, 1000) }
	for i := range n {
		buys[i] = anyone(Buy{
			Price: between(400_000, 600_000), EnergyWh: between(10_000, 20_000), Environment: 1,
			Credit: between(0, 100), EnergyType: int32(between(0, 4)),
			Weights: Weights{weight(), weight(), weight(), weight(), weight(), weight()},
		})
		energyType := between(0, 4)
		s := Sell{EnergyWh: between(10_000, 50_000), Credit: between(0, 100), EnergyType: int32(energyType), Identity: None, Point: None}
		if energyType == 0 {
			s.Price = between(400_000, 500_000)
		} else {
			s.Price, s.Environment = between(500_000, 600_000), 1
		}
		sells[i] = s
		plane.Buys[i], plane.Sells[i] = place(), place()
	}
	return buys, sells, plane
}

func TestTune(t *testing.T) {
	for _, n := range []int{250, 500, 1000, 2000, 10000, 100000} {
		buys, sells, plane := thesisPlane(1, n)
		for _, limits := range []bool{true, false} {
			for _, kind := range []string{"plane", "func"} {
				p := thesisParams
				p.RespectLimits = limits
				var l Losses = plane
				if kind == "func" {
					l = LossFunc(plane.Between)
				}
				var out string
				for _, from := range []int{math.MaxInt, 0} {
					if n > 10000 && (from > 0 || kind == "func") {
						continue
					}
					start := time.Now()
					tr := clearWith(p, buys, sells, l, from)
					out += fmt.Sprint(" ", time.Since(start), len(tr))
				}
				t.Log(n, limits, kind, out)
			}
		}
	}
}
