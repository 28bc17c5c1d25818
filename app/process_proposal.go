package app

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"
)

// ProcessProposal rejects a block in which any transaction would not be
// admitted: an honest proposer never makes one.
func (a *App) ProcessProposal(_ context.Context, req *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	base, err := a.base()
	if err != nil {
		return nil, err
	}

	admission := newAdmission(base, req.Height, rulesOf(base, req.Time.UnixMilli()))
	checked, errs := a.checkAll(admission.chainID, req.Txs, admission.knows)
	for i := range req.Txs {
		err := errs[i]
		if err == nil {
			_, err = admission.admit(checked[i])
		}
		if err != nil {
			a.log.Warn("proposal: rejected", "height", req.Height, "tx", i, "err", err)
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}
