package metering

import (
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/x/registry"
)

// with is a reading of a1 with one change.
func with(change func(*meteringv1.Reading)) *meteringv1.Reading {
	r := reading(5, minute, 100, 0)
	change(r)
	return r
}

func TestCheckReadings(t *testing.T) {
	c := newChain(t)
	good := signed(gateway, reading(1, 0, 0, 0), reading(2, minute, 1, 1))
	forged := proto.Clone(good).(*meteringv1.MsgSubmitReadings)
	forged.Readings[1].ImportWh++
	foreign := proto.Clone(good).(*meteringv1.MsgSubmitReadings)
	foreign.GatewayKey = public(other)
	badKey := proto.Clone(good).(*meteringv1.MsgSubmitReadings)
	badKey.GatewayKey = []byte{2, 31: 0} // not a point of the curve
	unsigned := proto.Clone(good).(*meteringv1.MsgSubmitReadings)
	unsigned.Readings[0].Signature = nil
	many := &meteringv1.MsgSubmitReadings{GatewayKey: public(gateway), Readings: make([]*meteringv1.Reading, MaxReadings+1)}
	for _, test := range []struct {
		name string
		msg  *meteringv1.MsgSubmitReadings
		want error
		text string
	}{
		{"key", &meteringv1.MsgSubmitReadings{GatewayKey: []byte{1}, Readings: good.Readings}, ErrField, "gateway_key"},
		{"key off the curve", badKey, ErrField, "gateway_key"},
		{"none", signed(gateway), ErrField, "readings: expected 1 to 1000, got 0"},
		{"too many", many, ErrField, "got 1001"},
		{"nil", &meteringv1.MsgSubmitReadings{GatewayKey: public(gateway), Readings: []*meteringv1.Reading{nil}}, ErrField, "readings[0].meter"},
		{"meter", signed(gateway, with(func(r *meteringv1.Reading) { r.Meter = "A1" })), ErrField, "readings[0].meter"},
		{"sequence", signed(gateway, with(func(r *meteringv1.Reading) { r.Sequence = 0 })), ErrField, "readings[0].sequence"},
		{"time", signed(gateway, with(func(r *meteringv1.Reading) { r.TimeMs = 0 })), ErrField, "readings[0].time_ms"},
		{"import", signed(gateway, with(func(r *meteringv1.Reading) { r.ImportWh = -1 })), ErrField, "readings[0].import_wh"},
		{"export", signed(gateway, with(func(r *meteringv1.Reading) { r.ExportWh = MaxRegisterWh + 1 })), ErrField, "readings[0].export_wh"},
		{"no quality", signed(gateway, with(func(r *meteringv1.Reading) { r.Quality = 0 })), ErrField, "readings[0].quality"},
		{"quality", signed(gateway, with(func(r *meteringv1.Reading) { r.Quality = 9 })), ErrField, "readings[0].quality"},
		{"unknown field", signed(gateway, with(func(r *meteringv1.Reading) { r.ProtoReflect().SetUnknown([]byte{0x78, 1}) })), ErrField, "unknown"},
		{"no signature", unsigned, ErrField, "readings[0].signature"},
		{"forged content", forged, ErrSignature, "readings[1].signature"},
		{"forged key", foreign, ErrSignature, "readings[0].signature"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.t = t
			c.refuse(gateway, test.msg, test.want)
			if err := checkSubmitReadings(chainID, test.msg); !strings.Contains(err.Error(), test.text) {
				t.Errorf("expected %q to be named, got %v", test.text, err)
			}
		})
	}
	if err := checkSubmitReadings("another", good); err == nil {
		t.Error("a signature for another chain passed")
	}
	if err := checkSubmitReadings(chainID, good); err != nil {
		t.Error(err)
	}
}

