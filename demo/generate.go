package demo

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Streams keep the generator's draws apart, so that a change of one kind of
// draw does not move the others.
const (
	streamFeeder uint64 = iota + 1
	streamLoad
	streamPV
)

// Shape of the generated scenario, after that of measured households on a
// low-voltage feeder.
const (
	generatedInterval = 15 * time.Minute
	intervalsPerDay   = int(day / generatedInterval)

	minMembers, maxMembers = 2, 10_000
	minDays, maxDays       = 2, 31

	pvPercent = 45 // of the members
	pvShapes  = 3

	sunrise, sunset = 26, 74 // intervals of the day: 06:30, 18:30

	rNanoOhmPerMM, xNanoOhmPerMM = 446, 71 // 0.446 and 0.071 ohm/km
)

// generatedStart is an arbitrary day in spring.
var generatedStart = time.Date(2025, time.March, 1, 0, 0, 0, 0, time.UTC)

// hourly is a household's mean load by hour of the day, in relative units:
// peaks at breakfast and in the evening.
var hourly = [24]int64{18, 15, 14, 14, 15, 20, 38, 62, 58, 42, 36, 36, 42, 40, 36, 36, 42, 60, 82, 88, 80, 62, 42, 28}

// Generate makes a scenario from a seed: the same seed, members and days give
// the same scenario. Members are held to 2..10000 and days to 2..31.
func Generate(seed uint64, members, days int) *Scenario {
	members = min(max(members, minMembers), maxMembers)
	days = min(max(days, minDays), maxDays)
	s := &Scenario{Start: generatedStart, Interval: generatedInterval}
	s.generateFeeder(rand.New(rand.NewPCG(seed, streamFeeder)), members)

	rng := rand.New(rand.NewPCG(seed, streamLoad))
	for range members {
		s.LoadWh = append(s.LoadWh, generateLoad(rng, days))
	}
	rng = rand.New(rand.NewPCG(seed, streamPV))
	sky := generateSky(rng, days)
	for m := range members {
		s.PVWh = append(s.PVWh, make([]int64, days*intervalsPerDay))
		if s.Members[m].PVWatt > 0 {
			shape := m % pvShapes
			s.Members[m].PVShape = fmt.Sprintf("pv_%d", shape+1)
			for i := range s.PVWh[m] {
				s.PVWh[m][i] = s.Members[m].PVWatt * sky[shape][i] / 1000 * int64(generatedInterval/time.Minute) / 60
			}
		}
	}
	return s
}

// generateFeeder makes the members and a radial feeder: bus 1 at the
// transformer, a tree of junctions with several members each, and a service
// line of each member.
func (s *Scenario) generateFeeder(rng *rand.Rand, members int) {
	junctions := (members + 3) / 4
	type end struct{ pathMM, rNanoOhm int64 }
	ends := []end{{}} // by bus number - 1
	extend := func(from int, lengthMM int64) (bus int) {
		r := lengthMM * rNanoOhmPerMM
		bus = len(ends) + 1
		s.Lines = append(s.Lines, Line{
			Name: fmt.Sprintf("LINE%d", len(s.Lines)+1), Linecode: "4c_70",
			FromBus: fmt.Sprint(from), ToBus: fmt.Sprint(bus),
			LengthMM: lengthMM, R1NanoOhm: r, X1NanoOhm: lengthMM * xNanoOhmPerMM,
		})
		ends = append(ends, end{ends[from-1].pathMM + lengthMM, ends[from-1].rNanoOhm + r})
		return bus
	}
	for j := range junctions {
		// up to four junctions back (bus j+1 is the newest): branches, but
		// none of them long
		extend(max(1, j+1-rng.IntN(4)), 5_000+rng.Int64N(25_000))
	}
	withPV := rng.Perm(members)[:(members*pvPercent+50)/100]
	pvWatt := make([]int64, members)
	for _, m := range withPV {
		pvWatt[m] = 2_000 + 200*rng.Int64N(21)
	}
	for m := range members {
		bus := extend(2+m%junctions, 3_000+rng.Int64N(20_000))
		s.Members = append(s.Members, Member{
			Name: fmt.Sprintf("m%02d", m+1), Household: fmt.Sprintf("h%d", m+1),
			Bus: fmt.Sprint(bus), Phase: 1 + int64(rng.IntN(3)),
			PathMM: ends[bus-1].pathMM, PathRNanoOhm: ends[bus-1].rNanoOhm, PVWatt: pvWatt[m],
		})
	}
}

// generateLoad draws one household's load in Wh: its size (2.7 to 29 kWh a
// day, most of them small), its habits' shift, and from interval to interval
// noise and appliances.
func generateLoad(rng *rand.Rand, days int) []int64 {
	u := rng.Int64N(1001)
	daily := 2_400 + 23_000*u/1000*u/1000
	shift := rng.IntN(9) // intervals, late risers
	var sum int64
	for i := range intervalsPerDay {
		sum += shape(i)
	}
	var load []int64
	for range days {
		today := daily * (800 + rng.Int64N(401)) / 1000
		for i := range intervalsPerDay {
			weight := shape((i + intervalsPerDay - shift) % intervalsPerDay)
			wh := today * weight * (600 + rng.Int64N(801)) / (sum * 1000)
			if rng.IntN(24) == 0 {
				wh += daily * (10 + rng.Int64N(41)) / 1000
			}
			load = append(load, wh)
		}
	}
	return load
}

// shape is hourly, interpolated at an interval of the day.
func shape(i int) int64 {
	perHour := intervalsPerDay / len(hourly)
	h, part := i/perHour, int64(i%perHour)
	return (hourly[h]*(int64(perHour)-part) + hourly[(h+1)%len(hourly)]*part) / int64(perHour)
}

// generateSky draws, for each PV shape and interval, the output in per mille
// of the rated power: a bell over the day, days of different weather, clouds.
func generateSky(rng *rand.Rand, days int) (sky [pvShapes][]int64) {
	const width = sunset - sunrise
	for range days {
		weather := 300 + rng.Int64N(701)
		for i := range intervalsPerDay {
			var bell int64
			if x := int64(i - sunrise); x > 0 && x < width {
				bell = 4000 * x * (width - x) / (width * width)
			}
			for k := range sky {
				clouds := 600 + rng.Int64N(401)
				sky[k] = append(sky[k], 800*bell/1000*bell/1000*weather/1000*clouds/1000)
			}
		}
	}
	return sky
}
