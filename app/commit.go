package app

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"
)

// Commit stores the block that FinalizeBlock staged: one synced batch. The
// mempool is locked meanwhile and rechecks what it holds afterwards, so the
// counts of waiting transactions start anew.
func (a *App) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	if err := a.db.Commit(a.staged); err != nil {
		return nil, err
	}
	a.outcomes.commit()
	a.genesis = nil
	a.pending.reset()
	// Blocks are kept: bills are proved against their headers.
	return &abci.ResponseCommit{}, nil
}
