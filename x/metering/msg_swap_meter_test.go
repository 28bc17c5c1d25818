package metering

import (
	"testing"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

func swap(after, finalImport, finalExport, initialImport, initialExport int64) *meteringv1.MsgSwapMeter {
	return &meteringv1.MsgSwapMeter{
		Meter: "a1", TimeMs: start + after,
		FinalImportWh: finalImport, FinalExportWh: finalExport,
		InitialImportWh: initialImport, InitialExportWh: initialExport,
	}
}

func (c *chain) swap(msg *meteringv1.MsgSwapMeter) {
	c.t.Helper()
	c.TimeMs = max(c.TimeMs, msg.TimeMs)
	if err := c.run(nil, msg); err != nil {
		c.t.Fatal(err)
	}
}

// Energy of the period = (final - boundary) + (next boundary - initial).
func TestSwapWithinPeriod(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, 0, 50_000, 900), reading(2, 5*minute, 50_100, 900))
	c.swap(swap(6*minute, 50_120, 905, 3, 7))
	c.endBlock()
	c.send(reading(3, 7*minute, 4, 8), reading(4, periodMs, 83, 17))
	c.energy(alice, 0, (50_120-50_000)+(83-3), (905-900)+(17-7), false)
	c.send(reading(5, 2*periodMs, 183, 17))
	c.energy(alice, periodMs, 100, 0, false)
	c.boundary(2*periodMs, 50_120+180, 905+10, false)
}

// Boundaries up to the swap are drawn from the old registers, also without a
// reading after them.
func TestSwapAfterBoundary(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, 0, 0, 0), reading(2, 10*minute, 100, 0))
	c.swap(swap(20*minute, 200, 0, 1_000_000, 0))
	c.endBlock()
	c.energy(alice, 0, 150, 0, false)
	// A second swap before the new device was ever read.
	c.swap(swap(25*minute, 1_000_040, 0, 5, 0))
	c.endBlock()
	c.send(reading(3, 2*periodMs, 65, 0))
	c.energy(alice, periodMs, 300-150, 0, false) // 150 to 200, 40, 60
}

// A late reading of the old device is placed before the swap.
func TestLateReadingOfOldDevice(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, 0, 500, 0), reading(2, minute, 510, 0))
	c.swap(swap(3*minute, 530, 0, 0, 0))
	c.send(reading(5, 4*minute, 10, 0))
	c.send(reading(3, 2*minute, 520, 0), reading(4, 3*minute, 530, 0)) // at the swap itself
	c.refuse(gateway, signed(gateway, of("a1", 6, 3*minute+1, 11, 0)), ErrOrder)
	c.send(reading(6, periodMs, 110, 0))
	c.energy(alice, 0, 30+110, 0, false)
}

// A swap at the moment of the newest reading, and readings after it in any
// order.
func TestSwapAtReading(t *testing.T) {
	for _, inOrder := range []bool{true, false} {
		c := newChain(t)
		c.send(reading(1, 0, 500, 0), reading(2, 5*minute, 550, 0))
		c.swap(swap(5*minute, 552, 0, 10, 0))
		if inOrder {
			c.send(reading(3, 6*minute, 11, 0), reading(4, 7*minute, 13, 0))
		} else {
			c.send(reading(4, 7*minute, 13, 0))
			c.send(reading(3, 6*minute, 11, 0))
		}
		c.send(reading(5, periodMs, 110, 0))
		c.energy(alice, 0, 52+100, 0, false)
	}
}

func TestSwapBeforeFirstReading(t *testing.T) {
	c := newChain(t)
	c.swap(swap(-minute, 700, 0, 20, 0))
	c.send(reading(1, 0, 25, 0), reading(2, periodMs, 125, 0))
	c.boundary(periodMs, 805, 0, false)
	c.energy(alice, 0, 100, 0, false)
}

func TestSwapRefused(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, 0, 100, 50), reading(2, 2*minute, 110, 50))
	c.swap(swap(3*minute, 120, 50, 0, 0))
	c.send(reading(3, 4*minute, 5, 0))
	unknown := swap(5*minute, 0, 0, 0, 0)
	unknown.Meter = "x"
	unnamed := swap(5*minute, 0, 0, 0, 0)
	unnamed.Meter = ""
	for _, test := range []struct {
		name string
		msg  *meteringv1.MsgSwapMeter
		want error
	}{
		{"no name", unnamed, ErrField},
		{"time", &meteringv1.MsgSwapMeter{Meter: "a1"}, ErrField},
		{"negative", swap(5*minute, -1, 0, 0, 0), ErrField},
		{"too large", swap(5*minute, 0, 0, 0, MaxRegisterWh+1), ErrField},
		{"running register too large", swap(5*minute, MaxRegisterWh, 50, 0, 0), ErrField},
		{"unknown meter", unknown, ErrUnknownMeter},
		{"future", swap(5*minute+1, 10, 0, 0, 0), ErrSwapTime},
		{"before the newest reading", swap(4*minute-1, 10, 0, 0, 0), ErrSwapTime},
		{"import falls", swap(5*minute, 4, 0, 0, 0), ErrRegisterBack},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.t = t
			c.TimeMs = start + 5*minute
			c.refuse(nil, test.msg, test.want)
		})
	}
	c.t = t
	c.swap(swap(5*minute, 5, 0, 0, 0))
	c.refuse(nil, swap(5*minute, 6, 0, 0, 0), ErrSwapTime) // the same moment twice
	c.refuse(gateway, signed(gateway, reading(4, 6*minute, -1, 0)), ErrField)
}
