package dispatch

import (
	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
)

// setting returns what a duty asks of an output, brought within the limits, and
// whether these made less of it. Its error, if it has one, says why the gateway
// does not do it.
func (o *Output) setting(d *dispatchv1.Device, duty *dispatchv1.Duty) (s Setting, limited bool, err error) {
	s = o.safe()
	command := duty.Command
	asked, planned := s.PowerW, duty.Version > 0
	if planned {
		asked = duty.PowerW
	}
	if command != nil && command.PowerW != nil {
		asked, planned = *command.PowerW, true
	}
	switch command.GetSwitch() {
	case dispatchv1.Switch_SWITCH_OFF:
		s.PowerW, s.On = 0, false
		return s, false, nil
	case dispatchv1.Switch_SWITCH_ON:
		if o.Switch.Table == 0 {
			return s, false, refuse("the device has no switch")
		}
		if !o.powered() {
			if d.Kind != dispatchv1.DeviceKind_DEVICE_KIND_SWITCH && !o.mayBeOn(d) {
				return s, false, refuse("on, the device goes beyond its limits on chain")
			}
			s.PowerW, s.On = o.ratedW(), true
			return s, false, nil
		}
		s.On = true
	}
	if source := command.GetChargeSource(); source != 0 {
		if !o.Source.Known && (source != dispatchv1.ChargeSource_CHARGE_SOURCE_NONE || !o.powered()) {
			return s, false, refuse("the device has no register for the charge source")
		}
		s.Source = source
		if source == dispatchv1.ChargeSource_CHARGE_SOURCE_NONE {
			asked = max(asked, 0) // that it is not charged is what is asked
		}
	}
	if !o.powered() {
		if planned {
			s.PowerW, s.On = o.switched(asked, d)
		}
		return s, s.PowerW != asked, nil
	}
	s.PowerW = o.within(asked, d)
	if planned && s.PowerW != 0 {
		s.On = true
	}
	if planned && s.PowerW < 0 && command.GetChargeSource() == 0 && o.Source.Known {
		s.Source = dispatchv1.ChargeSource_CHARGE_SOURCE_GRID // what was bought comes over the grid
	}
	return s, s.PowerW != asked, nil
}

// switched returns what comes nearest to a power of what a device that is only
// switched can do within its limits.
func (o *Output) switched(powerW int64, d *dispatchv1.Device) (int64, bool) {
	rated := o.ratedW()
	if powerW = o.within(powerW, d); abs(rated-powerW) < abs(powerW) && o.mayBeOn(d) {
		return rated, true
	}
	return 0, false
}

// mayBeOn says whether a device that is only switched is within the chain's
// limits when it is on.
func (o *Output) mayBeOn(d *dispatchv1.Device) bool { return o.within(o.ratedW(), d) == o.ratedW() }

func abs(v int64) int64 { return max(v, -v) }

// towards returns the setting that may follow on s after some ms on the way to
// a target.
func (o *Output) towards(s, target Setting, ms int64) Setting {
	if o.RampW == 0 {
		return target
	}
	step := o.RampW * ms / 1000
	next := target
	next.PowerW = min(max(target.PowerW, s.PowerW-step), s.PowerW+step)
	if next.PowerW != target.PowerW {
		next.On = next.On || s.On // off when it has come down
	}
	return next
}
