package metering

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// correctable keeps a day for corrections.
func correctable(p *registryv1.Params) { p.CorrectionRetentionPeriods = 96 }

// corrected is one of meter a1 at start + afterMs.
func corrected(version, afterMs, importWh, exportWh int64) *meteringv1.Reading {
	return &meteringv1.Reading{
		Meter: "a1", Version: version, TimeMs: start + afterMs, ImportWh: importWh, ExportWh: exportWh,
		Quality: meteringv1.Quality_QUALITY_CORRECTED,
	}
}

func correction(readings ...*meteringv1.Reading) *meteringv1.MsgCorrectReadings {
	msg := signed(gateway, readings...)
	return &meteringv1.MsgCorrectReadings{GatewayKey: msg.GatewayKey, Readings: msg.Readings}
}

func (c *chain) correct(readings ...*meteringv1.Reading) {
	c.t.Helper()
	if err := c.run(gateway, correction(readings...)); err != nil {
		c.t.Fatal(err)
	}
	c.endBlock()
}

// changed expects the correction of a period of alice that settlement took.
func (c *chain) changed(after, importWh, exportWh int64) {
	c.t.Helper()
	address := addressOf(alice)
	got, _ := corrections.Get(c.Store, correctionKey(address[:], start+after))
	if got.GetImportWh() != importWh || got.GetExportWh() != exportWh {
		c.t.Fatalf("period %d: expected a correction of %d and %d, got %v", after, importWh, exportWh, got)
	}
}

// read4 reads a1 at start and at the end of four periods of 100 and 10 Wh.
func read4(c *chain) {
	c.t.Helper()
	for i := range int64(5) {
		c.send(reading(uint64(i+1), i*periodMs, 100*i, 10*i))
	}
}

// TestCorrect: a corrected boundary moves energy between the periods beside it,
// whether they wait for settlement or were taken.
func TestCorrect(t *testing.T) {
	c := newChain(t, correctable)
	read4(c)
	c.correct(corrected(2, periodMs, 150, 5))
	c.energy(alice, 0, 150, 5, false)
	c.energy(alice, periodMs, 50, 15, false)
	want := &meteringv1.BoundaryCorrected{
		Meter: "a1", TimeMs: start + periodMs, Version: 2, ImportWh: 150, ExportWh: 5, WasImportWh: 100, WasExportWh: 10,
	}
	if got := c.events[len(c.events)-1]; !proto.Equal(got, want) {
		t.Errorf("expected the event %v, got %v", want, got)
	}
	address := addressOf(alice)
	Consume(c.Ctx, address, start)
	c.correct(corrected(3, periodMs, 120, 10)) // now of a period that was taken and one that was not
	c.energy(alice, periodMs, 80, 10, false)
	c.changed(0, -30, 5)
	c.correct(corrected(4, periodMs, 150, 5)) // before settlement took the first
	c.changed(0, 0, 0)
	for range Corrections(c.Store) {
		t.Error("expected no correction of nothing")
	}
	// Two beside each other: the period between them is changed by both.
	c.correct(corrected(2, 2*periodMs, 170, 20), corrected(2, 3*periodMs, 390, 30))
	c.energy(alice, periodMs, 20, 15, false)
	c.energy(alice, 2*periodMs, 220, 10, false)
	c.energy(alice, 3*periodMs, 10, 10, false)
	if last, _ := Latest(c.Store, address, start); last.ImportWh != 10 || last.ExportWh != 10 {
		t.Errorf("expected standing orders to follow 10 and 10 Wh, got %v", last)
	}
	ConsumeCorrection(c.Ctx, address, start)
	c.boundary(4*periodMs, 400, 40, false)
}

