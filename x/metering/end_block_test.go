package metering

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

func TestExactBoundaries(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, 0, 100, 7))
	c.boundary(0, 100, 7, false)
	if c.readyCount() != 0 {
		t.Error("the first boundary closes no period")
	}
	c.send(reading(2, 5*minute, 150, 7), reading(3, periodMs, 400, 8))
	c.boundary(periodMs, 400, 8, false)
	c.energy(alice, 0, 300, 1, false)
	want := &meteringv1.BoundaryFixed{Meter: "a1", TimeMs: start + periodMs, ImportWh: 400, ExportWh: 8}
	if last := c.events[len(c.events)-1]; !proto.Equal(last, want) {
		t.Errorf("expected the event %v, got %v", want, last)
	}
	Consume(c.Ctx, addressOf(alice), start)
	if c.readyCount() != 0 {
		t.Error("consumed energy is still ready")
	}
}

// Registers at the boundary: 100 + floor(7 * 60 / 180) and
// 1000 + floor(299 * 60 / 180).
func TestInterpolationByFloor(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, -minute, 100, 1000), reading(2, 2*minute, 107, 1299))
	c.boundary(0, 102, 1099, false)
	// The next one, 13 minutes later: 107 + floor(100 * 780 / 840).
	c.send(reading(3, 16*minute, 207, 1299))
	c.boundary(periodMs, 199, 1299, false)
	c.energy(alice, 0, 199-102, 1299-1099, false)
}

func TestNoBoundaryWithoutReadingsAround(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, -3*minute, 1, 0))
	c.send(reading(2, -2*minute, 2, 0))
	if got := c.meterState("a1"); got.FixedUntil != 0 || got.Points != 2 {
		t.Errorf("expected no boundary and two readings, got %v", got)
	}
	c.send(reading(3, 1, 2, 0))
	c.boundary(0, 2, 0, false)
}

func TestGapIsEstimated(t *testing.T) {
	c := newChain(t)
	// 45 minutes in which 1000 Wh were drawn: boundaries at 0, 15, 30 after -5.
	c.send(reading(1, -5*minute, 0, 0), reading(2, 40*minute, 1000, 0))
	c.boundary(30*minute, 777, 0, true) // floor(1000 * 35 / 45)
	c.energy(alice, 0, 444-111, 0, true)
	c.energy(alice, 15*minute, 777-444, 0, true)
	// 20 minutes are a gap as well: 1000 + 1000 * 5 / 20. A reading at the
	// boundary itself needs no estimate, whatever the gap, but the period before
	// it began with one.
	c.send(reading(3, 60*minute, 2000, 0))
	c.energy(alice, 30*minute, 1250-777, 0, true)
	c.energy(alice, 45*minute, 750, 0, true)
	c.boundary(60*minute, 2000, 0, false)
}

// A gap of exactly a period is none.
func TestGapOfOnePeriod(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, 0, 0, 0), reading(2, 5*minute, 10, 0), reading(3, 20*minute, 40, 0), reading(4, 35*minute+1, 50, 0))
	c.energy(alice, 0, 30, 0, false)
	c.energy(alice, 15*minute, 46-30, 0, true) // floor(10 * 600000 / 900001), 1 ms too long
}

func TestQualityAtTheBoundary(t *testing.T) {
	c := newChain(t)
	inside, guessed := reading(2, minute, 5, 0), reading(4, periodMs+minute, 50, 0)
	inside.Quality = meteringv1.Quality_QUALITY_SUBSTITUTED
	guessed.Quality = meteringv1.Quality_QUALITY_ESTIMATED
	c.send(reading(1, 0, 0, 0), inside, reading(3, periodMs-minute, 40, 0), guessed, reading(5, 2*periodMs, 100, 0), reading(6, 3*periodMs, 110, 0))
	c.energy(alice, 0, 45, 0, true)
	c.energy(alice, periodMs, 55, 0, true)
	c.energy(alice, 2*periodMs, 10, 0, false)
}

func TestTwoBillingMeters(t *testing.T) {
	c := newChain(t)
	c.send(of("b1", 1, 0, 100, 0), of("b1", 2, periodMs, 150, 0), of("b2", 1, -minute, 0, 10))
	q := moduleQuery{c}
	address := addressOf(bob)
	half := q.ask(&meteringv1.QueryEnergyRequest{Account: address[:], Period: start}).(*meteringv1.QueryEnergyResponse)
	if half.Ready || half.Energy.ImportWh != 50 || half.Energy.Meters != 1 || half.Energy.StepWh != 1 {
		t.Errorf("expected one of two meters, got %v", half)
	}
	if c.readyCount() != 0 {
		t.Error("ready without the second meter")
	}
	c.send(of("b2", 2, 0, 0, 20), of("b2", 3, periodMs, 1, 320))
	c.energy(bob, 0, 51, 300, false)
	whole := q.ask(&meteringv1.QueryEnergyRequest{Account: address[:], Period: start}).(*meteringv1.QueryEnergyResponse)
	if !whole.Ready || whole.Energy.Meters != 2 || whole.Energy.StepWh != 10 {
		t.Errorf("expected two meters and the greater step, got %v", whole)
	}
	for range partial.All(c.Store, partial.Key()) {
		t.Error("the partial energy is still there")
	}
}

