package app

import (
	"context"
	"errors"
	"strings"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/proto/tendermint/crypto"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// StorePath is the query path of a raw state key with its ICS23 proof.
const StorePath = "/store"

// RootPath is the query path of a node's own stored root at a height.
const RootPath = "/root"

// ProofType marks the proof of a state key in a query's answer.
const ProofType = "ics23:smt"

// Query answers from an immutable view of a committed height, never from what
// the next block is writing.
func (a *App) Query(_ context.Context, req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	response, err := a.query(req)
	if err != nil {
		code := module.Code(err)
		return &abci.ResponseQuery{Code: code.Code, Codespace: code.Codespace, Log: err.Error(), Height: req.Height}, nil
	}
	return response, nil
}

func (a *App) query(req *abci.RequestQuery) (*abci.ResponseQuery, error) {
	if req.Path == RootPath {
		return a.queryRoot(req.Height)
	}
	view, err := a.db.View(req.Height)
	if err != nil {
		return nil, noSuchHeight(err, req.Height)
	}
	if req.Path == StorePath {
		return queryStore(view, req.Data)
	}
	query, ok := a.queries[strings.TrimPrefix(req.Path, "/")]
	if !ok {
		return nil, ErrUnknownQuery.With("path: no query %q", req.Path)
	}
	request := query.New()
	if err := protocol.Unmarshal(req.Data, request); err != nil {
		return nil, ErrMalformed.With("data: %v", err)
	}
	latest, ok := head.Get(view)
	if !ok {
		return nil, ErrNotReady.With("query: the chain has no block yet")
	}
	answer, err := query.Answer(module.QueryCtx{Height: latest.Height, TimeMs: latest.TimeMs, Store: view}, request)
	if err != nil {
		return nil, err
	}
	value, err := protocol.Marshal(answer)
	if err != nil {
		return nil, err
	}
	return &abci.ResponseQuery{Value: value, Height: view.Height()}, nil
}

// queryRoot answers with the root of a height, of which there are more than views.
func (a *App) queryRoot(height int64) (*abci.ResponseQuery, error) {
	if height == 0 {
		height, _ = a.db.Version()
	}
	root, err := a.db.Root(height)
	if err != nil {
		return nil, noSuchHeight(err, height)
	}
	return &abci.ResponseQuery{Value: root, Height: height}, nil
}

func noSuchHeight(err error, height int64) error {
	if errors.Is(err, state.ErrNoView) {
		return ErrNoSuchHeight.With("height: expected one of the latest heights, got %d", height)
	}
	return err
}

// queryStore answers with a key's value and the proof of its presence or
// absence under the root of the view's height.
func queryStore(view *state.View, key []byte) (*abci.ResponseQuery, error) {
	if len(key) == 0 {
		return nil, ErrMalformed.With("data: expected a state key")
	}
	proof, err := view.Prove(key)
	if err != nil {
		return nil, err
	}
	data, err := proof.Marshal()
	if err != nil {
		return nil, err
	}
	return &abci.ResponseQuery{
		Key: key, Value: view.Get(key), Height: view.Height(),
		ProofOps: &crypto.ProofOps{Ops: []crypto.ProofOp{{Type: ProofType, Key: key, Data: data}}},
	}, nil
}

func queryWindow(ctx module.QueryCtx, request *txv1.QueryWindowRequest) (*txv1.QueryWindowResponse, error) {
	key, err := protocol.AddressFrom(request.KeyAddress)
	if err != nil {
		return nil, ErrMalformed.With("key_address: %v", err)
	}
	return &txv1.QueryWindowResponse{Window: windowOf(ctx.Store, key)}, nil
}

func (a *App) queryInvariants(ctx module.QueryCtx, _ *txv1.QueryInvariantsRequest) (*txv1.QueryInvariantsResponse, error) {
	return &txv1.QueryInvariantsResponse{Invariants: a.CheckInvariants(ctx.Store)}, nil
}