// F19 of reliability.md and SPEC 7: each refusal has its code.
func TestReadingsRefused(t *testing.T) {
	prepare := func(t *testing.T) *chain {
		c := newChain(t)
		c.send(reading(2, -minute, 100, 40), reading(4, minute, 120, 50), reading(8, 3*minute, 160, 60))
		c.TimeMs = start + 10*minute
		return c
	}
	corrected := reading(8, 3*minute, 160, 60)
	corrected.Quality = meteringv1.Quality_QUALITY_CORRECTED
	for _, test := range []struct {
		name string
		msg  *meteringv1.MsgSubmitReadings
		from ed25519.PrivateKey
		want error
	}{
		{"key of another gateway", signed(other, reading(9, 4*minute, 160, 60)), gateway, ErrGatewayKey},
		{"key of nobody", signed(testKey(99), reading(9, 4*minute, 160, 60)), gateway, ErrGatewayKey},
		{"unknown meter", signed(gateway, of("x", 1, 0, 0, 0)), gateway, ErrUnknownMeter},
		{"wrong gateway", signed(other, reading(9, 4*minute, 160, 60)), other, ErrWrongGateway},
		{"future time", signed(gateway, reading(9, 10*minute+30_001, 160, 60)), gateway, ErrFuture},
		{"same sequence, other register", signed(gateway, reading(8, 3*minute, 161, 60)), gateway, ErrConflicting},
		{"same sequence, other time", signed(gateway, reading(8, 3*minute+1, 160, 60)), gateway, ErrConflicting},
		{"same sequence, other quality", signed(gateway, corrected), gateway, ErrConflicting},
		{"late after close", signed(gateway, reading(3, -1, 100, 40)), gateway, ErrTooLate},
		{"late at the boundary", signed(gateway, reading(3, 0, 110, 45)), gateway, ErrTooLate},
		{"sequence before, time after", signed(gateway, reading(3, 2*minute, 130, 50)), gateway, ErrOrder},
		{"sequence after, time before", signed(gateway, reading(9, 2*minute, 130, 50)), gateway, ErrOrder},
		{"sequence after, same time", signed(gateway, reading(9, 3*minute, 160, 60)), gateway, ErrOrder},
		{"sequence between, time of the lower", signed(gateway, reading(5, minute, 120, 50)), gateway, ErrOrder},
		{"import going back", signed(gateway, reading(9, 4*minute, 159, 60)), gateway, ErrRegisterBack},
		{"export going back", signed(gateway, reading(9, 4*minute, 160, 59)), gateway, ErrRegisterBack},
		{"below the one before", signed(gateway, reading(5, 2*minute, 119, 50)), gateway, ErrRegisterBack},
		{"above the one after", signed(gateway, reading(5, 2*minute, 161, 50)), gateway, ErrRegisterBack},
		// 10 kW in a minute are 166.7 Wh.
		{"more than rating x time", signed(gateway, reading(9, 4*minute, 160+169, 60)), gateway, ErrImplausible},
		{"100 x value", signed(gateway, reading(9, 4*minute, 160, 6000)), gateway, ErrImplausible},
		{"running register too large", signed(gateway, reading(9, 4*minute, MaxRegisterWh, 60)), gateway, ErrImplausible},
	} {
		t.Run(test.name, func(t *testing.T) {
			prepare(t).refuse(test.from, test.msg, test.want)
		})
	}
	c := prepare(t)
	c.send(reading(9, 4*minute, 160+168, 60+168)) // ceil(166.7) + step
	c.send(reading(30, 9*minute, 400, 300))       // a gap in sequences
	// At the greatest time.
	if err := c.run(gateway, signed(gateway, reading(31, 10*minute+30_000, 400, 300))); err != nil {
		t.Error(err)
	}
}

// A message is all or nothing; its error names the reading and the meter.
func TestAllOrNothing(t *testing.T) {
	c := newChain(t)
	c.TimeMs = start + 5*minute
	msg := signed(gateway, reading(1, 0, 0, 0), of("a2", 1, 0, 0, 0), reading(2, minute, 5, 0), reading(3, 2*minute, 4, 0))
	c.refuse(gateway, msg, ErrRegisterBack)
	err := c.run(gateway, msg)
	if want := `readings[3] of meter "a1": metering/register_back: import_wh: `; !strings.HasPrefix(fmt.Sprint(err), want) {
		t.Errorf("expected %q..., got %v", want, err)
	}
}

func TestReadingAccepted(t *testing.T) {
	c := newChain(t)
	c.send(reading(7, 0, 11, 12))
	address := addressOf(alice)
	want := &meteringv1.ReadingAccepted{Meter: "a1", Account: address[:], Sequence: 7, TimeMs: start, ImportWh: 11, ExportWh: 12}
	if !proto.Equal(c.events[0], want) {
		t.Errorf("expected the event %v, got %v", want, c.events[0])
	}
}

