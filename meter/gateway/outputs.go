package gateway

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
	"github.com/energyd/energyd/meter/dispatch"
	"github.com/energyd/energyd/meter/modbus"
	"github.com/energyd/energyd/protocol"
)

// Defaults of what a device leaves out.
const (
	defaultWatchdog = 5 * time.Minute
	defaultRefresh  = 30 * time.Second
)

// devices reads the list of devices that are steered.
func (d decoder) devices(out *[]dispatch.Output) field {
	return func(n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return errors.New("expected a list of devices")
		}
		seen := make(map[string]bool)
		for i, item := range n.Content {
			path := fmt.Sprintf("devices[%d]", i)
			o := dispatch.Output{Unit: 1, Timeout: defaultTimeout, Watchdog: defaultWatchdog, Refresh: defaultRefresh}
			if err := d.device(item, path, &o); err != nil {
				return err
			}
			if seen[o.Name] {
				return &ConfigError{d.file, item.Line, path + ".name", fmt.Sprintf("expected each device once, got %q again", o.Name)}
			}
			seen[o.Name] = true
			*out = append(*out, o)
		}
		return nil
	}
}

func (d decoder) device(n *yaml.Node, path string, o *dispatch.Output) error {
	var out, in, ramp, safe int
	err := d.mapping(n, path, fields{
		"name":           text(&o.Name, protocol.CheckName),
		"url":            text(&o.URL, d.checkBus),
		"unit":           whole(&o.Unit, 1, 247),
		"timeout":        duration(&o.Timeout, 50*time.Millisecond, time.Minute),
		"max_out_w":      whole(&out, 0, maxPowerW),
		"max_in_w":       whole(&in, 0, maxPowerW),
		"ramp_w_per_s":   whole(&ramp, 1, maxPowerW),
		"safe_w":         whole(&safe, -maxPowerW, maxPowerW),
		"watchdog":       duration(&o.Watchdog, 3*time.Second, 24*time.Hour),
		"refresh":        duration(&o.Refresh, time.Second, time.Hour),
		"set_point":      d.register(&o.SetPoint, path+".set_point", true),
		"discharge":      d.register(&o.Discharge, path+".discharge", false),
		"charge":         d.register(&o.Charge, path+".charge", false),
		"switch":         d.position(&o.Switch, path+".switch"),
		"source":         d.source(&o.Source, path+".source"),
		"override":       d.input(&o.Override, path+".override"),
		"write_multiple": yesNo(&o.Multiple),
	}, "name", "url")
	if err != nil {
		return err
	}
	o.MaxOutW, o.MaxInW, o.RampW, o.SafeW = int64(out), int64(in), int64(ramp), int64(safe)
	if wrong, ok := errors.AsType[*dispatch.FieldError](o.Check()); ok {
		return &ConfigError{d.file, lineOf(n, wrong.Field), join(path, wrong.Field), wrong.Text}
	}
	return nil
}

// maxPowerW is 1 GW.
const maxPowerW = 1_000_000_000

// lineOf returns the line of a mapping's field, or of the mapping.
func lineOf(n *yaml.Node, name string) int {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			return n.Content[i].Line
		}
	}
	return n.Line
}

// checkBus demands one URL for each bus: two connections to one line would
// disturb each other, and many a device takes only one.
func (d decoder) checkBus(url string) error {
	address, err := modbus.ParseAddress(url)
	if err != nil {
		return err
	}
	if known, ok := d.buses[address.String()]; ok && known != url {
		return fmt.Errorf("expected %q as before: it is the same bus", known)
	}
	d.buses[address.String()] = url
	return nil
}

// register reads a register with a power. Only one for both directions says
// which of them is positive.
func (d decoder) register(out *dispatch.Register, path string, both bool) field {
	return func(n *yaml.Node) error {
		positive, order := "out", "high"
		*out = dispatch.Register{ScaleMilliW: 1000}
		known := fields{
			"register":   address(&out.Address),
			"type":       oneOf(&out.Form, dispatch.Forms...),
			"scale_w":    milli(&out.ScaleMilliW),
			"word_order": oneOf(&order, "high", "low"),
		}
		if both {
			known["positive"] = oneOf(&positive, "out", "in")
		}
		err := d.mapping(n, path, known, "register", "type")
		out.LowFirst, out.Draws = order == "low", positive == "in"
		return err
	}
}

