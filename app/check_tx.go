package app

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/energyd/energyd/module"
)

// CheckTx decides whether a transaction may wait in the mempool: size,
// canonical encoding, known key, its messages by themselves, signature, replay
// window and the cap on what its key has waiting. Strangers are turned away
// before any signature arithmetic.
func (a *App) CheckTx(_ context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	if err := a.checkTx(req.Tx); err != nil {
		code := module.Code(err)
		return &abci.ResponseCheckTx{Code: code.Code, Codespace: code.Codespace, Log: err.Error()}, nil
	}
	return &abci.ResponseCheckTx{}, nil
}

func (a *App) checkTx(tx []byte) error {
	view, err := a.db.View(0)
	if err != nil {
		return err
	}
	by, err := a.latest.of(view)
	if err != nil {
		return err
	}
	admission := newAdmission(view, view.Height()+1, by)
	if int64(len(tx)) > admission.params.MaxTxBytes {
		return ErrTooLarge.With("transaction: expected at most %d bytes, got %d", admission.params.MaxTxBytes, len(tx))
	}
	checked, err := a.checkSafely(admission.chainID, tx, admission.knows)
	if err != nil {
		return err
	}
	if _, err := admission.admit(checked); err != nil {
		return err
	}
	if !a.pending.add(checked.key, checked.lane, admission.params.PendingPerKey) {
		return ErrTooManyPending.With("signer: expected at most %d waiting transactions of a key and kind", admission.params.PendingPerKey)
	}
	return nil
}
