package units

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// People read and write kWh and coins; the chain counts Wh and ucoin. These
// functions are the only place where one becomes the other.

// FormatKWh writes Wh as kWh, "1.234 kWh".
func FormatKWh(wh int64) string { return FormatScaled(wh, 3) + " kWh" }

// FormatCoins writes ucoin as coins, "0.60385 coin".
func FormatCoins(ucoin int64) string { return FormatScaled(ucoin, 6) + " coin" }

// FormatPrice writes ucoin per kWh as coins per kWh.
func FormatPrice(ucoinPerKWh int64) string { return FormatScaled(ucoinPerKWh, 6) + " coin/kWh" }

// FormatPercent writes ppm as per cent, "79.7 %".
func FormatPercent(ppm int64) string { return FormatScaled(ppm, 4) + " %" }

// FormatTime writes Unix milliseconds as RFC 3339 in UTC,
// "2026-01-31T12:00:00Z"; one of 1 to 3 digits of milliseconds follows where
// the second is not whole.
func FormatTime(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339Nano) }

// FormatPower writes W as kW, "7.5 kW".
func FormatPower(w int64) string { return FormatScaled(w, 3) + " kW" }

// FormatScaled writes value / 10^places as a decimal without trailing zeros.
func FormatScaled(value int64, places int) string {
	digits := strconv.FormatUint(magnitude(value), 10)
	if len(digits) <= places {
		digits = strings.Repeat("0", places+1-len(digits)) + digits
	}
	text := digits[:len(digits)-places]
	if fraction := strings.TrimRight(digits[len(digits)-places:], "0"); fraction != "" {
		text += "." + fraction
	}
	if value < 0 {
		return "-" + text
	}
	return text
}

// ParseScaled reads a decimal as an integer number of 10^-places, exactly:
// "1.5" with 3 places is 1500. More places than that are an error, not a
// rounding.
func ParseScaled(text string, places int) (int64, error) {
	body, negative := strings.CutPrefix(text, "-")
	whole, fraction, hasPoint := strings.Cut(body, ".")
	if whole == "" || (hasPoint && fraction == "") || !digitsOnly(whole) || !digitsOnly(fraction) {
		return 0, fmt.Errorf("expected a decimal number, got %q", text)
	}
	if len(fraction) > places {
		return 0, fmt.Errorf("expected at most %d decimal places, got %q", places, text)
	}
	value, err := strconv.ParseUint(whole+fraction+strings.Repeat("0", places-len(fraction)), 10, 63)
	if err != nil {
		return 0, fmt.Errorf("expected at most %s, got %q: %w", FormatScaled(math.MaxInt64, places), text, ErrOverflow)
	}
	if negative {
		return -int64(value), nil
	}
	return int64(value), nil
}

func digitsOnly(text string) bool {
	for _, r := range text {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}
