package main

import (
	"fmt"

	"github.com/energyd/energyd/client/proof"
)

// gap is a row of periods that a bill does not have between two that it has.
type gap struct {
	From    int64 `json:"from"` // first missing period
	To      int64 `json:"to"`   // last missing period
	Periods int64 `json:"periods"`
}

// gapsOf returns a bill's gaps. Without a node nobody says how long a period
// is: the smallest distance of two is taken for it.
func gapsOf(bill *proof.Bill) []gap {
	found := []gap{}
	var length int64
	for i := 1; i < len(bill.Sections); i++ {
		if d := distance(bill, i); d > 0 && (length == 0 || d < length) {
			length = d
		}
	}
	for i := 1; i < len(bill.Sections); i++ {
		if d := distance(bill, i); length > 0 && d > length {
			end := bill.Sections[i].Statement.Period
			found = append(found, gap{From: end - d + length, To: end - length, Periods: d/length - 1})
		}
	}
	return found
}

// distance returns how long after the one before it section i begins.
func distance(bill *proof.Bill, i int) int64 {
	return bill.Sections[i].Statement.Period - bill.Sections[i-1].Statement.Period
}

func (g gap) String() string {
	return fmt.Sprintf("%s, %s", periodCount(g.Periods), span(g.From, g.To))
}

// span writes what is from one period to another.
func span(from, to int64) string {
	if from == to {
		return periodTime(from)
	}
	return "from " + periodTime(from) + " to " + periodTime(to)
}

func periodCount(n int64) string {
	if n == 1 {
		return "1 period"
	}
	return fmt.Sprintf("%d periods", n)
}
