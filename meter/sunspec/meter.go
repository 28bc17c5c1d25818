package sunspec

import (
	"context"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/energyd/energyd/meter/device"
)

// Meter is the Source of a SunSpec device. It walks the device's models when
// it is first read, and again after any fault.
type Meter struct {
	bus  device.Bus
	unit byte
	now  func() time.Time

	mu    sync.Mutex
	found *Device
}

// NewMeter returns the device with an address on a bus.
func NewMeter(bus device.Bus, unit byte) *Meter {
	return &Meter{bus: bus, unit: unit, now: time.Now}
}

// Read asks for the device's serial number and energies.
func (m *Meter) Read(ctx context.Context) (device.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.read(ctx)
	if err != nil {
		m.found = nil
		return device.Snapshot{Model: s.Model, Serial: s.Serial, At: m.now(), Quality: device.QualityOf(err)}, err
	}
	s.Quality = device.Measured
	return s, nil
}

func (m *Meter) read(ctx context.Context) (device.Snapshot, error) {
	s := device.Snapshot{Model: "sunspec"}
	if m.found == nil {
		found, err := Discover(ctx, m.bus, m.unit)
		if err != nil {
			return s, err
		}
		m.found = found
	}
	d := m.found
	s.Model = fmt.Sprintf("sunspec-%d", d.source.number)
	var err error
	if s.Serial, err = d.readSerial(ctx, m.bus, m.unit); err != nil {
		return s, err
	}
	points, err := m.points(ctx, d.source)
	if err != nil {
		return s, err
	}
	s.At = m.now() // not before: the bus may have been busy with other meters for long
	if err := d.source.energies(points, &s); err != nil {
		return s, err
	}
	if power, ok := d.source.powerOf(points); ok {
		s.PowerW, s.HasPower = power, true
	}
	if d.store != nil {
		// What the battery says is no part of the reading.
		if points, err := m.points(ctx, *d.store); err == nil {
			s.Storage = d.store.storage(points)
		}
	}
	return s, nil
}

// points reads a model from its number to all that is read of it.
func (m *Meter) points(ctx context.Context, of model) ([]uint16, error) {
	raw, err := read(ctx, m.bus, m.unit, of.at, of.span())
	if err != nil {
		return nil, err
	}
	if raw[0] != of.number || raw[1] < of.length {
		return nil, wrong("model %d of %d registers is now model %d of %d", of.number, of.length, raw[0], raw[1])
	}
	return raw, nil
}

func (m model) energies(points []uint16, s *device.Snapshot) error {
	var err error
	if s.ExportWh, err = m.energy("export", points, m.export, s); err != nil {
		return err
	}
	if m.kind == meter {
		s.ImportWh, err = m.energy("import", points, m.imports, s)
	}
	return err
}

// energy reads an accumulator in Wh.
func (m model) energy(name string, points []uint16, at uint16, s *device.Snapshot) (int64, error) {
	value, step, err := m.accumulator(points, at, s)
	if err == nil {
		var wh, stepWh int64
		if wh, stepWh, err = device.WattHours(value, step); err == nil {
			s.StepWh = max(s.StepWh, stepWh)
			return wh, nil
		}
	}
	return 0, fmt.Errorf("model %d, %s: %w", m.number, name, err)
}

func (m model) accumulator(points []uint16, at uint16, s *device.Snapshot) (value, step *big.Rat, err error) {
	if m.float {
		return device.Float(points[at], points[at+1])
	}
	step, err = scale(points[m.energyScale])
	if err != nil {
		return nil, nil, err
	}
	// The 32 bits of an acc32 begin again at 0.
	rollover := new(big.Rat).Mul(big.NewRat(1<<32, 1), step)
	if whole := new(big.Int).Quo(rollover.Num(), rollover.Denom()); whole.IsInt64() {
		s.RolloverWh = whole.Int64()
	}
	value = big.NewRat(int64(points[at])<<16|int64(points[at+1]), 1)
	return value.Mul(value, step), step, nil
}

// scale is 10 to the power that a scale factor says.
func scale(raw uint16) (*big.Rat, error) {
	exponent := int16(raw)
	if raw == 0x8000 {
		return nil, &device.QualityError{Quality: device.NotAvailable, Err: fmt.Errorf("the scale factor is not implemented")}
	}
	if exponent < -10 || exponent > 10 {
		return nil, &device.QualityError{Quality: device.OutOfRange, Err: fmt.Errorf("scale factor %d, expected -10 to 10", exponent)}
	}
	ten := big.NewRat(10, 1)
	if exponent < 0 {
		ten.Inv(ten)
		exponent = -exponent
	}
	out := big.NewRat(1, 1)
	for range exponent {
		out.Mul(out, ten)
	}
	return out, nil
}

// powerOf returns the active power in W, import positive.
func (m model) powerOf(points []uint16) (float64, bool) {
	var value *big.Rat
	if m.float {
		var err error
		if value, _, err = device.Float(points[m.power], points[m.power+1]); err != nil {
			return 0, false
		}
	} else {
		factor, err := scale(points[m.powerScale])
		if err != nil || points[m.power] == 0x8000 {
			return 0, false
		}
		value = factor.Mul(factor, big.NewRat(int64(int16(points[m.power])), 1))
	}
	if m.kind == inverter {
		value.Neg(value)
	}
	power, _ := value.Float64()
	return power, true
}

// storage returns what a battery says, nil where it does not say its charge.
func (m model) storage(points []uint16) *device.Storage {
	// A charge counts in percent.
	charge, ok := unsigned(points, m.charge, m.chargeScale, 10_000)
	if !ok || charge > 1_000_000 {
		return nil
	}
	s := &device.Storage{ChargePpm: charge}
	if m.capacity > 0 {
		s.CapacityWh, _ = unsigned(points, m.capacity, m.capacityScale, 1)
	}
	return s
}

// unsigned returns a scaled uint16 times multiple, cut to a whole number.
func unsigned(points []uint16, at, scaleAt uint16, multiple int64) (int64, bool) {
	factor, err := scale(points[scaleAt])
	if err != nil || points[at] == 0xFFFF {
		return 0, false
	}
	value := factor.Mul(factor, big.NewRat(int64(points[at])*multiple, 1))
	return new(big.Int).Quo(value.Num(), value.Denom()).Int64(), true
}