// position reads a switch.
func (d decoder) position(out *dispatch.Switch, path string) field {
	return func(n *yaml.Node) error {
		on, off, safe := 1, 0, "off"
		*out = dispatch.Switch{}
		err := d.mapping(n, path, fields{
			"coil":     place(&out.Table, &out.Address, modbus.Coils),
			"register": place(&out.Table, &out.Address, modbus.Holding),
			"on":       whole(&on, 0, 65535),
			"off":      whole(&off, 0, 65535),
			"safe":     oneOf(&safe, "on", "off"),
		})
		switch {
		case err != nil:
			return err
		case out.Table == 0:
			return errors.New("expected coil or register")
		case out.Table == modbus.Coils && (on != 1 || off != 0):
			return errors.New("expected on and off only with a register: a coil is on or off")
		case on == off:
			return errors.New("expected different values for on and off")
		}
		out.On, out.Off, out.SafeOn = uint16(on), uint16(off), safe == "on"
		return nil
	}
}

// source reads the register of the charge source.
func (d decoder) source(out *dispatch.Source, path string) field {
	return func(n *yaml.Node) error {
		none, own, grid, usual := 0, 0, 0, "own"
		*out = dispatch.Source{Known: true}
		err := d.mapping(n, path, fields{
			"register": address(&out.Address),
			"none":     whole(&none, 0, 65535),
			"own":      whole(&own, 0, 65535),
			"grid":     whole(&grid, 0, 65535),
			"usual":    oneOf(&usual, "none", "own", "grid"),
		}, "register", "none", "own", "grid")
		if err == nil && (none == own || own == grid || grid == none) {
			err = errors.New("expected different values for none, own and grid")
		}
		out.None, out.Own, out.Grid = uint16(none), uint16(own), uint16(grid)
		out.Usual = dispatchv1.ChargeSource(dispatchv1.ChargeSource_value["CHARGE_SOURCE_"+strings.ToUpper(usual)])
		return err
	}
}

// input reads where a device says that somebody on site has it.
func (d decoder) input(out *dispatch.Input, path string) field {
	return func(n *yaml.Node) error {
		*out = dispatch.Input{}
		err := d.mapping(n, path, fields{
			"coil":     place(&out.Table, &out.Address, modbus.Coils),
			"discrete": place(&out.Table, &out.Address, modbus.Discrete),
			"register": place(&out.Table, &out.Address, modbus.Holding),
			"input":    place(&out.Table, &out.Address, modbus.Input),
		})
		if err == nil && out.Table == 0 {
			err = errors.New("expected coil, discrete, register or input")
		}
		return err
	}
}

// place reads an address in a table, of which one is expected.
func place(table *modbus.Table, at *uint16, in modbus.Table) field {
	return func(n *yaml.Node) error {
		if *table != 0 {
			return errors.New("expected only one address")
		}
		*table = in
		return address(at)(n)
	}
}

func address(out *uint16) field {
	return func(n *yaml.Node) error {
		number := 0
		err := whole(&number, 0, 65535)(n)
		*out = uint16(number)
		return err
	}
}

var decimal = regexp.MustCompile(`^([0-9]{1,7})(?:\.([0-9]{1,3}))?$`)

// milli reads a positive number with up to three decimals as thousandths.
func milli(out *int64) field {
	const expected = "a number like 1, 10 or 0.1, from 0.001 to 1000000"
	return func(n *yaml.Node) error {
		value, err := scalar(n, expected)
		if err != nil {
			return err
		}
		found := decimal.FindStringSubmatch(value)
		if found == nil {
			return fmt.Errorf("expected %s, got %q", expected, value)
		}
		*out, err = strconv.ParseInt(found[1]+(found[2] + "000")[:3], 10, 64)
		if err != nil || *out < 1 || *out > 1_000_000_000 {
			return fmt.Errorf("expected %s, got %q", expected, value)
		}
		return nil
	}
}