// TestLatest: what was measured last outlives settlement's taking it, and wants
// a closed period of each billing meter.
func TestLatest(t *testing.T) {
	c := newChain(t)
	latest := func(want string) {
		t.Helper()
		got := "none"
		if energy, ok := Latest(c.Store, addressOf(bob), start+2*periodMs); ok {
			got = fmt.Sprint(energy.Period-start, energy.ImportWh, energy.ExportWh)
		}
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	latest("none")
	c.send(of("b1", 1, 0, 0, 0), of("b1", 2, periodMs, 5, 1))
	latest("none")
	c.send(of("b2", 1, 0, 0, 0), of("b2", 2, periodMs, 20, 0))
	latest("0 25 1")
	Consume(c.Ctx, addressOf(bob), start)
	latest("0 25 1")
	c.send(of("b1", 3, 2*periodMs, 8, 1))
	latest("0 23 0") // the oldest of both
}

func TestOtherMeterDoesNotCount(t *testing.T) {
	c := newChain(t)
	c.send(of("a2", 1, 0, 0, 0), of("a2", 2, periodMs, 500, 0))
	if got := c.meterState("a2"); got.FixedUntil != start+periodMs || got.ImportWh != 500 {
		t.Errorf("expected the boundary to be fixed, got %v", got)
	}
	if c.readyCount() != 0 {
		t.Error("a meter that does not bill made a period ready")
	}
	c.send(reading(1, 0, 0, 0), reading(2, periodMs, 30, 0))
	c.energy(alice, 0, 30, 0, false)
	if got := BillingMeters(c.Store, addressOf(alice), start); len(got) != 1 || got[0].Meter != "a1" {
		t.Errorf("expected a1 to bill, got %v", got)
	}
	if got := BillingMeters(c.Store, addressOf(alice), 0); len(got) != 0 {
		t.Errorf("expected no meter to bill before it was bound, got %v", got)
	}
}

// Work is shared among meters and goes on in the next blocks, to the same end.
func TestBoundedWork(t *testing.T) {
	all := []*meteringv1.Reading{
		reading(1, 0, 0, 0), of("a2", 1, 0, 0, 0), of("b1", 1, 0, 0, 0),
		reading(2, 50*periodMs+minute, 100_000, 0), of("a2", 2, 3*periodMs, 100, 0), of("b1", 2, 9*periodMs, 900, 0),
	}
	c := newChain(t)
	c.submit(all...)
	fixDue(c.Ctx, 12) // 4 each; a2 has 4
	for meter, after := range map[string]int64{"a1": 3, "a2": 3, "b1": 3} {
		if got := c.meterState(meter); got.FixedUntil != start+after*periodMs {
			t.Errorf("%s: expected 4 boundaries to be fixed, got up to %d", meter, (got.FixedUntil-start)/periodMs)
		}
	}
	// Of the remaining two a1 gets half and b1 what is left.
	fixDue(c.Ctx, 13)
	if got := c.meterState("a1"); got.FixedUntil != start+9*periodMs {
		t.Errorf("a1: expected 6 more boundaries, got up to %d", (got.FixedUntil-start)/periodMs)
	}
	if got := c.meterState("b1"); got.FixedUntil != start+9*periodMs {
		t.Errorf("b1: expected to be done, got up to %d", (got.FixedUntil-start)/periodMs)
	}
	// A reading in between bends the line, but no boundary falls.
	c.submit(reading(3, 51*periodMs, 100_000, 0))
	for len(dueMeters(c.Store)) > 0 {
		fixDue(c.Ctx, 5)
		c.check()
	}
	at := newChain(t)
	at.send(all...)
	at.send(reading(3, 51*periodMs, 100_000, 0))
	if string(at.export()) != string(c.export()) {
		t.Errorf("work in pieces differs from work at once:\n%s\n%s", c.export(), at.export())
	}
}

// The registers of a1 at start are drawn from 0 to 1000; a reading accepted
// afterwards says that they were lower.
func TestBoundaryNeverFalls(t *testing.T) {
	c := newChain(t)
	c.submit(reading(1, -minute, 0, 0), reading(9, 30*minute, 1000, 0))
	fixDue(c.Ctx, 1)
	c.boundary(0, 32, 0, true) // floor(1000 / 31)
	c.submit(reading(2, 2*minute, 0, 0), reading(8, 16*minute, 10, 0))
	fixDue(c.Ctx, 1)
	c.boundary(15*minute, 32, 0, false) // not floor(10 * 13 / 14)
	c.endBlock()
	c.energy(alice, 0, 0, 0, true)
	c.energy(alice, 15*minute, 1000-32, 0, false)
}

func TestFailedBoundaryIsIsolated(t *testing.T) {
	c := newChain(t)
	c.submit(reading(1, 0, 0, 0), of("b1", 1, 0, 0, 0), of("b2", 1, 0, 0, 0))
	broken := c.meterState("a1")
	broken.FixedUntil = start - 2*periodMs // no point there: nothing to draw from
	broken.Points = 1
	meters.Set(c.Store, meterKey("a1"), broken)
	points.Delete(c.Store, pointKey("a1", start, kindReading))
	late := reading(1, minute, 0, 0)
	points.Set(c.Store, pointKey("a1", late.TimeMs, kindReading), &meteringv1.Point{Reading: late})
	if err := New().EndBlock(c.Ctx); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for _, event := range c.events {
		if _, ok := event.(*meteringv1.BoundaryFailed); ok {
			failed++
		}
	}
	if failed != 1 || c.meterState("b2").FixedUntil != start {
		t.Errorf("expected one failure and the other meters to go on, got %d, %v", failed, c.meterState("b2"))
	}
	if c.meterState("a1").FixedUntil != start-2*periodMs || len(dueMeters(c.Store)) != 0 {
		t.Error("expected the broken meter to be left alone")
	}
}

func BenchmarkEndBlock(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		c := newChain(b)
		c.send(reading(1, 0, 0, 0))
		c.submit(reading(2, MaxBoundaries*periodMs, 1_000_000, 0))
		b.StartTimer()
		if err := New().EndBlock(c.Ctx); err != nil {
			b.Fatal(err)
		}
	}
}
