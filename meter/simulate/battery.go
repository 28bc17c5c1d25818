package simulate

import (
	"sync"
	"time"

	"github.com/energyd/energyd/meter/modbus"
)

// Where a battery has what.
const (
	// BatterySetPoint is a holding register: int16, W, positive feeds out.
	BatterySetPoint = 0
	// BatterySource is a holding register with the charge source, 0 to 2; it has
	// no effect on the power.
	BatterySource = 1
	// BatterySwitch is a coil: without it no power flows.
	BatterySwitch = 0
	// BatteryKey is a coil, the key at the panel: while it is set, the override is,
	// no power flows, and set-points are refused.
	BatteryKey = 1
	// BatteryOverride is a discrete input.
	BatteryOverride = 0
)

// Battery is an inverter with a battery that never runs empty or full. Its input
// registers are those of an SDM630 that counts what it does.
type Battery struct {
	ratedW   int64
	fallback time.Duration
	now      func() time.Time

	mu        sync.Mutex
	holding   [2]uint16
	coils     [2]uint16
	writtenAt time.Time
	at        time.Time
	// energies in Wms
	importWms, exportWms int64
}

// NewBattery returns a battery that takes set-points up to ratedW in both
// directions, and falls back to 0 W when none was written for some time.
func NewBattery(ratedW int64, fallback time.Duration, from State, now func() time.Time) *Battery {
	return &Battery{
		ratedW: ratedW, fallback: fallback, now: now, at: now(), writtenAt: now(), coils: [2]uint16{1, 0},
		importWms: from.ImportWh * wmsPerWh, exportWms: from.ExportWh * wmsPerWh,
	}
}

// State returns what the battery's meter shows.
func (b *Battery) State() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count()
}

// count brings the energies up to now.
func (b *Battery) count() State {
	now := b.now()
	if end := b.writtenAt.Add(b.fallback); !now.Before(end) {
		b.add(end)
		b.holding[BatterySetPoint] = 0
	}
	b.add(now)
	return State{ImportWh: b.importWms / wmsPerWh, ExportWh: b.exportWms / wmsPerWh, PowerW: b.powerW()}
}

// powerW is the power that flows, import positive.
func (b *Battery) powerW() int64 {
	if b.coils[BatterySwitch] == 0 || b.coils[BatteryKey] != 0 {
		return 0
	}
	return -int64(int16(b.holding[BatterySetPoint]))
}

// add counts the power up to a time.
func (b *Battery) add(until time.Time) {
	ms := until.Sub(b.at).Milliseconds()
	if ms <= 0 {
		return
	}
	importing, exporting := parts(b.powerW(), ms)
	b.importWms, b.exportWms, b.at = b.importWms+importing, b.exportWms+exporting, b.at.Add(time.Duration(ms)*time.Millisecond)
}

// Read is of Unit.
func (b *Battery) Read(table modbus.Table, address, count uint16) ([]uint16, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	state := b.count()
	all := map[modbus.Table][]uint16{
		modbus.Coils: b.coils[:], modbus.Discrete: {b.coils[BatteryKey]}, modbus.Holding: b.holding[:], modbus.Input: sdm630(state),
	}[table]
	if int(address)+int(count) > len(all) {
		return nil, false
	}
	return append([]uint16(nil), all[address:address+count]...), true
}

// Write is of Writable.
func (b *Battery) Write(table modbus.Table, address uint16, values []uint16) byte {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count()
	all := b.coils[:]
	if table == modbus.Holding {
		all = b.holding[:]
	}
	if int(address)+len(values) > len(all) {
		return illegalAddress
	}
	if table == modbus.Holding && address == BatterySetPoint {
		if w := int64(int16(values[0])); w > b.ratedW || w < -b.ratedW {
			return illegalValue
		}
		if b.coils[BatteryKey] != 0 {
			return deviceFailure
		}
		b.writtenAt = b.now()
	}
	copy(all[address:], values)
	return 0
}
