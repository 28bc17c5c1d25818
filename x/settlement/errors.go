package settlement

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("settlement")

// Refusals of queries. Codes are consensus data and never reused.
var (
	ErrMalformed        = codespace.New(2, "malformed")
	ErrUnknownStatement = codespace.New(3, "unknown_statement")
	ErrUnknownPeriod    = codespace.New(4, "unknown_period")
	// ErrUnpaid and ErrNoRecord are broken expectations of our own; they are
	// isolated with the item that met them.
	ErrUnpaid   = codespace.New(5, "unpaid")
	ErrNoRecord = codespace.New(6, "no_record")
)
