package units

import (
	"testing"
	"time"
)

func TestMonth(t *testing.T) {
	at := func(text string) int64 {
		moment, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		return moment.UnixMilli()
	}
	for _, tc := range []struct{ at, start, text string }{
		{"2026-11-01T00:00:00Z", "2026-11-01T00:00:00Z", "2026-11"},
		{"2026-11-30T23:59:59.999Z", "2026-11-01T00:00:00Z", "2026-11"},
		{"2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-02"},
		{"2027-01-01T00:30:00+01:00", "2026-12-01T00:00:00Z", "2026-12"},
		{"1969-12-31T23:59:59.999Z", "1969-12-01T00:00:00Z", "1969-12"},
	} {
		if got := MonthOf(at(tc.at)); got != at(tc.start) {
			t.Errorf("%s: %s, want %s", tc.at, FormatTime(got), tc.start)
		}
		if got := FormatMonth(at(tc.at)); got != tc.text {
			t.Errorf("%s: %s, want %s", tc.at, got, tc.text)
		}
	}
}
