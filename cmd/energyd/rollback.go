package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	abci "github.com/cometbft/cometbft/abci/types"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/state"
	"github.com/cometbft/cometbft/store"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/app"
)

// stores are the engine's databases of a stopped node. CometBFT's own helpers
// that open them end the process on errors, so they are opened here.
type stores struct {
	blocks *store.BlockStore
	state  state.Store
}

// openStores opens the databases of a node that ran before and is stopped.
func openStores(h home) (*stores, error) {
	config := cfg.DefaultConfig().SetRoot(string(h))
	for _, name := range []string{"blockstore.db", "state.db"} {
		if _, err := os.Stat(filepath.Join(h.dataDir(), name)); errors.Is(err, fs.ErrNotExist) {
			return nil, fail(exitUsage, err, "this home has no blocks: start the node first, or name another --home")
		}
	}
	blocks, err := openEngineDB(&cfg.DBContext{ID: "blockstore", Config: config})
	if err != nil {
		return nil, fail(exitError, fmt.Errorf("%s: blocks: %w", h, err), "stop the node that runs there")
	}
	states, err := openEngineDB(&cfg.DBContext{ID: "state", Config: config})
	if err != nil {
		return nil, errors.Join(fail(exitError, fmt.Errorf("%s: engine state: %w", h, err), "stop the node that runs there"), blocks.Close())
	}
	return &stores{
		blocks: store.NewBlockStore(blocks),
		state:  state.NewStore(states, state.StoreOptions{}),
	}, nil
}

func (s *stores) close() error { return errors.Join(s.blocks.Close(), s.state.Close()) }

// heights are how far the three databases of a home are.
type heights struct{ blocks, engine, app int64 }

func (s *stores) heights(application *app.App) (heights, error) {
	engine, err := s.state.Load()
	if err != nil {
		return heights{}, fmt.Errorf("engine state: %w", err)
	}
	info, err := application.Info(context.Background(), &abci.RequestInfo{})
	if err != nil {
		return heights{}, fmt.Errorf("application state: %w", err)
	}
	return heights{blocks: s.blocks.Height(), engine: engine.LastBlockHeight, app: info.LastBlockHeight}, nil
}

func rollbackCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback",
		Short: "Take back the last block's effect on a stopped node, which executes it again when started",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			h, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			stores, err := openStores(h)
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, stores.close()) }()
			application, err := openApp(h, slog.New(slog.DiscardHandler))
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, application.Close()) }()
			height, root, err := rollback(stores, application)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "state is at height %d, app hash %X; energyd start executes block %d again\n", height, root, height+1)
			return err
		},
	}
}

// rollback takes engine and application back to the height before the last
// block, which stays in the block store: the validator signed it and must not
// sign another one. The application goes first, so that after an interruption
// the same command completes the work.
func rollback(s *stores, application *app.App) (int64, []byte, error) {
	at, err := s.heights(application)
	if err != nil {
		return 0, nil, err
	}
	target := at.blocks - 1
	if target < 1 {
		return 0, nil, fail(exitError, fmt.Errorf("rollback: the node has %d blocks, expected at least 2", at.blocks), "a chain that young is begun anew: delete data")
	}
	if at.app > target+1 || at.app < target || at.engine > target+1 || at.engine < target {
		return 0, nil, fail(exitError, fmt.Errorf("rollback: blocks end at %d, engine state at %d, application state at %d: expected them at most one apart", at.blocks, at.engine, at.app), "start the node, which repairs what can be repaired")
	}
	if at.app == target && at.engine == target {
		return 0, nil, fail(exitError, fmt.Errorf("rollback: block %d is taken back already", at.blocks), "energyd start executes it again")
	}
	if at.app > target {
		if _, _, err := application.Rollback(); err != nil {
			return 0, nil, fmt.Errorf("application: %w", err)
		}
	}
	height, root, err := state.Rollback(s.blocks, s.state, false)
	if err != nil {
		return 0, nil, fmt.Errorf("engine: %w", err)
	}
	info, err := application.Info(context.Background(), &abci.RequestInfo{})
	if err != nil {
		return 0, nil, err
	}
	if info.LastBlockHeight != height || string(info.LastBlockAppHash) != string(root) {
		return 0, nil, fail(exitError, fmt.Errorf("rollback: engine is at height %d with app hash %X, application at %d with %X", height, root, info.LastBlockHeight, info.LastBlockAppHash),
			"restore this home from a backup, or delete data and let the node sync")
	}
	return height, root, nil
}
