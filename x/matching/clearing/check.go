package clearing

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
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
