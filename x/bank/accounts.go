package bank

import (
	"crypto/sha256"
	"unicode"
	"unicode/utf8"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// maxReference is the greatest length of a deposit's or payout's reference.
const maxReference = 128

func checkAddress(field string, account []byte) error {
	if len(account) != protocol.AddressSize {
		return ErrInvalidField.With("%s: expected an address of %d bytes, got %d", field, protocol.AddressSize, len(account))
	}
	return nil
}

func checkAmount(amount int64) error {
	if amount <= 0 {
		return ErrInvalidField.With("amount_ucoin: expected more than 0, got %d", amount)
	}
	return nil
}

// checkReference wants text that people can compare with a bank statement.
func checkReference(reference string) error {
	if len(reference) == 0 || len(reference) > maxReference || !utf8.ValidString(reference) {
		return ErrInvalidField.With("reference: expected 1 to %d bytes of text, got %d", maxReference, len(reference))
	}
	for _, r := range reference {
		if !unicode.IsPrint(r) {
			return ErrInvalidField.With("reference: expected printable text, got %q", reference)
		}
	}
	return nil
}

// holder returns a member that may hold coins, in whatever state but pending.
// The grid and the fee ledger have no such account.
func holder(r state.Reader, field string, address protocol.Address) (*registryv1.Account, error) {
	account, ok := registry.AccountOf(r, address)
	if !ok || account.Status == registryv1.Status_STATUS_PENDING {
		return nil, ErrUnknownAccount.With("%s: expected an approved account, got %v", field, address)
	}
	if registry.HasRole(account, registryv1.Role_ROLE_GATEWAY) {
		return nil, ErrHoldsNoCoins.With("%s: expected no gateway, %v is one and holds no coins", field, address)
	}
	return account, nil
}

// checkDepositor accepts whom the authority may recharge and pay out: members,
// revoked ones too, which may have obligations left, the grid, the fee ledger and
// the guarantee fund.
func checkDepositor(r state.Reader, address protocol.Address) error {
	if signed(address) || address == protocol.GuaranteeAddress {
		return nil
	}
	_, err := holder(r, "account", address)
	return err
}

// checkHolder accepts who may hold coins at all: depositors, and the capital of
// credit banks.
func checkHolder(r state.Reader, address protocol.Address) error {
	err := checkDepositor(r, address)
	if err == nil {
		return nil
	}
	for account := range registry.Accounts(r) {
		if protocol.CreditBankAddress(protocol.Address(account.Account)) == address {
			return nil
		}
	}
	return err
}

// checkNoDebt refuses an account that owes.
func checkNoDebt(r state.Reader, field string, account protocol.Address) error {
	if owed := DebtOf(r, account); owed > 0 {
		return ErrInDebt.With("%s: expected an account without debt, %v owes %s", field, account, units.FormatCoins(owed))
	}
	return nil
}

// useReference refuses a reference that was used before, be it for a recharge
// or a withdrawal.
func useReference(ctx *module.Ctx, reference string, amount int64) error {
	hash := sha256.Sum256([]byte(reference))
	key := references.Key().Bytes(hash[:])
	if references.Has(ctx.Store, key) {
		return ErrReferenceUsed.With("reference: expected a new one, %q was used before", reference)
	}
	references.Set(ctx.Store, key, &bankv1.Reference{Hash: hash[:], AmountUcoin: amount})
	return nil
}
