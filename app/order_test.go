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
