package book

import (
	"math/big"
	"math/bits"
	"strconv"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/kproto"
)

// Result is what a mechanism made of a book.
type Result struct {
	Mechanism string `json:"mechanism"`
	// TradedWh is the sum of the trades' energies.
	TradedWh int64 `json:"traded_wh"`
	// Objective is the sum of the trades' dissimilarities, the cost that
	// K-prototypes keeps low. It may be greater than int64, hence decimal text.
	Objective string `json:"objective"`
	// Trades are in the order in which they were made.
	Trades      []Trade     `json:"trades"`
	Stats       Stats       `json:"stats"`
	Certificate Certificate `json:"certificate"`
}

// Trade is energy that one buy takes from one sell.
type Trade struct {
	Buy      string `json:"buy"`
	Sell     string `json:"sell"`
	EnergyWh int64  `json:"energy_wh"`
	Price    int64  `json:"price"` // the ask, ucoin per kWh
	// SatisfactionPPM is the buyer's, see kproto.Satisfaction.
	SatisfactionPPM int64 `json:"satisfaction_ppm"`
	Dissimilarity   int64 `json:"dissimilarity"`
}

// Stats sum a result up. Means are weighted by the trades' energies and rounded
// down; without trades they are 0.
type Stats struct {
	// Buys and Sells count the orders of the book, Matches the trades.
	Buys    int `json:"buys"`
	Sells   int `json:"sells"`
	Matches int `json:"matches"`
	// CleanPPM = 10^6 * energy from sells of environmental index 1 / traded energy.
	CleanPPM int64 `json:"clean_ppm"`
	// LossPPM = sum(loss * energy) / traded energy.
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
	// Verified is true if every trade was with the least dissimilar eligible
	// sell of its moment, of the most energy possible, and no more could trade.
	Verified bool `json:"verified"`
}

// Clear runs the book's mechanism. It leaves the book as it is.
func (b *Book) Clear() *Result {
	trades := kproto.Clear(b.params, b.buys, b.sells, b.plane())
	r := &Result{
		Mechanism:   KPrototypes,
		Trades:      make([]Trade, len(trades)),
		Stats:       Stats{Buys: len(b.buys), Sells: len(b.sells), Matches: len(trades)},
		Certificate: Certificate{Verified: b.verify(trades)},
	}
	objective := new(big.Int)
	var clean, loss, price, distance mean
	for i, t := range trades {
		buy, sell := &b.buys[t.Buy], &b.sells[t.Sell]
		r.Trades[i] = Trade{
			Buy: b.buyPlaces[t.Buy].id, Sell: b.sellPlaces[t.Sell].id,
			EnergyWh: t.EnergyWh, Price: sell.Price,
			SatisfactionPPM: kproto.Satisfaction(b.params, *buy, t), Dissimilarity: t.Dissimilarity,
		}
		r.TradedWh += t.EnergyWh
		objective.Add(objective, big.NewInt(t.Dissimilarity))
		clean.add(units.PPM*sell.Environment, t.EnergyWh)
		loss.add(t.LossPPM, t.EnergyWh)
		price.add(sell.Price, t.EnergyWh)
		distance.add(b.distance(t.Buy, t.Sell), t.EnergyWh)
		r.Stats.Surplus += gain(buy.Price-sell.Price, t.EnergyWh)
		if sell.Price+b.params.Fee > buy.Price {
			r.Stats.LimitViolationsWh += t.EnergyWh
		}
	}
	r.Objective = objective.String()
	r.Stats.CleanPPM, r.Stats.LossPPM = clean.floor(), loss.floor()
	r.Stats.MeanPrice, r.Stats.MeanDistanceM = price.floor(), distance.floor()
	return r
}

// gain is units.Amount of a margin; Book.check made sure that it fits.
func gain(margin, energyWh int64) int64 {
	amount, err := units.Amount(margin, energyWh)
	if err != nil {
		panic("worth of a trade beyond that of its order, " + strconv.FormatInt(margin, 10) + ": " + err.Error())
	}
	return amount
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
