package dispatch

import (
	"bytes"

	"google.golang.org/protobuf/types/known/emptypb"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// checkOperator wants the authority, the device's owner or the owner's home
// aggregator, which must not be frozen itself.
func checkOperator(ctx *module.Ctx, device *dispatchv1.Device) error {
	if ctx.Signer.Authority {
		return nil
	}
	sender := ctx.Signer.Account
	if bytes.Equal(sender.GetAccount(), device.Account) {
		return nil
	}
	owner, _ := registry.AccountOf(ctx.Store, protocol.Address(device.Account))
	if bytes.Equal(sender.GetAccount(), owner.GetHomeAggregator()) && sender.GetStatus() == registryv1.Status_STATUS_ACTIVE {
		return nil
	}
	return ErrNotAllowed.With("device: expected one of the sender or, if it is an active aggregator, of its region, %q is not", device.Device)
}

// checkAction refuses what a device cannot do.
func checkAction(device *dispatchv1.Device, command *dispatchv1.Command) error {
	switch {
	case command.ChargeSource != 0 && device.Kind != dispatchv1.DeviceKind_DEVICE_KIND_BATTERY:
		return ErrWrongKind.With("charge_source: expected it of a battery only, %q is none", device.Device)
	case command.PowerW == nil:
		return nil
	case device.Kind == dispatchv1.DeviceKind_DEVICE_KIND_SWITCH:
		return ErrWrongKind.With("power_w: expected switch on or off, %q is a switch", device.Device)
	case *command.PowerW > device.MaxOutW || *command.PowerW < -device.MaxInW:
		return ErrBeyondLimits.With("power_w: expected %s to %s, got %s",
			units.FormatPower(-device.MaxInW), units.FormatPower(device.MaxOutW), units.FormatPower(*command.PowerW))
	}
	return nil
}

// liveCommands returns a device's commands that have not ended at a period, lowest
// number first; those cancelled in it are among them.
func liveCommands(r state.Reader, device *dispatchv1.Device, period int64) []*dispatchv1.Command {
	var found []*dispatchv1.Command
	for _, number := range device.Commands {
		if command, ok := commands.Get(r, commandKey(device.Account, device.Device, number)); ok && command.UntilPeriod > period {
			found = append(found, command)
		}
	}
	return found
}

// inForce says whether a command holds in a period.
func inForce(command *dispatchv1.Command, period int64) bool {
	return covers(command, period) && (command.CancelledPeriod == 0 || period < command.CancelledPeriod)
}

// covers says whether a period is in a command's span; that in which it was
// cancelled is.
func covers(command *dispatchv1.Command, period int64) bool {
	return command.FromPeriod <= period && period < command.UntilPeriod
}

// latestInForce returns the command that holds in a period, nil if none does: of
// several the one given last.
func latestInForce(all []*dispatchv1.Command, period int64) *dispatchv1.Command {
	var latest *dispatchv1.Command
	for _, command := range all {
		if inForce(command, period) {
			latest = command
		}
	}
	return latest
}

// endCommand cancels a command. One that has begun stays to its period's end, so
// that what was done of it can be acknowledged; the caller stores the device.
func endCommand(ctx *module.Ctx, device *dispatchv1.Device, command *dispatchv1.Command) {
	present := presentPeriod(ctx)
	ends.Delete(ctx.Store, endKey(command))
	if command.FromPeriod > present {
		commands.Delete(ctx.Store, commandKey(command.Account, command.Device, command.Number))
		dropNumber(device, command.Number)
	} else {
		command.CancelledPeriod = present
		command.UntilPeriod = present + registry.ChainOf(ctx.Store).PeriodLengthMs
		saveCommand(ctx.Store, command)
	}
	ctx.Emit(&dispatchv1.CommandCancelled{Account: command.Account, Device: command.Device, Number: command.Number})
}

func saveCommand(s state.Store, command *dispatchv1.Command) {
	commands.Set(s, commandKey(command.Account, command.Device, command.Number), command)
	ends.Set(s, endKey(command), &emptypb.Empty{})
}

// forget removes a command that ended.
func forget(ctx *module.Ctx, command *dispatchv1.Command) {
	commands.Delete(ctx.Store, commandKey(command.Account, command.Device, command.Number))
	ends.Delete(ctx.Store, endKey(command))
	if device, ok := devices.Get(ctx.Store, deviceKey(command.Account, command.Device)); ok {
		dropNumber(device, command.Number)
		devices.Set(ctx.Store, deviceKey(command.Account, command.Device), device)
	}
}
