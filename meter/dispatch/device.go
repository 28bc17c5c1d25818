package dispatch

import (
	"context"
	"errors"
	"strings"
	"time"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/modbus"
)

const (
	// every is how often a device is looked after.
	every = time.Second
	// overrideEvery is how often the override is looked at while nothing is
	// written; before a write it always is.
	overrideEvery = 5 * time.Second
	// Pauses after failures in a row.
	firstPause, longestPause = 2 * time.Second, time.Minute
)

// Bus is the connection to a device: a modbus.Bus.
type Bus interface {
	Read(ctx context.Context, unit byte, table modbus.Table, address, count uint16) ([]uint16, error)
	ReadBits(ctx context.Context, unit byte, table modbus.Table, address, count uint16) ([]bool, error)
	WriteRegisters(ctx context.Context, unit byte, address uint16, values []uint16, multiple bool) error
	WriteCoil(ctx context.Context, unit byte, address uint16, on, multiple bool) error
}

// State is what became of a device.
type State struct {
	// Set is what it was last read back to be set to; nil while that is not known.
	Set *Setting `json:"set,omitempty"`
	// WrittenAt is when that was.
	WrittenAt time.Time `json:"written_at,omitzero"`
	// Outcome of the present period in small letters, and why it is not done.
	Outcome string `json:"outcome"`
	Reason  string `json:"reason,omitempty"`
}

// Options of a device that runs.
type Options struct {
	// Timeout of one question, with the waiting for the others on the bus.
	Timeout time.Duration
	Now     func() time.Time
	// Plan returns the latest plan, nil without one.
	Plan func() *Plan
	// Report is told of each change of state, Acknowledge of each outcome.
	Report      func(State)
	Acknowledge func(*dispatchv1.Acknowledgement)
}

// Device executes what the chain asks of one output.
type Device struct {
	output  Output
	options Options
	bus     Bus
	// settle is the pause before a value is read back again.
	settle time.Duration

	state State
	// known is the setting behind state.Set; nil while it is not known.
	known *Setting
	// limits is the device as the chain last had it, nil before.
	limits *dispatchv1.Device
	// overrideAt is when the override was last looked at.
	overrideAt time.Time
	overridden bool
	// failure is why the latest attempt failed; before notBefore nothing but the
	// safe state is tried.
	failure   error
	notBefore time.Time
	pause     time.Duration
	told      told
}

// told tells outcomes apart: each is acknowledged once.
type told struct {
	period, version, command int64
	outcome                  dispatchv1.Outcome
}

// NewDevice returns a device whose state is not known.
func NewDevice(o Output, bus Bus, options Options) *Device {
	return &Device{output: o, options: options, bus: bus, settle: readBackPause}
}

// Run looks after the device until ctx ends, and then leaves it in its safe
// state.
func (d *Device) Run(ctx context.Context) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for ctx.Err() == nil {
		d.step(ctx)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
	d.stop(context.WithoutCancel(ctx))
}

var errStopped = errors.New("the gateway was stopped")

// stop writes the safe state, whatever was there, unless somebody on site has
// the device.
func (d *Device) stop(ctx context.Context) {
	now := d.options.Now()
	_, duty := d.options.Plan().device(d.output.Name, now)
	err := d.checkOverride(ctx, now)
	if err == nil && !d.overridden {
		err = d.set(ctx, d.safe(), now)
	}
	switch {
	case err != nil:
		d.known, d.state.Set = nil, nil
		d.tell(duty, dispatchv1.Outcome_OUTCOME_FAILED, err)
	case d.overridden:
		d.tell(duty, dispatchv1.Outcome_OUTCOME_OVERRIDDEN, nil)
	default:
		d.tell(duty, dispatchv1.Outcome_OUTCOME_SAFE, errStopped)
	}
}

// safe is the output's safe state within the limits of the chain.
func (d *Device) safe() Setting {
	s := d.output.safe()
	if d.output.powered() {
		s.PowerW = d.output.within(s.PowerW, d.limits)
	}
	return s
}

// target is what a device is to be set to, and the outcome when it is.
type target struct {
	Setting
	duty    *dispatchv1.Duty
	outcome dispatchv1.Outcome
	reason  error
}

