package reputation

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("reputation")

// Refusals. The numbers are consensus data.
var (
	ErrInvalidField   = codespace.New(2, "invalid_field")
	ErrUnknownAccount = codespace.New(3, "unknown_account")
	ErrBadGenesis     = codespace.New(4, "bad_genesis")
)

// Refusals of full verifications.
var (
	// ErrInDebt: the account owes.
	ErrInDebt = codespace.New(10, "in_debt")
	// ErrAlreadyAsked: the account waits for its home aggregator already.
	ErrAlreadyAsked = codespace.New(11, "already_asked")
	// ErrNotAsked: there is no signature of the account to countersign.
	ErrNotAsked = codespace.New(12, "not_asked")
	// ErrNotVerifier: the sender is not the one who verifies the account.
	ErrNotVerifier = codespace.New(13, "not_verifier")
	// ErrNotActive: the account is frozen or revoked.
	ErrNotActive = codespace.New(14, "not_active")
)
