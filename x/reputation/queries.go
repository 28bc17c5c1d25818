package reputation

import (
	reputationv1 "github.com/energyd/energyd/gen/energy/reputation/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/x/registry"
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{module.Answer(queryCredit)}
}

func queryCredit(ctx module.QueryCtx, q *reputationv1.QueryCreditRequest) (*reputationv1.QueryCreditResponse, error) {
	account, err := protocol.AddressFrom(q.Account)
	if err != nil {
		return nil, ErrInvalidField.With("account: %v", err)
	}
	if _, ok := registry.AccountOf(ctx.Store, account); !ok {
		return nil, ErrUnknownAccount.With("account: expected a registered account, got %v", account)
	}
	return &reputationv1.QueryCreditResponse{Credit: creditOf(ctx.Store, account)}, nil
}
