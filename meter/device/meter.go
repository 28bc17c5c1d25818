package device

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/energyd/energyd/meter/modbus"
)

// Bus is where registers are read; *modbus.Bus is one.
type Bus interface {
	Read(ctx context.Context, unit byte, table modbus.Table, address, count uint16) ([]uint16, error)
}

// Meter is the Source of a meter that a map describes.
type Meter struct {
	bus  Bus
	m    *Map
	unit byte
	now  func() time.Time
}

// NewMeter returns the meter with an address on a bus.
func NewMeter(bus Bus, m *Map, unit byte) *Meter {
	return &Meter{bus: bus, m: m, unit: unit, now: time.Now}
}

// Read asks the meter for its blocks; both energy registers are in one.
func (d *Meter) Read(ctx context.Context) (Snapshot, error) {
	s := Snapshot{Model: d.m.Model, RolloverWh: d.m.rolloverWh}
	if err := d.read(ctx, &s); err != nil {
		return Snapshot{Model: d.m.Model, At: d.now(), Quality: QualityOf(err)}, err
	}
	s.Quality = Measured
	return s, nil
}

func (d *Meter) read(ctx context.Context, s *Snapshot) error {
	m := d.m
	energies, err := d.block(ctx, m.importing.block)
	if err != nil {
		return err
	}
	// Not before: the bus may have been busy with other meters for long.
	s.At = d.now()
	importing, err := m.energy("energy_import", m.importing, energies, s)
	if err != nil {
		return err
	}
	exporting, err := m.energy("energy_export", m.exporting, energies, s)
	if err != nil {
		return err
	}
	s.ImportWh, s.ExportWh = importing, exporting
	if m.power == nil {
		return nil
	}
	raw := energies
	if m.power.block != m.importing.block {
		// Power is no part of the reading: without it the registers stand.
		if raw, err = d.block(ctx, m.power.block); err != nil {
			return nil
		}
	}
	if n, err := m.decode(*m.power, raw); err == nil {
		s.PowerW, _ = n.value.Float64()
		s.HasPower = true
	}
	return nil
}

func (d *Meter) block(ctx context.Context, b block) ([]uint16, error) {
	raw, err := d.bus.Read(ctx, d.unit, d.m.table, b.address, b.count)
	return raw, FromBus(err)
}

// FromBus gives an error of a bus its code: Refused for a unit's exception,
// Unreachable for any other.
func FromBus(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*modbus.Exception](err); ok {
		return &QualityError{Refused, err}
	}
	return &QualityError{Unreachable, err}
}

// decode reads a register's number out of its block.
func (m *Map) decode(r register, raw []uint16) (number, error) {
	from := r.at - r.block.address
	n, err := r.form.decode(raw[from:from+words[r.form]], m.lowFirst, m.allOnes)
	if err != nil {
		return number{}, err
	}
	return n.scale(r.factor), nil
}

// energy reads an energy register and widens the snapshot's step to its own.
func (m *Map) energy(name string, r register, raw []uint16, s *Snapshot) (int64, error) {
	n, err := m.decode(r, raw)
	if err == nil {
		var wh, step int64
		if wh, step, err = n.wh(); err == nil {
			s.StepWh = max(s.StepWh, step)
			return wh, nil
		}
	}
	return 0, &QualityError{QualityOf(err), fmt.Errorf("%s at %#04x: %w", name, r.at, reason(err))}
}

// reason is an error without the code that it will be given again.
func reason(err error) error {
	if e, ok := errors.AsType[*QualityError](err); ok {
		return e.Err
	}
	return err
}

// Fits asks the unit for what the map's probe expects, and for a snapshot. It
// returns nil if all is as expected; an error that is not of the bus says what
// speaks against it.
func (d *Meter) Fits(ctx context.Context) error {
	if err := d.check(ctx); err != nil {
		return err
	}
	_, err := d.Read(ctx)
	return err
}

// check asks the unit for what the map's probe expects.
func (d *Meter) check(ctx context.Context) error {
	for _, c := range d.m.checks {
		raw, err := d.block(ctx, c.block)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		n, err := d.m.decode(c.register, raw)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		if n.value.Cmp(c.from) < 0 || n.value.Cmp(c.to) > 0 {
			return &QualityError{WrongDevice, fmt.Errorf("%s at %#04x shows %s, expected %s to %s", c.name, c.at, short(n.value), short(c.from), short(c.to))}
		}
	}
	return nil
}

func short(v *big.Rat) string {
	f, _ := v.Float64()
	return fmt.Sprintf("%g", f)
}
