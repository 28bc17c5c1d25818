package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyd/energyd/client/proof"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

func billOf(periods ...int64) *proof.Bill {
	bill := new(proof.Bill)
	for _, period := range periods {
		bill.Sections = append(bill.Sections, proof.BillSection{Statement: &settlementv1.Statement{Period: period}})
	}
	return bill
}

func TestGaps(t *testing.T) {
	for _, tc := range []struct {
		periods []int64
		want    []gap
	}{
		{nil, []gap{}},
		{[]int64{100}, []gap{}},
		{[]int64{100, 300}, []gap{}},
		{[]int64{100, 110, 120}, []gap{}},
		{[]int64{100, 110, 140, 150, 170}, []gap{{120, 130, 2}, {160, 160, 1}}},
		{[]int64{-1 << 62, 1 << 62}, []gap{}},
	} {
		if diff := cmp.Diff(tc.want, gapsOf(billOf(tc.periods...))); diff != "" {
			t.Errorf("%v (-want +got):\n%s", tc.periods, diff)
		}
	}
	if got, want := (gap{0, 0, 1}).String(), "1 period, 1970-01-01 00:00:00Z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (gap{0, 60_000, 2}).String(), "2 periods, from 1970-01-01 00:00:00Z to 1970-01-01 00:01:00Z"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
