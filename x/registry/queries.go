package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

// Bounds of a page of a list.
const (
	defaultPage = 100
	maxPage     = 1000
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{
		module.Answer(queryAccount),
		module.Answer(queryAccounts),
		module.Answer(queryKey),
		module.Answer(queryMeter),
		module.Answer(queryParams),
		module.Answer(queryAuthority),
		module.Answer(queryProposals),
		module.Answer(queryEndpoints),
		module.Answer(queryGateway),
	}
}

// queryAccount shows the meters of a pending application as well: whoever
// approves it wants to see them.
func queryAccount(ctx module.QueryCtx, q *registryv1.QueryAccountRequest) (*registryv1.QueryAccountResponse, error) {
	if err := checkAddress("account", q.Account); err != nil {
		return nil, err
	}
	account, err := existing(ctx.Store, "account", q.Account)
	if err != nil {
		return nil, err
	}
	return &registryv1.QueryAccountResponse{Account: account, Meters: allMetersOf(ctx.Store, q.Account)}, nil
}

func queryAccounts(ctx module.QueryCtx, q *registryv1.QueryAccountsRequest) (*registryv1.QueryAccountsResponse, error) {
	if len(q.After) != 0 {
		if err := checkAddress("after", q.After); err != nil {
			return nil, err
		}
	}
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, err
	}
	answer := new(registryv1.QueryAccountsResponse)
	for account := range accountsFrom(ctx.Store, q.After) {
		if int64(len(answer.Accounts)) == limit {
			break
		}
		if q.Status == registryv1.Status_STATUS_UNSPECIFIED || account.Status == q.Status {
			answer.Accounts = append(answer.Accounts, account)
		}
	}
	return answer, nil
}

func pageSize(limit int64) (int64, error) {
	if limit < 0 {
		return 0, ErrInvalidField.With("limit: expected 0 or more, got %d", limit)
	}
	if limit == 0 {
		return defaultPage, nil
	}
	return min(limit, maxPage), nil
}

// queryKey names the authority as the owner of its keys.
func queryKey(ctx module.QueryCtx, q *registryv1.QueryKeyRequest) (*registryv1.QueryKeyResponse, error) {
	if err := checkBytes("key", q.Key, protocol.KeySize, "an Ed25519 key"); err != nil {
		return nil, err
	}
	if owner, ok := OwnerOf(ctx.Store, q.Key); ok {
		return &registryv1.QueryKeyResponse{Owner: owner}, nil
	}
	if IsAuthorityKey(ctx.Store, q.Key) {
		return &registryv1.QueryKeyResponse{Owner: &registryv1.KeyOwner{
			Key: q.Key, Account: protocol.AuthorityAddress.Bytes(),
		}}, nil
	}
	return nil, ErrUnknownAccount.With("key: expected a registered key, got %x", q.Key)
}

func queryMeter(ctx module.QueryCtx, q *registryv1.QueryMeterRequest) (*registryv1.QueryMeterResponse, error) {
	meter, ok := MeterOf(ctx.Store, q.Meter)
	if !ok {
		return nil, ErrUnknownMeter.With("meter: expected a bound meter, got %q", q.Meter)
	}
	return &registryv1.QueryMeterResponse{Meter: meter}, nil
}

func queryParams(ctx module.QueryCtx, q *registryv1.QueryParamsRequest) (*registryv1.QueryParamsResponse, error) {
	if q.Period < 0 {
		return nil, ErrInvalidField.With("period: expected 0 or the start of a period, got %d", q.Period)
	}
	period := q.Period
	if period == 0 {
		period = PeriodOf(ctx.Store, ctx.TimeMs)
	}
	return &registryv1.QueryParamsResponse{Chain: ChainOf(ctx.Store), Params: ParamsAt(ctx.Store, period)}, nil
}

func queryAuthority(ctx module.QueryCtx, _ *registryv1.QueryAuthorityRequest) (*registryv1.QueryAuthorityResponse, error) {
	return &registryv1.QueryAuthorityResponse{Authority: AuthorityOf(ctx.Store)}, nil
}

func queryProposals(ctx module.QueryCtx, _ *registryv1.QueryProposalsRequest) (*registryv1.QueryProposalsResponse, error) {
	answer := new(registryv1.QueryProposalsResponse)
	for _, proposal := range proposals.All(ctx.Store, proposals.Key()) {
		if len(answer.Proposals) == maxPage {
			break
		}
		answer.Proposals = append(answer.Proposals, proposal)
	}
	return answer, nil
}
