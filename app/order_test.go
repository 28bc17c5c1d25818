package app_test

import (
	"testing"
	"time"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/internal/testkit"
)

// Transactions of a block are executed one after the other, as they stand in it:
// each of these sends on what the one before brought, and none could be paid
// without it.
func TestExecutedInTheirOrder(t *testing.T) {
	c, first, second, third := market(t)
	var txs [][]byte
	amount, members := int64(coins), []*testkit.Member{first, second, third}
	for i := range 12 {
		from, to := members[i%3], members[(i+1)%3].Address()
		txs = append(txs, c.Tx(from.Key, &bankv1.MsgTransfer{To: to[:], AmountUcoin: amount}))
		amount = min(amount+coins, 3*coins)
	}
	results := c.Force(time.Second, txs...)
	for i, result := range results {
		if result.Code != 0 {
			t.Errorf("transaction %d: %s", i, result.Log)
		}
	}
}

// A node executes the block that was decided, and judges it itself, whatever it
// accepted before: another proposal of the height, or the same one before the
// height was decided otherwise.
func TestExecutedIsWhatWasDecided(t *testing.T) {
	c, first, second, _ := market(t)
	to := second.Address()
	pay := func(amount int64) []byte {
		return c.Tx(first.Key, &bankv1.MsgTransfer{To: to[:], AmountUcoin: amount})
	}
	accepted, decided := pay(1), pay(2)
	if !c.Accepts(accepted) {
		t.Fatal("the first proposal is not accepted")
	}
	free := func() int64 { return balanceOf(c, to).FreeUcoin }
	before := free()
	if results := c.Force(time.Second, decided); results[0].Code != 0 || free() != before+2 {
		t.Errorf("decided a transfer of 2: code %d, balance %d, before %d", results[0].Code, free(), before)
	}
	if !c.Accepts(accepted) {
		t.Fatal("what was not executed is not accepted any more")
	}
	if results := c.Force(time.Second, accepted); results[0].Code != 0 || free() != before+3 {
		t.Errorf("decided the transfer of 1: code %d, balance %d, before %d", results[0].Code, free(), before)
	}
	if results := c.Force(time.Second, accepted); results[0].Code == 0 || free() != before+3 {
		t.Errorf("decided it again: code %d, balance %d, before %d", results[0].Code, free(), before)
	}
}