// Bob is frozen and Carol revoked: their readings count, for their matches
// settle. A frozen gateway may send.
func TestFrozenAndRevoked(t *testing.T) {
	c := newChain(t)
	c.send(of("b1", 1, 0, 0, 0), of("c1", 1, 0, 0, 0), of("c1", 2, periodMs, 5, 0))
	c.energy(carol, 0, 5, 0, false)
	for _, route := range New().Routes() {
		if readings := strings.HasSuffix(route.Type, "Readings"); route.WhileFrozen != readings {
			t.Errorf("%s: unexpected for frozen accounts: %t", route.Type, route.WhileFrozen)
		}
		if len(route.Roles) != 1 || (route.Roles[0] == registryv1.Role_ROLE_GATEWAY) == (route.Roles[0] == registryv1.Role_ROLE_AUTHORITY) {
			t.Errorf("%s: unexpected roles %v", route.Type, route.Roles)
		}
	}
}

func TestOutOfOrderWithinPeriod(t *testing.T) {
	late, early := newChain(t), newChain(t)
	all := []*meteringv1.Reading{
		reading(1, -minute, 0, 0), reading(2, minute, 20, 0), reading(3, 2*minute, 50, 0), reading(4, 14*minute, 100, 0), reading(6, 16*minute, 110, 0),
	}
	early.send(all...)
	late.submit(all[4])
	for _, i := range []int{2, 0, 3, 1} {
		late.submit(all[i])
	}
	late.endBlock()
	if string(late.export()) != string(early.export()) {
		t.Errorf("order matters:\n%s\n%s", early.export(), late.export())
	}
	early.energy(alice, 0, 105-10, 0, false)
}

func TestDuplicates(t *testing.T) {
	c := newChain(t)
	first := []*meteringv1.Reading{reading(3, -minute, 0, 0), reading(4, 0, 10, 0), reading(6, minute, 20, 0)}
	c.send(first...)
	c.same(first...) // removed, at the boundary, after it
	c.same(reading(6, minute, 20, 0), reading(6, minute, 20, 0))
	c.send(reading(9, periodMs, 30, 0), reading(10, periodMs+minute, 40, 0))
	c.same(first...)
	// A gateway that goes on after a crash sends old and new together.
	c.send(reading(9, periodMs, 30, 0), reading(10, periodMs+minute, 40, 0), reading(11, periodMs+2*minute, 50, 0))
	// Sequences never seen are not repetitions.
	for _, sequence := range []uint64{1, 2, 5, 7, 8} {
		c.refuse(gateway, signed(gateway, reading(sequence, 2*minute, 20, 0)), ErrTooLate)
	}
	// Old numbers with new times are not either.
	for _, sequence := range []uint64{3, 5, 6} {
		c.refuse(gateway, signed(gateway, reading(sequence, periodMs+3*minute, 60, 0)), ErrConflicting)
	}
	if got := c.meterState("a1"); got.RemovedSequence != 6 || len(got.Missing) != 2 || got.Points != 3 {
		t.Errorf("expected two ranges up to 6 and 3 points, got %v", got)
	}
}

// Signed again, by a new key, it is still the same reading.
func TestDuplicateSignedAgain(t *testing.T) {
	c := newChain(t)
	c.send(reading(1, 0, 0, 0))
	point := openLedger(c.Store, "a1").bySequence(1)
	point.Reading.Signature[0]++
	points.Set(c.Store, keyOf(point), point)
	c.same(reading(1, 0, 0, 0))
}

func TestMissingIsBounded(t *testing.T) {
	c := newChain(t)
	var odd []*meteringv1.Reading
	for i := range int64(40) {
		odd = append(odd, reading(uint64(2*i+1), i*1000, i, 0))
	}
	c.send(append(odd, reading(100, periodMs, 50, 0))...)
	got := c.meterState("a1")
	if len(got.Missing) != maxMissing || got.Missing[maxMissing-1].Last != 78 || got.RemovedSequence != 79 {
		t.Fatalf("expected the latest %d ranges, got %v", maxMissing, got)
	}
	c.same(reading(2, 500, 0, 0)) // forgotten: taken for a repetition
	c.refuse(gateway, signed(gateway, reading(78, 38_500, 38, 0)), ErrTooLate)
}

