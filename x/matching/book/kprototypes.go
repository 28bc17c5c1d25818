package book

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/x/matching/field"
	"github.com/energyd/energyd/x/matching/kproto"
)

// KPrototypes is K-prototypes matching (S3 3.3, matching.md 2): each buy in the
// order of the book takes from the sell least dissimilar from its wishes. The
// objective is the sum of dissimilarities, which it keeps low.
type KPrototypes struct {
	RespectLimits *bool  `json:"respect_limits,omitempty"` // left out: true
	Fee           int64  `json:"fee,omitempty"`            // ucoin per kWh on top of the ask
	Range         Ranges `json:"range"`
	LossPPMPerKM  int64  `json:"loss_ppm_per_km"`
}

// Ranges are the fixed ranges in which K-prototypes measures differences.
type Ranges struct {
	Price    int64 `json:"price"`
	EnergyWh int64 `json:"energy_wh"`
	Credit   int64 `json:"credit"`
	LossPPM  int64 `json:"loss_ppm"`
}

// Weights say how much each attribute matters to a buy of K-prototypes, 0..1000
// each. The weight of a wish that the buy does not state has no effect.
type Weights struct {
	Price       int64 `json:"price,omitempty"`
	Energy      int64 `json:"energy,omitempty"`
	Environment int64 `json:"environment,omitempty"`
	Credit      int64 `json:"credit,omitempty"`
	Loss        int64 `json:"loss,omitempty"`
	EnergyType  int64 `json:"energy_type,omitempty"`
}

// Name returns "kprototypes".
func (KPrototypes) Name() string { return "kprototypes" }

func (p KPrototypes) terms() terms { return terms{p.Fee, p.LossPPMPerKM} }

func (KPrototypes) needs() (ofBuys, ofSells []string) {
	return []string{"x_m", "y_m", "weights"}, []string{"x_m", "y_m", "environment", "credit", "energy_type"}
}

// prototypes is a book as the solver takes it.
type prototypes struct {
	*Book
	params kproto.Params
	buys   []kproto.Buy
	sells  []kproto.Sell
}

func (p KPrototypes) prepare(b *Book) (solver, *mistake) {
	s := &prototypes{Book: b, params: kproto.Params{
		RespectLimits: p.RespectLimits == nil || *p.RespectLimits,
		Fee:           p.Fee,
		RangePrice:    p.Range.Price,
		RangeEnergyWh: p.Range.EnergyWh,
		RangeCredit:   p.Range.Credit,
		RangeLossPPM:  p.Range.LossPPM,
	}}
	if m := mistakeOf("params.", s.params.Validate()); m != nil {
		return nil, m
	}
	for i := range b.buys {
		buy, m := prototypeBuy(at("buys", i), &b.buys[i])
		if m != nil {
			return nil, m
		}
		s.buys = append(s.buys, buy)
	}
	for i := range b.sells {
		o := &b.sells[i]
		s.sells = append(s.sells, kproto.Sell{
			Price: o.Price, EnergyWh: o.EnergyWh, Environment: *o.Environment, Credit: *o.Credit,
			EnergyType: o.energyType(kproto.None), Identity: kproto.None, Point: kproto.None,
		})
	}
	if list, position, err := s.params.CheckBook(s.buys, s.sells); err != nil {
		return nil, mistakeOf(at(list, position), err)
	}
	return s, s.checkLosses()
}

func prototypeBuy(path string, o *Order) (kproto.Buy, *mistake) {
	var w Weights
	if m := readWeights(path, o.Weights, &w); m != nil {
		return kproto.Buy{}, m
	}
	if f, ok := errors.AsType[*field.Error](kproto.Weights(w).Validate()); ok {
		field := f.Field[len("weights."):]
		return kproto.Buy{}, &mistake{field: path + "weights", inner: strictjson.At(o.Weights, &w, field, f.Expected, f.Got)}
	}
	buy := kproto.Buy{
		Price: o.Price, EnergyWh: o.EnergyWh,
		Environment: or(o.Environment, 0), Credit: or(o.Credit, 0), WantedLossPPM: or(o.WantedLossPPM, 0),
		EnergyType: o.energyType(kproto.None), Weights: kproto.Weights(w), MaxLossPPM: or(o.MaxLossPPM, -1),
		Identity: kproto.None, Point: kproto.None,
	}
	for _, wish := range []struct {
		stated bool
		weight *int64
	}{
		{o.EnergyType != nil, &buy.Weights.EnergyType},
		{o.Environment != nil, &buy.Weights.Environment},
		{o.Credit != nil, &buy.Weights.Credit},
		{o.WantedLossPPM != nil, &buy.Weights.Loss},
	} {
		if !wish.stated {
			*wish.weight = 0
		}
	}
	return buy, nil
}

// checkLosses refuses a pair so far apart that its loss spans more ranges than
// the solver allows.
func (s *prototypes) checkLosses() *mistake {
	limit := kproto.MaxRanges * s.params.RangeLossPPM
	if s.lossOver(s.extent()) <= limit {
		return nil // no pair is farther apart than that
	}
	for i := range s.buys {
		for k := range s.sells {
			if ppm := s.loss(i, k); ppm > limit {
				return &mistake{
					field:    at("buys", i) + "x_m",
					expected: fmt.Sprintf("a place with a loss of at most %d ppm (%d ranges) to every sell", limit, kproto.MaxRanges),
					got:      fmt.Sprintf("%d ppm to sells[%d]", ppm, k),
				}
			}
		}
	}
	return nil
}

// extent returns the diagonal, in m, of the rectangle that holds all orders.
func (s *prototypes) extent() int64 {
	left, right := int64(maxCoordinate), int64(-maxCoordinate)
	bottom, top := left, right
	for _, list := range [][]place{s.buyPlaces, s.sellPlaces} {
		for _, p := range list {
			left, right = min(left, p.x), max(right, p.x)
			bottom, top = min(bottom, p.y), max(top, p.y)
		}
	}
	return distance(right-left, top-bottom)
}

// plane returns the losses for the solver.
func (s *prototypes) plane() *kproto.Plane {
	p := &kproto.Plane{PPMPerKM: s.mechanism.terms().lossPPMPerKM}
	for _, at := range s.buyPlaces {
		p.Buys = append(p.Buys, kproto.Place{X: at.x, Y: at.y})
	}
	for _, at := range s.sellPlaces {
		p.Sells = append(p.Sells, kproto.Place{X: at.x, Y: at.y})
	}
	return p
}

func (s *prototypes) clear() (*clearing, error) {
	trades := kproto.Clear(s.params, s.buys, s.sells, s.plane())
	c := &clearing{objective: new(big.Int), deals: make([]deal, len(trades))}
	for i, t := range trades {
		c.deals[i] = deal{
			t.Buy, t.Sell, t.EnergyWh, s.sells[t.Sell].Price,
			kproto.Satisfaction(s.params, s.buys[t.Buy], t), &trades[i].Dissimilarity,
		}
		c.objective.Add(c.objective, big.NewInt(t.Dissimilarity))
	}
	replayed, err := s.verify(trades, replaySteps)
	c.wrong = err
	if replayed < len(trades) && err == nil {
		c.note = fmt.Sprintf("the first %d of %d trades were compared with every sell, the others only checked for limits and energies", replayed, len(trades))
	}
	return c, nil
}
