package bank

import (
	"math"
	"testing"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func TestTransfer(t *testing.T) {
	w := testWorld(t)
	w.give(alice, 10, "in")
	w.must(w.by(alice, &bankv1.MsgTransfer{To: bob.Bytes(), AmountUcoin: 4}))
	w.must(w.by(bob, &bankv1.MsgTransfer{To: address("frozen").Bytes(), AmountUcoin: 1}))
	w.has(alice, 6, 0, 0)
	w.has(bob, 3, 0, 0)
	w.has(address("frozen"), 1, 0, 0)
}

func TestTransferRepaysTheReceiversDebt(t *testing.T) {
	w := testWorld(t)
	w.owe(bob, carol, 3)
	w.give(alice, 10, "in")
	w.must(w.by(alice, &bankv1.MsgTransfer{To: bob.Bytes(), AmountUcoin: 5}))
	w.has(bob, 2, 0, 0)
	w.has(carol, 3, 0, 0)
}

func TestTransferRefusals(t *testing.T) {
	tests := []struct {
		name     string
		from, to protocol.Address
		amount   int64
		want     *module.Error
	}{
		{"nothing", alice, bob, 0, ErrInvalidField},
		{"negative", alice, bob, -1, ErrInvalidField},
		{"least number", alice, bob, math.MinInt64, ErrInvalidField},
		{"to itself", alice, alice, 1, ErrInvalidField},
		{"more than free", alice, bob, 7, ErrInsufficientFunds},
		{"from nothing", bob, alice, 1, ErrInsufficientFunds},
		{"to a stranger", alice, address("nobody"), 1, ErrUnknownAccount},
		{"to an application", alice, address("pending"), 1, ErrUnknownAccount},
		{"to a closed account", alice, address("revoked"), 1, ErrAccountClosed},
		{"to a gateway", alice, address("gw"), 1, ErrHoldsNoCoins},
		{"to the grid", alice, protocol.GridAddress, 1, ErrUnknownAccount},
		{"by a key of the authority", protocol.AuthorityAddress, alice, 1, ErrUnknownAccount},
		{"while in debt", dave, alice, 1, ErrInDebt},
	}
	w := testWorld(t)
	w.give(alice, 10, "in")
	w.must(Hold(w.ctx, alice, 4))
	w.owe(dave, bob, 5)
	before := w.export()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			w.refused(w.by(test.from, &bankv1.MsgTransfer{To: test.to.Bytes(), AmountUcoin: test.amount}), test.want)
			if after := w.export(); after != before {
				t.Errorf("a refusal changed the state to %s", after)
			}
		})
	}
	w.t = t
	w.refused(w.by(alice, &bankv1.MsgTransfer{To: []byte{1}, AmountUcoin: 1}), ErrInvalidField)
}
