package settlement

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("settlement")

// Refusals of queries and genesis. Codes are consensus data and never reused.
var (
	ErrMalformed        = codespace.New(2, "malformed")
	ErrUnknownStatement = codespace.New(3, "unknown_statement")
	ErrUnknownPeriod    = codespace.New(4, "unknown_period")
	// ErrUnpaid and ErrNoRecord are broken expectations of our own; they are
	// isolated with the item that met them.
	ErrUnpaid   = codespace.New(5, "unpaid")
	ErrNoRecord = codespace.New(6, "no_record")
)

// Refusals of contracts.
var (
	// ErrBadPrice: the price is outside the chain's bounds.
	ErrBadPrice = codespace.New(7, "bad_price")
	// ErrOutOfRange: priority or rank.
	ErrOutOfRange = codespace.New(8, "out_of_range")
	// ErrBadPeriod: from and until are no periods, or cover none to come.
	ErrBadPeriod = codespace.New(9, "bad_period")
	// ErrBadExpiry: the proposal expires at once or too late.
	ErrBadExpiry = codespace.New(10, "bad_expiry")
	// ErrNotParty: the sender proposes a contract of others.
	ErrNotParty = codespace.New(11, "not_party")
	// ErrSameParty: both sides are one account, identity or connection point.
	ErrSameParty = codespace.New(12, "same_party")
	// ErrNotActive: a side has no active account.
	ErrNotActive = codespace.New(13, "not_active")
	// ErrNotTrader: a side is neither a prosumer nor an aggregator.
	ErrNotTrader = codespace.New(14, "not_trader")
	// ErrInDebt: a side owes.
	ErrInDebt = codespace.New(15, "in_debt")
	// ErrUnreachableNode: no line ends at a side's grid node.
	ErrUnreachableNode = codespace.New(16, "unreachable_node")
	// ErrTooManyContracts: a side has as many as the parameters allow.
	ErrTooManyContracts = codespace.New(17, "too_many_contracts")
	// ErrContractExists: the seller and the buyer have one or a proposal.
	ErrContractExists = codespace.New(18, "contract_exists")
	// ErrUnknownContract: the sender has no such contract.
	ErrUnknownContract = codespace.New(19, "unknown_contract")
	// ErrNotProposed: it is accepted, or the sender's own proposal.
	ErrNotProposed = codespace.New(20, "not_proposed")
	// ErrExpired: it is accepted too late.
	ErrExpired = codespace.New(21, "expired")
	// ErrBadYear: the year's quantity is out of range, or its prices have none.
	ErrBadYear = codespace.New(22, "bad_year")
	// ErrBadYearPrice: the excess or penalty price is out of range.
	ErrBadYearPrice = codespace.New(23, "bad_year_price")
)
