package matching

import (
	"strings"
	"unicode"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// maxPrice bounds what a market may post or add, in ucoin per kWh: 1000 coins.
const maxPrice = 1_000_000_000

// Bounds of sealed orders: a week to reveal, a million coins of bond.
const (
	maxRevealMs = 7 * 24 * 3_600_000
	maxBond     = 1_000_000_000_000
)

// defaultMarket is market 0 before the first period that it was set for.
func defaultMarket() *matchingv1.Market {
	return &matchingv1.Market{Mechanism: matchingv1.Mechanism_MECHANISM_KPROTOTYPES, MaxRatedDistanceM: 20_000}
}

// marketKey orders a market's entries newest first, so that the one which clears
// a period is the first at or after the key of that period.
func marketKey(number, period int64) state.Key { return markets.Key().Int64(number).Int64(-period) }

// marketAt returns how a market clears a period, false if there is no such market
// in it. Market 0 is there always.
func marketAt(r state.Reader, number, period int64) (*matchingv1.MarketEntry, bool) {
	for _, entry := range markets.From(r, markets.Key().Int64(number), marketKey(number, max(period, 0))) {
		return entry, true
	}
	return &matchingv1.MarketEntry{Market: defaultMarket()}, number == 0
}

// marketsAt lists the markets of a period by number, registry.MaxMarkets at most.
func marketsAt(r state.Reader, period int64) (found []*matchingv1.MarketEntry) {
	for number := range int64(registry.MaxMarkets) {
		if entry, ok := marketAt(r, number, period); ok {
			found = append(found, entry)
		}
	}
	return found
}

// maxRegion is the greatest length of a market's region, in bytes.
const maxRegion = 64

func checkNumber(field string, number int64) error {
	return checkRange(field, number, registry.MaxMarkets-1)
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
	if len(m.Region) > maxRegion || strings.ContainsFunc(m.Region, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return ErrMalformed.With("market.region: expected at most %d bytes of printable text, got %q", maxRegion, m.Region)
	}
	for _, field := range []struct {
		name         string
		value, least int64
		most         int64
	}{
		{"market.max_orders", m.MaxOrders, 0, maxOrders},
		{"market.max_rated_distance_m", m.MaxRatedDistanceM, 1, 1_000_000_000},
		{"market.beta_ucoin_per_kwh", m.BetaUcoinPerKwh, 0, maxPrice},
		{"market.posted_price_ucoin_per_kwh", m.PostedPriceUcoinPerKwh, 0, maxPrice},
		{"market.posted_retail_ucoin_per_kwh", m.PostedRetailUcoinPerKwh, 0, maxPrice},
		{"market.posted_feed_in_ucoin_per_kwh", m.PostedFeedInUcoinPerKwh, 0, m.PostedRetailUcoinPerKwh},
		{"market.reveal_length_ms", m.RevealLengthMs, 0, maxRevealMs},
		{"market.bond_ucoin", m.BondUcoin, 0, maxBond},
	} {
		if field.value < field.least || field.value > field.most {
			return ErrOutOfRange.With("%s: expected %d to %d, got %d", field.name, field.least, field.most, field.value)
		}
	}
	if (m.RevealLengthMs > 0) != (m.BondUcoin > 0) {
		return ErrOutOfRange.With("market.bond_ucoin: expected more than 0 with a reveal_length_ms above 0, else 0, got %s", units.FormatCoins(m.BondUcoin))
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
	return maxOrders
}

// maxOrders bounds what a market may take, whatever the chain's max_orders is.
const maxOrders = 100_000

// CertificateOf returns what proves the clearing of a round of a market's book,
// until settlement closes the period; only CMAP and welfare have one. Round 0
// stands for the latest.
func CertificateOf(r state.Reader, period, market, round int64) (*matchingv1.Certificate, bool) {
	if round != 0 {
		return certificates.Get(r, certificateKey(period, market, round))
	}
	var latest *matchingv1.Certificate
	for _, certificate := range certificates.All(r, certificates.Key().Int64(period).Int64(market)) {
		latest = certificate
	}
	return latest, latest != nil
}

func certificateKey(period, market, round int64) state.Key {
	return certificates.Key().Int64(period).Int64(market).Int64(round)
}
