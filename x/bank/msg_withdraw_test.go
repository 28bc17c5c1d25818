package bank

import (
	"testing"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/protocol"
)

func TestWithdraw(t *testing.T) {
	w := testWorld(t)
	w.give(alice, 10, "in")
	w.must(Hold(w.ctx, alice, 4))
	out := func(who protocol.Address, amount int64, reference string) error {
		return w.authority(&bankv1.MsgWithdraw{Account: who.Bytes(), AmountUcoin: amount, Reference: reference})
	}
	w.refused(out(alice, 7, "out"), ErrInsufficientFunds)
	w.refused(out(alice, 1, "in"), ErrReferenceUsed)
	w.must(out(alice, 6, "out"))
	w.has(alice, 0, 4, 0)
	w.refused(out(alice, 1, "out2"), ErrInsufficientFunds)
	if got := supplyOf(w.ctx.Store); got.MintedUcoin != 10 || got.BurnedUcoin != 6 {
		t.Errorf("supply: got %v", got)
	}
	// Signed accounts are paid out what they have, not what they could owe.
	w.refused(out(protocol.GridAddress, 1, "grid"), ErrInsufficientFunds)
}

func TestWithdrawWhileInDebt(t *testing.T) {
	w := testWorld(t)
	// A ring of two debtors: the coins of the recharge come back to alice.
	w.owe(alice, bob, 10)
	w.owe(bob, alice, 10)
	w.give(alice, 4, "in")
	w.has(alice, 4, 0, 6)
	w.has(bob, 0, 0, 6)
	w.refused(w.authority(&bankv1.MsgWithdraw{Account: alice.Bytes(), AmountUcoin: 1, Reference: "out"}), ErrInDebt)
	// The next receipt repays with what stayed free.
	w.give(alice, 2, "again")
	w.has(alice, 6, 0, 0)
	w.has(bob, 0, 0, 0)
}
