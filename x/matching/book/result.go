package book

import (
	"fmt"
	"math/bits"

	"github.com/energyd/energyd/units"
)

// Result is what a mechanism made of a book.
type Result struct {
	Mechanism string `json:"mechanism"`
	// TradedWh is the sum of the trades' energies.
	TradedWh int64 `json:"traded_wh"`
	// Objective is what the mechanism keeps high or low, see there. It may be
	// greater than int64, hence decimal text.
	Objective string `json:"objective"`
	// Sides are the two objectives of CMAP.
	Sides *Sides `json:"sides,omitempty"`
	// Trades of K-prototypes and of the high-low matching are in the order in
	// which they were made, others by buy, then by sell.
	Trades      []Trade     `json:"trades"`
	Stats       Stats       `json:"stats"`
	Certificate Certificate `json:"certificate"`
}

// Trade is energy that one buy takes from one sell.
type Trade struct {
	Buy      string `json:"buy"`
	Sell     string `json:"sell"`
	EnergyWh int64  `json:"energy_wh"`
	Price    int64  `json:"price"` // ucoin per kWh, without the fee
	// SatisfactionPPM is the mean of both sides' by CMAP's scores for cmap and
	// welfare, the buyer's for kprototypes, and 10^6 for the others, whose orders
	// wish for nothing but a price within their limit.
	SatisfactionPPM int64 `json:"satisfaction_ppm"`
	// Dissimilarity is that of K-prototypes when the sell was chosen.
	Dissimilarity *int64 `json:"dissimilarity,omitempty"`
}

// Stats sum a result up. Means are weighted by the trades' energies and rounded
// down; without trades they are 0.
type Stats struct {
	// Buys and Sells count the orders of the book, Matches the trades.
	Buys    int `json:"buys"`
	Sells   int `json:"sells"`
	Matches int `json:"matches"`
	// CleanPPM = 10^6 * energy from clean sells / traded energy.
	CleanPPM int64 `json:"clean_ppm"`
	// LossPPM = sum(loss * energy) / traded energy, a loss being at most 10^6.
	LossPPM int64 `json:"loss_ppm"`
	// MeanPrice = sum(price * energy) / traded energy, ucoin per kWh.
	MeanPrice int64 `json:"mean_price"`
	// Surplus = sum(trunc((bid - ask) * energy / 1000)), ucoin: what buyers and
	// sellers gain together, fees included; negative if trades broke limits.
	Surplus int64 `json:"surplus"`
	// LimitViolationsWh is the energy of trades with ask + fee > bid.
	LimitViolationsWh int64 `json:"limit_violations_wh"`
	// MeanDistanceM = sum(distance * energy) / traded energy, m.
	MeanDistanceM int64 `json:"mean_distance_m"`
}

// Certificate says whether a result was checked by code other than the solver's.
type Certificate struct {
	// Verified is true if the trades were shown to be what the mechanism demands.
	Verified bool `json:"verified"`
	// Note says what was found wrong, or what a check of a large book left out.
	Note string `json:"note,omitempty"`
}

// Clear runs the book's mechanism and checks what it did. It leaves the book as
// it is. An error is one of the program: Read and New accept no book that cannot
// be cleared.
func (b *Book) Clear() (*Result, error) {
	c, err := b.solver.clear()
	if err != nil {
		return nil, fmt.Errorf("clear by %s: %w", b.mechanism.Name(), err)
	}
	return b.report(c), nil
}

// report sums a clearing up.
func (b *Book) report(c *clearing) *Result {
	r := &Result{
		Mechanism:   b.mechanism.Name(),
		Objective:   c.objective.String(),
		Sides:       c.sides,
		Trades:      make([]Trade, len(c.deals)),
		Stats:       Stats{Buys: len(b.buys), Sells: len(b.sells), Matches: len(c.deals)},
		Certificate: Certificate{Verified: c.wrong == nil, Note: c.note},
	}
	if c.wrong != nil {
		r.Certificate.Note = c.wrong.Error()
	}
	fee := b.mechanism.terms().fee
	var clean, loss, price, distance mean
	for i, d := range c.deals {
		buy, sell := &b.buys[d.buy], &b.sells[d.sell]
		r.Trades[i] = Trade{buy.ID, sell.ID, d.energyWh, d.price, d.satisfactionPPM, d.dissimilarity}
		r.TradedWh += d.energyWh
		if sell.Clean() {
			clean.add(units.PPM, d.energyWh)
		} else {
			clean.add(0, d.energyWh)
		}
		loss.add(min(b.loss(d.buy, d.sell), units.PPM), d.energyWh)
		price.add(d.price, d.energyWh)
		distance.add(b.distance(d.buy, d.sell), d.energyWh)
		r.Stats.Surplus += gain(buy.Price-sell.Price, d.energyWh)
		if sell.Price > buy.Price-fee {
			r.Stats.LimitViolationsWh += d.energyWh
		}
	}
	r.Stats.CleanPPM, r.Stats.LossPPM = clean.floor(), loss.floor()
	r.Stats.MeanPrice, r.Stats.MeanDistanceM = price.floor(), distance.floor()
	return r
}

// gain is units.Amount of a margin. The margin is at most an order's price and
// the energy at most the order's, whose worth checkTotal made sure of.
func gain(margin, energyWh int64) int64 {
	amount, _ := units.Amount(margin, energyWh)
	return amount
}

// verifyEnergies checks that trades have energy and no order trades more than it
// has.
func (b *Book) verifyEnergies(deals []deal) error {
	bought, sold := make([]int64, len(b.buys)), make([]int64, len(b.sells))
	for k, d := range deals {
		if d.energyWh <= 0 || d.energyWh > b.buys[d.buy].EnergyWh-bought[d.buy] || d.energyWh > b.sells[d.sell].EnergyWh-sold[d.sell] {
			return fmt.Errorf("trade %d: %d Wh, of which its buy or sell has none left", k, d.energyWh)
		}
		bought[d.buy] += d.energyWh
		sold[d.sell] += d.energyWh
	}
	return nil
}

// mean is a mean of values >= 0 weighted by energies, exact in 128 bits.
type mean struct {
	hi, lo uint64 // sum of value * energy
	energy uint64
}

func (m *mean) add(value, energyWh int64) {
	hi, lo := bits.Mul64(uint64(value), uint64(energyWh))
	var carry uint64
	m.lo, carry = bits.Add64(m.lo, lo, 0)
	m.hi += hi + carry
	m.energy += uint64(energyWh)
}

func (m *mean) floor() int64 {
	if m.energy == 0 {
		return 0
	}
	quotient, _ := bits.Div64(m.hi, m.lo, m.energy)
	return int64(quotient)
}
