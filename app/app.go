// Package app is the ABCI application: it turns blocks into state. One file a
// phase; admit.go is the one function that decides what may be in a block.
//
// Reading order: wire.go (which modules, which hooks, in which order), then
// finalize_block.go (what a block does), then one msg_*.go of a module.
package app

import (
	"context"
	"fmt"
	"log/slog"

	abci "github.com/cometbft/cometbft/abci/types"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// Version of the application protocol, in every block header.
const Version = 1

// ErrLocked is returned by Open when another process has the state open.
var ErrLocked = state.ErrLocked

// Options say where the state lives and where log lines go.
type Options struct {
	// Dir is the folder of the state database; empty keeps it in memory.
	Dir    string
	Logger *slog.Logger
}

// App implements abci.Application. CometBFT calls it on four connections;
// everything that one connection writes and another reads is either an
// immutable view of committed state or guarded in outcomes.go, pending.go, rules.go and
// verify.go.
type App struct {
	abci.BaseApplication

	db       *state.DB
	modules  []module.Module
	routes   map[string]module.Route
	queries  map[string]module.Query
	checked  *checkedCache
	pending  *pending
	latest   latestRules
	log      *slog.Logger
	outcomes outcomes

	// genesis is the state of InitChain, which the first block's Commit
	// stores; nil afterwards. Only the consensus connection touches it.
	genesis *state.Branch
	// staged is the height that FinalizeBlock staged and Commit stores.
	staged int64
	// accepted is the proposal that this node accepted last, until it is executed or
	// another block is.
	accepted *judged
}

// State tables of the application itself.
var (
	// windows holds the replay window of each key, by the key's address.
	windows = state.NewMap[txv1.Window](protocol.ModuleApp, 1)
	// head is the height and time of the latest block.
	head = state.NewItem[txv1.Head](protocol.ModuleApp, 2)
)

// Open opens the application on its database.
func Open(options Options) (*App, error) {
	db := state.OpenMemory()
	if options.Dir != "" {
		var err error
		if db, err = state.Open(options.Dir, state.Options{}); err != nil {
			return nil, fmt.Errorf("open state: %w", err)
		}
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	a := &App{
		db:      db,
		modules: modules(),
		routes:  make(map[string]module.Route),
		queries: make(map[string]module.Query),
		checked: newCheckedCache(),
		pending: newPending(),
		log:     options.Logger,
	}
	a.wire()
	return a, nil
}

// Close closes the database; call it once CometBFT no longer calls the app.
func (a *App) Close() error { return a.db.Close() }

// Info tells CometBFT the last committed height and root.
func (a *App) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	height, root := a.db.Version()
	info := &abci.ResponseInfo{Data: "energyd", AppVersion: Version, LastBlockHeight: height}
	if height > 0 {
		info.LastBlockAppHash = root
	}
	return info, nil
}

// base returns what a proposal or a block is judged against: the committed
// state, or that of genesis before the first block.
func (a *App) base() (state.Reader, error) {
	if a.genesis != nil {
		return a.genesis, nil
	}
	view, err := a.db.View(0)
	if err != nil {
		return nil, fmt.Errorf("read committed state: %w", err)
	}
	return view, nil
}
