package settlement

import (
	"iter"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

var (
	clocks      = state.NewItem[settlementv1.Clock](protocol.ModuleSettlement, 1)
	periods     = state.NewMap[settlementv1.Period](protocol.ModuleSettlement, 2)
	tallies     = state.NewMap[settlementv1.Tally](protocol.ModuleSettlement, 3)
	trades      = state.NewMap[settlementv1.AccountTrade](protocol.ModuleSettlement, 4)
	roots       = state.NewMap[settlementv1.StatementsRoot](protocol.ModuleSettlement, protocol.TableStatementsRoots)
	statements  = state.NewMap[settlementv1.Statement](protocol.ModuleSettlement, 6)
	shares      = state.NewMap[settlementv1.Share](protocol.ModuleSettlement, 7)
	missing     = state.NewMap[settlementv1.Missing](protocol.ModuleSettlement, 8)
	deadlines   = state.NewMap[settlementv1.Due](protocol.ModuleSettlement, 9)
	retirements = state.NewMap[settlementv1.Due](protocol.ModuleSettlement, 10)

	contracts     = state.NewMap[settlementv1.Contract](protocol.ModuleSettlement, 11)
	contractsOf   = state.NewMap[settlementv1.ContractOf](protocol.ModuleSettlement, 12)
	contractTerms = state.NewMap[settlementv1.ContractTerms](protocol.ModuleSettlement, 13)
	freezes       = state.NewMap[settlementv1.Freeze](protocol.ModuleSettlement, 15)
	zoneFees      = state.NewMap[settlementv1.ZoneFees](protocol.ModuleSettlement, 30)
	components    = state.NewMap[settlementv1.Component](protocol.ModuleSettlement, 14)

	groups     = state.NewMap[settlementv1.Group](protocol.ModuleSettlement, 16)
	groupWaits = state.NewMap[settlementv1.GroupWait](protocol.ModuleSettlement, 17)
)

func periodKey(period int64) state.Key { return periods.Key().Int64(period) }

func rootKey(period int64) state.Key { return state.Key(protocol.StatementsRootKey(period)) }

func tallyKey(period int64, account []byte) state.Key {
	return tallies.Key().Int64(period).Bytes(account)
}

func tradesOf(period int64, account []byte) state.Key {
	return trades.Key().Int64(period).Bytes(account)
}

func tradeKey(period int64, account []byte, trade *settlementv1.Trade) state.Key {
	return tradesOf(period, account).Bytes(tradeID(trade))
}

// tradeID is that of the match or contract that a trade settles.
func tradeID(trade *settlementv1.Trade) []byte {
	if len(trade.GetContract()) > 0 {
		return trade.Contract
	}
	return trade.GetMatch()
}

func statementKey(period int64, account []byte) state.Key {
	return statements.Key().Int64(period).Bytes(account)
}

func shareKey(period int64, account, match []byte) state.Key {
	return shares.Key().Int64(period).Bytes(account, match)
}

func missingKey(account []byte, period int64) state.Key {
	return missing.Key().Bytes(account).Int64(period)
}

func deadlineKey(count, period int64) state.Key { return deadlines.Key().Int64(count).Int64(period) }

func retirementKey(count, period int64) state.Key {
	return retirements.Key().Int64(count).Int64(period)
}

func contractKey(id []byte) state.Key { return contracts.Key().Bytes(id) }

func contractOfKey(account, id []byte) state.Key { return contractsOf.Key().Bytes(account, id) }

func termsOf(period int64, component []byte) state.Key {
	return contractTerms.Key().Int64(period).Bytes(component)
}

func termsKey(period int64, component, contract []byte) state.Key {
	return termsOf(period, component).Bytes(contract)
}

func componentKey(period int64, component []byte) state.Key {
	return components.Key().Int64(period).Bytes(component)
}

func groupKey(period int64, group []byte) state.Key { return groups.Key().Int64(period).Bytes(group) }

func groupWaitKey(period int64, group, account []byte) state.Key {
	return groupWaits.Key().Int64(period).Bytes(group, account)
}

func freezeKey(account []byte) state.Key { return freezes.Key().Bytes(account) }

// Module is the settlement module.
type Module struct{}

// New returns the module.
func New() Module { return Module{} }

// Name implements module.Module.
func (Module) Name() string { return "settlement" }

// Routes implements module.Module.
func (Module) Routes() []module.Route {
	return []module.Route{
		module.Handle(module.LaneOrders, traders, checkProposeContract, proposeContract),
		module.Handle(module.LaneOrders, traders, checkAcceptContract, acceptContract),
		module.Handle(module.LaneOrders, traders, checkCancelContract, cancelContract),
	}
}

// StatementOf returns an account's latest statement of a period.
func StatementOf(r state.Reader, period int64, account protocol.Address) (*settlementv1.Statement, bool) {
	return statements.Get(r, statementKey(period, account[:]))
}

// RootOf returns the latest root over a period's statements.
func RootOf(r state.Reader, period int64) (*settlementv1.StatementsRoot, bool) {
	return roots.Get(r, rootKey(period))
}

// statementsOf yields a period's statements by account.
func statementsOf(r state.Reader, period int64) iter.Seq[*settlementv1.Statement] {
	return values(statements.All(r, statements.Key().Int64(period)))
}

// empty says whether nothing lies under a prefix.
func empty(r state.Reader, prefix state.Key) bool {
	for range r.Range(prefix, nil) {
		return false
	}
	return true
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

// collect reads rows before they are changed.
func collect[V any](rows iter.Seq[V]) []V {
	var all []V
	for value := range rows {
		all = append(all, value)
	}
	return all
}
