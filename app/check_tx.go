package app

import (
	"context"

	abci "github.com/cometbft/cometbft/abci/types"

	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
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
	defer view.Close()
	latest, ok := head.Get(view)
	if !ok {
		return ErrNotReady.With("transaction: the chain has no block yet, send it again")
	}
	admission := newAdmission(view, latest.Height+1, latest.TimeMs)
	if int64(len(tx)) > admission.params.MaxTxBytes {
		return ErrTooLarge.With("transaction: expected at most %d bytes, got %d", admission.params.MaxTxBytes, len(tx))
	}
	checked, err := a.checkSafely(admission.chainID, tx, knownKey(view))
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

// knownKey says whether a key may send anything at all.
func knownKey(r state.Reader) func([]byte) bool {
	return func(key []byte) bool {
		if registry.IsAuthorityKey(r, key) {
			return true
		}
		owner, ok := registry.OwnerOf(r, key)
		return ok && !owner.Removed
	}
}
