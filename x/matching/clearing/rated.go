package clearing

import (
	"fmt"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/kproto"
	"github.com/energyd/energyd/x/matching/transport"
	"github.com/energyd/energyd/x/matching/welfare"
)

// Preferences of orders that name none: those of the papers' draws (matching.md
// 4), with the weights of S3 4.3.
var (
	buyersPreferences  = []cmap.Preference{{Attribute: cmap.Price, Weight: 500}, {Attribute: cmap.Loss, Weight: 300}, {Attribute: cmap.Environment, Weight: 200}}
	sellersPreferences = []cmap.Preference{{Attribute: cmap.Price, Weight: 500}, {Attribute: cmap.Demand, Weight: 300}, {Attribute: cmap.Loss, Weight: 200}}
)

// attributes are those of cmap by their number in a message.
var attributes = []cmap.Attribute{
	matchingv1.Attribute_ATTRIBUTE_PRICE:       cmap.Price,
	matchingv1.Attribute_ATTRIBUTE_SUPPLY:      cmap.Supply,
	matchingv1.Attribute_ATTRIBUTE_DEMAND:      cmap.Demand,
	matchingv1.Attribute_ATTRIBUTE_LOSS:        cmap.Loss,
	matchingv1.Attribute_ATTRIBUTE_ENERGY_TYPE: cmap.EnergyType,
	matchingv1.Attribute_ATTRIBUTE_ENVIRONMENT: cmap.Environment,
	matchingv1.Attribute_ATTRIBUTE_REPUTATION:  cmap.Reputation,
}

// preferences turns an order's into those of cmap, which judges them.
func preferences(stated []*matchingv1.Preference, otherwise []cmap.Preference) ([]cmap.Preference, error) {
	if len(stated) == 0 {
		return otherwise, nil
	}
	out := make([]cmap.Preference, len(stated))
	for i, p := range stated {
		if p.Attribute <= 0 || int(p.Attribute) >= len(attributes) {
			return nil, fmt.Errorf("preferences[%d].attribute: expected a known attribute, got %d", i, p.Attribute)
		}
		out[i] = cmap.Preference{Attribute: attributes[p.Attribute], Weight: p.WeightPerMille}
	}
	return out, nil
}

// ratedBuy is a buy as CMAP takes it.
func ratedBuy(order *matchingv1.BuyOrder) (cmap.Buy, error) {
	prefer, err := preferences(order.Preferences, buyersPreferences)
	return cmap.Buy{
		Price: order.PriceUcoinPerKwh, EnergyWh: order.OpenWh, Reputation: order.Credit,
		EnergyType: int32(order.WantedEnergyType), Prefer: prefer,
	}, err
}

// ratedSell is a sell as CMAP takes it.
func ratedSell(order *matchingv1.SellOrder) (cmap.Sell, error) {
	prefer, err := preferences(order.Preferences, sellersPreferences)
	return cmap.Sell{
		Price: order.PriceUcoinPerKwh, EnergyWh: order.AvailableWh, Reputation: order.Credit,
		EnergyType: int32(order.EnergyType), Clean: order.Environment > 0, Prefer: prefer,
	}, err
}

// rated lists the book as CMAP and welfare take it.
func (c *Clearing) rated() (buys []cmap.Buy, sells []cmap.Sell, err error) {
	buys, sells = make([]cmap.Buy, len(c.Buys)), make([]cmap.Sell, len(c.Sells))
	for i, order := range c.Buys {
		if buys[i], err = ratedBuy(order); err != nil {
			return nil, nil, err
		}
	}
	for i, order := range c.Sells {
		if sells[i], err = ratedSell(order); err != nil {
			return nil, nil, err
		}
	}
	return buys, sells, nil
}

// scores are the parameters of CMAP's scores.
func (c *Clearing) scores() cmap.Params {
	return cmap.Params{
		Limit: true, PriceMin: c.rules.Params.PriceMinUcoinPerKwh, PriceMax: c.rules.Params.PriceMaxUcoinPerKwh,
		RMaxM: c.rules.Market.MaxRatedDistanceM, FixedScale: c.rules.Market.FixedScale,
	}
}

// welfare are the parameters of the welfare market.
func (c *Clearing) welfare() welfare.Params {
	return welfare.Params{Scores: c.scores(), Beta: c.rules.Market.BetaUcoinPerKwh}
}

// link is what lies between a buy and a sell.
func (c *Clearing) link(buy, sell int) welfare.Link {
	l := welfare.Link{Link: cmap.Link{DistanceM: c.rules.Market.MaxRatedDistanceM + 1, Fee: c.fee(buy, sell)}}
	from, to := c.sellers[sell].point, c.buyers[buy].point
	if from == kproto.None || to == kproto.None {
		return l
	}
	loss, length, ok := c.rules.Paths.Between(from, to)
	if !ok {
		return l
	}
	l.DistanceM = length
	if loss <= c.maxLoss(c.Buys[buy]) && c.apart(buy, sell) && !c.haveDeclined(buy, sell) {
		l.LossPPM, l.Eligible = loss, true
	}
	return l
}

// runCMAP takes the clearing that satisfies the two sides together most (S3
// ch. 4), of those of most energy within all limits.
func (c *Clearing) runCMAP() (*Outcome, error) {
	buys, sells, err := c.rated()
	if err != nil {
		return nil, err
	}
	result, err := cmap.Clear(c.scores(), buys, sells, func(buy, sell int) cmap.Link { return c.link(buy, sell).Link })
	if err != nil {
		return nil, err
	}
	found := &Outcome{Objective: result.Objective.String(), Fallback: result.Fallback, Certificate: certify(result.Combined)}
	found.Certificate.BuyersWeight, found.Certificate.SellersWeight = result.Buyers.K, result.Sellers.K
	for _, t := range result.Trades {
		loss, _ := c.loss(t.Buy, t.Sell)
		found.Trades = append(found.Trades, Trade{
			Buy: t.Buy, Sell: t.Sell, EnergyWh: t.EnergyWh, Price: t.Price, LossPPM: loss, BuyerPPM: t.BuyerPPM, SellerPPM: t.SellerPPM,
			Worth: (t.BuyerPPM*result.Buyers.K + t.SellerPPM*result.Sellers.K) >> 20,
		})
	}
	return found, nil
}

// runWelfare takes the clearing that gains the most (SPEC 6.5).
func (c *Clearing) runWelfare() (*Outcome, error) {
	buys, sells, err := c.rated()
	if err != nil {
		return nil, err
	}
	result, err := welfare.Clear(c.welfare(), buys, sells, c.link)
	if err != nil {
		return nil, err
	}
	found := &Outcome{Objective: result.Objective.String(), Fallback: result.Solution.Fallback, Certificate: certify(result.Solution)}
	for _, t := range result.Trades {
		loss, _ := c.loss(t.Buy, t.Sell)
		found.Trades = append(found.Trades, Trade{
			Buy: t.Buy, Sell: t.Sell, EnergyWh: t.EnergyWh, Price: t.Price, LossPPM: loss,
			BuyerPPM: t.BuyerPPM, SellerPPM: t.SellerPPM, Worth: t.Worth,
		})
	}
	return found, nil
}

func certify(s *transport.Solution) *matchingv1.Certificate {
	return &matchingv1.Certificate{BuyPotentials: s.Certificate.U, SellPotentials: s.Certificate.V, Bonus: s.Certificate.Bonus}
}
