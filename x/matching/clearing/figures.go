package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/cmap"
)

// Figures sum trades up in the terms in which mechanisms are compared. All are
// sums, so that those of several books add up.
type Figures struct {
	Matches  int64
	EnergyWh int64 // at the sellers' meters
	CleanWh  int64
	// LossMicroWh is what is lost on the way, in millionths of a Wh: a small trade
	// loses less than one.
	LossMicroWh int64
	// AmountUcoin is what buyers pay sellers, SurplusUcoin what bids exceed asks by.
	AmountUcoin, SurplusUcoin int64
	// SatisfiedMicroWh is energy times satisfaction in ppm, the mean of what both
	// sides think of each other on the fixed scale of matching.md 5, whatever the
	// mechanism.
	SatisfiedMicroWh int64
}

// Figures sums up trades of the book.
func (c *Clearing) Figures(trades []Trade) (Figures, error) {
	var sum Figures
	for _, t := range trades {
		one, err := c.figuresOf(t)
		if err != nil {
			return Figures{}, err
		}
		if err := sum.Add(one); err != nil {
			return Figures{}, err
		}
	}
	return sum, nil
}

func (c *Clearing) figuresOf(t Trade) (f Figures, err error) {
	sell, buy := c.Sells[t.Sell], c.Buys[t.Buy]
	f = Figures{Matches: 1, EnergyWh: t.EnergyWh}
	if sell.Environment > 0 {
		f.CleanWh = t.EnergyWh
	}
	if f.AmountUcoin, err = units.Amount(t.Price, t.EnergyWh); err != nil {
		return f, err
	}
	if f.SurplusUcoin, err = units.Amount(buy.PriceUcoinPerKwh-sell.PriceUcoinPerKwh, t.EnergyWh); err != nil {
		return f, err
	}
	satisfaction, err := c.satisfaction(t.Buy, t.Sell)
	if err != nil {
		return f, err
	}
	if f.LossMicroWh, err = units.MulDiv(t.EnergyWh, t.LossPPM, 1); err != nil {
		return f, err
	}
	f.SatisfiedMicroWh, err = units.MulDiv(t.EnergyWh, satisfaction, 1)
	return f, err
}

// satisfaction is that of a pair in ppm, on the fixed scale.
func (c *Clearing) satisfaction(buy, sell int) (ppm int64, err error) {
	rated := []cmap.Buy{{}}
	offered := []cmap.Sell{{}}
	if rated[0], err = ratedBuy(c.Buys[buy]); err != nil {
		return 0, err
	}
	if offered[0], err = ratedSell(c.Sells[sell]); err != nil {
		return 0, err
	}
	scorer, err := cmap.NewScorer(c.scores(), rated, offered)
	if err != nil {
		return 0, err
	}
	distance, byBuyer, bySeller := []int64{c.link(buy, sell).DistanceM}, []int64{0}, []int64{0}
	scorer.Row(0, distance, byBuyer, bySeller)
	return cmap.FixedSatisfaction(byBuyer[0], bySeller[0]), nil
}

// Add adds the figures of other trades. The error is units.ErrOverflow.
func (f *Figures) Add(other Figures) (err error) {
	for _, sum := range []struct{ to, more *int64 }{
		{&f.Matches, &other.Matches},
		{&f.EnergyWh, &other.EnergyWh},
		{&f.CleanWh, &other.CleanWh},
		{&f.LossMicroWh, &other.LossMicroWh},
		{&f.AmountUcoin, &other.AmountUcoin},
		{&f.SurplusUcoin, &other.SurplusUcoin},
		{&f.SatisfiedMicroWh, &other.SatisfiedMicroWh},
	} {
		if *sum.to, err = units.Add(*sum.to, *sum.more); err != nil {
			return err
		}
	}
	return nil
}

// TradesOf returns the trades that matches of the book's orders are; false if one is
// of no order of the book.
func (c *Clearing) TradesOf(matches []*matchingv1.Match) ([]Trade, bool) {
	buys, sells := map[string]int{}, map[string]int{}
	for i, order := range c.Buys {
		buys[string(order.Id)] = i
	}
	for i, order := range c.Sells {
		sells[string(order.Id)] = i
	}
	trades := make([]Trade, len(matches))
	for i, match := range matches {
		buy, hasBuy := buys[string(match.BuyOrder)]
		sell, hasSell := sells[string(match.SellOrder)]
		if !hasBuy || !hasSell {
			return nil, false
		}
		trades[i] = Trade{Buy: buy, Sell: sell, EnergyWh: match.EnergyWh, Price: match.PriceUcoinPerKwh, LossPPM: match.LossPpm}
	}
	return trades, true
}
