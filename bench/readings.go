package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
)

// readAll plays the gateways: after each boundary between periods each one
// sends the registers of its meters, at a moment of its own in the period, as
// real ones do.
func (l *load) readAll(ctx context.Context, begin time.Time) error {
	for boundary := begin.Truncate(l.PeriodLength).Add(l.PeriodLength); ; boundary = boundary.Add(l.PeriodLength) {
		for i, g := range l.gateways {
			offset := l.PeriodLength * time.Duration(i+1) / time.Duration(len(l.gateways)+1)
			if err := sleepUntil(ctx, boundary.Add(offset)); err != nil {
				return err
			}
			msg, err := l.readings(g, boundary)
			if err != nil {
				return err
			}
			// One that fails shows in the settlement, which is reported.
			go func() { _, _ = l.setup.Do(ctx, g.key, msg) }()
		}
	}
}

// readings reads a gateway's meters at a boundary: about what was ordered for
// the period that ended there has passed.
func (l *load) readings(g *gateway, boundary time.Time) (*meteringv1.MsgSubmitReadings, error) {
	period := boundary.Add(-l.PeriodLength).UnixMilli()
	msg := &meteringv1.MsgSubmitReadings{GatewayKey: g.key.Public()}
	for i, a := range g.meters {
		rng := rand.New(rand.NewPCG(uint64(period), uint64(i)))
		a.register += a.take(period) * (90 + rng.Int64N(21)) / 100
		a.readingNext++
		reading := &meteringv1.Reading{
			Meter: a.meter, Sequence: a.readingNext, TimeMs: boundary.UnixMilli(), Quality: meteringv1.Quality_QUALITY_MEASURED,
		}
		if a.sells {
			reading.ExportWh = a.register
		} else {
			reading.ImportWh = a.register
		}
		if err := g.key.SignReading(l.setup.ChainID, reading); err != nil {
			return nil, fmt.Errorf("reading of %s: %w", a.meter, err)
		}
		msg.Readings = append(msg.Readings, reading)
	}
	return msg, nil
}

// take returns what was ordered for a period that is over, and forgets it.
func (a *account) take(period int64) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	energyWh := a.ordered[period]
	delete(a.ordered, period)
	return energyWh
}
