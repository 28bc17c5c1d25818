package dispatch

import "github.com/energyd/energyd/module"

const codespace = module.Codespace("dispatch")

// Refusals. The numbers are consensus data.
var (
	// ErrInvalidField: a field is malformed or out of its range.
	ErrInvalidField = codespace.New(2, "invalid_field")
	// ErrUnknownDevice: nobody lets a device of that name be steered.
	ErrUnknownDevice = codespace.New(3, "unknown_device")
	// ErrDeviceTaken: a device of that name is another account's.
	ErrDeviceTaken = codespace.New(4, "device_taken")
	// ErrTooManyDevices: the account has as many devices as it may have.
	ErrTooManyDevices = codespace.New(5, "too_many_devices")
	// ErrWrongGateway: the gateway reads no meter of the account, or does not carry
	// the device.
	ErrWrongGateway = codespace.New(6, "wrong_gateway")
	// ErrBeyondRating: a limit is beyond the rating of the account's connection.
	ErrBeyondRating = codespace.New(7, "beyond_rating")
	// ErrNotAllowed: the sender is neither the device's owner nor its home
	// aggregator nor the authority.
	ErrNotAllowed = codespace.New(8, "not_allowed")
	// ErrBeyondLimits: the commanded power is beyond the device's limits.
	ErrBeyondLimits = codespace.New(9, "beyond_limits")
	// ErrWrongKind: a device of that kind cannot follow such a command.
	ErrWrongKind = codespace.New(10, "wrong_kind")
	// ErrBadSpan: a command ends before it begins, or too far ahead.
	ErrBadSpan = codespace.New(11, "bad_span")
	// ErrTooManyCommands: the device has as many commands as it may have.
	ErrTooManyCommands = codespace.New(12, "too_many_commands")
	// ErrUnknownCommand: the device has no command of that number that has not
	// ended.
	ErrUnknownCommand = codespace.New(13, "unknown_command")
	// ErrUnknownDispatch: the device has no such set-point or command in the period.
	ErrUnknownDispatch = codespace.New(14, "unknown_dispatch")
	// ErrTooLate: the period is older than dispatch keeps.
	ErrTooLate = codespace.New(15, "too_late")
	// ErrInFuture: the time or the period is beyond the block's time and max_future_ms.
	ErrInFuture = codespace.New(16, "in_future")
	// ErrUnknownAccount: nobody is registered under the address.
	ErrUnknownAccount = codespace.New(17, "unknown_account")
	// ErrBadGenesis: the genesis file's part is wrong.
	ErrBadGenesis = codespace.New(18, "bad_genesis")
)
