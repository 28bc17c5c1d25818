package app

import (
	"cmp"
	"context"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"
)

// PrepareProposal orders the waiting transactions by lane, keeps each signer's
// own order within a lane, and leaves out what would not be admitted or does
// not fit. Should anything go wrong, an empty block is better than none.
func (a *App) PrepareProposal(_ context.Context, req *abci.RequestPrepareProposal) (response *abci.ResponsePrepareProposal, err error) {
	defer func() {
		if r := recover(); r != nil {
			a.log.Error("proposal: fell back to an empty block", "panic", r)
			response, err = &abci.ResponsePrepareProposal{}, nil
		}
	}()
	base, err := a.base()
	if err != nil {
		return nil, err
	}

	admission := newAdmission(base, req.Height, rulesOf(base, req.Time.UnixMilli()))
	checked, errs := a.checkAll(admission.chainID, req.Txs, admission.knows)
	order := make([]int, 0, len(req.Txs))
	for i := range req.Txs {
		if errs[i] == nil {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(checked[i].lane, checked[j].lane) })

	response = &abci.ResponsePrepareProposal{}
	left := req.MaxTxBytes
	for _, i := range order {
		size := int64(len(req.Txs[i]))
		if size > left {
			continue
		}
		if _, err := admission.admit(checked[i]); err != nil {
			a.log.Debug("proposal: left out", "tx", checked[i].hash, "err", err)
			continue
		}
		left -= size
		response.Txs = append(response.Txs, req.Txs[i])
	}
	return response, nil
}
