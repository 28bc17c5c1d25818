package units

import (
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFormat(t *testing.T) {
	for _, tc := range []struct{ got, want string }{
		{FormatKWh(1_234), "1.234 kWh"},
		{FormatKWh(-5), "-0.005 kWh"},
		{FormatKWh(2_000), "2 kWh"},
		{FormatKWh(0), "0 kWh"},
		{FormatCoins(603_850), "0.60385 coin"},
		{FormatPrice(1_500_000), "1.5 coin/kWh"},
		{FormatPercent(797_000), "79.7 %"},
		{FormatScaled(math.MinInt64, 6), "-9223372036854.775808"},
		{FormatScaled(math.MaxInt64, 0), "9223372036854775807"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

func TestParseScaled(t *testing.T) {
	for _, tc := range []struct {
		text   string
		places int
		want   int64
	}{
		{"1.5", 3, 1_500},
		{"-1.5", 3, -1_500},
		{"0.001", 3, 1},
		{"007", 0, 7},
		{"-0", 3, 0},
		{"9223372036854.775807", 6, math.MaxInt64},
	} {
		if got, err := ParseScaled(tc.text, tc.places); got != tc.want || err != nil {
			t.Errorf("ParseScaled(%q, %d) = %d, %v, want %d", tc.text, tc.places, got, err, tc.want)
		}
	}
}

func TestParseScaledRefuses(t *testing.T) {
	for _, tc := range []struct{ text, says string }{
		{"", "expected a decimal number"},
		{"-", "expected a decimal number"},
		{".5", "expected a decimal number"},
		{"5.", "expected a decimal number"},
		{"--5", "expected a decimal number"},
		{"+5", "expected a decimal number"},
		{"1e3", "expected a decimal number"},
		{"1,5", "expected a decimal number"},
		{"1.2.3", "expected a decimal number"},
		{" 1", "expected a decimal number"},
		{"٣", "expected a decimal number"},
		{"1.2345", "at most 3 decimal places"},
		{"9223372036854775.808", ErrOverflow.Error()},
		{strings.Repeat("9", 400), ErrOverflow.Error()},
	} {
		_, err := ParseScaled(tc.text, 3)
		if err == nil || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("ParseScaled(%q): %v, want %q", tc.text, err, tc.says)
		}
	}
	if _, err := ParseScaled("9223372036854775808", 0); !errors.Is(err, ErrOverflow) {
		t.Errorf("2^63: %v, want %v", err, ErrOverflow)
	}
}

func TestScaledRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Int64Range(math.MinInt64+1, math.MaxInt64).Draw(t, "value")
		places := rapid.IntRange(0, 9).Draw(t, "places")
		text := FormatScaled(value, places)
		if got, err := ParseScaled(text, places); got != value || err != nil {
			t.Fatalf("%q read back: %d, %v, want %d", text, got, err, value)
		}
		scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
		exact, ok := new(big.Rat).SetString(text)
		if !ok || exact.Cmp(new(big.Rat).SetFrac(big.NewInt(value), scale)) != 0 {
			t.Fatalf("%q is not %d / 10^%d", text, value, places)
		}
	})
}

func TestFormatTime(t *testing.T) {
	for ms, want := range map[int64]string{
		1_769_860_800_000: "2026-01-31T12:00:00Z",
		1_769_860_800_050: "2026-01-31T12:00:00.05Z",
		0:                 "1970-01-01T00:00:00Z",
		-1:                "1969-12-31T23:59:59.999Z",
	} {
		if got := FormatTime(ms); got != want {
			t.Errorf("%d ms: got %s, want %s", ms, got, want)
		}
	}
	if got := FormatPower(7500); got != "7.5 kW" {
		t.Errorf("7500 W: got %s", got)
	}
}
