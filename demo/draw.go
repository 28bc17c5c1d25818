package demo

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"
)

// EnergyType is what a seller's meter measures (S3 3.3, as in order books).
type EnergyType string

// The energy types; all but fossil are clean.
const (
	Fossil  EnergyType = "fossil"
	Wind    EnergyType = "wind"
	Hydro   EnergyType = "hydro"
	Solar   EnergyType = "solar"
	Biomass EnergyType = "biomass"
	Storage EnergyType = "storage"
)

// Clean says whether the environmental index of the type is 1.
func (t EnergyType) Clean() bool { return t != Fossil }

// maxPrice bounds tariffs (1000 coin per kWh), so that the amount of one
// interval fits int64.
const maxPrice = 1_000_000_000

// Tariff is what the grid takes (Retail) and pays (FeedIn), in ucoin per kWh.
type Tariff struct {
	Retail int64
	FeedIn int64
}

// DefaultTariff is 0.60 coin per kWh from and 0.25 to the grid, a span in
// which the asks and bids of S3 ch. 3 lie.
var DefaultTariff = Tariff{Retail: 600_000, FeedIn: 250_000}

// check refuses tariffs outside 0 <= feed-in <= retail <= maxPrice.
func (t Tariff) check() error {
	if t.Retail < 0 || t.Retail > maxPrice {
		return fmt.Errorf("retail: expected 0 to %d ucoin per kWh, got %d", int64(maxPrice), t.Retail)
	}
	if t.FeedIn < 0 || t.FeedIn > t.Retail {
		return fmt.Errorf("feed-in: expected 0 to retail (%d) ucoin per kWh, got %d", t.Retail, t.FeedIn)
	}
	return nil
}

// at is the price that lies sevenths/7 of the way from feed-in to retail. With
// the default tariff 3, 5 and 7 sevenths are 0.4, 0.5 and 0.6 coin, the bounds
// of S3 ch. 3.
func (t Tariff) at(sevenths int64) int64 { return t.FeedIn + (t.Retail-t.FeedIn)*sevenths/7 }

// Participant is somebody with an account, a meter and market behaviour.
type Participant struct {
	Member
	Energy EnergyType // of what it exports; "" if it has no PV
	Own    bool       // added by the demo (name gen_*), not in the scenario
	// UserType of its account; empty: household.
	UserType string
}

// Market is the scenario's members, the sellers the demo adds so that energy
// types matter, and their behaviour. All of it follows from the scenario, the
// tariff and the seed. Participants are numbered: first the scenario's
// members in their order, then the demo's own.
type Market struct {
	Scenario     *Scenario
	Tariff       Tariff
	Participants []Participant
	Lines        []Line // the scenario's and those of the demo's own sellers

	seed     uint64
	ownWh    [][]int64 // [own seller][interval] exported
	ratingsW []int64
}

// NewMarket draws the market of a scenario. The error names a tariff out of
// bounds.
func NewMarket(s *Scenario, tariff Tariff, seed uint64) (*Market, error) {
	if err := tariff.check(); err != nil {
		return nil, err
	}
	m := &Market{Scenario: s, Tariff: tariff, seed: seed}
	m.Lines = append(m.Lines, s.Lines...)
	for i, member := range s.Members {
		p := Participant{Member: member}
		if s.hasPV(i) {
			p.Energy = drawClean(m.rng("energy type", member.Name, 0))
		}
		m.Participants = append(m.Participants, p)
	}
	m.addOwnSellers()
	for p := range m.Participants {
		m.ratingsW = append(m.ratingsW, m.peakWatt(p))
	}
	return m, nil
}

func (s *Scenario) hasPV(member int) bool {
	if s.Members[member].PVWatt > 0 {
		return true
	}
	for _, wh := range s.PVWh[member] {
		if wh > 0 {
			return true
		}
	}
	return false
}

// drawClean: most PV members sell what they are, some pass for another clean
// source.
func drawClean(rng *rand.Rand) EnergyType {
	switch rng.IntN(10) {
	case 0:
		return Wind
	case 1:
		return Hydro
	case 2:
		return Biomass
	default:
		return Solar
	}
}

