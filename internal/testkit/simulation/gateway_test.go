package simulation

import (
	"slices"

	"pgregory.net/rapid"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/internal/testkit/market"
)

// gateway is a member's meter as it really counts, and what its gateway read of
// it: some is sent at once, some late, some never.
type gateway struct {
	name               string
	sequence           uint64
	timeMs             int64
	importWh, exportWh int64
	// outbox waits; sent can be sent again.
	outbox, sent []snapshot
	// prompt and lost are in 64ths: how often a reading is sent at once, and how often
	// it is lost.
	prompt, lost int64
	// earlyMs is how long before the boundary it reads.
	earlyMs int64
}

func newGateway(rt *rapid.T, name string) *gateway {
	g := &gateway{name: name, timeMs: market.Start - market.Period}
	g.prompt = rapid.SampledFrom([]int64{60, 64, 30, 3}).Draw(rt, "prompt")
	g.lost = rapid.SampledFrom([]int64{0, 2, 16}).Draw(rt, "lost")
	g.earlyMs = rapid.SampledFrom([]int64{0, 0, 3_000, 1}).Draw(rt, "early")
	return g
}

// pass lets the meter count until now, and reads it at the boundaries or a little
// before them.
func (g *gateway) pass(s *simulation) {
	for next := start(g.timeMs) + market.Period; next <= s.TimeMs; next += market.Period {
		g.counts(s)
		fate := below(s.rt, "fate of a reading of "+g.name, 64)
		at := next - g.earlyMs
		if fate%32 == 31 {
			at -= 2_000
		}
		g.timeMs = next
		if fate >= 64-g.lost {
			continue
		}
		g.read(s, at)
		if fate < g.prompt {
			g.sendAll(s)
		}
	}
}

// counts adds what the meter counts in a period: odd members draw, even ones
// deliver more.
func (g *gateway) counts(s *simulation) {
	more, less := below(s.rt, "more", 4_000), below(s.rt, "less", 2_500)-2_000
	if sells(g.name) {
		g.exportWh += more
		g.importWh += max(less, 0)
		return
	}
	g.importWh += more
	g.exportWh += max(less, 0)
}

func sells(name string) bool { return name[1]%2 == 0 }

func (g *gateway) read(s *simulation, timeMs int64) {
	g.sequence++
	measured := below(s.rt, "measured", 64) < 63
	g.outbox = append(g.outbox, snapshot{g.sequence, timeMs, g.importWh, g.exportWh, measured})
}

// sendAll sends what waits, in any order, and now and then something again.
func (g *gateway) sendAll(s *simulation) {
	for len(g.outbox) > 0 {
		at := rapid.IntRange(0, len(g.outbox)-1).Draw(s.rt, "sent next")
		g.send(s, g.outbox[at])
		g.sent = append(g.sent, g.outbox[at])
		g.outbox = slices.Delete(g.outbox, at, at+1)
	}
}

// send submits a reading. One that the chain has is taken and changes nothing;
// whether one is refused that is too late and which it may not remember, the model
// does not say.
func (g *gateway) send(s *simulation, reading snapshot) {
	m := s.model.meters[g.name]
	known := m.knows(reading.sequence)
	late := reading.timeMs <= m.boundary
	counts := m.accepts(reading, s.TimeMs)
	err := s.Submit(reading.of(g.name))
	if !late && (err == nil) != (counts || known) || late && known && err != nil {
		s.rt.Fatalf("height %d: %s reads %+v: got %v, the model says it counts: %t, is known: %t", s.Height, g.name, reading, err, counts, known)
	}
}

func (r snapshot) of(name string) *meteringv1.Reading {
	quality := meteringv1.Quality_QUALITY_MEASURED
	if !r.measured {
		quality = meteringv1.Quality_QUALITY_SUBSTITUTED
	}
	return &meteringv1.Reading{
		Meter: market.Meter(name), Sequence: r.sequence, TimeMs: r.timeMs, ImportWh: r.importWh, ExportWh: r.exportWh, Quality: quality,
	}
}
