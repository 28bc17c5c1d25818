package origin

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("origin")

// Refusals. The numbers are consensus data.
var (
	// ErrInvalidField: a field is malformed or out of its range.
	ErrInvalidField = codespace.New(2, "invalid_field")
	// ErrUnknownAccount: nobody is registered under the address.
	ErrUnknownAccount = codespace.New(3, "unknown_account")
	// ErrNotActive: the receiver is pending, frozen or revoked.
	ErrNotActive = codespace.New(4, "not_active")
	// ErrNotTrader: the receiver is neither a prosumer nor an aggregator.
	ErrNotTrader = codespace.New(5, "not_trader")
	// ErrNotHeld: the sender holds less of that energy type and month.
	ErrNotHeld = codespace.New(6, "not_held")
	// ErrBadPurpose: a retirement's purpose is empty, too long or not printable.
	ErrBadPurpose = codespace.New(7, "bad_purpose")
	// ErrBadGenesis: the genesis file's part is wrong.
	ErrBadGenesis = codespace.New(8, "bad_genesis")
)
