package settlement

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/energyd/energyd/units"
)

// TestSold is hand-computed: s_k of a seller.
func TestSold(t *testing.T) {
	for _, test := range []struct {
		name                string
		export, step, sigma int64
		energies, want      []int64
		tolerance           int64
	}{
		{"nothing contracted", 500, 1, 0, nil, nil, 1},
		{"more than enough", 500, 1, 0, []int64{100, 200}, []int64{100, 200}, 1},
		{"exactly", 300, 1, 0, []int64{100, 200}, []int64{100, 200}, 1},
		{"short by the step", 299, 1, 0, []int64{100, 200}, []int64{100, 200}, 1},
		{"short by more than the step", 298, 1, 0, []int64{100, 200}, []int64{99, 199}, 1}, // 99.33, 198.67
		{"coarse meter", 250, 50, 0, []int64{100, 200}, []int64{100, 200}, 50},
		{"within sigma", 285, 1, 50_000, []int64{100, 200}, []int64{100, 200}, 15},
		{"beyond sigma", 284, 1, 50_000, []int64{100, 200}, []int64{95, 189}, 15}, // 94.67, 189.33
		{"nothing delivered", 0, 1, 0, []int64{100, 200}, []int64{0, 0}, 1},
		{"half", 150, 1, 0, []int64{100, 200}, []int64{50, 100}, 1},
		// 10/3 each: one Wh is left and goes to the first, the least id.
		{"tie to the first", 10, 1, 0, []int64{7, 7, 7}, []int64{4, 3, 3}, 1},
		// 20/3 each: two Wh are left.
		{"tie to the first two", 20, 0, 0, []int64{7, 7, 7}, []int64{7, 7, 6}, 0},
		// 3 * 1/6 = 0.5, 3 * 2/6 = 1, 3 * 3/6 = 1.5: one left, a tie.
		{"tie between remainders", 3, 1, 0, []int64{1, 2, 3}, []int64{1, 1, 1}, 1},
		// 5 * 1/6 = 0.83, 5 * 2/6 = 1.67, 5 * 3/6 = 2.5: two left, to .83 and .67.
		{"largest remainders", 5, 0, 0, []int64{1, 2, 3}, []int64{1, 2, 2}, 0},
		{"zero energy among them", 5, 0, 0, []int64{0, 10}, []int64{0, 5}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var contracts []obligation
			for _, energy := range test.energies {
				contracts = append(contracts, obligation{energyWh: energy, lossPPM: 77_777})
			}
			got, err := sold(test.export, test.step, test.sigma, contracts)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.parts, test.want) || got.tolerance != test.tolerance {
				t.Errorf("sold %v: got %v within %d, want %v within %d", test.energies, got.parts, got.tolerance, test.want, test.tolerance)
			}
		})
	}
}

// TestTaken is hand-computed: g_k of a buyer, from what arrives.
func TestTaken(t *testing.T) {
	for _, test := range []struct {
		name             string
		imported         int64
		contracts        []obligation
		contracted       int64
		want, wantArrive []int64
	}{
		{"no loss", 150, []obligation{{100, 0}, {200, 0}}, 300, []int64{50, 100}, []int64{50, 100}},
		{"enough with loss", 900, []obligation{{1000, 100_000}}, 900, []int64{1000}, []int64{900}},
		{"short by the step", 899, []obligation{{1000, 100_000}}, 900, []int64{1000}, []int64{900}},
		// b = 450: 500 - 50 = 450, 501 - 50 = 451.
		{"half with loss", 450, []obligation{{1000, 100_000}}, 900, []int64{500}, []int64{450}},
		// n = 900 and 1000, b = 190 * 9/19 = 90 and 100; 100 - 10 = 90.
		{"pro rata to what arrives", 190, []obligation{{1000, 100_000}, {1000, 0}}, 1900, []int64{100, 100}, []int64{90, 100}},
		{"nothing arrives", 0, []obligation{{1000, 1_000_000}}, 0, []int64{1000}, []int64{0}},
		// n = 10 - floor(10 * 0.5) = 5 each, b = 4 each; 8 - 4 = 4, 9 - 4 = 5.
		{"the greatest that does not exceed", 8, []obligation{{10, 500_000}, {10, 500_000}}, 10, []int64{8, 8}, []int64{4, 4}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := taken(test.imported, 1, 0, test.contracts)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.parts, test.want) || got.contracted != test.contracted {
				t.Fatalf("got %v of %d, want %v of %d", got.parts, got.contracted, test.want, test.contracted)
			}
			for i, part := range got.parts {
				if arrives := units.Net(part, test.contracts[i].lossPPM); arrives != test.wantArrive[i] {
					t.Errorf("part %d: %d arrives, want %d", i, arrives, test.wantArrive[i])
				}
			}
		})
	}
}

