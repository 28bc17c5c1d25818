package clearing

import (
	"cmp"
	"slices"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/x/matching/kproto"
)

// Explanation is how a clearing came to what it made of one order.
type Explanation struct {
	// Place of the order on its side, from 0, by its tie break: K-prototypes
	// serves buys in this order; elsewhere it decides ties only.
	Place int
	// Candidates are all orders of the other side: those it traded with first,
	// then as the mechanism prefers them, then those it may not trade with.
	Candidates []Candidate
	// Uniform is set for auction and posted price.
	Uniform *Uniform
	// Proven: the numbers Shortfall follow from a certificate (CMAP, welfare).
	Proven bool
}

// Candidate is one pair as the mechanism saw it.
type Candidate struct {
	Buy, Sell int // places
	Refusal   Refusal
	LossPPM   int64
	// TradedWh is what the mechanism passed from sell to buy, CutWh what of it
	// the lines could not carry.
	TradedWh, CutWh int64
	// Satisfactions in ppm. K-prototypes knows the buyer's only.
	BuyerPPM, SellerPPM int64

	// K-prototypes: what the sell had left and the buy still wanted when the buy
	// chose it, or else when the buy's turn came; and what made it dissimilar.
	LeftWh, WantedWh int64
	Terms            kproto.Terms
	// Exhausted: the two may trade, but the sell had nothing left.
	Exhausted bool

	// CMAP and welfare: what a Wh is worth to the objective, and by how much less
	// than both sides' energy is worth elsewhere (their potentials): a Wh forced
	// between the two would cost the objective so much. 0 where energy flows.
	Worth, Shortfall int64
}

// Uniform is what an order was given at the price for all.
type Uniform struct {
	Price   int64 // ucoin per kWh
	ShareWh int64 // of the energy that traded at this price
}

// ExplainBuy explains what clearing makes of a buy, by its place.
func (c *Clearing) ExplainBuy(place int) (*Explanation, error) {
	pairs := make([][2]int, len(c.Sells))
	for sell := range c.Sells {
		pairs[sell] = [2]int{place, sell}
	}
	return c.explain(place, pairs, true)
}

// ExplainSell explains what clearing makes of a sell, by its place.
func (c *Clearing) ExplainSell(place int) (*Explanation, error) {
	pairs := make([][2]int, len(c.Buys))
	for buy := range c.Buys {
		pairs[buy] = [2]int{buy, place}
	}
	return c.explain(place, pairs, false)
}

// explain clears the book again and looks at some of its pairs.
func (c *Clearing) explain(place int, pairs [][2]int, buy bool) (*Explanation, error) {
	found, err := c.mechanism()
	if err != nil {
		return nil, err
	}
	trades := slices.Clone(found.Trades) // carrying changes them
	if err := c.carry(found); err != nil {
		return nil, err
	}
	e := &Explanation{Place: place, Candidates: make([]Candidate, len(pairs))}
	for i, pair := range pairs {
		loss, _ := c.loss(pair[0], pair[1])
		e.Candidates[i] = Candidate{Buy: pair[0], Sell: pair[1], Refusal: c.Refusal(pair[0], pair[1]), LossPPM: loss}
	}
	e.traded(trades, found.Trades)
	switch c.rules.Market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP, matchingv1.Mechanism_MECHANISM_WELFARE:
		err = c.explainRated(e, found)
	case matchingv1.Mechanism_MECHANISM_AUCTION, matchingv1.Mechanism_MECHANISM_POSTED:
		err = c.explainUniform(e, buy)
	default:
		c.explainPrototypes(e, trades)
	}
	slices.SortStableFunc(e.Candidates, preferred)
	return e, err
}

// traded fills in what the candidates traded, before and after the lines.
func (e *Explanation) traded(all, carried []Trade) {
	at := make(map[[2]int]*Candidate, len(e.Candidates))
	for i := range e.Candidates {
		at[[2]int{e.Candidates[i].Buy, e.Candidates[i].Sell}] = &e.Candidates[i]
	}
	for _, t := range all {
		if candidate := at[[2]int{t.Buy, t.Sell}]; candidate != nil {
			candidate.TradedWh, candidate.CutWh = t.EnergyWh, t.EnergyWh
			candidate.BuyerPPM, candidate.SellerPPM = t.BuyerPPM, t.SellerPPM
		}
	}
	for _, t := range carried {
		if candidate := at[[2]int{t.Buy, t.Sell}]; candidate != nil {
			candidate.CutWh -= t.EnergyWh
		}
	}
}

// preferred puts what traded first, then what came nearest to it.
func preferred(a, b Candidate) int {
	return cmp.Or(
		cmp.Compare(a.rank(), b.rank()), cmp.Compare(b.TradedWh, a.TradedWh),
		cmp.Compare(a.Shortfall, b.Shortfall), cmp.Compare(a.Terms.Sum(), b.Terms.Sum()),
	)
}

func (c Candidate) rank() int {
	switch {
	case c.TradedWh > 0:
		return 0
	case c.Refusal != MayTrade:
		return 3
	case c.Exhausted:
		return 2
	}
	return 1
}

// explainPrototypes replays whose turn it was when: what a sell had left for a
// buy is what earlier buys, and its own earlier choices, did not take.
func (c *Clearing) explainPrototypes(e *Explanation, trades []Trade) {
	demands, offers := c.prototypes()
	params := kprotoParams(c.rules.Params)
	for i := range e.Candidates {
		pair := &e.Candidates[i]
		pair.LeftWh, pair.WantedWh = offers[pair.Sell].EnergyWh, demands[pair.Buy].EnergyWh
		for _, t := range trades { // in the order in which they were made
			if t.Buy > pair.Buy || t.Buy == pair.Buy && pair.TradedWh == 0 || t.Buy == pair.Buy && t.Sell == pair.Sell {
				break
			}
			if t.Sell == pair.Sell {
				pair.LeftWh -= t.EnergyWh
			}
			if t.Buy == pair.Buy {
				pair.WantedWh -= t.EnergyWh
			}
		}
		pair.Exhausted = pair.Refusal == MayTrade && pair.LeftWh == 0
		if pair.Refusal == MayTrade {
			pair.Terms = kproto.TermsOf(params, demands[pair.Buy], offers[pair.Sell], pair.WantedWh, pair.LeftWh, pair.LossPPM)
		}
	}
}

// explainRated looks the pairs up in the problem that the solver solved.
func (c *Clearing) explainRated(e *Explanation, found *Outcome) error {
	certificate := found.Certificate
	rated, err := c.Rate(certificate)
	if err != nil {
		return err
	}
	e.Proven = !found.Fallback
	for i := range e.Candidates {
		pair := &e.Candidates[i]
		at := pair.Buy*len(c.Sells) + pair.Sell
		pair.BuyerPPM, pair.SellerPPM = rated.Buyers[at], rated.Sellers[at]
		if pair.Refusal != MayTrade {
			continue
		}
		pair.Worth = rated.Problem.Worth[at]
		if e.Proven {
			pair.Shortfall = certificate.BuyPotentials[pair.Buy] + certificate.SellPotentials[pair.Sell] - pair.Worth - certificate.Bonus
		}
	}
	return nil
}

// explainUniform says what the order was given at the price for all.
func (c *Clearing) explainUniform(e *Explanation, buy bool) error {
	given, err := c.allocate()
	if err != nil {
		return err
	}
	e.Uniform = &Uniform{Price: given.Price}
	if buy {
		e.Uniform.ShareWh = given.Bought[e.Place]
	} else {
		e.Uniform.ShareWh = given.Sold[e.Place]
	}
	return nil
}
