package registry

import (
	"bytes"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// Validators returns the aggregators with voting power, by consensus key.
// Applications that still wait are not among them.
func Validators(r state.Reader) []*registryv1.Account {
	var found []*registryv1.Account
	for _, owner := range validatorKeys.All(r, validatorKeys.Key()) {
		if account, ok := accounts.Get(r, accountKey(owner.Account)); ok && account.ValidatorPower > 0 {
			found = append(found, account)
		}
	}
	return found
}

// ValidatorUpdates returns the aggregators whose voting power is not what the
// engine knows, by consensus key, and notes that it knows it now; power 0
// removes one. The application calls it once a block, after all hooks. Only
// differences may go to the engine: to remove a validator that it does not have
// would stop it for good.
func (Module) ValidatorUpdates(ctx *module.Ctx) []*registryv1.Account {
	var changed []*registryv1.Account
	for _, owner := range validatorKeys.All(ctx.Store, validatorKeys.Key()) {
		account, ok := accounts.Get(ctx.Store, accountKey(owner.Account))
		if !ok || account.ValidatorPower == knownPower(ctx.Store, account) {
			continue
		}
		changed = append(changed, account)
		notePower(ctx.Store, account)
	}
	return changed
}

func knownPower(r state.Reader, account *registryv1.Account) int64 {
	known, _ := enginePower.Get(r, enginePower.Key().Bytes(account.Account))
	return known.GetPower()
}

// notePower notes that the engine knows an aggregator's power.
func notePower(s state.Store, account *registryv1.Account) {
	key := enginePower.Key().Bytes(account.Account)
	if account.ValidatorPower == 0 {
		enginePower.Delete(s, key)
		return
	}
	enginePower.Set(s, key, &registryv1.EnginePower{Power: account.ValidatorPower})
}

// Jail takes the voting power of an aggregator that consensus caught at double
// signing. The last validator keeps it: a chain without any could not go on.
func Jail(ctx *module.Ctx, address protocol.Address) error {
	account, err := approvedAggregator(ctx.Store, address[:])
	if err != nil {
		return err
	}
	if account.ValidatorPower > 0 && !isLastValidator(ctx.Store, account) {
		setPower(ctx, account, 0)
	}
	return nil
}

// approvedAggregator returns an active or frozen aggregator.
func approvedAggregator(r state.Reader, address []byte) (*registryv1.Account, error) {
	account, err := inStatus(r, "account", address,
		registryv1.Status_STATUS_ACTIVE, registryv1.Status_STATUS_FROZEN)
	if err != nil {
		return nil, err
	}
	if !HasRole(account, registryv1.Role_ROLE_AGGREGATOR) {
		return nil, ErrNotAggregator.With("account: expected an aggregator, got %v", protocol.Address(address))
	}
	return account, nil
}

// setPower stores an aggregator's voting power; the engine hears of it at the
// end of the block.
func setPower(ctx *module.Ctx, account *registryv1.Account, power int64) {
	account.ValidatorPower = power
	saveAccount(ctx.Store, account)
	ctx.Emit(&registryv1.ValidatorChanged{Account: account.Account, ValidatorPower: power})
}

func isLastValidator(r state.Reader, account *registryv1.Account) bool {
	validators := Validators(r)
	return len(validators) == 1 && bytes.Equal(validators[0].Account, account.Account)
}

// checkNotLastValidator refuses to take the voting power of the only aggregator
// that has any: nobody would be left to make the block that brings another.
func checkNotLastValidator(r state.Reader, account *registryv1.Account) error {
	if isLastValidator(r, account) {
		return ErrLastValidator.With("account: expected another aggregator with voting power beside %v",
			protocol.Address(account.Account))
	}
	return nil
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
