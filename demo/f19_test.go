package demo

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
)

// Codes of refused readings (x/metering/README.md), consensus data.
const (
	badSignature, gatewayKey, futureTime, conflicting = 3, 4, 8, 9
	tooLate, registerBack, implausible                = 10, 12, 13
)

// Who suffers from which fault, and the figures of everybody: a seller exports
// eachWh in each period, and sells it.
const (
	hasGap = iota
	duplicates
	isReplayed
	countsBack
	isForged
	isAhead
	hundredfold
	isLate
	sellers

	eachWh        = 20
	startWh       = 10_000
	faultPeriods  = 3
	faultDeadline = 2
)

// faults is the run of F19: eight sellers whose meters each do one thing wrong,
// and buyers who take all that they sell.
type faults struct {
	*testing.T
	*driver
}

// TestF19 is the meter's part of the fault programme on four processes: each
// fault is refused with its code, or shows as a quality, and settles by its rule;
// in the end all energy is right.
func TestF19(t *testing.T) {
	scenario := Generate(19, 8, 2)
	d := neighbourhood(t, Options{
		Validators: 4, Periods: faultPeriods, PeriodLength: 3 * time.Second, Seed: 19, Mechanism: "auction",
	}, scenario, map[string]int64{"deadline_periods": faultDeadline})
	f := &faults{t, d}
	if err := d.chooseFirstPeriod(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.trade()
	f.readAll()
	f.waitFor(faultPeriods+faultDeadline+1, 500*time.Millisecond)
	f.lateRegisters()
	events := happened(t, d)
	f.boundaries(events)
	f.statements(events)
	lawful(t, d)
}

// waitFor waits for a time after the i-th boundary.
func (f *faults) waitFor(i int, after time.Duration) {
	f.Helper()
	at := f.periodOf(i) + after.Milliseconds()
	if err := f.clock.waitUntil(f.Context(), func(now int64) bool { return now >= at }); err != nil {
		f.Fatal(err)
	}
}

// energyWh is what a member's meter counts in a period: sellers export, the
// others import what they sell.
func (f *faults) energyWh(n int) (importWh, exportWh int64) {
	if n < sellers {
		return 0, eachWh
	}
	return eachWh * sellers / int64(len(f.members)-sellers), 0
}

// trade places the orders of all periods but the first: asks at feed-in and bids
// at retail trade for sure.
func (f *faults) trade() {
	f.Helper()
	for i := 1; i < faultPeriods; i++ {
		err := each(len(f.members), func(n int) error {
			importWh, exportWh := f.energyWh(n)
			order := Order{Participant: n, Sell: n < sellers, Price: DefaultTariff.FeedIn, EnergyWh: exportWh, Standing: true}
			if !order.Sell {
				order.Price, order.EnergyWh, order.Wishes = DefaultTariff.Retail, importWh, Wishes{MaxLossPpm: 100_000, WantedType: Solar}
			}
			return f.send(f.Context(), f.members[n].key, orderMessage(order, f.members[n].meter, f.periodOf(i)))
		})
		if err != nil {
			f.Fatal(err)
		}
	}
}

// reading is what a member's meter shows at the i-th boundary, signed.
func (f *faults) reading(n, i int, edits ...func(*meteringv1.Reading)) *meteringv1.Reading {
	f.Helper()
	importWh, exportWh := f.energyWh(n)
	reading := &meteringv1.Reading{
		Meter: f.members[n].meter, Sequence: uint64(i + 1), TimeMs: f.periodOf(i), Quality: meteringv1.Quality_QUALITY_MEASURED,
		ImportWh: startWh + importWh*int64(i), ExportWh: startWh + exportWh*int64(i),
	}
	for _, edit := range edits {
		edit(reading)
	}
	f.sign(f.gateways[f.members[n].gateway], reading)
	return reading
}

func (f *faults) sign(key client.Key, reading *meteringv1.Reading) {
	f.Helper()
	if err := key.SignReading(f.sender.ChainID, reading); err != nil {
		f.Fatal(err)
	}
}

// submit sends readings of a member's meter in one envelope, and demands a
// code of metering, 0 for none.
func (f *faults) submit(fault string, code uint32, n int, readings ...*meteringv1.Reading) {
	f.Helper()
	key := f.gateways[f.members[n].gateway]
	f.judge(fault, code, f.send(f.Context(), key, &meteringv1.MsgSubmitReadings{GatewayKey: key.Public(), Readings: readings}))
}

func (f *faults) judge(fault string, code uint32, err error) {
	f.Helper()
	rejected, _ := errors.AsType[*client.Rejected](err)
	switch {
	case code == 0 && err == nil:
		f.Logf("%s: taken", fault)
	case code != 0 && rejected != nil && rejected.Codespace == "metering" && rejected.Code == code:
		f.Logf("%s: metering/%d, %s", fault, code, rejected.Log)
	default:
		f.Errorf("%s: got %v, want code %d of metering", fault, err, code)
	}
}

// readAll sends everybody's readings at each boundary, the faulty ones first:
// whatever is refused, the honest reading after it is taken.
func (f *faults) readAll() {
	for i := range faultPeriods + 1 {
		f.waitFor(i, 0)
		if i == 2 {
			f.wrongReadings()
		}
		batches := make([][]*meteringv1.Reading, len(f.gateways))
		for n, m := range f.members {
			if n == hasGap && i == 2 || n == isLate && i >= 3 {
				continue
			}
			batches[m.gateway] = append(batches[m.gateway], f.reading(n, i))
		}
		err := each(len(batches), func(g int) error {
			return f.send(f.Context(), f.gateways[g], &meteringv1.MsgSubmitReadings{GatewayKey: f.gateways[g].Public(), Readings: batches[g]})
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	// Both are behind a boundary that is fixed by now: what was seen is taken for a
	// repetition, what was not is refused.
	f.submit("replay of a closed period", 0, isReplayed, f.reading(isReplayed, 1))
	f.submit("late after the close", tooLate, isLate, f.reading(isLate, 2, func(r *meteringv1.Reading) { r.Sequence, r.TimeMs = 100, r.TimeMs-1000 }))
}

// wrongReadings sends what is wrong at the second boundary.
func (f *faults) wrongReadings() {
	const i = 2
	f.submit("duplicate in one envelope", 0, duplicates, f.reading(duplicates, i), f.reading(duplicates, i))
	f.submit("duplicate in the next envelope", 0, duplicates, f.reading(duplicates, i))
	f.submit("replay of a sequence with other contents", conflicting, isReplayed, f.reading(isReplayed, i, func(r *meteringv1.Reading) { r.Sequence = i }))
	f.submit("counter going back", registerBack, countsBack, f.reading(countsBack, i, func(r *meteringv1.Reading) { r.ExportWh = startWh + eachWh - 1 }))
	forged := f.reading(isForged, i, func(r *meteringv1.Reading) { r.ExportWh++ })
	f.sign(f.members[isForged].key, forged)
	f.submit("forged: signed with another key", badSignature, isForged, forged)
	gateway := f.gateways[f.members[isForged].gateway]
	f.judge("forged: the other key in the message", gatewayKey, f.send(f.Context(), gateway,
		&meteringv1.MsgSubmitReadings{GatewayKey: f.members[isForged].key.Public(), Readings: []*meteringv1.Reading{forged}}))
	f.submit("time of the future", futureTime, isAhead, f.reading(isAhead, i, func(r *meteringv1.Reading) { r.TimeMs += time.Minute.Milliseconds() }))
	f.submit("100 times the value", implausible, hundredfold, f.reading(hundredfold, i, func(r *meteringv1.Reading) { r.ExportWh *= 100 }))
}

// lateRegisters sends the registers that were missing at the deadline.
func (f *faults) lateRegisters() {
	f.submit("registers after the deadline", 0, isLate, f.reading(isLate, 3))
	for range 3 {
		if err := f.nextBlock(f.Context()); err != nil {
			f.Fatal(err)
		}
	}
}

// boundaries demands that each meter has each boundary once, with what it
// showed, and that only the one with a gap is estimated.
func (f *faults) boundaries(events []proto.Message) {
	f.Helper()
	accepted, fixed := make(map[string]int), make(map[string]int)
	for _, event := range events {
		switch e := event.(type) {
		case *meteringv1.ReadingAccepted:
			accepted[e.Meter]++
		case *meteringv1.BoundaryFixed:
			fixed[e.Meter]++
			n := f.memberOf(e.Meter)
			i := (e.TimeMs - f.firstPeriod) / f.options.PeriodLength.Milliseconds()
			importWh, exportWh := f.energyWh(n)
			if e.ImportWh != startWh+importWh*i || e.ExportWh != startWh+exportWh*i || e.Estimated != (n == hasGap && i == 2) {
				f.Errorf("boundary %d: %v", i, e)
			}
		}
	}
	for n, m := range f.members {
		want := faultPeriods + 1
		if fixed[m.meter] != want {
			f.Errorf("%s: %d boundaries, want %d", m.meter, fixed[m.meter], want)
		}
		if n == hasGap {
			want--
		}
		if accepted[m.meter] != want {
			f.Errorf("%s: %d readings accepted, want %d", m.meter, accepted[m.meter], want)
		}
	}
}

func (f *faults) memberOf(meter string) int {
	for n, m := range f.members {
		if m.meter == meter {
			return n
		}
	}
	f.Fatalf("nobody has the meter %s", meter)
	return 0
}

// statements demands of the latest statement of everybody and each period the
// energy that was counted, and the outcome by the rule of the fault.
func (f *faults) statements(events []proto.Message) {
	f.Helper()
	first, last := make(map[account]*settlementv1.Statement), make(map[account]*settlementv1.Statement)
	number := make(map[string]int)
	for n, m := range f.members {
		address := m.address()
		number[string(address[:])] = n
	}
	for _, event := range events {
		made, ok := event.(*settlementv1.StatementMade)
		if !ok {
			continue
		}
		n, ok := number[string(made.Statement.Account)]
		if !ok || made.Statement.Period < f.firstPeriod {
			continue // a gateway's or an aggregator's, or before the run
		}
		of := account{n, int((made.Statement.Period - f.firstPeriod) / f.options.PeriodLength.Milliseconds())}
		if first[of] == nil {
			first[of] = made.Statement
		}
		last[of] = made.Statement
	}
	var sold, bought int64
	for n, m := range f.members {
		for i := range faultPeriods {
			was, is := first[account{n, i}], last[account{n, i}]
			if is == nil {
				f.Errorf("%s, period %d: no statement", m.Name, i)
				continue
			}
			late, estimated := n == isLate && i == 2, n == hasGap && i >= 1
			importWh, exportWh := f.energyWh(n)
			outcome := int64(1)
			switch {
			case i == 0:
				outcome = 0 // nobody traded
			case late, estimated:
				outcome = -10
			}
			if is.ImportWh != importWh || is.ExportWh != exportWh || is.Estimated != estimated || was.Missing != late || was.Outcome != outcome {
				f.Errorf("%s, period %d: expected %d and %d Wh, estimated %t, first missing %t, outcome %d, got %v and first %v",
					m.Name, i, importWh, exportWh, estimated, late, outcome, is, was)
			}
			if late && is.Version != 2 || !late && is.Version != 1 {
				f.Errorf("%s, period %d: version %d", m.Name, i, is.Version)
			}
			sold, bought = sold+is.SoldWh, bought+is.BoughtWh
		}
	}
	if want := int64(eachWh * sellers * (faultPeriods - 1)); sold != want || bought != want {
		f.Errorf("sold %d Wh and bought %d, want %d", sold, bought, want)
	}
}
