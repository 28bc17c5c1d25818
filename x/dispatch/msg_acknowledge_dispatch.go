package dispatch

import (
	"bytes"
	"fmt"

	"google.golang.org/protobuf/types/known/emptypb"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// MaxAcknowledgements is how many acknowledgements a message may carry.
const MaxAcknowledgements = 1000

func checkAcknowledgeDispatch(_ string, m *dispatchv1.MsgAcknowledgeDispatch) error {
	if len(m.Acknowledgements) == 0 || len(m.Acknowledgements) > MaxAcknowledgements {
		return ErrInvalidField.With("acknowledgements: expected 1 to %d, got %d", MaxAcknowledgements, len(m.Acknowledgements))
	}
	for i, done := range m.Acknowledgements {
		if err := checkAcknowledgement(done); err != nil {
			return fmt.Errorf("acknowledgements[%d]: %w", i, err)
		}
	}
	return nil
}

func checkAcknowledgement(done *dispatchv1.Acknowledgement) error {
	if err := checkDeviceName(done.GetDevice()); err != nil {
		return err
	}
	if done.Version < 0 || done.Command < 0 || (done.Version == 0) == (done.Command == 0) {
		return ErrInvalidField.With("version, command: expected one of them above 0, got %d and %d", done.Version, done.Command)
	}
	if done.Outcome < dispatchv1.Outcome_OUTCOME_DONE || done.Outcome > dispatchv1.Outcome_OUTCOME_FAILED {
		return ErrInvalidField.With("outcome: expected done, limited, overridden, safe, refused or failed, got %d", int32(done.Outcome))
	}
	if done.AppliedW < -maxPowerW || done.AppliedW > maxPowerW {
		return ErrInvalidField.With("applied_w: expected %s to %s, got %s",
			units.FormatPower(-maxPowerW), units.FormatPower(maxPowerW), units.FormatPower(done.AppliedW))
	}
	if done.AtMs <= 0 {
		return ErrInvalidField.With("at_ms: expected a time, got %d", done.AtMs)
	}
	return nil
}

// acknowledgeDispatch keeps what the sender did with devices that it carries; one
// that is refused fails the message.
func acknowledgeDispatch(ctx *module.Ctx, m *dispatchv1.MsgAcknowledgeDispatch) error {
	for i, done := range m.Acknowledgements {
		if err := acknowledge(ctx, done); err != nil {
			return fmt.Errorf("acknowledgements[%d]: %w", i, err)
		}
	}
	return nil
}

func acknowledge(ctx *module.Ctx, done *dispatchv1.Acknowledgement) error {
	device, err := deviceOf(ctx.Store, "device", done.Device)
	if err != nil {
		return err
	}
	if sender := ctx.Signer.Address(); !bytes.Equal(device.Gateway, sender[:]) {
		return ErrWrongGateway.With("device: expected one that the sender carries, got %q", done.Device)
	}
	if err := checkPeriod(ctx.Store, "period", done.Period); err != nil {
		return err
	}
	if oldest := oldestKept(ctx); done.Period < oldest {
		return ErrTooLate.With("period: expected %s or later, got %s", units.FormatTime(oldest), units.FormatTime(done.Period))
	}
	latest := ctx.TimeMs + registry.ParamsNow(ctx.Store, ctx.TimeMs).MaxFutureMs
	if done.AtMs > latest {
		return ErrInFuture.With("at_ms: expected %s at the latest, got %s", units.FormatTime(latest), units.FormatTime(done.AtMs))
	}
	if done.Period > latest {
		return ErrInFuture.With("period: expected %s at the latest, got %s", units.FormatTime(latest), units.FormatTime(done.Period))
	}
	if !asked(ctx.Store, device, done) {
		return ErrUnknownDispatch.With("device: expected set-points of version %d or command %d of %q in the period %s",
			done.Version, done.Command, done.Device, units.FormatTime(done.Period))
	}
	key := ackKey(device.Account, done.Period, done.Device)
	if known, ok := acks.Get(ctx.Store, key); ok && known.AtMs >= done.AtMs {
		return nil
	}
	acks.Set(ctx.Store, key, done)
	ages.Set(ctx.Store, ageKey(done.Period, device.Account), &emptypb.Empty{})
	ctx.Emit(&dispatchv1.DispatchAcknowledged{Account: device.Account, Acknowledgement: done})
	return nil
}

// asked says whether a device was asked for what is acknowledged: by a command
// whose span covers the period, by the plan as it is, or by an earlier version of
// it, which is not kept.
func asked(r state.Reader, device *dispatchv1.Device, done *dispatchv1.Acknowledgement) bool {
	if done.Command != 0 {
		command, ok := commands.Get(r, commandKey(device.Account, device.Device, done.Command))
		return ok && covers(command, done.Period)
	}
	plan, ok := plans.Get(r, planKey(device.Account, done.Period))
	return ok && (done.Version < plan.Version || done.Version == plan.Version && setPointOf(plan, device.Device) != nil)
}
