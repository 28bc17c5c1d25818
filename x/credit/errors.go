package credit

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("credit")

// Refusals of messages, queries and genesis. Codes are consensus data and never
// reused.
var (
	ErrInvalidField = codespace.New(2, "invalid_field")
	// ErrUnknownBank: the aggregator has opened none.
	ErrUnknownBank = codespace.New(3, "unknown_bank")
	// ErrNotHomeBank: it is not that of the borrower's home aggregator.
	ErrNotHomeBank = codespace.New(4, "not_home_bank")
	// ErrNotActive: the account is frozen or revoked, or the bank's aggregator is.
	ErrNotActive = codespace.New(5, "not_active")
	// ErrInDebt: the account owes.
	ErrInDebt = codespace.New(6, "in_debt")
	// ErrSameIdentity: borrower and bank, or borrower and payee, are one.
	ErrSameIdentity = codespace.New(7, "same_identity")
	// ErrTooManyDemands: the bank has as many as the parameters allow.
	ErrTooManyDemands = codespace.New(8, "too_many_demands")
	// ErrUnknownDemand: there is none to take back.
	ErrUnknownDemand = codespace.New(9, "unknown_demand")
	// ErrCapital: lines may still draw the capital, or there is less.
	ErrCapital    = codespace.New(10, "insufficient_capital")
	ErrBadGenesis = codespace.New(11, "bad_genesis")
	// ErrUnknownOffer: the bank lends nothing in that period.
	ErrUnknownOffer = codespace.New(12, "unknown_offer")
	ErrOverflow     = codespace.New(13, "overflow")
	// ErrNoRecord is a broken expectation of our own.
	ErrNoRecord = codespace.New(14, "no_record")
	// ErrBeyondOwed: the sender's loans have less left to repay, or nothing.
	ErrBeyondOwed = codespace.New(15, "beyond_owed")
)

// Refusals of draws, in LoanRefused.
var (
	// ErrBeyondLine: the line of the period is used up.
	ErrBeyondLine = codespace.New(20, "beyond_line")
	// ErrLoanLate: a loan of the borrower is late.
	ErrLoanLate = codespace.New(21, "loan_late")
	// ErrAboveRetail: energy and fee cost more than the grid's retail price.
	ErrAboveRetail = codespace.New(22, "above_retail")
	// ErrNotEnergy: the payee is none that energy is bought of, such as a credit
	// bank.
	ErrNotEnergy = codespace.New(23, "not_energy")
)
