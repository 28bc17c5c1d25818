package app_test

import (
	"testing"
	"time"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

// The chain stands still from the confirmation of a period until after its end, and
// the first block has all registers of it: matching must be done with the book
// before settlement settles the period and closes the book.
func TestOutageOverAPeriod(t *testing.T) {
	c, seller, buyer, other := market(t)
	start := nextPeriod(c)
	period := start.UnixMilli()
	c.Must(time.Second,
		c.Tx(seller.Key, sell(period, seller, 400_000, 2_000)),
		c.Tx(buyer.Key, buy(period, 500_000, 1_500, false)),
		c.Tx(other.Key, buy(period, 450_000, 1_500, true)))
	c.Until(start.Add(-4 * time.Second)) // the gate

	var matches matchingv1.QueryMatchesResponse
	c.Query(&matchingv1.QueryMatchesRequest{Period: period}, &matches)
	if len(matches.Matches)+len(matches.Prematches) != 2 || len(matches.Prematches) != 1 {
		t.Fatalf("got %d matches and %d pre-matches, want 1 and 1", len(matches.Matches), len(matches.Prematches))
	}
	at, end := period, period+10_000
	c.Must(20*time.Second, c.Readings(
		c.Reading(seller, at, 0, 0), c.Reading(seller, end, 0, 2_000), c.Reading(buyer, at, 0, 0), c.Reading(buyer, end, 700, 0),
		c.Reading(other, at, 0, 0), c.Reading(other, end, 1_500, 0)))

	var settled settlementv1.QueryPeriodResponse
	c.Query(&settlementv1.QueryPeriodRequest{Period: period}, &settled)
	if totals := settled.GetRoot().GetTotals(); totals.GetSoldWh() == 0 || totals.GetGridSoldWh() == 0 {
		t.Errorf("settled %v, want the match that stands and the rest of the grid", settled.Root)
	}
	for _, balance := range c.Balances().Balances {
		if balance.EscrowUcoin != 0 {
			t.Errorf("%x has %d in escrow, want none", balance.Account, balance.EscrowUcoin)
		}
	}
}
