package registry

import (
	"slices"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func checkSetRoles(_ string, msg *registryv1.MsgSetRoles) error {
	if err := checkAddress("account", msg.Account); err != nil {
		return err
	}
	return checkRoles("roles", msg.Roles)
}

// setRoles changes what an account may send. Aggregators and gateways are made
// by an application only: the one brings a consensus key, meters name the other.
func setRoles(ctx *module.Ctx, msg *registryv1.MsgSetRoles) error {
	account, err := inStatus(ctx.Store, "account", msg.Account,
		registryv1.Status_STATUS_ACTIVE, registryv1.Status_STATUS_FROZEN)
	if err != nil {
		return err
	}
	roles := slices.Sorted(slices.Values(msg.Roles))
	for _, fixed := range []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR, registryv1.Role_ROLE_GATEWAY} {
		if slices.Contains(roles, fixed) != HasRole(account, fixed) {
			return ErrRoleConflict.With("roles: expected %v unchanged, an application gives it and a revocation takes it", fixed)
		}
	}
	account.Roles = roles
	if err := checkConnection("account", account, len(allMetersOf(ctx.Store, account.Account))); err != nil {
		return err
	}
	saveAccount(ctx.Store, account)
	ctx.Emit(&registryv1.RolesChanged{Account: account.Account, Roles: roles})
	return nil
}
