package gateway

import (
	"context"
	"errors"
	"fmt"
	"time"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/meter/device"
)

// firstCredible is the earliest time a clock may show that was ever set.
var firstCredible = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// poller reads one meter.
type poller struct {
	*Gateway
	meter  Meter
	source device.Source

	// known says that the device was found to be of its model, or has been read by
	// it before.
	known   bool
	history *device.History
	// lastMs is the time of the latest reading that was signed, 0 without one.
	lastMs   int64
	sequence uint64
	// swaps is told when the chain knows of a swap at that time.
	swaps chan int64
}

func (g *Gateway) newPoller(m Meter, source device.Source) *poller {
	p := &poller{Gateway: g, meter: m, source: source, swaps: make(chan int64, 1)}
	if last := g.spool.Last(m.Name); last != nil {
		p.lastMs, p.sequence, p.known = last.TimeMs, last.Sequence, true
	}
	return p
}

// run polls until ctx ends.
func (p *poller) run(ctx context.Context) {
	for p.waitForPoll(ctx) {
		select {
		case at := <-p.swaps:
			p.swapped(at)
		default:
		}
		p.poll(ctx)
	}
}

// waitForPoll waits for the next multiple of the poll time, or end of an
// interval or a period.
func (p *poller) waitForPoll(ctx context.Context) bool {
	now := p.now()
	next := now.Add(time.Hour)
	for _, every := range []time.Duration{p.config().Poll, p.interval(), inMs(p.learnt.Load().PeriodMs)} {
		if ms := every.Milliseconds(); ms > 0 {
			if end := time.UnixMilli((now.UnixMilli()/ms + 1) * ms); end.Before(next) {
				next = end
			}
		}
	}
	return pause(ctx, next.Sub(now))
}

// pause waits and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// poll reads the meter once and hands a reading on if one is due.
func (p *poller) poll(ctx context.Context) {
	reading, cancel := context.WithTimeout(ctx, p.config().timeout(p.meter))
	snapshot, err := p.read(reading)
	cancel()
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		snapshot, err = p.judge(snapshot)
	}
	p.state.polled(p.meter.Name, snapshot, device.QualityOf(err), err, p.now())
	if err != nil && device.QualityOf(err) != device.Gap {
		return
	}
	if !p.due(snapshot.At) {
		return
	}
	if err := p.sign(ctx, snapshot); err != nil && ctx.Err() == nil {
		p.log.Error("a reading could not be kept; the next one includes its energy", "meter", p.meter.Name, "error", err)
	}
}

// read reads the meter, the first time with a look at whether it is of its model:
// the numbers of another one may look like energy.
func (p *poller) read(ctx context.Context) (device.Snapshot, error) {
	if p.known {
		return p.source.Read(ctx)
	}
	snapshot, err := device.ReadNew(ctx, p.source)
	p.known = err == nil
	return snapshot, err
}

// judge compares a snapshot with those before it.
func (p *poller) judge(snapshot device.Snapshot) (device.Snapshot, error) {
	if snapshot.At.Before(firstCredible) {
		return snapshot, &device.QualityError{Quality: device.ClockWentBack, Err: fmt.Errorf("the clock shows %v: it was never set", snapshot.At.UTC())}
	}
	if ahead := snapshot.At.Sub(p.now()); ahead > clockSlack {
		return snapshot, &device.QualityError{Quality: device.OutOfRange, Err: fmt.Errorf("the meter's time is %v ahead of the gateway's clock", ahead.Round(time.Second))}
	}
	if p.history == nil {
		p.history = p.begin(snapshot)
	}
	judged, err := p.history.Judge(snapshot)
	if fellBack[device.QualityOf(err)] && neverOnChain[p.spool.LastRefused(p.meter.Name)] {
		p.log.Info("the chain refused the value that the meter is compared with; it is compared anew", "meter", p.meter.Name)
		p.startOver()
		return p.history.Judge(snapshot)
	}
	return judged, err
}

// fellBack are the states that one reading which was far too high, or too late,
// makes of all that follow.
var fellBack = map[device.Quality]bool{device.WentBack: true, device.RolledOver: true, device.ClockWentBack: true}

