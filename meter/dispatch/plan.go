package dispatch

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
)

// clockSlack is how far the gateway's clock may be from the time of the latest
// block: blocks follow one another in seconds.
const clockSlack = 30 * time.Second

// firstCredible is the earliest time a clock may show that was ever set.
var firstCredible = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// Plan is what the chain asks of a gateway's devices in the next periods. A nil
// one asks nothing and is never fresh.
type Plan struct {
	// At is the gateway's time of the answer, Block that of its block.
	At, Block time.Time
	// PeriodMs is the length of a period.
	PeriodMs int64
	Devices  map[string]*dispatchv1.DeviceDispatch
}

// Renewed returns the plan to follow after the chain answered with next: next,
// or this one while a node answers from an older block or the chain stands
// still, or none when the clock cannot be right. The error says why it is not
// next.
//
// Blocks are never from the future: a clock behind them is wrong. One that is
// ahead of them is wrong if the chain goes on, else the chain stands still.
func (p *Plan) Renewed(next *Plan) (*Plan, error) {
	ahead := next.At.Sub(next.Block)
	switch {
	case next.At.Before(firstCredible):
		return nil, fmt.Errorf("the clock shows %v: it was never set", next.At.UTC())
	case ahead < -clockSlack:
		return nil, fmt.Errorf("the clock is %v behind the latest block", -ahead.Round(time.Second))
	case p != nil && next.Block.Before(p.Block):
		return p, fmt.Errorf("the node answers from a block %v before the latest one known", p.Block.Sub(next.Block).Round(time.Second))
	case ahead > clockSlack && p != nil && next.Block.After(p.Block):
		return nil, fmt.Errorf("the clock is %v ahead of the latest block", ahead.Round(time.Second))
	case ahead > clockSlack:
		return p, fmt.Errorf("the latest block is %v old: the chain stands still, or the clock is wrong", ahead.Round(time.Second))
	}
	return next, nil
}

// fresh says why the plan must not be followed any more, if so.
func (p *Plan) fresh(now time.Time, watchdog time.Duration) error {
	switch {
	case p == nil:
		return errors.New("there is no schedule")
	case now.Before(p.At.Add(-clockSlack)):
		return errors.New("the clock was set back")
	case now.Sub(p.At) > watchdog:
		return fmt.Errorf("the schedule is older than the %v that the watchdog allows", watchdog)
	}
	return nil
}

// device returns a device as the chain has it, and what it is asked in the
// period that contains now; nil where there is none.
func (p *Plan) device(name string, now time.Time) (*dispatchv1.Device, *dispatchv1.Duty) {
	if p == nil || p.PeriodMs <= 0 || p.Devices[name] == nil {
		return nil, nil
	}
	found := p.Devices[name]
	present := now.UnixMilli() - now.UnixMilli()%p.PeriodMs
	for _, duty := range found.Duties {
		if duty.Period == present {
			return found.Device, duty
		}
	}
	return found.Device, nil
}

// Strangers returns refusals for what is asked in the present period of devices
// that are not known here, by name: whoever asked hears that nobody does it.
func (p *Plan) Strangers(known map[string]bool, now time.Time) (acks []*dispatchv1.Acknowledgement) {
	if p == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(p.Devices)) {
		_, duty := p.device(name, now)
		if known[name] || duty == nil {
			continue
		}
		acks = append(acks, acknowledgement(name, duty, dispatchv1.Outcome_OUTCOME_REFUSED, 0, now))
	}
	return acks
}

// acknowledgement is of the command in force, or the schedule.
func acknowledgement(device string, duty *dispatchv1.Duty, outcome dispatchv1.Outcome, appliedW int64, now time.Time) *dispatchv1.Acknowledgement {
	ack := &dispatchv1.Acknowledgement{
		Device: device, Period: duty.Period, Version: duty.Version, Outcome: outcome, AppliedW: appliedW, AtMs: now.UnixMilli(),
	}
	if duty.Command != nil {
		ack.Version, ack.Command = 0, duty.Command.Number
	}
	return ack
}
