package simulate

import (
	"math/big"
	"slices"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/book"
)

// Figures are what a mechanism did with a book. Shares and means are by energy,
// those of satisfaction by trade as in S3 4.4.
type Figures struct {
	VolumeWh int64 `json:"volume_wh"`
	// SurplusUcoin is what bids exceed asks by, NetSurplusUcoin the same when
	// buyers value only what arrives.
	SurplusUcoin    int64 `json:"surplus_ucoin"`
	NetSurplusUcoin int64 `json:"net_surplus_ucoin"`
	CleanPPM        int64 `json:"clean_ppm"`
	LossPPM         int64 `json:"loss_ppm"`
	DistanceM       int64 `json:"distance_m"`
	// Satisfactions are by CMAP's scores for every mechanism; Rejected is the
	// share of trades below 0.43 (S3 4.4.4).
	SatisfactionPPM      int64 `json:"satisfaction_ppm"`
	TopSatisfactionPPM   int64 `json:"top_tenth_satisfaction_ppm"`
	WorstSatisfactionPPM int64 `json:"worst_tenth_satisfaction_ppm"`
	RejectedPPM          int64 `json:"rejected_ppm"`
	LimitViolationsWh    int64 `json:"limit_violations_wh"`
	Matches              int64 `json:"matches"`
	Price                int64 `json:"price_ucoin_per_kwh"`
	// DeliveredPrice is the price of a kWh that arrives (S3 3.6).
	DeliveredPrice int64 `json:"delivered_price_ucoin_per_kwh"`
	// Shares of their own optimum; of CMAP only.
	BuyersOptimumPPM  int64 `json:"buyers_optimum_ppm"`
	SellersOptimumPPM int64 `json:"sellers_optimum_ppm"`
}

// low is the satisfaction below which S3 4.4.4 rejects a match.
const low = 430_000

// figuresOf sums a result up. rate measures the satisfaction
// of a pair.
func figuresOf(r *book.Result, buys, sells []book.Order, rate func(buy, sell int) int64, lossPPMPerKM int64) Figures {
	f := Figures{
		VolumeWh: r.TradedWh, SurplusUcoin: r.Stats.Surplus, CleanPPM: r.Stats.CleanPPM, LossPPM: r.Stats.LossPPM,
		DistanceM: r.Stats.MeanDistanceM, LimitViolationsWh: r.Stats.LimitViolationsWh, Matches: int64(r.Stats.Matches), Price: r.Stats.MeanPrice,
	}
	if f.LossPPM < units.PPM {
		f.DeliveredPrice = f.Price * units.PPM / (units.PPM - f.LossPPM)
	}
	if r.Sides != nil {
		f.BuyersOptimumPPM, f.SellersOptimumPPM = r.Sides.Buyers.OptimumPPM, r.Sides.Sellers.OptimumPPM
	}
	buyAt, sellAt := positions(buys), positions(sells)
	satisfactions := make([]int64, len(r.Trades))
	var rejected int64
	for i, t := range r.Trades {
		buy, sell := &buys[buyAt[t.Buy]], &sells[sellAt[t.Sell]]
		satisfactions[i] = rate(buyAt[t.Buy], sellAt[t.Sell])
		if satisfactions[i] < low {
			rejected++
		}
		f.NetSurplusUcoin += amount(buy.Price, t.EnergyWh-units.Loss(t.EnergyWh, lossOf(buy, sell, lossPPMPerKM))) - amount(sell.Price, t.EnergyWh)
	}
	slices.Sort(satisfactions)
	n := len(satisfactions)
	f.SatisfactionPPM = meanOf(satisfactions)
	f.WorstSatisfactionPPM, f.TopSatisfactionPPM = meanOf(satisfactions[:(n+9)/10]), meanOf(satisfactions[n-(n+9)/10:])
	if n > 0 {
		f.RejectedPPM = rejected * units.PPM / int64(n)
	}
	return f
}

func positions(orders []book.Order) map[string]int {
	at := make(map[string]int, len(orders))
	for i := range orders {
		at[orders[i].ID] = i
	}
	return at
}

// lossOf returns the loss of a pair in ppm, at most 10^6.
func lossOf(buy, sell *book.Order, lossPPMPerKM int64) int64 {
	dx, dy := *buy.X-*sell.X, *buy.Y-*sell.Y
	metres := int64(units.Sqrt(uint64(dx*dx + dy*dy)))
	return min(metres*lossPPMPerKM/1000, units.PPM)
}

// amount is units.Amount of an order's price and at most its energy, whose worth
// book.New has found to fit.
func amount(price, energyWh int64) int64 {
	a, _ := units.Amount(price, energyWh)
	return a
}

func meanOf(values []int64) (mean int64) {
	if len(values) == 0 {
		return 0
	}
	for _, v := range values {
		mean += v
	}
	return mean / int64(len(values))
}

// measures are the figures in their order, so that what concerns them all need
// not name each.
func (f *Figures) measures() []*int64 {
	return []*int64{
		&f.VolumeWh, &f.SurplusUcoin, &f.NetSurplusUcoin, &f.CleanPPM, &f.LossPPM, &f.DistanceM,
		&f.SatisfactionPPM, &f.TopSatisfactionPPM, &f.WorstSatisfactionPPM, &f.RejectedPPM,
		&f.LimitViolationsWh, &f.Matches, &f.Price, &f.DeliveredPrice, &f.BuyersOptimumPPM, &f.SellersOptimumPPM,
	}
}

// sums adds up the figures of runs; those of large books may pass int64.
type sums struct {
	runs  int64
	total []*big.Int // by measures
}

func (s *sums) add(f Figures) {
	for i, m := range f.measures() {
		if s.runs == 0 {
			s.total = append(s.total, new(big.Int))
		}
		s.total[i].Add(s.total[i], big.NewInt(*m))
	}
	s.runs++
}

// mean returns the means over all runs, rounded towards 0.
func (s *sums) mean() (f Figures) {
	for i, m := range f.measures() {
		*m = new(big.Int).Quo(s.total[i], big.NewInt(s.runs)).Int64()
	}
	return f
}
