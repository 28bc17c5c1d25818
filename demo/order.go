package demo

import (
	"math/rand/v2"

	"github.com/energyd/energyd/units"
)

// Order is what a participant sends for a period: a sell order or a buy order
// with its wishes.
type Order struct {
	Participant int
	Sell        bool
	Price       int64 // ask or bid, ucoin per kWh
	EnergyWh    int64

	// Standing consents to any match in advance; otherwise the participant
	// signs each one (S3 3.3).
	Standing bool

	Wishes Wishes // of a buyer
}

// Wishes are a buyer's attributes of K-prototypes (SPEC 5, matching.md 2).
type Wishes struct {
	WantedLossPpm     int64
	MaxLossPpm        int64
	WantedEnvironment int64 // 1 clean, 0 fossil
	WantedCredit      int64 // reputation points
	WantedType        EnergyType
	Weights           Weights
}

// Weights say how much each attribute matters, 0..1000.
type Weights struct {
	Price, Energy, Environment, Credit, Loss, EnergyType int64
}

// Order draws the participant's order for an interval: a sell order over the
// export it forecasts, or a buy order over the import. ok is false if it
// forecasts neither. The draw depends on seed, member and time only.
func (m *Market) Order(participant, interval int) (o Order, ok bool) {
	importWh, exportWh, known := m.Forecast(participant, interval)
	if !known {
		return Order{}, false
	}
	return m.draw(participant, interval, importWh, exportWh)
}

// draw is Order of a participant that expects to import and export so much.
func (m *Market) draw(participant, interval int, importWh, exportWh int64) (o Order, ok bool) {
	if importWh == 0 && exportWh == 0 {
		return Order{}, false
	}
	p := m.Participants[participant]
	rng := m.rng("order", p.Name, m.Scenario.Time(interval).Unix())
	o = Order{Participant: participant, Standing: rng.IntN(8) > 0}
	if exportWh > 0 {
		o.Sell, o.EnergyWh, o.Price = true, exportWh, m.drawAsk(rng, p.Energy)
		return o, true
	}
	o.EnergyWh, o.Wishes = importWh, drawWishes(rng)
	o.Price = m.drawBid(rng, o.Wishes.MaxLossPpm)
	return o, true
}

// drawAsk: fossil energy is the cheaper one, and no ask is below feed-in (S3
// ch. 3: clean 0.5-0.6, fossil 0.4-0.5).
func (m *Market) drawAsk(rng *rand.Rand, energy EnergyType) int64 {
	if energy.Clean() {
		return between(rng, m.Tariff.at(5), m.Tariff.at(7))
	}
	return between(rng, m.Tariff.at(3), m.Tariff.at(5))
}

// drawBid: S3 ch. 3 has 0.4-0.6. The buyer pays for losses too, so a rational
// one bids no more than what retail would cost with the greatest loss it
// accepts: every match saves.
func (m *Market) drawBid(rng *rand.Rand, maxLossPpm int64) int64 {
	bid := between(rng, m.Tariff.at(3), m.Tariff.at(7))
	return min(bid, m.Tariff.Retail*(units.PPM-maxLossPpm)/units.PPM)
}

func drawWishes(rng *rand.Rand) Wishes {
	types := []EnergyType{Solar, Solar, Wind, Hydro, Biomass, Storage, Fossil}
	weight := func() int64 { return rng.Int64N(1001) }
	w := Wishes{
		WantedLossPpm: rng.Int64N(10_001),
		MaxLossPpm:    []int64{20_000, 50_000, 100_000}[rng.IntN(3)],
		WantedCredit:  50 + rng.Int64N(51),
		WantedType:    types[rng.IntN(len(types))],
	}
	if rng.IntN(4) > 0 {
		w.WantedEnvironment = 1
	}
	w.Weights = Weights{
		Price: weight(), Energy: weight(), Environment: weight(),
		Credit: weight(), Loss: weight(), EnergyType: weight(),
	}
	return w
}

// between draws from low..high, both included.
func between(rng *rand.Rand, low, high int64) int64 { return low + rng.Int64N(high-low+1) }
