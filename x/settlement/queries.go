package settlement

import (
	"bytes"

	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
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
		module.Answer(queryStatement),
		module.Answer(queryStatements),
		module.Answer(queryPeriod),
		module.Answer(queryRoots),
		module.Answer(queryContracts),
		module.Answer(queryZoneFees),
	}
}

// queryStatement answers with a path only once the period has a root.
func queryStatement(ctx module.QueryCtx, q *settlementv1.QueryStatementRequest) (*settlementv1.QueryStatementResponse, error) {
	address, err := protocol.AddressFrom(q.Account)
	if err != nil {
		return nil, ErrMalformed.With("account: %v", err)
	}
	statement, ok := StatementOf(ctx.Store, q.Period, address)
	if !ok {
		return nil, ErrUnknownStatement.With("period: expected one with a statement of %v, got %d", address, q.Period)
	}
	answer := &settlementv1.QueryStatementResponse{Statement: statement}
	if answer.Root, ok = RootOf(ctx.Store, q.Period); !ok {
		return answer, nil
	}
	var leaves [][]byte
	for s := range statementsOf(ctx.Store, q.Period) {
		if bytes.Equal(s.Account, q.Account) {
			answer.Index = int64(len(leaves))
		}
		leaf, err := protocol.StatementLeaf(s)
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, leaf)
	}
	if int64(len(leaves)) != answer.Root.Accounts {
		return nil, ErrUnknownStatement.With("period: the statements of %d are being removed", q.Period)
	}
	answer.Aunts = protocol.TreePath(leaves, int(answer.Index))
	return answer, nil
}

func queryStatements(ctx module.QueryCtx, q *settlementv1.QueryStatementsRequest) (*settlementv1.QueryStatementsResponse, error) {
	if len(q.After) != 0 {
		if _, err := protocol.AddressFrom(q.After); err != nil {
			return nil, ErrMalformed.With("after: %v", err)
		}
	}
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, err
	}
	answer := &settlementv1.QueryStatementsResponse{}
	for _, statement := range statements.From(ctx.Store, statements.Key().Int64(q.Period), statementKey(q.Period, q.After)) {
		if bytes.Equal(statement.Account, q.After) {
			continue
		}
		answer.Statements = append(answer.Statements, statement)
		if len(answer.Statements) == limit {
			break
		}
	}
	return answer, nil
}

func queryPeriod(ctx module.QueryCtx, q *settlementv1.QueryPeriodRequest) (*settlementv1.QueryPeriodResponse, error) {
	period, open := periods.Get(ctx.Store, periodKey(q.Period))
	root, settled := RootOf(ctx.Store, q.Period)
	if !open && !settled {
		return nil, ErrUnknownPeriod.With("period: expected one that ended and somebody takes part in, got %d", q.Period)
	}
	return &settlementv1.QueryPeriodResponse{Period: period, Root: root}, nil
}

func queryRoots(ctx module.QueryCtx, q *settlementv1.QueryRootsRequest) (*settlementv1.QueryRootsResponse, error) {
	limit, err := pageSize(q.Limit)
	if err != nil {
		return nil, err
	}
	answer := &settlementv1.QueryRootsResponse{}
	for _, root := range roots.From(ctx.Store, roots.Key(), rootKey(q.FromPeriod)) {
		answer.Roots = append(answer.Roots, root)
		if len(answer.Roots) == limit {
			break
		}
	}
	return answer, nil
}

// queryContracts answers in full: what an account may have is bounded.
func queryContracts(ctx module.QueryCtx, q *settlementv1.QueryContractsRequest) (*settlementv1.QueryContractsResponse, error) {
	address, err := protocol.AddressFrom(q.Account)
	if err != nil {
		return nil, ErrMalformed.With("account: %v", err)
	}
	return &settlementv1.QueryContractsResponse{Contracts: ContractsOf(ctx.Store, address)}, nil
}

func pageSize(limit int64) (int, error) {
	if limit < 0 {
		return 0, ErrMalformed.With("limit: expected 0 or more, got %d", limit)
	}
	if limit == 0 {
		return defaultPage, nil
	}
	return int(min(limit, maxPage)), nil
}
