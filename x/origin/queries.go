package origin

import (
	originv1 "github.com/energyd/energyd/gen/energy/origin/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
)

// Bounds of a page of a list.
const (
	defaultPage = 100
	maxPage     = 1000
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{
		module.Answer(queryCertificates),
		module.Answer(queryCertificateTotals),
	}
}

func queryCertificates(ctx module.QueryCtx, q *originv1.QueryCertificatesRequest) (*originv1.QueryCertificatesResponse, error) {
	address, err := protocol.AddressFrom(q.Account)
	if err != nil {
		return nil, ErrInvalidField.With("account: %v", err)
	}
	if _, ok := registry.AccountOf(ctx.Store, address); !ok {
		return nil, ErrUnknownAccount.With("account: expected a registered account, got %v", address)
	}
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, err
	}
	answer := new(originv1.QueryCertificatesResponse)
	for _, holding := range holdings.From(ctx.Store, holdingsOf(q.Account), holdingsOf(q.Account).Int64(q.FromMonth)) {
		if len(answer.Holdings) == limit {
			break
		}
		answer.Holdings = append(answer.Holdings, holding)
	}
	for _, excess := range excesses.All(ctx.Store, excesses.Key().Bytes(q.Account)) {
		answer.Excesses = append(answer.Excesses, excess)
	}
	answer.Stock, _ = stocks.Get(ctx.Store, stockKey(q.Account))
	return answer, nil
}

func queryCertificateTotals(ctx module.QueryCtx, q *originv1.QueryCertificateTotalsRequest) (*originv1.QueryCertificateTotalsResponse, error) {
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, err
	}
	answer := new(originv1.QueryCertificateTotalsResponse)
	for _, total := range totals.From(ctx.Store, totals.Key(), totals.Key().Int64(q.FromMonth)) {
		if len(answer.Totals) == limit {
			break
		}
		answer.Totals = append(answer.Totals, total)
	}
	return answer, nil
}

func pageSize(limit int64) (int, error) {
	if limit < 0 {
		return 0, ErrInvalidField.With("limit: expected 0 or more, got %d", limit)
	}
	if limit == 0 {
		return defaultPage, nil
	}
	return int(min(limit, maxPage)), nil
}
