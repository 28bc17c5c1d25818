package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"

	abci "github.com/cometbft/cometbft/abci/types"
	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// FinalizeBlock executes a decided block: evidence, then each admitted
// transaction on its own branch, then the hooks. Nothing is stored before
// Commit. An error of a hook halts the node: replicas must never go on with
// half a block.
func (a *App) FinalizeBlock(_ context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	base, err := a.base()
	if err != nil {
		return nil, err
	}

	var block *state.Branch
	if a.genesis != nil {
		block = state.NewBranch(a.genesis)
	} else {
		block = a.db.Branch()
	}
	var events []proto.Message
	ctx := module.NewCtx(block, &events)
	ctx.Height, ctx.TimeMs, ctx.Route = req.Height, req.Time.UnixMilli(), a.routeProposed
	ctx.PrevAppHash = a.prevAppHash()

	judged := a.accepted
	if !judged.is(req.Hash) { // it was never proposed to this node
		judged = a.judge(base, req.Height, req.Time, req.Hash, req.Txs)
	}
	a.accepted = nil
	ctx.ChainID = judged.chainID
	a.punish(ctx, req.Misbehavior)
	results := a.executeAll(ctx, judged)
	head.Set(block, &txv1.Head{Height: ctx.Height, TimeMs: ctx.TimeMs})
	for _, hook := range hooks(a.modules) {
		if err := hook.EndBlock(ctx); err != nil {
			return nil, fmt.Errorf("height %d: end of block: %s: %w", ctx.Height, hook.(module.Module).Name(), err)
		}
	}
	response := &abci.ResponseFinalizeBlock{TxResults: results, ValidatorUpdates: validatorUpdates(registry.New().ValidatorUpdates(ctx))}
	if response.Events, err = abciEvents(events); err != nil {
		return nil, err
	}
	response.AppHash, a.staged = a.stage(block), req.Height
	return response, a.outcomes.stage(req.Height, req.Txs, results)
}

// prevAppHash is the root of the state that the block builds on.
func (a *App) prevAppHash() []byte {
	if a.genesis != nil {
		return a.db.Stage(a.genesis)
	}
	_, root := a.db.Version()
	return root
}

// stage hashes the block's changes; the first block's stand on genesis.
func (a *App) stage(block *state.Branch) []byte {
	if a.genesis == nil {
		return a.db.Stage(block)
	}
	block.Write()
	return a.db.Stage(a.genesis)
}

// executeAll executes the block's admitted transactions in order.
func (a *App) executeAll(ctx *module.Ctx, block *judged) []*abci.ExecTxResult {
	results := make([]*abci.ExecTxResult, len(block.txs))
	for i, tx := range block.txs {
		if tx.err != nil {
			results[i] = txResult(nil, tx.err)
			continue
		}
		// The window is used outside the transaction's branch: a transaction
		// that fails cannot be played again. It is as after the whole block.
		windows.Set(ctx.Store, windows.Key().Bytes(tx.key[:]), block.windows[tx.key])
		results[i] = a.execute(ctx, tx)
	}
	a.checked.forget(block.txs)
	return results
}

// execute runs an envelope's messages on one branch: all or none.
func (a *App) execute(block *module.Ctx, tx judgedTx) *abci.ExecTxResult {
	var events []proto.Message
	ctx := module.NewCtx(block.Store, &events)
	ctx.ChainID, ctx.Height, ctx.TimeMs, ctx.PrevAppHash = block.ChainID, block.Height, block.TimeMs, block.PrevAppHash
	ctx.Route = block.Route
	ctx.Signer = module.Signer{Key: tx.envelope.Signer, Sequence: tx.envelope.Sequence, Account: tx.from.account}
	err := ctx.Atomic(func(ctx *module.Ctx) error {
		for i, m := range tx.msgs {
			ctx.MsgIndex = i
			if err := mayRun(m.route, ctx.Signer); err != nil {
				return fmt.Errorf("msgs[%d]: %w", i, err)
			}
			if err := m.route.Exec(ctx, m.msg); err != nil {
				return fmt.Errorf("msgs[%d]: %w", i, err)
			}
		}
		return nil
	})
	return txResult(events, err)
}

// mayRun checks the sender's role and state against the route.
func mayRun(route module.Route, signer module.Signer) error {
	if account := signer.Account; account != nil && account.Status != registryv1.Status_STATUS_ACTIVE && !route.WhileFrozen {
		return ErrNotActive.With("signer: account %s is %s", signer.Address(), account.Status)
	}
	if len(route.Roles) == 0 {
		return nil
	}
	for _, role := range route.Roles {
		if role == registryv1.Role_ROLE_AUTHORITY && signer.Authority {
			return nil
		}
		if signer.Account != nil && role != registryv1.Role_ROLE_AUTHORITY && slices.Contains(signer.Account.Roles, role) {
			return nil
		}
	}
	return ErrWrongRole.With("signer: %s needs one of the roles %v", route.Type, route.Roles)
}

// routeProposed executes a message that the authority approved.
func (a *App) routeProposed(ctx *module.Ctx, msg proto.Message) error {
	name := string(msg.ProtoReflect().Descriptor().FullName())
	route, ok := a.routes[name]
	if !ok {
		return ErrUnknownMessage.With("type: no message %q", name)
	}
	if err := route.Check(ctx.ChainID, msg); err != nil {
		return err
	}
	as := *ctx
	as.Signer.Account, as.Signer.Authority = nil, true
	if err := mayRun(route, as.Signer); err != nil {
		return err
	}
	return route.Exec(&as, msg)
}

// txResult is what of a transaction enters the results hash (code) and what
// does not (log, events).
func txResult(events []proto.Message, err error) *abci.ExecTxResult {
	if err == nil {
		var converted []abci.Event
		if converted, err = abciEvents(events); err == nil {
			return &abci.ExecTxResult{Events: converted}
		}
	}
	code := module.Code(err)
	return &abci.ExecTxResult{Code: code.Code, Codespace: code.Codespace, Log: err.Error()}
}

// abciEvents writes each event as its name and its encoding in base64, since the
// engine takes text for values. JSON would be readable in the engine's RPC, but
// took a tenth of a block's time and thrice the bytes that every node stores.
func abciEvents(events []proto.Message) ([]abci.Event, error) {
	converted := make([]abci.Event, 0, len(events))
	for _, event := range events {
		name := string(event.ProtoReflect().Descriptor().FullName())
		encoded, err := protocol.Marshal(event)
		if err != nil {
			return nil, fmt.Errorf("event %s: %w", name, err)
		}
		converted = append(converted, abci.Event{
			Type:       name,
			Attributes: []abci.EventAttribute{{Key: "proto", Value: base64.StdEncoding.EncodeToString(encoded)}},
		})
	}
	return converted, nil
}

// punish jails the aggregators that CometBFT caught at double signing.
func (a *App) punish(ctx *module.Ctx, found []abci.Misbehavior) {
	for _, m := range found {
		for account := range registry.Accounts(ctx.Store) {
			if len(account.ValidatorKey) == protocol.KeySize && string(validatorAddress(account.ValidatorKey)) == string(m.Validator.Address) {
				a.jail(ctx, protocol.Address(account.Account), m)
			}
		}
	}
}
