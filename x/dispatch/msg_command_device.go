package dispatch

import (
	"unicode"
	"unicode/utf8"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

const (
	// maxAheadMs is how far ahead a command may end.
	maxAheadMs = int64(31 * 24 * hourMs)
	// maxReason is the greatest length of a reason, in characters.
	maxReason = 80
)

func checkCommandDevice(_ string, m *dispatchv1.MsgCommandDevice) error {
	if err := checkDeviceName(m.Device); err != nil {
		return err
	}
	return checkContent(m.PowerW, m.Switch, m.ChargeSource, m.Reason)
}

// checkContent checks what a command says, apart from its device and periods.
func checkContent(powerW *int64, position dispatchv1.Switch, source dispatchv1.ChargeSource, reason string) error {
	actions := 0
	for _, given := range []bool{powerW != nil, position != 0, source != 0} {
		if given {
			actions++
		}
	}
	if actions != 1 {
		return ErrInvalidField.With("power_w, switch, charge_source: expected one of the three, got %d", actions)
	}
	if position < 0 || position > dispatchv1.Switch_SWITCH_ON {
		return ErrInvalidField.With("switch: expected off or on, got %d", int32(position))
	}
	if source < 0 || source > dispatchv1.ChargeSource_CHARGE_SOURCE_GRID {
		return ErrInvalidField.With("charge_source: expected none, own or grid, got %d", int32(source))
	}
	return checkReason(reason)
}

func checkReason(reason string) error {
	if !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > maxReason {
		return ErrInvalidField.With("reason: expected at most %d characters of text, got %d bytes", maxReason, len(reason))
	}
	for _, r := range reason {
		if !unicode.IsPrint(r) {
			return ErrInvalidField.With("reason: expected printable text, got %q", reason)
		}
	}
	return nil
}

// commandDevice overrides a device's schedule.
func commandDevice(ctx *module.Ctx, m *dispatchv1.MsgCommandDevice) error {
	device, err := deviceOf(ctx.Store, "device", m.Device)
	if err != nil {
		return err
	}
	if err := checkOperator(ctx, device); err != nil {
		return err
	}
	present := presentPeriod(ctx)
	command := &dispatchv1.Command{
		Account: device.Account, Device: device.Device, FromPeriod: max(m.FromPeriod, present), UntilPeriod: m.UntilPeriod,
		PowerW: m.PowerW, Switch: m.Switch, ChargeSource: m.ChargeSource, Reason: m.Reason,
		By: operator(ctx), GivenAtMs: ctx.TimeMs,
	}
	if err := checkSpan(ctx, command); err != nil {
		return err
	}
	if err := checkAction(device, command); err != nil {
		return err
	}
	live := liveCommands(ctx.Store, device, present)
	if len(live) >= maxCommands {
		return ErrTooManyCommands.With("device: expected at most %d commands of %q that have not ended with their period", maxCommands, device.Device)
	}
	last, _ := counter.Get(ctx.Store)
	command.Number = last.GetLastCommand() + 1
	counter.Set(ctx.Store, &dispatchv1.Counter{LastCommand: command.Number})
	device.Commands = nil
	for _, other := range live {
		device.Commands = append(device.Commands, other.Number)
	}
	device.Commands = append(device.Commands, command.Number)
	devices.Set(ctx.Store, deviceKey(device.Account, device.Device), device)
	saveCommand(ctx.Store, command)
	ctx.Emit(&dispatchv1.DeviceCommanded{Command: command})
	return nil
}

// operator returns who gives a command.
func operator(ctx *module.Ctx) []byte {
	if ctx.Signer.Authority {
		return protocol.AuthorityAddress.Bytes()
	}
	return ctx.Signer.Address().Bytes()
}

// checkSpan checks a command's periods; the first is the present one or later.
func checkSpan(ctx *module.Ctx, command *dispatchv1.Command) error {
	for _, at := range []struct {
		field  string
		period int64
	}{{"from_period", command.FromPeriod}, {"until_period", command.UntilPeriod}} {
		if err := checkPeriod(ctx.Store, at.field, at.period); err != nil {
			return err
		}
	}
	if command.UntilPeriod <= command.FromPeriod {
		return ErrBadSpan.With("until_period: expected a period after %s, got %s", units.FormatTime(command.FromPeriod), units.FormatTime(command.UntilPeriod))
	}
	if latest := presentPeriod(ctx) + maxAheadMs; command.UntilPeriod > latest {
		return ErrBadSpan.With("until_period: expected %s at the latest, 31 days ahead, got %s", units.FormatTime(latest), units.FormatTime(command.UntilPeriod))
	}
	return nil
}

func checkCancelCommand(_ string, m *dispatchv1.MsgCancelCommand) error {
	if m.Number <= 0 {
		return ErrInvalidField.With("number: expected 1 or more, got %d", m.Number)
	}
	return checkDeviceName(m.Device)
}

// cancelCommand ends a command in the present period, whoever gave it.
func cancelCommand(ctx *module.Ctx, m *dispatchv1.MsgCancelCommand) error {
	device, err := deviceOf(ctx.Store, "device", m.Device)
	if err != nil {
		return err
	}
	if err := checkOperator(ctx, device); err != nil {
		return err
	}
	command, ok := commands.Get(ctx.Store, commandKey(device.Account, device.Device, m.Number))
	if !ok || command.CancelledPeriod != 0 || command.UntilPeriod <= presentPeriod(ctx) {
		return ErrUnknownCommand.With("number: expected a command of %q that has not ended, got %d", m.Device, m.Number)
	}
	endCommand(ctx, device, command)
	devices.Set(ctx.Store, deviceKey(device.Account, device.Device), device)
	return nil
}

// checkPeriod wants the start of a period.
func checkPeriod(r state.Reader, field string, period int64) error {
	if period < 0 || registry.PeriodOf(r, period) != period {
		return ErrInvalidField.With("%s: expected the start of a period, got %s", field, units.FormatTime(period))
	}
	return nil
}
