package bank

import (
	"math"
	"strings"
	"testing"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func TestRecharge(t *testing.T) {
	w := testWorld(t)
	w.give(alice, 5, "a")
	w.give(alice, 7, "b")
	w.has(alice, 12, 0, 0)
	w.give(protocol.GridAddress, 3, "grid")
	w.has(protocol.GridAddress, 3, 0, 0)
	if got := supplyOf(w.ctx.Store).MintedUcoin; got != 15 {
		t.Errorf("minted %d, want 15", got)
	}
	// Frozen and revoked accounts may have obligations to pay.
	w.give(address("frozen"), 1, "c")
	w.give(address("revoked"), 1, "d")
}

func TestRechargeRepaysDebtFirst(t *testing.T) {
	w := testWorld(t)
	w.owe(alice, bob, 10)
	w.give(alice, 4, "a")
	w.has(alice, 0, 0, 6)
	w.has(bob, 4, 0, 0)
	w.give(alice, 10, "b")
	w.has(alice, 4, 0, 0)
	w.has(bob, 10, 0, 0)
}

func TestDepositRefusals(t *testing.T) {
	w := testWorld(t)
	w.give(alice, math.MaxInt64-1, "used")
	tests := []struct {
		name      string
		account   []byte
		amount    int64
		reference string
		want      *module.Error
	}{
		{"short address", []byte{1}, 1, "r", ErrInvalidField},
		{"nothing", bob.Bytes(), 0, "r", ErrInvalidField},
		{"negative", bob.Bytes(), -1, "r", ErrInvalidField},
		{"no reference", bob.Bytes(), 1, "", ErrInvalidField},
		{"long reference", bob.Bytes(), 1, strings.Repeat("r", maxReference+1), ErrInvalidField},
		{"two lines", bob.Bytes(), 1, "a\nb", ErrInvalidField},
		{"not text", bob.Bytes(), 1, "\xff", ErrInvalidField},
		{"stranger", address("nobody").Bytes(), 1, "r", ErrUnknownAccount},
		{"pending", address("pending").Bytes(), 1, "r", ErrUnknownAccount},
		{"gateway", address("gw").Bytes(), 1, "r", ErrHoldsNoCoins},
		{"authority", protocol.AuthorityAddress.Bytes(), 1, "r", ErrUnknownAccount},
		{"reference again", bob.Bytes(), 1, "used", ErrReferenceUsed},
		{"too much in all", bob.Bytes(), 2, "r", ErrOverflow},
	}
	before := w.export()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			w.refused(w.authority(&bankv1.MsgRecharge{Account: test.account, AmountUcoin: test.amount, Reference: test.reference}), test.want)
			if test.want != ErrOverflow {
				w.refused(w.authority(&bankv1.MsgWithdraw{Account: test.account, AmountUcoin: test.amount, Reference: test.reference}),
					withdrawal(test.want))
			}
			if after := w.export(); after != before {
				t.Errorf("a refusal changed the state to %s", after)
			}
		})
	}
}

// withdrawal is the refusal that a withdrawal by the penniless gets where a
// recharge finds only the reference wrong: funds are looked at first.
func withdrawal(want *module.Error) *module.Error {
	if want == ErrReferenceUsed {
		return ErrInsufficientFunds
	}
	return want
}
