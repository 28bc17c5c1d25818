package app

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"
)

// ProcessProposal rejects a block in which any transaction would not be
// admitted: an honest proposer never makes one. What it found FinalizeBlock need not
// find again.
func (a *App) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	base, err := a.base()
	if err != nil {
		return nil, err
	}

	block := a.judge(base, req.Height, req.Time, req.Hash, req.Txs)
	for i, tx := range block.txs {
		if tx.err != nil {
			a.log.Warn("proposal: rejected", "height", req.Height, "tx", i, "err", tx.err)
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
	}
	a.accepted = block
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}