// TestCorrectPartial: of an account with two meters one is corrected while the
// other's readings are awaited.
func TestCorrectPartial(t *testing.T) {
	c := newChain(t, correctable)
	for i := range int64(4) {
		c.send(of("b1", uint64(i+1), i*periodMs, 100*i, 0))
	}
	fix := corrected(2, periodMs, 40, 0)
	fix.Meter = "b1"
	c.correct(fix)
	c.send(of("b2", 1, 0, 0, 0), of("b2", 2, 2*periodMs, 20, 0))
	c.energy(bob, 0, 50, 0, true) // 10 of b2, whose readings are two periods apart
	c.energy(bob, periodMs, 170, 0, true)
}

func TestCorrectRefused(t *testing.T) {
	c := newChain(t, correctable)
	read4(c)
	c.correct(corrected(2, periodMs, 110, 10))
	otherMeter := func(meter string) *meteringv1.Reading {
		r := corrected(2, periodMs, 100, 10)
		r.Meter = meter
		return r
	}
	change := func(edit func(*meteringv1.Reading)) *meteringv1.MsgCorrectReadings {
		r := corrected(3, periodMs, 120, 10)
		edit(r)
		return correction(r)
	}
	forged := correction(corrected(3, periodMs, 120, 10))
	forged.Readings[0].ImportWh++
	foreign := correction(corrected(3, periodMs, 120, 10))
	foreign.GatewayKey = public(other)
	unsigned := correction(corrected(3, periodMs, 120, 10))
	unsigned.Readings[0].Signature = nil
	for _, test := range []struct {
		name string
		msg  *meteringv1.MsgCorrectReadings
		want error
	}{
		{"none", correction(), ErrField},
		{"too many", &meteringv1.MsgCorrectReadings{GatewayKey: public(gateway), Readings: make([]*meteringv1.Reading, MaxCorrections+1)}, ErrField},
		{"nil", &meteringv1.MsgCorrectReadings{GatewayKey: public(gateway), Readings: []*meteringv1.Reading{nil}}, ErrField},
		{"key", &meteringv1.MsgCorrectReadings{GatewayKey: []byte{1}, Readings: forged.Readings}, ErrField},
		{"meter", change(func(r *meteringv1.Reading) { r.Meter = "A" }), ErrField},
		{"sequence", change(func(r *meteringv1.Reading) { r.Sequence = 7 }), ErrField},
		{"first version", change(func(r *meteringv1.Reading) { r.Version = 1 }), ErrField},
		{"quality", change(func(r *meteringv1.Reading) { r.Quality = meteringv1.Quality_QUALITY_MEASURED }), ErrField},
		{"negative", change(func(r *meteringv1.Reading) { r.ImportWh = -1 }), ErrField},
		{"unknown field", change(func(r *meteringv1.Reading) { r.ProtoReflect().SetUnknown([]byte{0x78, 1}) }), ErrField},
		{"out of order", correction(corrected(2, 2*periodMs, 200, 20), corrected(3, periodMs, 120, 10)), ErrField},
		{"twice", correction(corrected(3, periodMs, 120, 10), corrected(4, periodMs, 120, 10)), ErrField},
		{"unsigned", unsigned, ErrField},
		{"forged", forged, ErrSignature},
		{"key of another", foreign, ErrSignature},
		{"replay", correction(corrected(2, periodMs, 110, 10)), ErrVersion},
		{"a version left out", correction(corrected(4, periodMs, 120, 10)), ErrVersion},
		{"between boundaries", correction(corrected(2, periodMs+1, 100, 10)), ErrUnknownBoundary},
		{"not fixed yet", correction(corrected(2, 5*periodMs, 500, 50)), ErrUnknownBoundary},
		{"the newest", correction(corrected(2, 4*periodMs, 390, 40)), ErrNewestBoundary},
		{"the first", correction(corrected(2, 0, 0, 0)), ErrRetention},
		{"before the first", correction(corrected(2, -periodMs, 0, 0)), ErrRetention},
		{"unknown meter", correction(otherMeter("zz")), ErrUnknownMeter},
		{"not a billing meter", correction(otherMeter("a2")), ErrNotBilling},
		{"below the boundary before", correction(corrected(2, 2*periodMs, 109, 20)), ErrRegisterBack},
		{"above the boundary after", correction(corrected(2, 2*periodMs, 200, 31)), ErrRegisterBack},
		{"falling between two corrected", correction(corrected(2, 2*periodMs, 250, 20), corrected(2, 3*periodMs, 249, 30)), ErrRegisterBack},
		// 10 kW carry 2500 Wh in a period, and a step; it is refused before the fall behind it.
		{"too fast", correction(corrected(2, 2*periodMs, 2702, 20)), ErrImplausible},
	} {
		t.Run(test.name, func(t *testing.T) {
			c.t = t
			c.refuse(gateway, test.msg, test.want)
		})
	}
	c.t = t
	fromOther := signed(other, corrected(3, periodMs, 120, 10))
	c.refuse(other, &meteringv1.MsgCorrectReadings{GatewayKey: fromOther.GatewayKey, Readings: fromOther.Readings}, ErrWrongGateway)
	c.refuse(other, correction(corrected(3, periodMs, 120, 10)), ErrGatewayKey)
	// A corrected reading is no reading, and the other way round.
	c.refuse(gateway, signed(gateway, corrected(2, 30*periodMs, 9000, 90)), ErrField)
	versioned := reading(7, 30*periodMs, 9000, 90)
	versioned.Version = 2
	c.refuse(gateway, signed(gateway, versioned), ErrField)
}

