package app

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("app")

// Refusals before a message is executed; codes 1 and 2 are module's.
var (
	ErrMalformed      = codespace.New(3, "malformed")
	ErrWrongChain     = codespace.New(4, "wrong_chain")
	ErrUnknownKey     = codespace.New(5, "unknown_key")
	ErrUnknownMessage = codespace.New(6, "unknown_message")
	ErrBadSignature   = codespace.New(7, "bad_signature")
	ErrExpired        = codespace.New(8, "expired")
	ErrExpiryTooFar   = codespace.New(9, "expiry_too_far")
	ErrReplayed       = codespace.New(10, "replayed")
	ErrSequenceTooFar = codespace.New(11, "sequence_too_far")
	ErrQuota          = codespace.New(12, "quota_exceeded")
	ErrTooLarge       = codespace.New(13, "too_large")
	ErrLaneOrder      = codespace.New(14, "lane_order")
	ErrWrongRole      = codespace.New(15, "wrong_role")
	ErrNotActive      = codespace.New(16, "account_not_active")
	ErrTooManyPending = codespace.New(17, "too_many_pending")
	ErrNotReady       = codespace.New(18, "not_ready")
	ErrUnknownQuery   = codespace.New(19, "unknown_query")
	ErrNoSuchHeight   = codespace.New(20, "no_such_height")
	ErrBlockFull      = codespace.New(21, "block_full")
)
