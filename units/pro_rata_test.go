package units

import (
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestProRata(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		name   string
		amount int64
		parts  []int64
		want   []int64 // nil: an error
	}{
		{"nobody", 0, []int64{}, []int64{}},
		{"nothing", 0, []int64{3, 4}, []int64{0, 0}},
		{"all", 7, []int64{3, 4}, []int64{3, 4}},
		{"parts of 0", 0, []int64{0, 0}, []int64{0, 0}},
		{"in proportion", 10, []int64{10, 20, 70}, []int64{1, 2, 7}},
		// 2.5, 2.5, 5: the tie goes to the lower position.
		{"tie", 10, []int64{5, 5, 10}, []int64{3, 2, 5}},
		// 3.33, 3.33, 3.33
		{"three thirds", 10, []int64{7, 7, 7}, []int64{4, 3, 3}},
		// 0.4, 0.4, 9.2: nothing but the remainder counts.
		{"largest remainder", 10, []int64{1, 1, 23}, []int64{1, 0, 9}},
		{"large", most - 1, []int64{most - 2, 2}, []int64{most - 3, 2}},
		{"more than there is", 8, []int64{3, 4}, nil},
		{"negative amount", -1, []int64{3, 4}, nil},
		{"negative part", 1, []int64{3, -1}, nil},
		{"beyond int64", 1, []int64{most, 1}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ProRata(c.amount, c.parts)
			if (err != nil) != (c.want == nil) {
				t.Fatalf("got error %v", err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestProRataDefinition hands out the amount Wh by Wh, each to the part whose
// share is the farthest below its exact one.
func TestProRataDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.Int64Range(0, 9), 1, 6).Draw(t, "parts")
		var total int64
		for _, p := range parts {
			total += p
		}
		amount := rapid.Int64Range(0, total).Draw(t, "amount")
		want, left := make([]int64, len(parts)), amount
		exact := func(i int) *big.Rat { return big.NewRat(amount*parts[i], max(1, total)) }
		for i := range parts {
			want[i] = new(big.Int).Quo(exact(i).Num(), exact(i).Denom()).Int64()
			left -= want[i]
		}
		for ; left > 0; left-- {
			best, most := 0, big.NewRat(-2, 1)
			for i := range parts {
				if short := new(big.Rat).Sub(exact(i), big.NewRat(want[i], 1)); short.Cmp(most) > 0 {
					best, most = i, short
				}
			}
			want[best]++
		}
		got, err := ProRata(amount, parts)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("got %v, %v, want %v", got, err, want)
		}
	})
}
