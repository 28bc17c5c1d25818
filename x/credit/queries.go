package credit

import (
	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// Queries implements module.Module.
func (Module) Queries() []module.Query {
	return []module.Query{
		module.Answer(queryBank),
		module.Answer(queryBanks),
		module.Answer(queryLoans),
		module.Answer(queryOffers),
	}
}

func askedBank(r state.Reader, aggregator []byte) (*creditv1.Bank, error) {
	address, err := protocol.AddressFrom(aggregator)
	if err != nil {
		return nil, ErrInvalidField.With("aggregator: %v", err)
	}
	b, ok := BankOf(r, address)
	if !ok {
		return nil, ErrUnknownBank.With("aggregator: expected one that has opened a bank, %v has not", address)
	}
	return b, nil
}

func queryBank(ctx module.QueryCtx, q *creditv1.QueryBankRequest) (*creditv1.QueryBankResponse, error) {
	b, err := askedBank(ctx.Store, q.Aggregator)
	if err != nil {
		return nil, err
	}
	return &creditv1.QueryBankResponse{
		Bank: b, CapitalUcoin: CapitalOf(ctx.Store, protocol.Address(b.Aggregator)), UndrawnUcoin: undrawn(ctx.Store, b.Aggregator),
	}, nil
}

// queryBanks lists all: there are no more than aggregators.
func queryBanks(ctx module.QueryCtx, _ *creditv1.QueryBanksRequest) (*creditv1.QueryBanksResponse, error) {
	answer := new(creditv1.QueryBanksResponse)
	for b := range values(banks.All(ctx.Store, banks.Key())) {
		answer.Banks = append(answer.Banks, b)
	}
	return answer, nil
}

// queryLoans lists all loans of an account: it has one per period at most, for
// the terms and grace times that its bank had.
func queryLoans(ctx module.QueryCtx, q *creditv1.QueryLoansRequest) (*creditv1.QueryLoansResponse, error) {
	address, err := protocol.AddressFrom(q.Account)
	if err != nil {
		return nil, ErrInvalidField.With("account: %v", err)
	}
	account, ok := registry.AccountOf(ctx.Store, address)
	if !ok {
		return nil, ErrInvalidField.With("account: expected a registered account, got %v", address)
	}
	answer := new(creditv1.QueryLoansResponse)
	answer.Demand, _ = demands.Get(ctx.Store, demandKey(account.HomeAggregator, address[:]))
	answer.Borrower, _ = borrowers.Get(ctx.Store, borrowerKey(address[:]))
	answer.Line, _ = lines.Get(ctx.Store, lineKey(account.HomeAggregator, registry.PeriodOf(ctx.Store, ctx.TimeMs), address[:]))
	for loan := range LoansOf(ctx.Store, address) {
		answer.Loans = append(answer.Loans, loan)
		answer.OwedUcoin += left(loan) // fits: caps bound what an account owes
	}
	return answer, nil
}

func queryOffers(ctx module.QueryCtx, q *creditv1.QueryOffersRequest) (*creditv1.QueryOffersResponse, error) {
	b, err := askedBank(ctx.Store, q.Aggregator)
	if err != nil {
		return nil, err
	}
	period := q.Period
	if period == 0 {
		period = registry.PeriodOf(ctx.Store, ctx.TimeMs)
	}
	offer, ok := offers.Get(ctx.Store, offerKey(b.Aggregator, period))
	if !ok {
		return nil, ErrUnknownOffer.With("period: expected one with lines or loans of %v, got %d", protocol.Address(b.Aggregator), period)
	}
	answer := &creditv1.QueryOffersResponse{Offer: offer}
	for line := range values(lines.All(ctx.Store, linesOf(b.Aggregator, period))) {
		answer.Lines = append(answer.Lines, line)
	}
	return answer, nil
}
