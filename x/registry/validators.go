package registry

import (
	"bytes"

	"google.golang.org/protobuf/types/known/emptypb"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// ValidatorUpdates returns the aggregators whose voting power changed in this
// block, by address; power 0 removes one. It takes the list: the application
// calls it once a block, after all hooks.
func (Module) ValidatorUpdates(ctx *module.Ctx) []*registryv1.Account {
	var changed []*registryv1.Account
	prefix := powerChanged.Key()
	for key := range powerChanged.All(ctx.Store, prefix) {
		if account, ok := AccountOf(ctx.Store, protocol.Address(key[len(prefix):])); ok {
			changed = append(changed, account)
		}
		powerChanged.Delete(ctx.Store, key)
	}
	return changed
}

// Jail takes the voting power of an aggregator that CometBFT caught at double
// signing; only the authority can give it back (MsgSetValidator).
func Jail(ctx *module.Ctx, address protocol.Address) error {
	account, ok := AccountOf(ctx.Store, address)
	if !ok {
		return ErrUnknownAccount.With("account: no account %v", address)
	}
	if account.ValidatorPower == 0 {
		return nil
	}
	if err := checkNotLastValidator(ctx.Store, account); err != nil {
		return err
	}
	setPower(ctx, account, 0)
	return nil
}

// setPower stores an aggregator's voting power and tells the engine of it.
func setPower(ctx *module.Ctx, account *registryv1.Account, power int64) {
	account.ValidatorPower = power
	saveAccount(ctx.Store, account)
	powerChanged.Set(ctx.Store, powerChanged.Key().Bytes(account.Account), &emptypb.Empty{})
	ctx.Emit(&registryv1.ValidatorChanged{Account: account.Account, ValidatorPower: power})
}

// checkNotLastValidator refuses to take the voting power of the only aggregator
// that has any: nobody would be left to make the block that brings another.
func checkNotLastValidator(r state.Reader, account *registryv1.Account) error {
	if account.ValidatorPower == 0 {
		return nil
	}
	for _, owner := range validatorKeys.All(r, validatorKeys.Key()) {
		other, ok := accounts.Get(r, accountKey(owner.Account))
		if ok && other.ValidatorPower > 0 && !bytes.Equal(other.Account, account.Account) {
			return nil
		}
	}
	return ErrLastValidator.With("account: expected another aggregator with voting power beside %v",
		protocol.Address(account.Account))
}

// checkValidatorKeyFree refuses a consensus key that another aggregator has or
// had.
func checkValidatorKeyFree(r state.Reader, field string, key []byte) error {
	if owner, taken := validatorKeys.Get(r, validatorKeyKey(key)); taken {
		return ErrValidatorKeyTaken.With("%s: expected a new consensus key, this one belongs to %v",
			field, protocol.Address(owner.Account))
	}
	return nil
}
