package matching

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("matching")

// Refusals. Codes are consensus data and never reused.
var (
	ErrMalformed        = codespace.New(2, "malformed")
	ErrBadPeriod        = codespace.New(3, "bad_period")
	ErrGateClosed       = codespace.New(4, "gate_closed")
	ErrNotOpen          = codespace.New(5, "not_open")
	ErrBadPrice         = codespace.New(6, "bad_price")
	ErrBadEnergy        = codespace.New(7, "bad_energy")
	ErrOverRating       = codespace.New(8, "over_rating")
	ErrUnknownMeter     = codespace.New(9, "unknown_meter")
	ErrMeterNotBound    = codespace.New(10, "meter_not_bound")
	ErrNoBillingMeter   = codespace.New(11, "no_billing_meter")
	ErrBothSides        = codespace.New(12, "both_sides")
	ErrBookFull         = codespace.New(13, "book_full")
	ErrTooManyOrders    = codespace.New(14, "too_many_orders")
	ErrUnreachableNode  = codespace.New(15, "unreachable_node")
	ErrOutOfRange       = codespace.New(16, "out_of_range")
	ErrInDebt           = codespace.New(17, "in_debt")
	ErrUnknownOrder     = codespace.New(18, "unknown_order")
	ErrUnknownMatch     = codespace.New(19, "unknown_match")
	ErrWindowClosed     = codespace.New(20, "window_closed")
	ErrAlreadyConfirmed = codespace.New(21, "already_confirmed")
	ErrUnknownBook      = codespace.New(22, "unknown_book")
	ErrOrderExists      = codespace.New(23, "order_exists")
	ErrBadConsent       = codespace.New(24, "bad_consent")
	ErrConsentRequired  = codespace.New(25, "consent_required")
	ErrUnknownMarket    = codespace.New(30, "unknown_market")

	ErrUnknownStandingOrder  = codespace.New(35, "unknown_standing_order")
	ErrTooManyStandingOrders = codespace.New(36, "too_many_standing_orders")
	ErrNotActive             = codespace.New(37, "not_active")
	ErrNothingMeasured       = codespace.New(38, "nothing_measured")

	ErrNotSealed    = codespace.New(39, "not_sealed")
	ErrUnknownSeal  = codespace.New(40, "unknown_seal")
	ErrNotRevealing = codespace.New(41, "not_revealing")
)
