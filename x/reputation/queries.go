package reputation

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{module.Answer(queryCredit), module.Answer(queryReliability)}
}

func queryCredit(ctx module.QueryCtx, q *reputationv1.QueryCreditRequest) (*reputationv1.QueryCreditResponse, error) {
	account, err := asked(ctx, q.Account)
	if err != nil {
		return nil, err
	}
	return &reputationv1.QueryCreditResponse{Credit: creditOf(ctx.Store, protocol.Address(account.Account))}, nil
}

// queryReliability says what an order of the account's would be judged by now.
func queryReliability(ctx module.QueryCtx, q *reputationv1.QueryReliabilityRequest) (*reputationv1.QueryReliabilityResponse, error) {
	account, err := asked(ctx, q.Account)
	if err != nil {
		return nil, err
	}
	address, params := protocol.Address(account.Account), registry.ParamsNow(ctx.Store, ctx.TimeMs)
	known, quota := ReliabilityOf(ctx.Store, address), QuotaOf(params, account)
	return &reputationv1.QueryReliabilityResponse{
		Reliability: known, QuotaTrades: quota.GetTrades(), QuotaEnergyWh: quota.GetEnergyWh(),
		Valid: fits(known, quota, 1), EscrowSharePpm: EscrowShare(params, ValueOf(ctx.Store, address)),
	}, nil
}

// asked returns the registered account that a query names.
func asked(ctx module.QueryCtx, address []byte) (*registryv1.Account, error) {
	account, err := protocol.AddressFrom(address)
	if err != nil {
		return nil, ErrInvalidField.With("account: %v", err)
	}
	registered, ok := registry.AccountOf(ctx.Store, account)
	if !ok {
		return nil, ErrUnknownAccount.With("account: expected a registered account, got %v", account)
	}
	return registered, nil
}
