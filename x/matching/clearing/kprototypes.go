package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/kproto"
)

// runKPrototypes serves the buys in turn (S3 3.3). The mechanism asks nothing
// about the buyer, so that the seller, who gets its ask, is satisfied always.
func (c *Clearing) runKPrototypes() (*Outcome, error) {
	demands, offers := c.prototypes()
	params := kprotoParams(c.rules.Params)
	found := new(Outcome)
	for _, t := range kproto.Clear(params, demands, offers, kproto.LossFunc(c.affordable)) {
		satisfaction := kproto.Satisfaction(params, demands[t.Buy], t)
		found.Trades = append(found.Trades, Trade{
			Buy: t.Buy, Sell: t.Sell, EnergyWh: t.EnergyWh, Price: offers[t.Sell].Price, LossPPM: t.LossPPM,
			BuyerPPM: satisfaction, SellerPPM: units.PPM, Worth: satisfaction,
		})
	}
	return found, nil
}

// prototypes lists the book as K-prototypes takes it.
func (c *Clearing) prototypes() (demands []kproto.Buy, offers []kproto.Sell) {
	demands, offers = make([]kproto.Buy, len(c.Buys)), make([]kproto.Sell, len(c.Sells))
	for i, order := range c.Sells {
		offers[i] = offered(order)
		offers[i].Identity, offers[i].Point = c.sellers[i].identity, c.sellers[i].point
	}
	for i, order := range c.Buys {
		demands[i] = wishes(order)
		demands[i].MaxLossPPM = c.maxLoss(order)
		demands[i].Identity, demands[i].Point = c.buyers[i].identity, c.buyers[i].point
	}
	return demands, offers
}

// affordable is the loss from sell to buy, false if there is no path or if ask and
// fee of the way exceed the bid. K-prototypes itself knows the chain's fee only:
// as no way costs less, what it passes over for it is not eligible.
func (c *Clearing) affordable(buy, sell int) (ppm int64, ok bool) {
	if c.rules.Fees != nil && !c.affords(buy, sell, c.Sells[sell].PriceUcoinPerKwh) {
		return 0, false
	}
	return c.loss(buy, sell)
}

// kprotoParams are the chain's parameters as K-prototypes takes them.
func kprotoParams(p *registryv1.Params) kproto.Params {
	return kproto.Params{
		RespectLimits: true,
		Fee:           p.FeeUcoinPerKwh,
		RangePrice:    p.RangePriceUcoinPerKwh,
		RangeEnergyWh: p.RangeEnergyWh,
		RangeCredit:   p.RangeCredit,
		RangeLossPPM:  p.RangeLossPpm,
	}
}

// offered is an order as K-prototypes takes it; identity and point are left to the
// clearing.
func offered(order *matchingv1.SellOrder) kproto.Sell {
	return kproto.Sell{
		Price: order.PriceUcoinPerKwh, EnergyWh: order.AvailableWh, Environment: order.Environment, Credit: order.Credit,
		EnergyType: int32(order.EnergyType), Identity: kproto.None, Point: kproto.None,
	}
}

// wishes is an order as K-prototypes takes it; loss limit, identity and point are
// left to the clearing. A wish that was not stated has weight 0.
func wishes(order *matchingv1.BuyOrder) kproto.Buy {
	w := order.Weights
	buy := kproto.Buy{
		Price: order.PriceUcoinPerKwh, EnergyWh: order.OpenWh,
		Environment: order.GetWantedEnvironment(), Credit: order.GetWantedCredit(),
		WantedLossPPM: order.WantedLossPpm, EnergyType: int32(order.WantedEnergyType),
		Weights: kproto.Weights{
			Price: w.GetPrice(), Energy: w.GetEnergy(), Environment: w.GetEnvironment(),
			Credit: w.GetCredit(), Loss: w.GetLoss(), EnergyType: w.GetEnergyType(),
		},
		MaxLossPPM: -1, Identity: kproto.None, Point: kproto.None,
	}
	if order.WantedEnvironment == nil {
		buy.Weights.Environment = 0
	}
	if order.WantedCredit == nil {
		buy.Weights.Credit = 0
	}
	if order.WantedEnergyType == registryv1.EnergyType_ENERGY_TYPE_UNSPECIFIED {
		buy.Weights.EnergyType = 0
	}
	return buy
}
