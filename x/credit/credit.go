package credit

import (
	"iter"

	creditv1 "github.com/energyd/energyd/gen/energy/credit/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/bank"
	"github.com/energyd/energyd/x/registry"
)

var (
	banks     = state.NewMap[creditv1.Bank](protocol.ModuleCredit, 1)
	demands   = state.NewMap[creditv1.Demand](protocol.ModuleCredit, 2)
	borrowers = state.NewMap[creditv1.Borrower](protocol.ModuleCredit, 3)
	offers    = state.NewMap[creditv1.Offer](protocol.ModuleCredit, 4)
	lines     = state.NewMap[creditv1.Line](protocol.ModuleCredit, 5)
	loans     = state.NewMap[creditv1.Loan](protocol.ModuleCredit, 6)
	dues      = state.NewMap[creditv1.Due](protocol.ModuleCredit, 7)
)

func bankKey(aggregator []byte) state.Key { return banks.Key().Bytes(aggregator) }

func demandKey(aggregator, borrower []byte) state.Key {
	return demands.Key().Bytes(aggregator, borrower)
}

func borrowerKey(account []byte) state.Key { return borrowers.Key().Bytes(account) }

func offersOf(aggregator []byte) state.Key { return offers.Key().Bytes(aggregator) }

func offerKey(aggregator []byte, period int64) state.Key { return offersOf(aggregator).Int64(period) }

func linesOf(aggregator []byte, period int64) state.Key {
	return lines.Key().Bytes(aggregator).Int64(period)
}

func lineKey(aggregator []byte, period int64, borrower []byte) state.Key {
	return linesOf(aggregator, period).Bytes(borrower)
}

func loansOf(borrower []byte) state.Key { return loans.Key().Bytes(borrower) }

func loanKey(borrower []byte, period int64) state.Key { return loansOf(borrower).Int64(period) }

func dueKey(loan *creditv1.Loan) state.Key {
	return dues.Key().Int64(loan.DuePeriod).Bytes(loan.Borrower).Int64(loan.Period)
}

// Module is the credit module.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "credit" }

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	byAggregator := []registryv1.Role{registryv1.Role_ROLE_AGGREGATOR}
	byProsumer := []registryv1.Role{registryv1.Role_ROLE_PROSUMER}
	return []module.Route{
		module.Handle(module.LaneRest, byAggregator, checkSetBank, setBank),
		module.Handle(module.LaneRest, byAggregator, checkFundBank, fundBank),
		module.Handle(module.LaneRest, byAggregator, checkWithdrawCapital, withdrawCapital),
		module.Handle(module.LaneRest, byProsumer, checkRepayLoan, repayLoan).AllowFrozen(),
		module.Handle(module.LaneRest, byProsumer, checkStateDemand, stateDemand),
	}
}

// BankOf returns an aggregator's bank.
func BankOf(r state.Reader, aggregator protocol.Address) (*creditv1.Bank, bool) {
	return banks.Get(r, bankKey(aggregator[:]))
}

// CapitalOf returns what an aggregator's bank has and has not lent, in ucoin.
func CapitalOf(r state.Reader, aggregator protocol.Address) int64 {
	return bank.BalanceOf(r, protocol.CreditBankAddress(aggregator)).FreeUcoin
}

// LoansOf yields an account's loans that have not ended, oldest first.
func LoansOf(r state.Reader, borrower protocol.Address) iter.Seq[*creditv1.Loan] {
	return values(loans.All(r, loansOf(borrower[:])))
}

// BorrowerOf returns what is known of an account as a borrower.
func BorrowerOf(r state.Reader, account protocol.Address) *creditv1.Borrower {
	if known, ok := borrowers.Get(r, borrowerKey(account[:])); ok {
		return known
	}
	return &creditv1.Borrower{Borrower: account.Bytes()}
}

// undrawn is what the lines of a bank may still draw of its capital, in ucoin,
// those that lapse with the next pricing included.
func undrawn(r state.Reader, aggregator []byte) int64 {
	var sum int64
	for offer := range values(offers.All(r, offersOf(aggregator))) {
		sum += offer.UndrawnUcoin
	}
	return sum
}

// active says whether an account exists and is neither frozen nor revoked.
func active(account *registryv1.Account) bool {
	return account.GetStatus() == registryv1.Status_STATUS_ACTIVE
}

// lends says whether an aggregator's bank lends to an account at all.
func lends(r state.Reader, aggregator []byte) bool {
	account, ok := registry.AccountOf(r, protocol.Address(aggregator))
	return ok && active(account) && registry.HasRole(account, registryv1.Role_ROLE_AGGREGATOR)
}

func values[K, V any](rows iter.Seq2[K, V]) iter.Seq[V] {
	return func(yield func(V) bool) {
		for _, value := range rows {
			if !yield(value) {
				return
			}
		}
	}
}
