package units

import "time"

// MonthOf returns the start of the UTC month in which a time lies, both in Unix ms.
func MonthOf(ms int64) int64 {
	year, month, _ := time.UnixMilli(ms).UTC().Date()
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
}

// FormatMonth writes a time's UTC month, "2026-11".
func FormatMonth(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01") }
