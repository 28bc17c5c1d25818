package metering

import "github.com/energyd/energyd/module"

var codespace = module.Codespace("metering")

// Refusals. The codes are consensus data.
var (
	// ErrField: a field is out of its range.
	ErrField = codespace.New(2, "invalid_field")
	// ErrSignature: the gateway key did not sign the reading.
	ErrSignature = codespace.New(3, "bad_signature")
	// ErrGatewayKey: the gateway key is not one of the sender's.
	ErrGatewayKey = codespace.New(4, "gateway_key")
	// ErrUnknownMeter: no meter of that name is bound.
	ErrUnknownMeter = codespace.New(5, "unknown_meter")
	// ErrWrongGateway: the meter is bound to another gateway.
	ErrWrongGateway = codespace.New(6, "wrong_gateway")
	// ErrFuture: the time is too far beyond the block's.
	ErrFuture = codespace.New(8, "future_time")
	// ErrConflicting: another reading has that sequence.
	ErrConflicting = codespace.New(9, "conflicting_reading")
	// ErrTooLate: the time is behind the last fixed boundary.
	ErrTooLate = codespace.New(10, "too_late")
	// ErrOrder: sequence and time disagree on the reading's place.
	ErrOrder = codespace.New(11, "sequence_order")
	// ErrRegisterBack: a register would fall.
	ErrRegisterBack = codespace.New(12, "register_back")
	// ErrImplausible: a register grew by more than the connection can carry.
	ErrImplausible = codespace.New(13, "implausible")
	// ErrTooMany: the meter has as many readings in the period as are kept.
	ErrTooMany = codespace.New(14, "too_many_readings")
	// ErrSwapTime: the time of a swap is not between the meter's newest reading
	// and the block's time.
	ErrSwapTime = codespace.New(15, "swap_time")
	// ErrUnknownEnergy: nothing is known of the account's period, or no longer.
	ErrUnknownEnergy = codespace.New(16, "unknown_energy")
)

// Refusals of corrections.
var (
	// ErrUnknownBoundary: the time is no boundary of the meter that is fixed.
	ErrUnknownBoundary = codespace.New(17, "unknown_boundary")
	// ErrNewestBoundary: the readings to come are judged by the meter's newest
	// boundary; it can be corrected once the next one is fixed.
	ErrNewestBoundary = codespace.New(18, "newest_boundary")
	// ErrRetention: the boundary, or one beside it, is not kept any more or never
	// was.
	ErrRetention = codespace.New(19, "outside_retention")
	// ErrVersion: the version is not the boundary's next one; a replay's is not.
	ErrVersion = codespace.New(20, "wrong_version")
	// ErrNotBilling: the meter is not a billing meter.
	ErrNotBilling = codespace.New(21, "not_billing_meter")
	// ErrBeforeBinding: the period before the boundary began before the meter was
	// bound.
	ErrBeforeBinding = codespace.New(22, "before_binding")
	// ErrSwapped: the boundary is one of a device that was exchanged.
	ErrSwapped = codespace.New(23, "swapped_meter")
)
