package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/cmap"
)

// CheckBuy says whether the market's mechanism can take an order. Auction and
// posted price take every price and energy.
func CheckBuy(market *matchingv1.Market, params *registryv1.Params, order *matchingv1.BuyOrder) error {
	switch market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_KPROTOTYPES:
		return kprotoParams(params).CheckBuy(wishes(order))
	case matchingv1.Mechanism_MECHANISM_CMAP, matchingv1.Mechanism_MECHANISM_WELFARE:
		return CheckRatedBuy(order)
	}
	return nil
}

// CheckSell says whether the market's mechanism can take an order.
func CheckSell(market *matchingv1.Market, params *registryv1.Params, order *matchingv1.SellOrder) error {
	switch market.Mechanism {
	case matchingv1.Mechanism_MECHANISM_KPROTOTYPES:
		return kprotoParams(params).CheckSell(offered(order))
	case matchingv1.Mechanism_MECHANISM_CMAP, matchingv1.Mechanism_MECHANISM_WELFARE:
		return CheckRatedSell(order)
	}
	return nil
}

// CheckRatedBuy says whether CMAP and welfare can rate an order: its preferences
// name known attributes and weigh 1000.
func CheckRatedBuy(order *matchingv1.BuyOrder) error {
	rated, err := ratedBuy(order)
	if err != nil {
		return err
	}
	return cmap.CheckBuy(rated)
}

// CheckRatedSell says whether CMAP and welfare can rate an order.
func CheckRatedSell(order *matchingv1.SellOrder) error {
	rated, err := ratedSell(order)
	if err != nil {
		return err
	}
	return cmap.CheckSell(rated)
}

// Wishes are what a buy wishes for, as its order and its message state it.
type Wishes interface {
	GetWantedLossPpm() int64
	GetMaxLossPpm() int64
	GetWantedEnvironment() int64
	GetWantedCredit() int64
	GetWeights() *matchingv1.Weights
}

// Range is a field that must lie between 0 and Most.
type Range struct {
	Field       string
	Value, Most int64
}

// Ranges lists the fields of a buy's wishes, by their names in the message.
func Ranges(order Wishes) []Range {
	const most, mostCredit = 1000, 100 // per mille, points
	w := order.GetWeights()
	return []Range{
		{"wanted_loss_ppm", order.GetWantedLossPpm(), units.PPM},
		{"max_loss_ppm", order.GetMaxLossPpm(), units.PPM},
		{"wanted_environment", order.GetWantedEnvironment(), 1},
		{"wanted_credit", order.GetWantedCredit(), mostCredit},
		{"weights.price", w.GetPrice(), most},
		{"weights.energy", w.GetEnergy(), most},
		{"weights.environment", w.GetEnvironment(), most},
		{"weights.credit", w.GetCredit(), most},
		{"weights.loss", w.GetLoss(), most},
		{"weights.energy_type", w.GetEnergyType(), most},
	}
}