// TestCorrectSwapped: what an exchanged device counted stands; after the swap the
// new device's registers are corrected.
func TestCorrectSwapped(t *testing.T) {
	c := newChain(t, correctable)
	read4(c)
	c.swap(swap(4*periodMs+minute, 400, 40, 7, 7))
	for i := range int64(3) {
		c.send(reading(uint64(i+6), (5+i)*periodMs, 107+100*i, 17+10*i))
	}
	c.refuse(gateway, correction(corrected(2, 4*periodMs, 390, 40)), ErrSwapped)
	c.correct(corrected(2, 5*periodMs, 57, 17))
	c.energy(alice, 4*periodMs, 50, 10, false)
	c.energy(alice, 5*periodMs, 150, 10, false)
}

// TestCorrectBeforeBinding: a period that began before the meter was bound is not
// the account's.
func TestCorrectBeforeBinding(t *testing.T) {
	c := newChain(t, correctable)
	read4(c)
	later := meter("a1", alice, gateway, 1, true)
	later.BoundAtMs = start + minute
	bound := state.NewMap[registryv1.Meter](protocol.ModuleRegistry, 3)
	bound.Set(c.Store, bound.Key().Name("a1"), later)
	c.refuse(gateway, correction(corrected(2, periodMs, 90, 10)), ErrBeforeBinding)
	c.correct(corrected(2, 2*periodMs, 190, 20))
}

// TestHistoryRows: a day of corrections costs four rows of a meter, and nothing
// is kept without the parameter.
func TestHistoryRows(t *testing.T) {
	for _, test := range []struct {
		periods, least, most int
	}{{0, 0, 0}, {1, 1, 2}, {96, 4, 5}} {
		c := newChain(t, func(p *registryv1.Params) { p.CorrectionRetentionPeriods = int64(test.periods) })
		for i := range int64(300) {
			c.send(reading(uint64(i+1), i*periodMs, 100*i, 10*i))
		}
		rows := 0
		for range histories.All(c.Store, histories.Key()) {
			rows++
		}
		if rows < test.least || rows > test.most {
			t.Errorf("%d periods: expected %d to %d rows, got %d", test.periods, test.least, test.most, rows)
		}
		oldest := (299 - int64(test.periods)) * periodMs
		if test.periods == 0 {
			c.refuse(gateway, correction(corrected(2, 298*periodMs, 29800, 2980)), ErrRetention)
			continue
		}
		c.refuse(gateway, correction(corrected(2, oldest-periodMs, 100*(oldest/periodMs-1), 10*(oldest/periodMs-1))), ErrRetention)
		if test.periods > 1 {
			c.correct(corrected(2, oldest, 100*oldest/periodMs, 10*oldest/periodMs))
		}
	}
}

