package app_test

import (
	"testing"
	"time"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/protocol"
)

// One key fills at most an eighth of a block, whatever its quota of envelopes:
// others find room behind it.
func TestKeyShareOfABlock(t *testing.T) {
	c, seller, buyer, _ := market(t)
	from := seller.Address()
	var readings []*meteringv1.Reading
	for i := range int64(1000) {
		readings = append(readings, c.Reading(seller, c.Time.UnixMilli()+i, 0, 0))
	}
	var txs [][]byte
	for range 10 {
		txs = append(txs, c.Readings(readings...)) // duplicates are accepted
	}
	small := c.Tx(buyer.Key, &bankv1.MsgTransfer{To: from[:], AmountUcoin: 1})
	results := c.Block(time.Second, append(txs, small)...)
	entered, bytes := 0, 0
	for _, tx := range txs {
		if _, ok := results[protocol.TxHash(tx)]; ok {
			entered, bytes = entered+1, bytes+len(tx)
		}
	}
	if share := 4 << 20 / 8; entered == 0 || bytes > share || bytes+len(txs[0]) <= share {
		t.Errorf("%d of 10 batches of a key with %d bytes entered the block, want as many as fit in %d", entered, bytes, share)
	}
	if result, ok := results[protocol.TxHash(small)]; !ok || result.Code != 0 {
		t.Errorf("another's transfer: got %v", result)
	}
	if c.Accepts(txs...) {
		t.Error("a block that one key fills is accepted")
	}
}

// A revoked account still pays for what it drew in the period in which it was
// revoked, and takes part in no later one.
func TestRevokedAccountIsBilled(t *testing.T) {
	c, seller, buyer, other := market(t)
	start := nextPeriod(c)
	period, next := start.UnixMilli(), start.Add(10*time.Second).UnixMilli()
	address := buyer.Address()
	c.Until(start)
	c.Must(time.Second, c.Readings(c.Reading(seller, period, 0, 0), c.Reading(buyer, period, 0, 0), c.Reading(other, period, 0, 0)))
	c.Must(time.Second, c.Propose(&registryv1.MsgRevoke{Account: address[:], Reason: "test"}))
	c.Until(start.Add(10 * time.Second))
	c.Must(time.Second, c.Readings(c.Reading(seller, next, 0, 0), c.Reading(buyer, next, 20_000, 0), c.Reading(other, next, 0, 0)))

	var first, second settlementv1.QueryStatementsResponse
	c.Query(&settlementv1.QueryStatementsRequest{Period: period}, &first)
	if got := paidBy(&first, address); got != 12_000_000 { // 20 kWh at 0.6 coins
		t.Errorf("the revoked account paid %d for the period of its revocation, want 12 000 000", got)
	}
	last := start.Add(20 * time.Second)
	c.Until(last)
	c.Must(time.Second, c.Readings(c.Reading(seller, last.UnixMilli(), 0, 0), c.Reading(other, last.UnixMilli(), 0, 0)))
	c.Query(&settlementv1.QueryStatementsRequest{Period: next}, &second)
	if len(second.Statements) != 2 {
		t.Errorf("got %d statements of the next period, want 2", len(second.Statements))
	}
}

func paidBy(answer *settlementv1.QueryStatementsResponse, account protocol.Address) int64 {
	for _, s := range answer.Statements {
		if string(s.Account) == string(account[:]) {
			return s.PaidUcoin
		}
	}
	return -1
}
