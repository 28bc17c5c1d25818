package registry

import (
	"fmt"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
)

func checkApprove(_ string, msg *registryv1.MsgApprove) error {
	return checkAddress("account", msg.Account)
}

// approve checks again what may have changed since the application: two
// applications may name the same key, a gateway may have been rejected. A
// gateway is approved before the meters it carries.
func approve(ctx *module.Ctx, msg *registryv1.MsgApprove) error {
	account, err := inStatus(ctx.Store, "account", msg.Account, registryv1.Status_STATUS_PENDING)
	if err != nil {
		return err
	}
	if err := checkHome(ctx.Store, "home_aggregator", account); err != nil {
		return err
	}
	if err := checkKeysFree(ctx.Store, "keys", account.Keys); err != nil {
		return err
	}
	applied := allMetersOf(ctx.Store, account.Account)
	for i, meter := range applied {
		if err := checkGateway(ctx.Store, fmt.Sprintf("meters[%d].gateway", i), meter.Gateway,
			registryv1.Status_STATUS_ACTIVE); err != nil {
			return err
		}
	}
	if len(account.ValidatorKey) > 0 {
		if err := checkValidatorKeyFree(ctx.Store, "validator_key", account.ValidatorKey); err != nil {
			return err
		}
	}
	ctx.Emit(&registryv1.Approved{Account: account.Account})
	setStatus(ctx, account, registryv1.Status_STATUS_ACTIVE, "approved")
	registerKeys(ctx.Store, account)
	for _, meter := range applied {
		bind(ctx, meter)
	}
	if len(account.ValidatorKey) > 0 {
		setPower(ctx, account, account.ValidatorPower)
	}
	return nil
}

// registerKeys makes an account's keys known: those of a revoked one are
// tombstones.
func registerKeys(s state.Store, account *registryv1.Account) {
	removed := account.Status == registryv1.Status_STATUS_REVOKED
	for _, key := range account.Keys {
		keys.Set(s, keyKey(key), &registryv1.KeyOwner{Key: key, Account: account.Account, Removed: removed})
	}
	if len(account.ValidatorKey) > 0 {
		validatorKeys.Set(s, validatorKeyKey(account.ValidatorKey),
			&registryv1.KeyOwner{Key: account.ValidatorKey, Account: account.Account, Removed: removed})
	}
}
