package matching

import (
	"bytes"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/registry"
)

// maxListed is the most entries that an answer lists.
const maxListed = 1000

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{
		module.Answer(queryBook),
		module.Answer(queryOrders),
		module.Answer(queryMatches),
		module.Answer(queryPeriods),
		module.Answer(queryMarket),
		module.Answer(queryMarkets),
		module.Answer(queryCertificate),
		module.Answer(queryStandingOrders),
		module.Answer(queryLapses),
	}
}

func queryBook(ctx module.QueryCtx, q *matchingv1.QueryBookRequest) (*matchingv1.QueryBookResponse, error) {
	book, ok := BookOf(ctx.Store, q.Period, q.Market)
	if !ok {
		return nil, ErrUnknownBook.With("period: expected one with orders in market %d that is not settled yet, got %s", q.Market, units.FormatTime(q.Period))
	}
	return &matchingv1.QueryBookResponse{Book: book}, nil
}

// checkAccount accepts an address, or nothing for all accounts.
func checkAccount(account []byte) error {
	if len(account) == 0 {
		return nil
	}
	if _, err := protocol.AddressFrom(account); err != nil {
		return ErrMalformed.With("account: %v", err)
	}
	return nil
}

func queryOrders(ctx module.QueryCtx, q *matchingv1.QueryOrdersRequest) (*matchingv1.QueryOrdersResponse, error) {
	if err := checkAccount(q.Account); err != nil {
		return nil, err
	}
	market := q.Market
	if len(q.Account) > 0 { // it has orders in its own market only
		account, _ := registry.AccountOf(ctx.Store, protocol.Address(q.Account))
		market = account.GetMarket()
	}
	sold, bid := ordersOf(ctx.Store, q.Period, market, q.Account)
	sealed := sealsOf(ctx.Store, q.Period, market, q.Account)
	return &matchingv1.QueryOrdersResponse{Sells: firstOf(sold), Buys: firstOf(bid), Seals: firstOf(sealed)}, nil
}

func queryMatches(ctx module.QueryCtx, q *matchingv1.QueryMatchesRequest) (*matchingv1.QueryMatchesResponse, error) {
	if err := checkAccount(q.Account); err != nil {
		return nil, err
	}
	answer := &matchingv1.QueryMatchesResponse{}
	for match := range values(prematches.All(ctx.Store, prematches.Key().Int64(q.Period))) {
		if len(q.Account) == 0 || bytes.Equal(match.Seller, q.Account) || bytes.Equal(match.Buyer, q.Account) {
			answer.Prematches = append(answer.Prematches, match)
		}
	}
	if len(q.Account) == 0 {
		answer.Matches = collect(Matches(ctx.Store, q.Period))
	} else {
		answer.Matches = MatchesOf(ctx.Store, q.Period, protocol.Address(q.Account))
	}
	answer.Prematches, answer.Matches = firstOf(answer.Prematches), firstOf(answer.Matches)
	return answer, nil
}

func firstOf[V any](all []V) []V { return all[:min(len(all), maxListed)] }

// queryPeriods lists the periods whose orders are taken now. The parameters of
// a period may open it earlier or later than its neighbours, so each is asked.
func queryPeriods(ctx module.QueryCtx, _ *matchingv1.QueryPeriodsRequest) (*matchingv1.QueryPeriodsResponse, error) {
	length := registry.ChainOf(ctx.Store).PeriodLengthMs
	current := registry.PeriodOf(ctx.Store, ctx.TimeMs)
	answer := &matchingv1.QueryPeriodsResponse{BlockTimeMs: ctx.TimeMs, PeriodLengthMs: length, CurrentPeriod: current}
	end := registry.FirstUnopened(ctx.Store, ctx.TimeMs)
	for period := current + length; period < end && len(answer.Open) < maxListed; period += length {
		params := registry.ParamsAt(ctx.Store, period)
		gate := registry.GateOf(params, period)
		if ctx.TimeMs < gate && ctx.TimeMs >= gate-params.OrderHorizonMs {
			answer.Open = append(answer.Open, &matchingv1.OpenPeriod{Period: period, GateMs: gate})
		}
	}
	return answer, nil
}

func queryMarket(ctx module.QueryCtx, q *matchingv1.QueryMarketRequest) (*matchingv1.QueryMarketResponse, error) {
	period := orPresent(ctx, q.Period)
	entry, ok := marketAt(ctx.Store, q.Market, period)
	if !ok {
		return nil, ErrUnknownMarket.With("market: expected one open in %s, got %d", units.FormatTime(period), q.Market)
	}
	return &matchingv1.QueryMarketResponse{Entry: entry}, nil
}

func queryMarkets(ctx module.QueryCtx, q *matchingv1.QueryMarketsRequest) (*matchingv1.QueryMarketsResponse, error) {
	return &matchingv1.QueryMarketsResponse{Markets: marketsAt(ctx.Store, orPresent(ctx, q.Period))}, nil
}

// orPresent returns a period, for 0 the present one.
func orPresent(ctx module.QueryCtx, period int64) int64 {
	if period == 0 {
		return registry.PeriodOf(ctx.Store, ctx.TimeMs)
	}
	return period
}

func queryCertificate(ctx module.QueryCtx, q *matchingv1.QueryCertificateRequest) (*matchingv1.QueryCertificateResponse, error) {
	certificate, ok := CertificateOf(ctx.Store, q.Period, q.Market, q.Round)
	if !ok {
		return nil, ErrUnknownBook.With("period: expected one cleared by CMAP or welfare in market %d that is not settled yet, got %s in round %d", q.Market, units.FormatTime(q.Period), q.Round)
	}
	return &matchingv1.QueryCertificateResponse{Certificate: certificate}, nil
}

func queryStandingOrders(ctx module.QueryCtx, q *matchingv1.QueryStandingOrdersRequest) (*matchingv1.QueryStandingOrdersResponse, error) {
	if err := checkAccount(q.Account); err != nil {
		return nil, err
	}
	found := collect(values(standings.All(ctx.Store, standings.Key().Bytes(q.Account))))
	return &matchingv1.QueryStandingOrdersResponse{Orders: firstOf(found)}, nil
}
