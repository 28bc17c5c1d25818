package app_test

import (
	"testing"
	"time"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// A buyer vetoes; the block after clears again, for the one who found too little
// before. All replicas agree on both rounds, however they were run.
func TestSecondRound(t *testing.T) {
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
	if len(matches.Prematches) != 1 {
		t.Fatalf("%d pre-matches, want one", len(matches.Prematches))
	}
	c.Must(500*time.Millisecond, c.Tx(buyer.Key, &matchingv1.MsgConfirm{Period: period, Match: matches.Prematches[0].Id, Veto: true}))
	var book matchingv1.QueryBookResponse
	c.Query(&matchingv1.QueryBookRequest{Period: period}, &book)
	if book.Book.Phase != matchingv1.Phase_PHASE_AGAIN || book.Book.Round != 1 {
		t.Fatalf("book %v, want it to be cleared again", book.Book)
	}
	c.Block(500 * time.Millisecond)
	c.Query(&matchingv1.QueryBookRequest{Period: period}, &book)
	if b := book.Book; b.Phase != matchingv1.Phase_PHASE_FINAL || b.Round != 2 || b.MatchedWh != 1_500 || b.Declined != 1 {
		t.Errorf("book %v, want all that the other buyer wants", b)
	}
}