func TestTooManyReadings(t *testing.T) {
	c := newChain(t)
	sequence := uint64(0)
	next := func(after int64) *meteringv1.Reading {
		sequence++
		return reading(sequence, after, int64(sequence), 0)
	}
	for kept := 0; kept < MaxPoints; kept += 512 {
		var batch []*meteringv1.Reading
		for i := range int64(512) {
			batch = append(batch, next((int64(kept)+i)*100+1))
		}
		c.send(batch...)
	}
	c.TimeMs = start + 4*periodMs
	c.refuse(gateway, signed(gateway, reading(sequence+1, 10*minute, int64(sequence)+1, 0)), ErrTooMany)
	// The first boundary closes nothing, but makes room.
	c.submit(next(periodMs + 1))
	c.refuse(gateway, signed(gateway, reading(sequence+1, 2*periodMs, int64(sequence)+1, 0)), ErrTooMany)
	c.endBlock()
	if got := c.meterState("a1"); got.Points != 2 || got.RemovedSequence != MaxPoints-1 {
		t.Fatalf("expected the readings before the boundary to be removed, got %v", got)
	}
	c.send(next(2 * periodMs))
	c.energy(alice, periodMs, int64(sequence)-MaxPoints, 0, false)
}

func TestEarliestReading(t *testing.T) {
	c := newChain(t)
	const month = 31 * 24 * 3_600_000
	c.refuse(gateway, signed(gateway, reading(1, -month-1, 0, 0)), ErrTooLate)
	c.send(reading(1, -month, 0, 0))
	// Once it reports, a meter may have been offline for longer.
	c.send(reading(2, periodMs-month, 10, 0))
	c.TimeMs = start + 10*periodMs
	c.send(reading(3, 2*periodMs-month, 20, 0))

	bound := meter("a1", alice, gateway, 1, true)
	bound.BoundAtMs = start
	in := &intake{ledger: openLedger(c.Store, "a2"), meter: bound, periodLength: periodMs, nowMs: start, latestMs: start}
	if got := in.earliestMs(); got != start-periodMs {
		t.Errorf("expected a period before the binding, got %d", got)
	}
}

func TestGreatestEnergy(t *testing.T) {
	for _, test := range []struct{ ratingW, elapsedMs, stepWh, want int64 }{
		{10_000, 3_600_000, 1, 10_001},
		{10_000, 60_000, 1, 168},
		{1, 1, 1, 2},
		{0, 1_000_000, 5, 5},
		{3_600_000, 7, 0, 7},
		{10_000_000_000, maxTimeMs, 1, MaxRegisterWh},
	} {
		if got := greatestEnergy(test.ratingW, test.elapsedMs, test.stepWh); got != test.want {
			t.Errorf("%d W in %d ms, step %d: expected %d Wh, got %d", test.ratingW, test.elapsedMs, test.stepWh, test.want, got)
		}
	}
}

func TestRemovedGatewayKey(t *testing.T) {
	c := newChain(t)
	revoked := addressOf(gateway)
	for _, route := range registry.New().Routes() {
		if strings.HasSuffix(route.Type, "MsgRevoke") {
			if err := route.Exec(c.Ctx, &registryv1.MsgRevoke{Account: revoked[:]}); err != nil {
				t.Fatal(err)
			}
		}
	}
	c.refuse(gateway, signed(gateway, reading(1, 0, 0, 0)), ErrGatewayKey)
}

func BenchmarkSubmitReadings(b *testing.B) {
	c := newChain(b)
	batch := make([]*meteringv1.Reading, MaxReadings)
	for i := range batch {
		batch[i] = reading(uint64(i+1), int64(i)*800, int64(i), 0)
	}
	c.TimeMs = start + periodMs
	msg := signed(gateway, batch...)
	b.Run("check", func(b *testing.B) {
		for b.Loop() {
			if err := checkSubmitReadings(chainID, msg); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("exec", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			c := newChain(b)
			c.TimeMs = start + periodMs
			account, _ := registry.AccountOf(c.Store, addressOf(gateway))
			c.Signer.Account = account
			b.StartTimer()
			if err := submitReadings(c.Ctx, msg); err != nil {
				b.Fatal(err)
			}
		}
	})
}
