package bank

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("bank")

// Refusals. The numbers are consensus data.
var (
	ErrInvalidField       = codespace.New(2, "invalid_field")
	ErrInsufficientFunds  = codespace.New(3, "insufficient_funds")
	ErrInsufficientEscrow = codespace.New(4, "insufficient_escrow")
	ErrUnknownAccount     = codespace.New(5, "unknown_account")
	ErrAccountClosed      = codespace.New(6, "account_closed")
	ErrHoldsNoCoins       = codespace.New(7, "holds_no_coins")
	ErrReferenceUsed      = codespace.New(8, "reference_used")
	ErrInDebt             = codespace.New(9, "in_debt")
	ErrOverflow           = codespace.New(10, "overflow")
	ErrBadGenesis         = codespace.New(11, "bad_genesis")
	// ErrExposed: the coins are for open orders and matches.
	ErrExposed = codespace.New(40, "exposed")
	// ErrOpenObligations: a revoked account is paid out once it is closed.
	ErrOpenObligations = codespace.New(41, "open_obligations")
)
