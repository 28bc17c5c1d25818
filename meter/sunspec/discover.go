package sunspec

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/energyd/energyd/meter/device"
	"github.com/energyd/energyd/meter/modbus"
)

// Device is what a device says of itself.
type Device struct {
	Manufacturer, Model, Serial string
	// Models are the numbers of its models in their order.
	Models []uint16
	source model // energies
	store  *model
	serial uint16 // where the serial number of the source is
}

// model is one that stands at an address.
type model struct {
	number, at uint16
	layout
}

// String names the device for people.
func (d *Device) String() string {
	return fmt.Sprintf("%s %s, serial %q, models %s", d.Manufacturer, d.Model, d.Serial, strings.Trim(fmt.Sprint(d.Models), "[]"))
}

// maxModels bounds the walk through a device that never ends.
const maxModels = 64

// Registers of the common model, from its number on.
const (
	common                        = 1
	makerAt, modelAt, serialAt    = 2, 18, 50
	nameLength, leastCommonLength = 16, 64
)

const endMark = 0xFFFF

var bases = []uint16{0, 40000, 50000}

// Discover finds the models of the device with an address on a bus. A device may
// refuse what lies at other places, or not answer at all.
func Discover(ctx context.Context, bus device.Bus, unit byte) (*Device, error) {
	var silent error
	for _, base := range bases {
		mark, err := read(ctx, bus, unit, base, 2)
		if err != nil {
			if device.QualityOf(err) != device.Refused && silent == nil {
				silent = err
			}
			continue
		}
		if mark[0] == 0x5375 && mark[1] == 0x6E53 { // SunS
			return walk(ctx, bus, unit, base+2)
		}
	}
	if silent != nil {
		return nil, silent
	}
	return nil, wrong("no SunSpec device: no mark SunS at 0, 40000 or 50000")
}

func wrong(format string, args ...any) error {
	return &device.QualityError{Quality: device.WrongDevice, Err: fmt.Errorf(format, args...)}
}

func read(ctx context.Context, bus device.Bus, unit byte, at, count uint16) ([]uint16, error) {
	raw, err := bus.Read(ctx, unit, modbus.Holding, at, count)
	if err != nil {
		return nil, device.FromBus(err)
	}
	if len(raw) != int(count) {
		return nil, device.FromBus(errors.New("the answer has another length"))
	}
	return raw, nil
}

func walk(ctx context.Context, bus device.Bus, unit byte, at uint16) (*Device, error) {
	d := &Device{}
	var commonAt, sourceCommon uint16
	meters, inverters := 0, 0
	for range maxModels {
		header, err := read(ctx, bus, unit, at, 2)
		if err != nil {
			return nil, fmt.Errorf("model after %v: %w", d.Models, err)
		}
		number, length := header[0], header[1]
		if number == endMark {
			return d.complete(ctx, bus, unit, sourceCommon, meters, inverters)
		}
		if len(d.Models) == 0 && number != common {
			return nil, wrong("the first model is %d, expected %d", number, common)
		}
		l := layouts[number]
		if length < l.length || number == common && length < leastCommonLength {
			return nil, wrong("model %d at %d is %d registers long, expected at least %d", number, at, length, max(l.length, leastCommonLength))
		}
		d.Models = append(d.Models, number)
		m := model{number, at, l}
		switch {
		case number == common:
			commonAt = at
		case l.kind == meter:
			meters++
			d.source, sourceCommon = m, commonAt
		case l.kind == inverter:
			inverters++
			if meters == 0 {
				d.source, sourceCommon = m, commonAt
			}
		case l.kind == battery && d.store == nil:
			d.store = &m
		}
		if int(at)+2+int(length)+2 > 1<<16 {
			return nil, wrong("model %d at %d reaches beyond the last register", number, at)
		}
		at += 2 + length
	}
	return nil, wrong("no end after %d models", maxModels)
}

func (d *Device) complete(ctx context.Context, bus device.Bus, unit byte, commonAt uint16, meters, inverters int) (*Device, error) {
	if meters > 1 || meters == 0 && inverters > 1 {
		return nil, wrong("%d meters and %d inverters at one address (models %v): which one to read cannot be told", meters, inverters, d.Models)
	}
	if meters+inverters == 0 {
		return nil, wrong("none of the models %v counts energy", d.Models)
	}
	names, err := read(ctx, bus, unit, commonAt+makerAt, 2*nameLength)
	if err != nil {
		return nil, err
	}
	d.Manufacturer, d.Model = text(names[:nameLength]), text(names[modelAt-makerAt:])
	d.serial = commonAt + serialAt
	d.Serial, err = d.readSerial(ctx, bus, unit)
	return d, err
}

func (d *Device) readSerial(ctx context.Context, bus device.Bus, unit byte) (string, error) {
	raw, err := read(ctx, bus, unit, d.serial, nameLength)
	return text(raw), err
}

// text reads characters, two a register, up to the first that is 0; what
// cannot be printed becomes a dot.
func text(raw []uint16) string {
	var out strings.Builder
	for _, w := range raw {
		for _, c := range []byte{byte(w >> 8), byte(w)} {
			if c == 0 {
				return strings.TrimSpace(out.String())
			}
			if c < ' ' || c > '~' {
				c = '.'
			}
			out.WriteByte(c)
		}
	}
	return strings.TrimSpace(out.String())
}