func TestShareOverflow(t *testing.T) {
	huge := []obligation{{energyWh: math.MaxInt64}, {energyWh: 1}}
	if _, err := sold(1, 1, 0, huge); !errors.Is(err, units.ErrOverflow) {
		t.Errorf("sold: got %v, want ErrOverflow", err)
	}
	if _, err := taken(1, 1, 0, huge); !errors.Is(err, units.ErrOverflow) {
		t.Errorf("taken: got %v, want ErrOverflow", err)
	}
}

func TestViolates(t *testing.T) {
	for _, test := range []struct {
		contracted, measured, ppm, wh int64
		want                          bool
	}{
		{1000, 1000, 200_000, 100, false},
		{1000, 5000, 0, 0, false}, // more is no violation
		{1000, 800, 200_000, 100, false},
		{1000, 799, 200_000, 100, true},
		{1000, 700, 200_000, 300, false}, // within violation_wh
		{1000, 699, 200_000, 300, true},
		{1000, 700, 400_000, 100, false}, // within violation_ppm
		{1000, 999, 0, 0, true},
	} {
		if got := violates(delivery{contracted: test.contracted}, test.measured, test.ppm, test.wh); got != test.want {
			t.Errorf("%+v: got %t", test, got)
		}
	}
}

// TestShareLaws: no part exceeds its contract, parts sum to what was measured or
// contracted, and nobody is more than a Wh off its exact part.
func TestShareLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		energies := rapid.SliceOfN(rapid.Int64Range(1, 1_000_000_000), 1, 20).Draw(t, "energies")
		loss := rapid.Int64Range(0, units.PPM).Draw(t, "loss")
		total, err := units.Sum(energies...)
		if err != nil {
			t.Fatal(err)
		}
		measured := rapid.Int64Range(0, total+total/4).Draw(t, "measured")
		contracts := make([]obligation, len(energies))
		for i, energy := range energies {
			contracts[i] = obligation{energy, loss}
		}
		s, err := sold(measured, 0, 0, contracts)
		if err != nil {
			t.Fatal(err)
		}
		sum, err := units.Sum(s.parts...)
		if err != nil || sum != min(measured, total) {
			t.Fatalf("parts %v sum to %d, want min(%d, %d)", s.parts, sum, measured, total)
		}
		for i, part := range s.parts {
			exact, err := units.MulDiv(min(measured, total), energies[i], total)
			if err != nil || part < exact || part > exact+1 || part > energies[i] {
				t.Fatalf("part %d of %v: %d, exactly %d", i, energies, part, exact)
			}
		}
		g, err := taken(measured, 0, 0, contracts)
		if err != nil {
			t.Fatal(err)
		}
		var arrives int64
		for i, part := range g.parts {
			if part > energies[i] {
				t.Fatalf("takes %d of %d", part, energies[i])
			}
			arrives += units.Net(part, loss)
		}
		if arrives > measured {
			t.Fatalf("%d arrives, the meter shows %d", arrives, measured)
		}
	})
}
