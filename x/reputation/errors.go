package reputation

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("reputation")

// Refusals. The numbers are consensus data.
var (
	ErrInvalidField   = codespace.New(2, "invalid_field")
	ErrUnknownAccount = codespace.New(3, "unknown_account")
	ErrBadGenesis     = codespace.New(4, "bad_genesis")
)
