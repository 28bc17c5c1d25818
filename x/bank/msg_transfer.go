package bank

import (
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func checkTransfer(_ string, msg *bankv1.MsgTransfer) error {
	if err := checkAddress("to", msg.To); err != nil {
		return err
	}
	return checkAmount(msg.AmountUcoin)
}

// transfer moves free coins to another member. Whoever owes pays that first.
func transfer(ctx *module.Ctx, msg *bankv1.MsgTransfer) error {
	from, to := ctx.Signer.Address(), protocol.Address(msg.To)
	if from == to {
		return ErrInvalidField.With("to: expected another account than the sender")
	}
	if _, err := holder(ctx.Store, "sender", from); err != nil {
		return err
	}
	receiver, err := holder(ctx.Store, "to", to)
	if err != nil {
		return err
	}
	if receiver.Status == registryv1.Status_STATUS_REVOKED {
		return ErrAccountClosed.With("to: expected an active or frozen account, %v is revoked", to)
	}
	if err := checkNoDebt(ctx.Store, "sender", from); err != nil {
		return err
	}
	if err := CheckSpendable(ctx.Store, from, msg.AmountUcoin); err != nil {
		return err
	}
	if err := addFree(ctx.Store, from, -msg.AmountUcoin); err != nil {
		return err
	}
	ctx.Emit(&bankv1.Transferred{From: from.Bytes(), To: msg.To, AmountUcoin: msg.AmountUcoin})
	_, err = receive(ctx, to, msg.AmountUcoin)
	return err
}
