package registry

import (
	"fmt"
	"iter"
	"slices"

	"google.golang.org/protobuf/types/known/emptypb"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

func accountKey(account []byte) state.Key { return accounts.Key().Bytes(account) }

// AccountOf returns an account in whatever status, pending ones included.
func AccountOf(r state.Reader, account protocol.Address) (*registryv1.Account, bool) {
	return accounts.Get(r, accountKey(account[:]))
}

// IdentityOf returns the identity of whose account it is, nil of an unknown one.
func IdentityOf(r state.Reader, account protocol.Address) []byte {
	found, _ := AccountOf(r, account)
	return found.GetIdentity()
}

// Accounts yields all accounts by address.
func Accounts(r state.Reader) iter.Seq[*registryv1.Account] {
	return accountsFrom(r, nil)
}

// accountsFrom yields the accounts with addresses after the one given.
func accountsFrom(r state.Reader, after []byte) iter.Seq[*registryv1.Account] {
	return func(yield func(*registryv1.Account) bool) {
		for _, account := range accounts.From(r, accounts.Key(), accountKey(after)) {
			if slices.Equal(account.Account, after) {
				continue
			}
			if !yield(account) {
				return
			}
		}
	}
}

// HasRole says whether an account holds a role; a missing account holds none.
func HasRole(account *registryv1.Account, role registryv1.Role) bool {
	return slices.Contains(account.GetRoles(), role)
}

// OwnerOf returns whose wallet key it is. Removed keys are tombstones: they
// still name their last owner and never become anybody's again. The keys of the
// authority in office are not accounts' keys: see IsAuthorityKey.
func OwnerOf(r state.Reader, key []byte) (*registryv1.KeyOwner, bool) {
	if len(key) != protocol.KeySize {
		return nil, false
	}
	return keys.Get(r, keyKey(key))
}

func keyKey(key []byte) state.Key { return keys.Key().Bytes(key) }

func validatorKeyKey(key []byte) state.Key { return validatorKeys.Key().Bytes(key) }

// StoppedThisBlock returns the accounts that were frozen or revoked in the
// block of that height, by address: matching cancels their orders. It is empty
// again once the registry's own hook has run.
func StoppedThisBlock(r state.Reader, height int64) []protocol.Address {
	var found []protocol.Address
	prefix := stopped.Key().Int64(height)
	for key := range stopped.All(r, prefix) {
		found = append(found, protocol.Address(key[len(prefix):]))
	}
	return found
}

// existing returns an account or the error that names the field.
func existing(r state.Reader, field string, account []byte) (*registryv1.Account, error) {
	found, ok := accounts.Get(r, accountKey(account))
	if !ok {
		return nil, ErrUnknownAccount.With("%s: expected a registered account, got %v", field, protocol.Address(account))
	}
	return found, nil
}

// inStatus returns an account that is in one of the given statuses.
func inStatus(r state.Reader, field string, account []byte, want ...registryv1.Status) (*registryv1.Account, error) {
	found, err := existing(r, field, account)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(want, found.Status) {
		return nil, ErrWrongStatus.With("%s: expected an account with status %s, %v is %s",
			field, statusNames(want), protocol.Address(account), statusName(found.Status))
	}
	return found, nil
}

func statusName(status registryv1.Status) string {
	switch status {
	case registryv1.Status_STATUS_PENDING:
		return "pending"
	case registryv1.Status_STATUS_ACTIVE:
		return "active"
	case registryv1.Status_STATUS_FROZEN:
		return "frozen"
	case registryv1.Status_STATUS_REVOKED:
		return "revoked"
	}
	return fmt.Sprintf("status %d", int32(status))
}

func statusNames(statuses []registryv1.Status) string {
	text := statusName(statuses[0])
	for _, status := range statuses[1:] {
		text += " or " + statusName(status)
	}
	return text
}

func saveAccount(s state.Store, account *registryv1.Account) {
	accounts.Set(s, accountKey(account.Account), account)
}

// setStatus stores an account's new status and says so. A freeze is the
// authority's.
func setStatus(ctx *module.Ctx, account *registryv1.Account, status registryv1.Status, reason string) {
	account.FreezeCause = registryv1.FreezeCause_FREEZE_CAUSE_UNSPECIFIED
	changeStatus(ctx, account, status, reason)
}

func changeStatus(ctx *module.Ctx, account *registryv1.Account, status registryv1.Status, reason string) {
	account.Status = status
	saveAccount(ctx.Store, account)
	ctx.Emit(&registryv1.StatusChanged{Account: account.Account, Status: status, Reason: reason})
}

// markStopped tells matching to cancel the account's orders in this block.
func markStopped(ctx *module.Ctx, account []byte) {
	stopped.Set(ctx.Store, stopped.Key().Int64(ctx.Height).Bytes(account), &emptypb.Empty{})
}

// checkKeysFree refuses keys that are or were anybody's.
func checkKeysFree(r state.Reader, field string, wanted [][]byte) error {
	for i, key := range wanted {
		if owner, taken := OwnerOf(r, key); taken {
			return ErrKeyTaken.With("%s[%d]: expected a new key, this one belongs or belonged to %v",
				field, i, protocol.Address(owner.Account))
		}
		if IsAuthorityKey(r, key) {
			return ErrKeyTaken.With("%s[%d]: expected a new key, this one is the authority's", field, i)
		}
	}
	return nil
}
