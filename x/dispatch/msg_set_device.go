package dispatch

import (
	"bytes"
	"slices"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// maxPowerW is the greatest limit of a device, that of a connection's rating.
const maxPowerW = int64(10_000_000_000)

func checkSetDevice(_ string, m *dispatchv1.MsgSetDevice) error {
	if err := checkDeviceName(m.Device); err != nil {
		return err
	}
	if _, err := protocol.AddressFrom(m.Gateway); err != nil {
		return ErrInvalidField.With("gateway: %v", err)
	}
	return checkLimits(m.Kind, m.MaxOutW, m.MaxInW)
}

func checkDeviceName(name string) error {
	if err := protocol.CheckName(name); err != nil {
		return ErrInvalidField.With("device: %v", err)
	}
	return nil
}

// checkLimits: a generator feeds out only, a load draws only, a battery does one of
// both at least, a switch has no power of its own.
func checkLimits(kind dispatchv1.DeviceKind, maxOutW, maxInW int64) error {
	out, in := true, true
	switch kind {
	case dispatchv1.DeviceKind_DEVICE_KIND_GENERATOR:
		in = false
	case dispatchv1.DeviceKind_DEVICE_KIND_LOAD:
		out = false
	case dispatchv1.DeviceKind_DEVICE_KIND_BATTERY:
	case dispatchv1.DeviceKind_DEVICE_KIND_SWITCH:
		out, in = false, false
	default:
		return ErrInvalidField.With("kind: expected generator, load, battery or switch, got %d", int32(kind))
	}
	if err := checkLimit("max_out_w", maxOutW, out, out && !in); err != nil {
		return err
	}
	if err := checkLimit("max_in_w", maxInW, in, in && !out); err != nil {
		return err
	}
	if out && in && maxOutW == 0 && maxInW == 0 {
		return ErrInvalidField.With("max_out_w: expected more than 0 kW, or max_in_w more")
	}
	return nil
}

// checkLimit checks a limit of a kind that can go in its direction or not, and must
// if it can do nothing else.
func checkLimit(field string, limitW int64, can, must bool) error {
	switch {
	case limitW < 0 || limitW > maxPowerW:
		return ErrInvalidField.With("%s: expected 0 to %s, got %s", field, units.FormatPower(maxPowerW), units.FormatPower(limitW))
	case !can && limitW != 0:
		return ErrInvalidField.With("%s: expected 0 kW of a device of that kind, got %s", field, units.FormatPower(limitW))
	case must && limitW == 0:
		return ErrInvalidField.With("%s: expected more than 0 kW of a device of that kind", field)
	}
	return nil
}

// setDevice lets a device of the sender be steered, or changes one. Commands that
// its new limits or kind do not allow end.
func setDevice(ctx *module.Ctx, m *dispatchv1.MsgSetDevice) error {
	account := ctx.Signer.Account
	if limit := max(m.MaxOutW, m.MaxInW); limit > account.ConnectionRatingW {
		return ErrBeyondRating.With("max_out_w, max_in_w: expected at most the connection's rating of %s, got %s",
			units.FormatPower(account.ConnectionRatingW), units.FormatPower(limit))
	}
	if !reads(ctx.Store, m.Gateway, account.Account) {
		return ErrWrongGateway.With("gateway: expected the gateway of a meter of the sender, got %v", protocol.Address(m.Gateway))
	}
	device := &dispatchv1.Device{
		Device: m.Device, Account: account.Account, Gateway: m.Gateway, Kind: m.Kind, MaxOutW: m.MaxOutW, MaxInW: m.MaxInW,
	}
	if owner, taken := owners.Get(ctx.Store, ownerKey(m.Device)); !taken {
		if len(devicesOf(ctx.Store, account.Account)) >= maxDevices {
			return ErrTooManyDevices.With("device: expected at most %d of an account", maxDevices)
		}
	} else if !bytes.Equal(owner.Account, account.Account) {
		return ErrDeviceTaken.With("device: expected a new name or one of the sender's devices, %q is another's", m.Device)
	} else if err := replaceDevice(ctx, device); err != nil {
		return err
	}
	saveDevice(ctx.Store, account.Market, device)
	ctx.Emit(&dispatchv1.DeviceSet{Device: device})
	return planOpen(ctx, account.Account)
}

// reads says whether a gateway reads a meter of an account.
func reads(r state.Reader, gateway, account []byte) bool {
	for _, meter := range registry.MetersOf(r, protocol.Address(account)) {
		if bytes.Equal(meter.Gateway, gateway) {
			return true
		}
	}
	return false
}

// replaceDevice takes over the commands of the device as it was, but for those that
// it cannot follow any more.
func replaceDevice(ctx *module.Ctx, device *dispatchv1.Device) error {
	known, err := deviceOf(ctx.Store, "device", device.Device)
	if err != nil {
		return err
	}
	device.Commands = known.Commands
	for _, command := range liveCommands(ctx.Store, known, presentPeriod(ctx)) {
		if command.CancelledPeriod == 0 && checkAction(device, command) != nil {
			endCommand(ctx, device, command)
		}
	}
	carried.Delete(ctx.Store, carriedKey(known.Gateway, known.Device))
	return nil
}

func saveDevice(s state.Store, market int64, device *dispatchv1.Device) {
	owner := &dispatchv1.Owner{Account: device.Account}
	devices.Set(s, deviceKey(device.Account, device.Device), device)
	owners.Set(s, ownerKey(device.Device), owner)
	carried.Set(s, carriedKey(device.Gateway, device.Device), owner)
	fleets.Set(s, fleetKey(market, device.Account), owner)
}

func checkRemoveDevice(_ string, m *dispatchv1.MsgRemoveDevice) error {
	return checkDeviceName(m.Device)
}

// removeDevice ends that a device of the sender is steered.
func removeDevice(ctx *module.Ctx, m *dispatchv1.MsgRemoveDevice) error {
	device, err := deviceOf(ctx.Store, "device", m.Device)
	if err != nil {
		return err
	}
	if !bytes.Equal(device.Account, ctx.Signer.Account.GetAccount()) {
		return ErrDeviceTaken.With("device: expected one of the sender's devices, %q is another's", m.Device)
	}
	dropDevice(ctx, device)
	return planOpen(ctx, device.Account)
}

// letGo removes all devices of an account.
func letGo(ctx *module.Ctx, account []byte) error {
	steered := devicesOf(ctx.Store, account)
	if len(steered) == 0 {
		return nil
	}
	for _, device := range steered {
		dropDevice(ctx, device)
	}
	return planOpen(ctx, account)
}

// dropDevice removes a device and ends its commands; plans stay as they are.
func dropDevice(ctx *module.Ctx, device *dispatchv1.Device) {
	for _, command := range liveCommands(ctx.Store, device, presentPeriod(ctx)) {
		if command.CancelledPeriod == 0 {
			endCommand(ctx, device, command)
		}
	}
	devices.Delete(ctx.Store, deviceKey(device.Account, device.Device))
	owners.Delete(ctx.Store, ownerKey(device.Device))
	carried.Delete(ctx.Store, carriedKey(device.Gateway, device.Device))
	if len(devicesOf(ctx.Store, device.Account)) == 0 {
		registered, _ := registry.AccountOf(ctx.Store, protocol.Address(device.Account))
		fleets.Delete(ctx.Store, fleetKey(registered.GetMarket(), device.Account))
	}
	ctx.Emit(&dispatchv1.DeviceRemoved{Device: device.Device, Account: device.Account})
}

// dropNumber takes a command off a device's list.
func dropNumber(device *dispatchv1.Device, number int64) {
	device.Commands = slices.DeleteFunc(device.Commands, func(n int64) bool { return n == number })
}
