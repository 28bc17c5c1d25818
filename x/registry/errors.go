package registry

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("registry")

// Refusals. The numbers are consensus data.
var (
	ErrInvalidField      = codespace.New(2, "invalid_field")
	ErrInvalidParams     = codespace.New(3, "invalid_params")
	ErrUnknownAccount    = codespace.New(4, "unknown_account")
	ErrAccountExists     = codespace.New(5, "account_exists")
	ErrKeyTaken          = codespace.New(6, "key_taken")
	ErrMeterTaken        = codespace.New(7, "meter_taken")
	ErrValidatorKeyTaken = codespace.New(8, "validator_key_taken")
	ErrUnknownGateway    = codespace.New(9, "unknown_gateway")
	ErrUnknownAggregator = codespace.New(10, "unknown_aggregator")
	ErrNotOwnRegion      = codespace.New(11, "not_own_region")
	ErrAuthorityOnly     = codespace.New(12, "authority_only")
	ErrWrongStatus       = codespace.New(13, "wrong_status")
	ErrRoleConflict      = codespace.New(14, "role_conflict")
	ErrNotAggregator     = codespace.New(15, "not_aggregator")
	ErrLastValidator     = codespace.New(16, "last_validator")
	ErrNotAuthorityKey   = codespace.New(17, "not_authority_key")
	ErrUnknownProposal   = codespace.New(18, "unknown_proposal")
	ErrAlreadyApproved   = codespace.New(19, "already_approved")
	ErrProposalExpired   = codespace.New(20, "proposal_expired")
	ErrBadProposal       = codespace.New(21, "bad_proposal")
	ErrUnknownMeter      = codespace.New(22, "unknown_meter")
	ErrBadGenesis        = codespace.New(23, "bad_genesis")
	ErrBadEndpoint       = codespace.New(24, "bad_endpoint")
	ErrBadInterval       = codespace.New(25, "bad_interval")
	ErrNotOperator       = codespace.New(26, "not_operator")
)