// neverOnChain are the refusals of readings that were far too high, or too late:
// nothing that follows has to fit to them. The chain compares it with what it has.
var neverOnChain = map[string]bool{"metering/implausible": true, "metering/future_time": true}

// startOver begins a new history, with a reading at once.
func (p *poller) startOver() {
	p.history = device.NewHistory(p.limits(), nil)
	p.lastMs = 0
}

func (p *poller) limits() device.Limits {
	return device.Limits{RatingW: p.meter.RatingW, StaleAfter: p.meter.StaleAfter}
}

// begin starts a meter's history at its latest reading that was signed.
func (p *poller) begin(now device.Snapshot) *device.History {
	last := p.spool.Last(p.meter.Name)
	if last == nil {
		return device.NewHistory(p.limits(), nil)
	}
	serial, known := p.serials.get(p.meter.Name)
	if !known {
		serial = now.Serial
	}
	return device.NewHistory(p.limits(), &device.Snapshot{
		ImportWh: last.ImportWh, ExportWh: last.ExportWh, StepWh: now.StepWh, RolloverWh: now.RolloverWh,
		Quality: device.Measured, At: time.UnixMilli(last.TimeMs), Serial: serial,
	})
}

// swapped begins a new history after a swap that the chain knows of.
func (p *poller) swapped(atMs int64) {
	if atMs < p.lastMs {
		return
	}
	p.log.Info("the chain knows of the meter's swap", "meter", p.meter.Name)
	p.history = device.NewHistory(p.limits(), nil)
}

// due says whether the first reading of an interval, or of a period, is still
// missing: whatever the interval, each boundary gets one.
func (p *poller) due(at time.Time) bool {
	ms, period := at.UnixMilli(), p.learnt.Load().PeriodMs
	begun := func(every int64) bool { return ms/every > p.lastMs/every }
	return ms > p.lastMs && (p.lastMs == 0 || begun(p.interval().Milliseconds()) || period > 0 && begun(period))
}

// sign gives the snapshot the meter's next sequence and waits until it is kept.
func (p *poller) sign(ctx context.Context, snapshot device.Snapshot) error {
	ms := snapshot.At.UnixMilli()
	if p.sequence == 0 {
		p.sequence = uint64(ms)
	} else {
		p.sequence++
	}
	if err := p.serials.set(p.meter.Name, snapshot.Serial); err != nil {
		return err
	}
	err := p.keep(ctx, &meteringv1.Reading{
		Meter: p.meter.Name, Sequence: p.sequence, TimeMs: ms, ImportWh: snapshot.ImportWh, ExportWh: snapshot.ExportWh,
		Quality: meteringv1.Quality_QUALITY_MEASURED,
	})
	if err == nil {
		p.lastMs = ms
	}
	return err
}

// kept is a reading on its way to the spool; nil asks whether the recorder
// lives.
type kept struct {
	reading *meteringv1.Reading
	done    chan error
}

// keep signs a reading and returns once it is on disk.
func (g *Gateway) keep(ctx context.Context, reading *meteringv1.Reading) error {
	k := kept{reading, make(chan error, 1)}
	select {
	case g.taken <- k:
	case <-ctx.Done():
		return ctx.Err()
	}
	return <-k.done
}

// record signs and stores what the pollers hand on, all that waits at once,
// until ctx ends and all pollers have.
func (g *Gateway) record(stop <-chan struct{}) {
	for {
		var batch []kept
		select {
		case k := <-g.taken:
			batch = append(batch, k)
		case <-stop:
			return
		}
		for more := true; more && len(batch) < maxBatch; {
			select {
			case k := <-g.taken:
				batch = append(batch, k)
			default:
				more = false
			}
		}
		g.store(batch)
	}
}

func (g *Gateway) store(batch []kept) {
	var errs []error
	var readings []*meteringv1.Reading
	for _, k := range batch {
		if k.reading != nil {
			readings = append(readings, k.reading)
			errs = append(errs, g.key.SignReading(g.config().ChainID, k.reading))
		}
	}
	err := errors.Join(errs...)
	if err == nil && len(readings) > 0 {
		err = g.spool.Append(readings...)
	}
	if len(readings) > 0 {
		g.state.stored(len(readings), err)
	}
	for _, k := range batch {
		k.done <- err
	}
	if err == nil {
		g.wake()
	}
}
