package device

import (
	"math/big"
	"testing"
	"time"
)

var big1000 = big.NewRat(1000, 1)

func TestHistory(t *testing.T) {
	limits := Limits{RatingW: 10000, StaleAfter: 10 * time.Minute, MaxGap: time.Hour}
	at := func(minutes int, imports, exports int64) Snapshot {
		return Snapshot{ImportWh: imports, ExportWh: exports, StepWh: 1, RolloverWh: 1000000, PowerW: 1000, HasPower: true, Quality: Measured, At: time.Unix(int64(60*minutes), 0), Serial: "A1"}
	}
	with := func(s Snapshot, edit func(*Snapshot)) Snapshot { edit(&s); return s }
	for _, tc := range []struct {
		name string
		seen []Snapshot
		want []Quality
	}{
		{"as it should be", []Snapshot{at(0, 5, 5), at(1, 10, 5), at(2, 10, 9)}, []Quality{Measured, Measured, Measured}},
		{"import back", []Snapshot{at(0, 500, 5), at(1, 499, 5), at(2, 501, 5)}, []Quality{Measured, WentBack, Measured}},
		{"export back", []Snapshot{at(0, 500, 5), at(1, 500, 4)}, []Quality{Measured, WentBack}},
		{"another meter that shows less stays refused", []Snapshot{at(0, 500, 5), at(1, 3, 3), at(2, 4, 3)}, []Quality{Measured, WentBack, WentBack}},
		{"10 kW for a minute are 167 Wh and a step", []Snapshot{at(0, 0, 0), at(1, 168, 0), at(2, 337, 0)}, []Quality{Measured, Measured, Jumped}},
		{"roll-over", []Snapshot{at(0, 999990, 0), at(1, 10, 0)}, []Quality{Measured, RolledOver}},
		{"too far for a roll-over", []Snapshot{at(0, 999990, 0), at(1, 400, 0)}, []Quality{Measured, WentBack}},
		{"no roll-over known", []Snapshot{with(at(0, 999990, 0), func(s *Snapshot) { s.RolloverWh = 0 }), at(1, 10, 0)}, []Quality{Measured, WentBack}},
		{"replaced", []Snapshot{at(0, 5, 0), with(at(1, 6, 0), func(s *Snapshot) { s.Serial = "B2" })}, []Quality{Measured, Replaced}},
		{"the clock went back", []Snapshot{at(9, 5, 0), at(8, 6, 0), at(9, 6, 0), at(10, 6, 0)}, []Quality{Measured, ClockWentBack, ClockWentBack, Measured}},
		{"the same again", []Snapshot{at(9, 5, 0), at(9, 5, 0), at(10, 6, 0), at(10, 6, 0)}, []Quality{Measured, Measured, Measured, Measured}},
		{"two values at one time", []Snapshot{at(9, 5, 0), at(9, 5, 1), at(9, 6, 0)}, []Quality{Measured, ClockWentBack, ClockWentBack}},
		{"gap, and on", []Snapshot{at(0, 5, 0), at(61, 6, 0), at(62, 7, 0)}, []Quality{Measured, Gap, Measured}},
		{"standing still under load", []Snapshot{at(0, 5, 0), at(9, 5, 0), at(10, 5, 0), at(11, 5, 0), at(12, 6, 0)}, []Quality{Measured, Measured, Stale, Stale, Measured}},
		{"standing still without", []Snapshot{at(0, 5, 0), with(at(30, 5, 0), func(s *Snapshot) { s.PowerW = 0 }), at(39, 5, 0)}, []Quality{Measured, Measured, Measured}},
		{"a load below the step", []Snapshot{at(0, 5, 0), with(at(10, 5, 0), func(s *Snapshot) { s.PowerW = 3 })}, []Quality{Measured, Measured}},
		{"nothing read", []Snapshot{{}, with(at(1, 5, 0), func(s *Snapshot) { s.Quality = NotAvailable })}, []Quality{Unread, NotAvailable}},
	} {
		h := NewHistory(limits, nil)
		for i, s := range tc.seen {
			got, err := h.Judge(s)
			if got.Quality != tc.want[i] || (err == nil) != (tc.want[i] == Measured) {
				t.Errorf("%s: snapshot %d is %v, %v; want %v", tc.name, i, got.Quality, err, tc.want[i])
			}
		}
	}
	last := at(0, 500, 0)
	if got, _ := NewHistory(limits, &last).Judge(at(1, 400, 0)); got.Quality != WentBack {
		t.Errorf("after a restart: %v, want %v", got.Quality, WentBack)
	}
	if got, err := NewHistory(Limits{}, &last).Judge(at(600, 900000, 0)); err != nil {
		t.Errorf("without limits: %v, %v", got.Quality, err)
	}
}
