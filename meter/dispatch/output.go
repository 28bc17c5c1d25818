package dispatch

import (
	"errors"
	"fmt"
	"slices"
	"time"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/modbus"
)

// Output says how a device is reached and what it may be told, as the gateway's
// configuration has it. Two that are equal by == are the same.
type Output struct {
	// Name of the device on chain.
	Name string
	// URL of the bus, Unit on it, and how long one question may take.
	URL     string
	Unit    int
	Timeout time.Duration
	// MaxOutW and MaxInW are the gateway's own limits of feeding out and drawing;
	// the lesser of them and of the chain's counts.
	MaxOutW, MaxInW int64
	// RampW is how many W the power changes in a second at most; 0: no limit. The
	// safe value is written at once.
	RampW int64
	// SafeW is the power of the safe state.
	SafeW int64
	// Watchdog is how old the schedule may be.
	Watchdog time.Duration
	// Refresh is how often what is set is written again: many inverters fall back
	// by themselves without.
	Refresh time.Duration
	// SetPoint holds the power in both directions; or Discharge and Charge hold
	// it, each in its own, as positive numbers.
	SetPoint, Discharge, Charge Register
	// Switch turns the device on and off.
	Switch Switch
	// Source says what may charge a battery.
	Source Source
	// Override is set while somebody on site has the device.
	Override Input
	// Multiple has single values written with the functions for several (15, 16).
	Multiple bool
}

// Switch is a coil, or a holding register with a value for each position. One
// with table 0 is none.
type Switch struct {
	Table   modbus.Table
	Address uint16
	On, Off uint16
	// SafeOn is its position in the safe state.
	SafeOn bool
}

// Source is a holding register with a value for each charge source. One without
// Known is none.
type Source struct {
	Known           bool
	Address         uint16
	None, Own, Grid uint16
	// Usual is the charge source while nothing is to be drawn, and in the safe
	// state.
	Usual dispatchv1.ChargeSource
}

// Input is a bit, or a register that is not 0 while it is set. One with table 0
// is none.
type Input struct {
	Table   modbus.Table
	Address uint16
}

// Setting is what a device is set to.
type Setting struct {
	// PowerW feeds out where it is positive, draws where it is negative.
	PowerW int64
	On     bool
	Source dispatchv1.ChargeSource
}

// A FieldError is a mistake in a field of an output's configuration.
type FieldError struct{ Field, Text string }

func (e *FieldError) Error() string { return e.Field + ": " + e.Text }

// Check says what is wrong with an output: an error is a *FieldError.
func (o *Output) Check() error {
	pair := o.Discharge.Form != "" || o.Charge.Form != ""
	switch {
	case o.SetPoint.Form == "" && !pair && o.Switch.Table == 0:
		return &FieldError{"set_point", "expected it, discharge and charge, or switch"}
	case o.SetPoint.Form != "" && pair:
		return &FieldError{"set_point", "expected it or discharge and charge, not both"}
	case o.MaxOutW == 0 && o.MaxInW == 0 && (pair || o.SetPoint.Form != ""):
		return &FieldError{"max_out_w", "expected it or max_in_w above 0: without, nothing may be written"}
	case o.SafeW > o.MaxOutW || o.SafeW < -o.MaxInW:
		return &FieldError{"safe_w", fmt.Sprintf("expected it within the limits, %d to %d", -o.MaxInW, o.MaxOutW)}
	case !o.powered() && o.SafeW != 0:
		return &FieldError{"safe_w", "expected 0 for a device that is only switched; its safe position is switch.safe"}
	case !o.powered() && o.MaxOutW > 0 && o.MaxInW > 0:
		return &FieldError{"max_out_w", "expected only one of it and max_in_w for a device that is only switched"}
	case !o.powered() && o.RampW > 0:
		return &FieldError{"ramp_w_per_s", "expected none for a device that is only switched"}
	case o.Refresh >= o.Watchdog:
		return &FieldError{"refresh", fmt.Sprintf("expected less than the watchdog, %v", o.Watchdog)}
	}
	return o.checkRegisters()
}

func (o *Output) checkRegisters() error {
	for _, r := range []struct {
		field     string
		register  Register
		outW, inW int64
		magnitude bool
	}{
		{"set_point", o.SetPoint, o.MaxOutW, o.MaxInW, false},
		{"discharge", o.Discharge, o.MaxOutW, 0, true},
		{"charge", o.Charge, 0, o.MaxInW, true},
	} {
		if r.register.Form == "" {
			continue
		}
		if most := r.register.most(); max(r.outW, r.inW) > most {
			return &FieldError{r.field, fmt.Sprintf("expected room for %d W, %s holds %d W at most", max(r.outW, r.inW), r.register.Form, most)}
		}
		forward, backward := r.outW, r.inW
		if r.register.Draws {
			forward, backward = r.inW, r.outW
		}
		if !r.magnitude && !r.register.signed() && backward > 0 {
			return &FieldError{r.field, fmt.Sprintf("expected a signed type for %d to %d W (positive: %s)", -o.MaxInW, o.MaxOutW, direction(r.register.Draws))}
		}
		if forward == 0 && backward == 0 {
			return &FieldError{r.field, "expected a limit above 0 in its direction"}
		}
		if int(r.register.Address)+r.register.words() > 1<<16 {
			return &FieldError{r.field, "expected both registers to be below 65536"}
		}
	}
	if o.SetPoint.Form == "" && o.powered() {
		if o.MaxOutW > 0 && o.Discharge.Form == "" {
			return &FieldError{"discharge", "missing, max_out_w is above 0"}
		}
		if o.MaxInW > 0 && o.Charge.Form == "" {
			return &FieldError{"charge", "missing, max_in_w is above 0"}
		}
	}
	return o.checkAddresses()
}

