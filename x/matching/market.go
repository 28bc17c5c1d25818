package matching

import (
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/state"
)

// maxPrice bounds what a market may post or add, in ucoin per kWh: 1000 coins.
const maxPrice = 1_000_000_000

// defaultMarket clears the periods before the first one that was set.
func defaultMarket() *matchingv1.Market {
	return &matchingv1.Market{Mechanism: matchingv1.Mechanism_MECHANISM_KPROTOTYPES, MaxRatedDistanceM: 20_000}
}

// marketKey orders entries newest first, so that the one which clears a period
// is the first at or after the key of that period.
func marketKey(period int64) state.Key { return markets.Key().Int64(-period) }

// marketAt returns how a period is cleared.
func marketAt(r state.Reader, period int64) *matchingv1.MarketEntry {
	for _, entry := range markets.From(r, markets.Key(), marketKey(max(period, 0))) {
		return entry
	}
	return &matchingv1.MarketEntry{Market: defaultMarket()}
}

// checkMarket refuses a market that could not clear.
func checkMarket(m *matchingv1.Market) error {
	if _, known := matchingv1.Mechanism_name[int32(m.GetMechanism())]; !known || m.GetMechanism() == 0 {
		return ErrMalformed.With("market.mechanism: expected a known mechanism, got %d", m.GetMechanism())
	}
	if most := mostPerSide(m.Mechanism); m.MaxOrdersPerSide > most || m.MaxOrdersPerSide < 0 {
		return ErrOutOfRange.With("market.max_orders_per_side: expected 0 to %d, got %d", most, m.MaxOrdersPerSide)
	}
	if m.Mechanism == matchingv1.Mechanism_MECHANISM_POSTED && m.PostedPriceUcoinPerKwh == 0 && m.PostedRetailUcoinPerKwh == 0 {
		return ErrOutOfRange.With("market.posted_price_ucoin_per_kwh: expected a price, or posted_retail_ucoin_per_kwh above 0, got 0")
	}
	for _, field := range []struct {
		name         string
		value, least int64
		most         int64
	}{
		{"market.max_rated_distance_m", m.MaxRatedDistanceM, 1, 1_000_000_000},
		{"market.beta_ucoin_per_kwh", m.BetaUcoinPerKwh, 0, maxPrice},
		{"market.posted_price_ucoin_per_kwh", m.PostedPriceUcoinPerKwh, 0, maxPrice},
		{"market.posted_retail_ucoin_per_kwh", m.PostedRetailUcoinPerKwh, 0, maxPrice},
		{"market.posted_feed_in_ucoin_per_kwh", m.PostedFeedInUcoinPerKwh, 0, m.PostedRetailUcoinPerKwh},
	} {
		if field.value < field.least || field.value > field.most {
			return ErrOutOfRange.With("%s: expected %d to %d, got %d", field.name, field.least, field.most, field.value)
		}
	}
	return nil
}

// Clearing by CMAP or welfare costs the square of a book: 0 orders a side stand
// for these defaults (matching.md 5), and twice as many are the most.
const cmapPerSide, welfarePerSide = 500, 1000

// perSide is the most orders of a side in a market's book, 0 for any.
func perSide(m *matchingv1.Market) int64 {
	if m.MaxOrdersPerSide > 0 {
		return m.MaxOrdersPerSide
	}
	switch m.Mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP:
		return cmapPerSide
	case matchingv1.Mechanism_MECHANISM_WELFARE:
		return welfarePerSide
	}
	return 0
}

func mostPerSide(mechanism matchingv1.Mechanism) int64 {
	switch mechanism {
	case matchingv1.Mechanism_MECHANISM_CMAP:
		return 2 * cmapPerSide
	case matchingv1.Mechanism_MECHANISM_WELFARE:
		return 2 * welfarePerSide
	}
	return 100_000
}

// CertificateOf returns what proves a round's clearing, until settlement closes
// the period; only CMAP and welfare have one. Round 0 stands for the latest.
func CertificateOf(r state.Reader, period, round int64) (*matchingv1.Certificate, bool) {
	if round != 0 {
		return certificates.Get(r, certificateKey(period, round))
	}
	var latest *matchingv1.Certificate
	for _, certificate := range certificates.All(r, certificates.Key().Int64(period)) {
		latest = certificate
	}
	return latest, latest != nil
}

func certificateKey(period, round int64) state.Key {
	return certificates.Key().Int64(period).Int64(round)
}