// rng is a generator of its own for each purpose, name and time, so that an
// order does not depend on which others were drawn before.
func (m *Market) rng(purpose, name string, at int64) *rand.Rand {
	b := binary.BigEndian.AppendUint64(nil, m.seed)
	b = binary.BigEndian.AppendUint64(b, uint64(at))
	b = fmt.Appendf(b, "%s|%s", purpose, name)
	h := sha256.Sum256(b)
	return rand.New(rand.NewPCG(binary.BigEndian.Uint64(h[:8]), binary.BigEndian.Uint64(h[8:16])))
}

// Meter is what the participant's net meter counts in an interval, in Wh.
func (m *Market) Meter(participant, interval int) (importWh, exportWh int64) {
	if own := participant - len(m.Scenario.Members); own >= 0 {
		return 0, m.ownWh[own][interval]
	}
	return m.Scenario.Meter(participant, interval)
}

// Forecast is the meter of the same interval of the day before; ok is false on
// the first day.
func (m *Market) Forecast(participant, interval int) (importWh, exportWh int64, ok bool) {
	before := m.Scenario.dayBefore(interval)
	if before < 0 {
		return 0, 0, false
	}
	importWh, exportWh = m.Meter(participant, before)
	return importWh, exportWh, true
}

// RatingW is the least connection rating, in W, that covers everything the
// participant's meter ever counts, at data intervals (not at shorter periods
// in which the demo may replay them: SPEC 4).
func (m *Market) RatingW(participant int) int64 { return m.ratingsW[participant] }

func (m *Market) peakWatt(participant int) int64 {
	var peak int64
	for i := range m.Scenario.Intervals() {
		importWh, exportWh := m.Meter(participant, i)
		peak = max(peak, importWh, exportWh)
	}
	seconds := int64(m.Scenario.Interval / time.Second)
	return max((peak*3600+seconds-1)/seconds, 1)
}

// The demo's own sellers, as a share of the members' mean load: together they
// export about as much as the PV of the scenario does.
const (
	fossilSellers, fossilPercent   = 2, 15
	storageSellers, storagePercent = 2, 20
)

// addOwnSellers adds fossil power by day, now and then out of order, and
// storage that gives back in the morning and in the evening.
func (m *Market) addOwnSellers() {
	mean := m.Scenario.meanLoadWh()
	for n := range fossilSellers {
		m.addOwnSeller(Fossil, n+1, mean*fossilPercent/100, func(hour int, rng *rand.Rand) bool {
			return hour >= 6 && hour < 22 && rng.IntN(20) > 0
		})
	}
	for n := range storageSellers {
		m.addOwnSeller(Storage, n+1, mean*storagePercent/100, func(hour int, _ *rand.Rand) bool {
			return hour >= 6 && hour < 10 || hour >= 17 && hour < 23
		})
	}
}

// addOwnSeller connects a seller by a short line to some member's bus and
// draws its export: 60 to 100 % of nominal in the intervals in which it runs.
func (m *Market) addOwnSeller(energy EnergyType, n int, nominalWh int64, runs func(hour int, rng *rand.Rand) bool) {
	s := m.Scenario
	name := fmt.Sprintf("%s%s_%d", reservedPrefix, energy, n)
	rng := m.rng("own seller", name, 0)
	neighbour := s.Members[rng.IntN(len(s.Members))]
	length := 5_000 + rng.Int64N(20_000)
	member := Member{
		Name: name, Household: name, Bus: name + "_bus", Phase: neighbour.Phase,
		PathMM: neighbour.PathMM + length, PathRNanoOhm: neighbour.PathRNanoOhm + length*rNanoOhmPerMM,
	}
	m.Participants = append(m.Participants, Participant{Member: member, Energy: energy, Own: true})
	if len(s.Lines) > 0 {
		m.Lines = append(m.Lines, Line{
			Name: name + "_line", FromBus: neighbour.Bus, ToBus: member.Bus, Linecode: "4c_70",
			LengthMM: length, R1NanoOhm: length * rNanoOhmPerMM, X1NanoOhm: length * xNanoOhmPerMM,
		})
	}
	export := make([]int64, s.Intervals())
	for i := range export {
		level := 600 + rng.Int64N(401) // per mille
		if runs(s.Time(i).Hour(), rng) {
			export[i] = max(nominalWh*level/1000, 1)
		}
	}
	m.ownWh = append(m.ownWh, export)
}

// meanLoadWh is the load of all members in a mean interval.
func (s *Scenario) meanLoadWh() int64 {
	var sum int64
	for _, load := range s.LoadWh {
		var of int64
		for _, wh := range load {
			of += wh
		}
		sum += of / int64(len(load))
	}
	return sum
}
