package book

import (
	"math/big"

	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/cmap"
)

// CMAP is matching by what both sides prefer (S3 ch. 4, matching.md 3). The
// objective is the sum of combined satisfaction * energy, which is greatest.
type CMAP struct {
	// Mode is "paper", in which all pairs may trade as in the thesis, or "limit",
	// in which only those do of which ask + fee <= bid.
	Mode         string `json:"mode"`
	PriceMin     int64  `json:"price_min"` // honest prices, ucoin per kWh
	PriceMax     int64  `json:"price_max"`
	RMaxM        int64  `json:"r_max_m"`                   // the longest distance rated above 0, m
	FixedScale   bool   `json:"fixed_scale,omitempty"`     // satisfaction from 0 to all points, not from min to max of the book
	Fee          int64  `json:"fee,omitempty"`             // ucoin per kWh on top of the ask; mode limit only
	LossPPMPerKM int64  `json:"loss_ppm_per_km,omitempty"` // for the statistics; left out: no loss
}

// Modes of CMAP.
const (
	Paper = "paper"
	Limit = "limit"
)

// Sides are the two objectives of CMAP.
type Sides struct {
	Buyers  Side `json:"buyers"`
	Sellers Side `json:"sellers"`
}

// Side is the sum of satisfaction * energy of one side; sums are decimal text.
type Side struct {
	Z   string `json:"z"`
	Max string `json:"max"` // what the side could have at most, and at least
	Min string `json:"min"`
	K   int64  `json:"k"` // its weight in the objective, in 2^-20
	// OptimumPPM = 10^6 * Z / Max, how much of its own optimum the side has.
	OptimumPPM int64 `json:"optimum_ppm"`
}

// Name returns "cmap".
func (CMAP) Name() string { return "cmap" }

func (p CMAP) terms() terms { return terms{p.Fee, p.LossPPMPerKM} }

func (CMAP) needs() (ofBuys, ofSells []string) { return scoredNeeds() }

// preferred is a book that CMAP clears.
type preferred struct {
	*scored
	params cmap.Params
}

func (p CMAP) prepare(b *Book) (solver, *mistake) {
	if p.Mode != Paper && p.Mode != Limit {
		return nil, &mistake{field: "params.mode", expected: `"paper" or "limit"`, got: strictjson.Quote(p.Mode)}
	}
	most := int64(maxFee)
	if p.Mode == Paper {
		most = 0
	}
	if m := within("params.fee", p.Fee, 0, most); m != nil {
		return nil, m
	}
	params := cmap.Params{Limit: p.Mode == Limit, PriceMin: p.PriceMin, PriceMax: p.PriceMax, RMaxM: p.RMaxM, FixedScale: p.FixedScale}
	s, m := b.score(params)
	if m != nil {
		return nil, m
	}
	return &preferred{s, params}, nil
}

// maxFee is the most that CMAP's solver takes for a fee.
const maxFee = 1 << 40

func (s *preferred) clear() (*clearing, error) {
	r, err := cmap.Clear(s.params, s.buys, s.sells, s.link)
	if err != nil {
		return nil, err
	}
	c := &clearing{objective: r.Objective, sides: &Sides{side(&r.Buyers), side(&r.Sellers)}}
	for _, t := range r.Trades {
		c.deals = append(c.deals, deal{buy: t.Buy, sell: t.Sell, energyWh: t.EnergyWh, price: t.Price, satisfactionPPM: t.SatisfactionPPM})
	}
	c.wrong = cmap.Verify(s.params, s.buys, s.sells, s.link, r)
	return c, nil
}

func side(s *cmap.Side) Side {
	out := Side{Z: s.Z.String(), Max: s.Max.String(), Min: s.Min.String(), K: s.K}
	if s.Max.Sign() > 0 {
		share := new(big.Int).Mul(s.Z, big.NewInt(units.PPM))
		out.OptimumPPM = share.Quo(share, s.Max).Int64()
	}
	return out
}