// checkAddresses demands that no holding register serves twice.
func (o *Output) checkAddresses() error {
	taken := make(map[int]string)
	for _, use := range []struct {
		field   string
		there   bool
		address uint16
		words   int
	}{
		{"set_point", o.SetPoint.Form != "", o.SetPoint.Address, o.SetPoint.words()},
		{"discharge", o.Discharge.Form != "", o.Discharge.Address, o.Discharge.words()},
		{"charge", o.Charge.Form != "", o.Charge.Address, o.Charge.words()},
		{"switch", o.Switch.Table == modbus.Holding, o.Switch.Address, 1},
		{"source", o.Source.Known, o.Source.Address, 1},
	} {
		for at := int(use.address); use.there && at < int(use.address)+use.words; at++ {
			if other := taken[at]; other != "" {
				return &FieldError{use.field, fmt.Sprintf("expected registers of its own, %d is of %s", at, other)}
			}
			taken[at] = use.field
		}
	}
	return nil
}

func direction(draws bool) string {
	if draws {
		return "in"
	}
	return "out"
}

// powered says whether the device takes a power, and not only a switch.
func (o *Output) powered() bool {
	return o.SetPoint.Form != "" || o.Discharge.Form != "" || o.Charge.Form != ""
}

// safe is the state that is set when nothing better is known.
func (o *Output) safe() Setting {
	s := Setting{PowerW: o.SafeW, On: o.Switch.SafeOn, Source: o.Source.Usual}
	if !o.powered() && s.On {
		s.PowerW = o.ratedW()
	}
	return s
}

// ratedW is what a device that is only switched does when it is on.
func (o *Output) ratedW() int64 { return o.MaxOutW - o.MaxInW }

// within brings a power within limits, of the chain's device if it is known and
// the gateway's own.
func (o *Output) within(powerW int64, d *dispatchv1.Device) int64 {
	out, in := o.MaxOutW, o.MaxInW
	if d != nil {
		out, in = min(out, d.MaxOutW), min(in, d.MaxInW)
	}
	return min(max(powerW, -in), out)
}

// value is something to be written, one or two holding registers or a coil.
type value struct {
	coil    bool
	address uint16
	raw     []uint16
}

// values returns what sets a device, in the order in which it is written: off
// before all else and on after it, the direction that ends before the one that
// begins. shown is the setting as the registers can hold it. This is where the
// limits are kept, whatever was decided before: the gateway's own, and those of
// the device on chain as they were last known.
func (o *Output) values(s Setting, d *dispatchv1.Device) (out []value, shown Setting) {
	shown = s
	if o.powered() {
		shown.PowerW = o.within(s.PowerW, d)
	}
	if s.Source == dispatchv1.ChargeSource_CHARGE_SOURCE_NONE {
		shown.PowerW = max(shown.PowerW, 0)
	}
	if o.Switch.Table != 0 && !s.On {
		shown.PowerW = 0
	}
	if o.Source.Known {
		raw := map[dispatchv1.ChargeSource]uint16{
			dispatchv1.ChargeSource_CHARGE_SOURCE_NONE: o.Source.None,
			dispatchv1.ChargeSource_CHARGE_SOURCE_OWN:  o.Source.Own,
			dispatchv1.ChargeSource_CHARGE_SOURCE_GRID: o.Source.Grid,
		}[s.Source]
		out = append(out, value{address: o.Source.Address, raw: []uint16{raw}})
	}
	switch {
	case o.SetPoint.Form != "":
		raw, powerW := o.SetPoint.encode(shown.PowerW)
		out, shown.PowerW = append(out, value{address: o.SetPoint.Address, raw: raw}), powerW
	case o.powered():
		pair, powerW := o.pair(shown.PowerW)
		out, shown.PowerW = append(out, pair...), powerW
	}
	if o.Switch.Table == 0 {
		return out, shown
	}
	position := value{coil: o.Switch.Table == modbus.Coils, address: o.Switch.Address, raw: []uint16{o.Switch.Off}}
	if !s.On {
		return append([]value{position}, out...), shown
	}
	position.raw[0] = o.Switch.On
	return append(out, position), shown
}

// pair sets a device with a register for each direction.
func (o *Output) pair(powerW int64) (out []value, shownW int64) {
	for _, r := range []struct {
		register Register
		sign     int64
	}{{o.Discharge, 1}, {o.Charge, -1}} {
		if r.register.Form == "" {
			continue
		}
		raw, powerW := r.register.encode(max(r.sign*powerW, 0))
		shownW += r.sign * powerW
		out = append(out, value{address: r.register.Address, raw: raw})
	}
	if powerW > 0 {
		slices.Reverse(out)
	}
	return out, shownW
}

var errRefused = errors.New("refused")

// refuse returns an error that says why the gateway does not do what it is told.
func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errRefused, fmt.Sprintf(format, args...))
}
