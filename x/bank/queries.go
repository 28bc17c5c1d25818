package bank

import (
	"bytes"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
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
		module.Answer(queryBalance),
		module.Answer(queryBalances),
		module.Answer(queryDebts),
		module.Answer(querySupply),
	}
}

// known accepts members and the system's own accounts.
func known(r state.Reader, field string, account []byte) (protocol.Address, error) {
	if err := checkAddress(field, account); err != nil {
		return protocol.Address{}, err
	}
	address := protocol.Address(account)
	if _, ok := registry.AccountOf(r, address); !ok && !signed(address) {
		return address, ErrUnknownAccount.With("%s: expected a registered account, got %v", field, address)
	}
	return address, nil
}

func queryBalance(ctx module.QueryCtx, q *bankv1.QueryBalanceRequest) (*bankv1.QueryBalanceResponse, error) {
	account, err := known(ctx.Store, "account", q.Account)
	if err != nil {
		return nil, err
	}
	return &bankv1.QueryBalanceResponse{
		Balance: BalanceOf(ctx.Store, account), DebtUcoin: DebtOf(ctx.Store, account),
	}, nil
}

// queryBalances lists the accounts that hold something.
func queryBalances(ctx module.QueryCtx, q *bankv1.QueryBalancesRequest) (*bankv1.QueryBalancesResponse, error) {
	if len(q.After) != 0 {
		if err := checkAddress("after", q.After); err != nil {
			return nil, err
		}
	}
	limit := min(q.Limit, maxPage)
	if limit < 0 {
		return nil, ErrInvalidField.With("limit: expected 0 or more, got %d", q.Limit)
	}
	if limit == 0 {
		limit = defaultPage
	}
	answer := new(bankv1.QueryBalancesResponse)
	for _, balance := range balances.From(ctx.Store, balances.Key(), balanceKey(q.After)) {
		if int64(len(answer.Balances)) == limit {
			break
		}
		if !bytes.Equal(balance.Account, q.After) {
			answer.Balances = append(answer.Balances, balance)
		}
	}
	return answer, nil
}

func queryDebts(ctx module.QueryCtx, q *bankv1.QueryDebtsRequest) (*bankv1.QueryDebtsResponse, error) {
	debtor, err := known(ctx.Store, "debtor", q.Debtor)
	if err != nil {
		return nil, err
	}
	answer := new(bankv1.QueryDebtsResponse)
	for _, debt := range debts.All(ctx.Store, debtsOf(debtor)) {
		if len(answer.Debts) == maxPage {
			break
		}
		answer.Debts = append(answer.Debts, debt)
	}
	return answer, nil
}

func querySupply(ctx module.QueryCtx, _ *bankv1.QuerySupplyRequest) (*bankv1.QuerySupplyResponse, error) {
	return &bankv1.QuerySupplyResponse{Supply: supplyOf(ctx.Store)}, nil
}
