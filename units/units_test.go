package units

import (
	"errors"
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// checked compares the outcome of a checked operation with the exact result.
func checked(t *rapid.T, name string, exact *big.Int, got int64, err error) {
	t.Helper()
	switch {
	case exact.IsInt64() && err != nil:
		// -2^63 is representable, but the magnitude of a result is checked
		// against 2^63 - 1: refusing it is allowed, wrapping is not.
		if exact.Int64() != math.MinInt64 {
			t.Fatalf("%s: %v, want %v", name, err, exact)
		}
	case exact.IsInt64() && got != exact.Int64():
		t.Fatalf("%s = %d, want %v", name, got, exact)
	case !exact.IsInt64() && !errors.Is(err, ErrOverflow):
		t.Fatalf("%s = %d, %v, want %v for %v", name, got, err, ErrOverflow, exact)
	}
}

// anyInt draws from the whole range, often near its ends and zero.
func anyInt() *rapid.Generator[int64] {
	return rapid.OneOf(
		rapid.Int64(), rapid.Int64Range(-3, 3),
		rapid.Int64Range(math.MinInt64, math.MinInt64+3), rapid.Int64Range(math.MaxInt64-3, math.MaxInt64),
	)
}

func TestArithmeticIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := anyInt().Draw(t, "a"), anyInt().Draw(t, "b"), anyInt().Draw(t, "c")
		x, y := big.NewInt(a), big.NewInt(b)

		sum, err := Add(a, b)
		checked(t, "Add", new(big.Int).Add(x, y), sum, err)
		difference, err := Sub(a, b)
		checked(t, "Sub", new(big.Int).Sub(x, y), difference, err)

		quotient, err := MulDiv(a, b, c)
		if c <= 0 {
			if err == nil || errors.Is(err, ErrOverflow) {
				t.Fatalf("MulDiv by %d: %d, %v, want a refusal of the divisor", c, quotient, err)
			}
			return
		}
		// Quo truncates toward zero, as money does (SPEC 0).
		product := new(big.Int).Mul(x, y)
		checked(t, "MulDiv", product.Quo(product, big.NewInt(c)), quotient, err)
	})
}

func TestAdd(t *testing.T) {
	for _, tc := range []struct {
		a, b, want int64
		err        error
	}{
		{1, 2, 3, nil},
		{math.MaxInt64, math.MinInt64, -1, nil},
		{math.MaxInt64, 1, 0, ErrOverflow},
		{math.MinInt64, -1, 0, ErrOverflow},
		{math.MinInt64, math.MinInt64, 0, ErrOverflow},
		{math.MinInt64, 0, math.MinInt64, nil},
	} {
		if got, err := Add(tc.a, tc.b); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("Add(%d, %d) = %d, %v, want %d, %v", tc.a, tc.b, got, err, tc.want, tc.err)
		}
	}
}

func TestSub(t *testing.T) {
	for _, tc := range []struct {
		a, b, want int64
		err        error
	}{
		{1, 2, -1, nil},
		{0, math.MinInt64, 0, ErrOverflow},
		{-1, math.MinInt64, math.MaxInt64, nil},
		{math.MinInt64, 1, 0, ErrOverflow},
		{math.MaxInt64, -1, 0, ErrOverflow},
	} {
		if got, err := Sub(tc.a, tc.b); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("Sub(%d, %d) = %d, %v, want %d, %v", tc.a, tc.b, got, err, tc.want, tc.err)
		}
	}
}

func TestSum(t *testing.T) {
	if got, err := Sum(); got != 0 || err != nil {
		t.Errorf("Sum() = %d, %v", got, err)
	}
	if got, err := Sum(5, -7, 3); got != 1 || err != nil {
		t.Errorf("Sum(5, -7, 3) = %d, %v", got, err)
	}
	// The order matters: no partial sum may overflow.
	if _, err := Sum(math.MaxInt64, 1, -1); !errors.Is(err, ErrOverflow) {
		t.Errorf("Sum over the top: %v, want %v", err, ErrOverflow)
	}
}

func TestAmount(t *testing.T) {
	for _, tc := range []struct {
		price, energy, want int64
		err                 error
	}{
		{603_850, 1_000, 603_850, nil},
		{603_850, 1_234, 745_150, nil}, // 745150.9 truncated
		{-603_850, 1_234, -745_150, nil},
		{603_850, -1_234, -745_150, nil}, // toward zero, not down
		{1, 999, 0, nil},
		{-1, 999, 0, nil},
		{math.MaxInt64, 1_000, math.MaxInt64, nil},
		{math.MaxInt64, 1_001, 0, ErrOverflow},
	} {
		if got, err := Amount(tc.price, tc.energy); got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("Amount(%d, %d) = %d, %v, want %d, %v", tc.price, tc.energy, got, err, tc.want, tc.err)
		}
	}
}

func TestLossSplitsEnergy(t *testing.T) {
	for _, tc := range []struct{ energy, loss, lost int64 }{
		{1_000, 0, 0},
		{1_000, PPM, 1_000},
		{1_000, 1_500, 1},
		{999, 1_000, 0},
		{math.MaxInt64, PPM, math.MaxInt64},
	} {
		if got := Loss(tc.energy, tc.loss); got != tc.lost {
			t.Errorf("Loss(%d, %d) = %d, want %d", tc.energy, tc.loss, got, tc.lost)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		energy, ppm := rapid.Int64Range(0, math.MaxInt64).Draw(t, "energy"), rapid.Int64Range(0, PPM).Draw(t, "ppm")
		exact := new(big.Int).Mul(big.NewInt(energy), big.NewInt(ppm))
		exact.Div(exact, big.NewInt(PPM))
		if got := Loss(energy, ppm); got != exact.Int64() {
			t.Fatalf("Loss = %d, want %v", got, exact)
		}
		if Net(energy, ppm)+Loss(energy, ppm) != energy {
			t.Fatal("what arrives and what is lost do not add up")
		}
	})
}

// TestGrossForIsGreatest checks the definition: the greatest v up to the limit
// whose net is no more than asked for.
func TestGrossForIsGreatest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		net := rapid.Int64Range(0, 1<<40).Draw(t, "net")
		ppm := rapid.Int64Range(0, PPM).Draw(t, "ppm")
		limit := rapid.Int64Range(0, 1<<41).Draw(t, "limit")
		got := GrossFor(net, ppm, limit)
		if got < 0 || got > limit || Net(got, ppm) > net {
			t.Fatalf("GrossFor = %d with net %d", got, Net(got, ppm))
		}
		if got < limit && Net(got+1, ppm) <= net {
			t.Fatalf("GrossFor = %d, but %d fits too", got, got+1)
		}
	})
}

func TestSqrt(t *testing.T) {
	for _, v := range []uint64{0, 1, 2, 3, 4, 15, 16, 17, 1 << 32, 1<<62 - 1, 1 << 62, 1 << 63, math.MaxUint64, 4294967295 * 4294967295, 4294967295*4294967295 - 1} {
		if got, want := Sqrt(v), new(big.Int).Sqrt(new(big.Int).SetUint64(v)).Uint64(); got != want {
			t.Errorf("Sqrt(%d) = %d, want %d", v, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Uint64().Draw(t, "v")
		if got, want := Sqrt(v), new(big.Int).Sqrt(new(big.Int).SetUint64(v)).Uint64(); got != want {
			t.Fatalf("Sqrt(%d) = %d, want %d", v, got, want)
		}
	})
}
