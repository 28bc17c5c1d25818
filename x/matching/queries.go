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
		module.Answer(queryCertificate),
		module.Answer(queryLapses),
	}
}

func queryBook(ctx module.QueryCtx, q *matchingv1.QueryBookRequest) (*matchingv1.QueryBookResponse, error) {
	book, ok := BookOf(ctx.Store, q.Period)
	if !ok {
		return nil, ErrUnknownBook.With("period: expected one with orders that is not settled yet, got %s", units.FormatTime(q.Period))
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
	sold, bid := ordersOf(ctx.Store, q.Period, q.Account)
	return &matchingv1.QueryOrdersResponse{Sells: firstOf(sold), Buys: firstOf(bid)}, nil
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
	period := q.Period
	if period == 0 { // the present one
		period = registry.PeriodOf(ctx.Store, ctx.TimeMs)
	}
	return &matchingv1.QueryMarketResponse{Entry: marketAt(ctx.Store, period)}, nil
}

func queryCertificate(ctx module.QueryCtx, q *matchingv1.QueryCertificateRequest) (*matchingv1.QueryCertificateResponse, error) {
	certificate, ok := CertificateOf(ctx.Store, q.Period, q.Round)
	if !ok {
		return nil, ErrUnknownBook.With("period: expected one cleared by CMAP or welfare that is not settled yet, got %s in round %d", units.FormatTime(q.Period), q.Round)
	}
	return &matchingv1.QueryCertificateResponse{Certificate: certificate}, nil
}
