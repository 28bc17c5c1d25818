package clearing

import matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"

// MarketFor returns a market with settings that suit a tariff, in ucoin per kWh:
// paths are rated up to 20 km (S3 ch. 4), satisfaction counts a twentieth of
// retail - feed-in at most (SPEC 6.5), and the posted price is three quarters of
// the way from feed-in to retail: in the middle of the papers' asks and bids
// (matching.md 4), of which half would be out of reach halfway.
func MarketFor(mechanism matchingv1.Mechanism, retail, feedIn int64) *matchingv1.Market {
	m := &matchingv1.Market{Mechanism: mechanism, MaxRatedDistanceM: 20_000}
	switch mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP:
		m.MaxOrdersPerSide = 500
	case matchingv1.Mechanism_MECHANISM_WELFARE:
		m.MaxOrdersPerSide = 1000
		m.BetaUcoinPerKwh = (retail - feedIn) / 20
	case matchingv1.Mechanism_MECHANISM_POSTED:
		m.PostedPriceUcoinPerKwh = feedIn + (retail-feedIn)*3/4
	}
	return m
}