// target decides by the plan.
func (d *Device) target(now time.Time) target {
	plan := d.options.Plan()
	device, duty := plan.device(d.output.Name, now)
	if device != nil {
		d.limits = device
	}
	t := target{Setting: d.safe(), duty: duty, outcome: dispatchv1.Outcome_OUTCOME_SAFE}
	if t.reason = plan.fresh(now, d.output.Watchdog); t.reason != nil {
		return t
	}
	if device == nil {
		t.reason = errors.New("the chain has no such device for this gateway")
		return t
	}
	if duty == nil {
		return t // nothing is asked: that is no fault
	}
	setting, limited, err := d.output.setting(device, duty)
	switch {
	case err != nil:
		t.outcome, t.reason = dispatchv1.Outcome_OUTCOME_REFUSED, err
	case limited:
		t.Setting, t.outcome = setting, dispatchv1.Outcome_OUTCOME_LIMITED
	default:
		t.Setting, t.outcome = setting, dispatchv1.Outcome_OUTCOME_DONE
	}
	return t
}

// step brings the device nearer to what it is to do.
func (d *Device) step(ctx context.Context) {
	now := d.options.Now()
	t := d.target(now)
	if d.failure != nil && now.Before(d.notBefore) {
		if d.known == nil {
			return
		}
		t = target{d.safe(), t.duty, outcomeOf(d.failure), d.failure}
	}
	next := d.next(t.Setting, now)
	due := d.known == nil || *d.known != next || now.Sub(d.state.WrittenAt) >= d.output.Refresh || now.Before(d.state.WrittenAt)
	if due || now.Sub(d.overrideAt) >= overrideEvery || now.Before(d.overrideAt) {
		if err := d.checkOverride(ctx, now); err != nil {
			d.failed(ctx, t, err)
			return
		}
	}
	if d.overridden {
		d.known, d.state.Set = nil, nil // whoever has it does with it what he likes
		d.tell(t.duty, dispatchv1.Outcome_OUTCOME_OVERRIDDEN, nil)
		return
	}
	if due {
		if err := d.set(ctx, next, now); err != nil {
			d.failed(ctx, t, err)
			if next != d.safe() && ctx.Err() == nil {
				_ = d.set(ctx, d.safe(), now) // else after a pause
			}
			return
		}
	}
	switch {
	case next == t.Setting:
		if t.outcome != dispatchv1.Outcome_OUTCOME_FAILED {
			d.failure, d.pause = nil, 0
		}
		d.tell(t.duty, t.outcome, t.reason)
	case next != d.safe():
		d.tell(t.duty, dispatchv1.Outcome_OUTCOME_LIMITED, errors.New("its power changes step by step"))
	}
}

// next is what may be set now on the way to a target: from an unknown state the
// safe one, which itself is set at once.
func (d *Device) next(to Setting, now time.Time) Setting {
	safe := d.safe()
	if d.known == nil || to == safe {
		return safe
	}
	since := min(max(now.Sub(d.state.WrittenAt), 0), every+every/2)
	return d.output.towards(*d.known, to, since.Milliseconds())
}

// failed is told that nothing is known of the device any more, or whether it
// may be written to.
func (d *Device) failed(ctx context.Context, t target, err error) {
	if ctx.Err() != nil {
		return // the gateway is being stopped
	}
	d.known, d.state.Set = nil, nil
	d.failure = err
	d.pause = min(max(2*d.pause, firstPause), longestPause)
	d.notBefore = d.options.Now().Add(d.pause)
	d.tell(t.duty, outcomeOf(err), err)
}

// outcomeOf tells a device's own refusal from all other failures.
func outcomeOf(err error) dispatchv1.Outcome {
	if isRefusal(err) {
		return dispatchv1.Outcome_OUTCOME_REFUSED
	}
	return dispatchv1.Outcome_OUTCOME_FAILED
}

// tell reports a state that is new and acknowledges an outcome that is.
func (d *Device) tell(duty *dispatchv1.Duty, outcome dispatchv1.Outcome, reason error) {
	d.state.Outcome, d.state.Reason = strings.ToLower(strings.TrimPrefix(outcome.String(), "OUTCOME_")), ""
	if reason != nil {
		d.state.Reason = reason.Error()
	}
	d.options.Report(d.state)
	if duty == nil {
		return
	}
	told := told{duty.Period, duty.Version, duty.Command.GetNumber(), outcome}
	if told == d.told {
		return
	}
	d.told = told
	appliedW := int64(0)
	if d.state.Set != nil {
		appliedW = d.state.Set.PowerW
	}
	d.options.Acknowledge(acknowledgement(d.output.Name, duty, outcome, appliedW, d.options.Now()))
}
