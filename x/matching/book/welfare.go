package book

import (
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/welfare"
)

// Welfare is the market in which buyers and sellers together gain the most
// (SPEC 6.5). The objective is the sum of energy * (gain + beta * satisfaction).
type Welfare struct {
	Beta         int64 `json:"beta,omitempty"` // what full satisfaction counts, ucoin per kWh
	PriceMin     int64 `json:"price_min"`      // the scores' parameters, as those of CMAP
	PriceMax     int64 `json:"price_max"`
	RMaxM        int64 `json:"r_max_m"`
	Fee          int64 `json:"fee,omitempty"`             // ucoin per kWh on top of the ask
	LossPPMPerKM int64 `json:"loss_ppm_per_km,omitempty"` // left out: no loss
}

// Name returns "welfare".
func (Welfare) Name() string { return "welfare" }

func (p Welfare) terms() terms { return terms{p.Fee, p.LossPPMPerKM} }

func (Welfare) needs() (ofBuys, ofSells []string) { return scoredNeeds() }

// gainful is a book that the welfare market clears.
type gainful struct {
	*scored
	params welfare.Params
}

func (p Welfare) prepare(b *Book) (solver, *mistake) {
	if m := firstOf(within("params.fee", p.Fee, 0, maxFee), within("params.beta", p.Beta, 0, maxFee)); m != nil {
		return nil, m
	}
	params := welfare.Params{Scores: cmap.Params{PriceMin: p.PriceMin, PriceMax: p.PriceMax, RMaxM: p.RMaxM}, Beta: p.Beta}
	s, m := b.score(params.Scores)
	if m != nil {
		return nil, m
	}
	return &gainful{s, params}, nil
}

func (s *gainful) link(buy, sell int) welfare.Link {
	l := s.scored.link(buy, sell)
	return welfare.Link{Link: l, LossPPM: min(s.lossOver(l.DistanceM), units.PPM)}
}

func (s *gainful) clear() (*clearing, error) {
	r, err := welfare.Clear(s.params, s.buys, s.sells, s.link)
	if err != nil {
		return nil, err
	}
	c := &clearing{objective: r.Objective}
	for _, t := range r.Trades {
		c.deals = append(c.deals, deal{buy: t.Buy, sell: t.Sell, energyWh: t.EnergyWh, price: t.Price, satisfactionPPM: t.SatisfactionPPM})
	}
	c.wrong = welfare.Verify(s.params, s.buys, s.sells, s.link, r)
	return c, nil
}