// TestCorrectModel: whatever is corrected, what was ready and by how much it
// changed add up to the registers that stand, and their sum does not change.
func TestCorrectModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		c := newChain(rt, correctable)
		const count = 40 // more than one History
		stand := make([]registers, count)
		for i := range stand {
			if i > 0 {
				stand[i] = registers{stand[i-1].importWh + rapid.Int64Range(0, 2000).Draw(rt, "import"), stand[i-1].exportWh + rapid.Int64Range(0, 2000).Draw(rt, "export")}
			}
			c.send(reading(uint64(i+1), int64(i)*periodMs, stand[i].importWh, stand[i].exportWh))
		}
		address := addressOf(alice)
		taken := map[int]*meteringv1.Energy{}
		versions := [count]int64{}
		for range rapid.IntRange(1, 8).Draw(rt, "messages") {
			if i := rapid.IntRange(0, count-2).Draw(rt, "take"); taken[i] == nil {
				taken[i], _ = ready.Get(c.Store, energyKey(ready, address[:], start+int64(i)*periodMs))
				Consume(c.Ctx, address, start+int64(i)*periodMs)
			}
			var readings []*meteringv1.Reading
			for i := rapid.IntRange(1, count-2).Draw(rt, "first"); i < count-1 && len(readings) < 4; i++ {
				next := registers{
					rapid.Int64Range(stand[i-1].importWh, stand[i+1].importWh).Draw(rt, "import"),
					rapid.Int64Range(stand[i-1].exportWh, stand[i+1].exportWh).Draw(rt, "export"),
				}
				if max(next.importWh-stand[i-1].importWh, stand[i+1].importWh-next.importWh, next.exportWh-stand[i-1].exportWh, stand[i+1].exportWh-next.exportWh) > 2501 {
					break
				}
				stand[i] = next
				versions[i]++
				readings = append(readings, corrected(versions[i]+1, int64(i)*periodMs, next.importWh, next.exportWh))
			}
			if len(readings) > 0 {
				c.correct(readings...)
			}
		}
		for i := range count - 1 {
			energy, ok := ready.Get(c.Store, energyKey(ready, address[:], start+int64(i)*periodMs))
			if !ok {
				energy = taken[i]
				more, _ := corrections.Get(c.Store, correctionKey(address[:], start+int64(i)*periodMs))
				energy.ImportWh += more.GetImportWh()
				energy.ExportWh += more.GetExportWh()
			}
			want := registers{stand[i+1].importWh - stand[i].importWh, stand[i+1].exportWh - stand[i].exportWh}
			if (registers{energy.ImportWh, energy.ExportWh}) != want {
				rt.Fatalf("period %d: expected %v, got %v", i, want, energy)
			}
		}
		again := newChain(rt, correctable)
		if err := New().InitGenesis(again.Ctx, c.export()); err != nil {
			rt.Fatal(err)
		}
		if !bytes.Equal(c.export(), again.export()) {
			rt.Fatal("export differs after import")
		}
	})
}

