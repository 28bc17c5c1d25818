package dispatch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	goburrow "github.com/goburrow/modbus"

	"github.com/energyd/energyd/meter/modbus"
)

const (
	// What was written is read back up to so many times, with a pause: a device
	// may need a moment.
	readBacks     = 3
	readBackPause = 200 * time.Millisecond
)

// isRefusal says whether the device itself answered that it does not do it. An
// exception of a gateway before it leaves that open.
func isRefusal(err error) bool {
	e, ok := errors.AsType[*modbus.Exception](err)
	return ok && e.ExceptionCode != goburrow.ExceptionCodeGatewayPathUnavailable &&
		e.ExceptionCode != goburrow.ExceptionCodeGatewayTargetDeviceFailedToRespond
}

// set writes a setting and reads each of its values back. After an error
// nothing is known of the device.
func (d *Device) set(ctx context.Context, s Setting, now time.Time) error {
	values, shown := d.output.values(s, d.limits)
	for _, v := range values {
		if err := d.write(ctx, v); err != nil {
			d.known, d.state.Set = nil, nil
			return err
		}
	}
	d.known, d.state.Set, d.state.WrittenAt = &s, &shown, now
	return nil
}

// write writes a value. One whose answer is lost or late may have been written:
// what the device shows decides.
func (d *Device) write(ctx context.Context, v value) error {
	err := d.put(ctx, v)
	if isRefusal(err) {
		return err
	}
	for n := range readBacks {
		got, readErr := d.get(ctx, v)
		switch {
		case readErr != nil && err != nil:
			return fmt.Errorf("whether it was written is not known: %w", err)
		case readErr != nil:
			return fmt.Errorf("read back: %w", readErr)
		case slices.Equal(got, v.raw):
			return nil
		case n == readBacks-1:
			return errors.Join(fmt.Errorf("%v shows %d, written was %d", v, got, v.raw), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(d.settle):
		}
	}
	return nil
}

func (v value) String() string {
	if v.coil {
		return fmt.Sprintf("coil %d", v.address)
	}
	return fmt.Sprintf("register %d", v.address)
}

func (d *Device) put(ctx context.Context, v value) error {
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	if v.coil {
		return d.bus.WriteCoil(ctx, byte(d.output.Unit), v.address, v.raw[0] == 1, d.output.Multiple)
	}
	return d.bus.WriteRegisters(ctx, byte(d.output.Unit), v.address, v.raw, d.output.Multiple)
}

func (d *Device) get(ctx context.Context, v value) ([]uint16, error) {
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	if !v.coil {
		return d.bus.Read(ctx, byte(d.output.Unit), modbus.Holding, v.address, uint16(len(v.raw)))
	}
	bits, err := d.bus.ReadBits(ctx, byte(d.output.Unit), modbus.Coils, v.address, 1)
	if err != nil {
		return nil, err
	}
	return []uint16{bit(bits[0])}, nil
}

func bit(on bool) uint16 {
	if on {
		return 1
	}
	return 0
}

// checkOverride looks whether somebody on site has the device. While that
// cannot be read, nothing may be written.
func (d *Device) checkOverride(ctx context.Context, now time.Time) error {
	in := d.output.Override
	if in.Table == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, d.options.Timeout)
	defer cancel()
	var err error
	switch in.Table {
	case modbus.Coils, modbus.Discrete:
		var bits []bool
		if bits, err = d.bus.ReadBits(ctx, byte(d.output.Unit), in.Table, in.Address, 1); err == nil {
			d.overridden = bits[0]
		}
	default:
		var words []uint16
		if words, err = d.bus.Read(ctx, byte(d.output.Unit), in.Table, in.Address, 1); err == nil {
			d.overridden = words[0] != 0
		}
	}
	if err != nil {
		return fmt.Errorf("override: %w", err)
	}
	d.overrideAt = now
	return nil
}

// Inspect reads all that an output would write, and its override, writes
// nothing, and says what it found.
func Inspect(ctx context.Context, o Output, bus Bus, timeout time.Duration) (string, error) {
	d := NewDevice(o, bus, Options{Timeout: timeout})
	if err := d.checkOverride(ctx, time.Time{}); err != nil {
		return "", err
	}
	values, _ := o.values(o.safe(), nil)
	var found []string
	for _, v := range values {
		raw, err := d.get(ctx, v)
		if err != nil {
			return "", err
		}
		found = append(found, o.describe(v, raw))
	}
	slices.Sort(found)
	if d.overridden {
		found = append(found, "overridden on site")
	}
	return strings.Join(found, ", "), nil
}

// describe says what a value read from the device means.
func (o *Output) describe(v value, raw []uint16) string {
	for _, r := range []struct {
		name     string
		register Register
	}{{"set-point", o.SetPoint}, {"discharge", o.Discharge}, {"charge", o.Charge}} {
		if r.register.Form == "" || v.coil || r.register.Address != v.address {
			continue
		}
		powerW, err := r.register.decode(raw)
		if err != nil {
			return fmt.Sprintf("%s: %v", r.name, err)
		}
		return fmt.Sprintf("%s %g W", r.name, powerW)
	}
	if o.Switch.Table != 0 && o.Switch.Address == v.address && v.coil == (o.Switch.Table == modbus.Coils) {
		switch raw[0] {
		case o.Switch.On:
			return "switch on"
		case o.Switch.Off:
			return "switch off"
		}
		return fmt.Sprintf("switch %d", raw[0])
	}
	return fmt.Sprintf("charge source %d", raw[0])
}
