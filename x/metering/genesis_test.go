package metering

import (
	"bytes"
	"testing"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/module"
)

func TestGenesisRoundTrip(t *testing.T) {
	c := newChain(t)
	c.send(reading(3, 0, 5, 6), reading(5, periodMs, 70, 6), reading(6, periodMs+minute, 71, 7))
	c.send(of("b1", 1, 0, 0, 0), of("b1", 2, periodMs, 9, 0))
	c.swap(swap(periodMs+2*minute, 80, 7, 0, 0))
	c.submit(reading(9, 5*periodMs, 10, 0))
	fixDue(c.Ctx, 1) // the rest of the boundaries after the import
	first := c.export()
	again := newChain(t)
	if err := New().InitGenesis(again.Ctx, first); err != nil {
		t.Fatal(err)
	}
	if second := again.export(); !bytes.Equal(first, second) {
		t.Fatalf("export differs after import:\n%s\n%s", first, second)
	}
	// Both go on alike.
	again.TimeMs = c.TimeMs
	for _, chain := range []*chain{c, again} {
		chain.endBlock()
		chain.same(reading(3, 0, 5, 6), reading(6, periodMs+minute, 71, 7))
		chain.send(reading(10, 6*periodMs, 20, 0), of("b2", 1, 0, 0, 0), of("b2", 2, periodMs, 1, 1))
		chain.energy(bob, 0, 10, 1, false)
	}
	if !bytes.Equal(c.export(), again.export()) {
		t.Fatalf("chains differ:\n%s\n%s", c.export(), again.export())
	}
}

func TestGenesisRefused(t *testing.T) {
	address := addressOf(alice)
	point := func(sequence uint64, after, importWh int64) *meteringv1.Point {
		return &meteringv1.Point{Reading: reading(sequence, after, importWh, 0)}
	}
	meter := &meteringv1.MeterState{Meter: "a1", Points: 1, LastSequence: 1, LastTimeMs: start}
	for name, genesis := range map[string]*meteringv1.GenesisState{
		"name":            {Meters: []*meteringv1.MeterState{{Meter: "A"}}},
		"empty point":     {Points: []*meteringv1.Point{{}}},
		"negative":        {Meters: []*meteringv1.MeterState{meter}, Points: []*meteringv1.Point{point(1, 0, -1)}},
		"overflow":        {Meters: []*meteringv1.MeterState{meter}, Points: []*meteringv1.Point{{Reading: reading(1, 0, 1, 0), ImportOffsetWh: 1<<63 - 1}}},
		"below zero":      {Meters: []*meteringv1.MeterState{meter}, Points: []*meteringv1.Point{{Reading: reading(1, 0, 1, 0), ImportOffsetWh: -2}}},
		"newest":          {Meters: []*meteringv1.MeterState{{Meter: "a1", Points: 1, LastSequence: 1, LastTimeMs: start + 1}}, Points: []*meteringv1.Point{point(1, 0, 0)}},
		"unknown meter":   {Points: []*meteringv1.Point{point(1, 0, 0)}},
		"missing point":   {Meters: []*meteringv1.MeterState{meter}},
		"falling":         {Meters: []*meteringv1.MeterState{{Meter: "a1", Points: 2, LastSequence: 2, LastTimeMs: start + 1}}, Points: []*meteringv1.Point{point(1, 0, 2), point(2, 1, 1)}},
		"order":           {Meters: []*meteringv1.MeterState{{Meter: "a1", Points: 2, LastSequence: 2, LastTimeMs: start + 1}}, Points: []*meteringv1.Point{point(2, 0, 1), point(1, 1, 1)}},
		"boundary":        {Meters: []*meteringv1.MeterState{{Meter: "a1", Points: 1, LastSequence: 1, LastTimeMs: start, FixedUntil: start + 1}}, Points: []*meteringv1.Point{point(1, 0, 0)}},
		"early boundary":  {Meters: []*meteringv1.MeterState{{Meter: "a1", Points: 1, LastSequence: 1, LastTimeMs: start + 1, FixedUntil: start}}, Points: []*meteringv1.Point{point(1, 1, 0)}},
		"high boundary":   {Meters: []*meteringv1.MeterState{{Meter: "a1", Points: 1, LastSequence: 1, LastTimeMs: start, FixedUntil: start, ImportWh: 1}}, Points: []*meteringv1.Point{point(1, 0, 0)}},
		"account":         {Partial: []*meteringv1.Energy{{Account: []byte{1}}}},
		"negative energy": {Ready: []*meteringv1.Energy{{Account: address[:], ImportWh: -1}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t)
			if err := New().InitGenesis(c.Ctx, marshal(t, genesis)); err == nil {
				t.Error("accepted")
			}
		})
	}
	if err := New().InitGenesis(newChain(t).Ctx, []byte(`{"meter":[]}`)); err == nil {
		t.Error("an unknown field was accepted")
	}
}

func marshal(t *testing.T, genesis *meteringv1.GenesisState) []byte {
	t.Helper()
	data, err := module.MarshalGenesis(genesis)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