func TestQueryBoundaries(t *testing.T) {
	c := newChain(t, correctable)
	for i := range int64(40) {
		c.send(reading(uint64(i+1), i*periodMs, 100*i, 10*i))
	}
	c.correct(corrected(2, 33*periodMs, 3310, 330))
	q := moduleQuery{c}
	all := q.ask(&meteringv1.QueryBoundariesRequest{Meter: "a1"}).(*meteringv1.QueryBoundariesResponse).Boundaries
	if len(all) != 40 || all[0].TimeMs != start || all[39].TimeMs != start+39*periodMs || all[39].Version != 1 {
		t.Fatalf("expected 40 boundaries, got %v", all)
	}
	page := q.ask(&meteringv1.QueryBoundariesRequest{Meter: "a1", FromMs: start + 32*periodMs + 1, Limit: 2}).(*meteringv1.QueryBoundariesResponse).Boundaries
	if len(page) != 2 || page[0].Version != 2 || page[0].Boundary.ImportWh != 3310 || page[1].TimeMs != start+34*periodMs {
		t.Fatalf("expected two boundaries from the corrected one on, got %v", page)
	}
	signedBytes, err := protocol.ReadingSignBytes(chainID, page[0].Boundary.Corrected)
	if err != nil || !protocol.VerifySignature(public(gateway), signedBytes, page[0].Boundary.Corrected.Signature) {
		t.Errorf("expected the gateway's signature: %v", err)
	}
	q.refuse(&meteringv1.QueryBoundariesRequest{Meter: "zz"}, ErrUnknownMeter)
	q.refuse(&meteringv1.QueryBoundariesRequest{Meter: "a1", Limit: -1}, ErrField)
}

func TestHistoryGenesisRefused(t *testing.T) {
	c := newChain(t, correctable)
	read4(c)
	good := new(meteringv1.History)
	for _, h := range histories.All(c.Store, histories.Key()) {
		good = h
	}
	for name, edit := range map[string]func(*meteringv1.History){
		"meter":      func(h *meteringv1.History) { h.Meter = "A" },
		"unaligned":  func(h *meteringv1.History) { h.FirstMs++ },
		"empty":      func(h *meteringv1.History) { h.Boundaries = nil },
		"two spans":  func(h *meteringv1.History) { h.FirstMs -= h.FirstMs%(historyLength*periodMs) + periodMs },
		"falling":    func(h *meteringv1.History) { h.Boundaries[1].ImportWh = 500 },
		"negative":   func(h *meteringv1.History) { h.Boundaries[0].ExportWh = -1 },
		"not fixed":  func(h *meteringv1.History) { h.FirstMs += periodMs },
		"not theirs": func(h *meteringv1.History) { h.Boundaries[4].ImportWh++ },
		"of another": func(h *meteringv1.History) { h.Boundaries[1].Corrected = corrected(2, 0, 0, 0) },
		"version":    func(h *meteringv1.History) { h.Boundaries[1].Corrected = corrected(1, periodMs, 100, 10) },
	} {
		bad := newChain(t, correctable)
		genesis := new(meteringv1.GenesisState)
		for _, m := range meters.All(c.Store, meters.Key()) {
			genesis.Meters = append(genesis.Meters, m)
		}
		for _, point := range points.All(c.Store, points.Key()) {
			genesis.Points = append(genesis.Points, point)
		}
		h := proto.Clone(good).(*meteringv1.History)
		genesis.Histories = append(genesis.Histories, h)
		if err := New().InitGenesis(bad.Ctx, marshal(t, genesis)); err != nil {
			t.Fatalf("unchanged: %v", err)
		}
		edit(h)
		bad = newChain(t, correctable)
		if err := New().InitGenesis(bad.Ctx, marshal(t, genesis)); err == nil {
			t.Errorf("%s: expected a refusal", name)
		}
	}
	for name, bad := range map[string]*meteringv1.Correction{
		"account": {Account: []byte{1}, Period: start, ImportWh: 1},
		"period":  {Account: make([]byte, 20), Period: -1, ImportWh: 1},
		"energy":  {Account: make([]byte, 20), Period: start, ExportWh: -MaxRegisterWh - 1},
	} {
		if err := New().InitGenesis(newChain(t).Ctx, marshal(t, &meteringv1.GenesisState{Corrections: []*meteringv1.Correction{bad}})); err == nil {
			t.Errorf("correction: %s: expected a refusal", name)
		}
	}
}
