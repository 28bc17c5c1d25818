package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"

	abci "github.com/cometbft/cometbft/abci/types"
	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/spf13/cobra"

	"github.com/energyd/energyd/app"
)

func startCommand() *cobra.Command {
	var override settings
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run the node until SIGINT or SIGTERM",
		Long: "Run the node until SIGINT or SIGTERM. Flags take precedence over config.toml.\n" +
			"A node that stopped for any reason, kill -9 and power loss included, is simply started again.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			if err := h.checkModes(); err != nil {
				return err
			}
			s, err := readSettings(h.settingsFile())
			if err != nil {
				return err
			}
			s.take(cmd, &override)
			if err := s.validate(); err != nil {
				return fail(exitUsage, err, "correct the flag")
			}
			level, err := logLevel(s.LogLevel)
			if err != nil {
				return err
			}
			logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
			return runNode(cmd.Context(), h, s, logger)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&override.RPC.Laddr, "rpc-laddr", "", "address of the RPC, tcp://host:port")
	flags.StringVar(&override.P2P.Laddr, "p2p-laddr", "", "address for peers, tcp://host:port")
	flags.StringVar(&override.P2P.PersistentPeers, "persistent-peers", "", "nodes to stay connected with: id@host:port, ...")
	flags.StringVar(&override.LogLevel, "log-level", "", "debug, info, warn or error")
	return cmd
}

// take copies the settings that flags were given for.
func (s *settings) take(cmd *cobra.Command, override *settings) {
	for _, flag := range []struct {
		name     string
		to, from *string
	}{
		{"rpc-laddr", &s.RPC.Laddr, &override.RPC.Laddr},
		{"p2p-laddr", &s.P2P.Laddr, &override.P2P.Laddr},
		{"persistent-peers", &s.P2P.PersistentPeers, &override.P2P.PersistentPeers},
		{"log-level", &s.LogLevel, &override.LogLevel},
	} {
		if cmd.Flags().Changed(flag.name) {
			*flag.to = *flag.from
		}
	}
}

// runNode runs application and engine in this process until ctx ends or
// consensus fails.
func runNode(ctx context.Context, h home, s *settings, logger *slog.Logger) (err error) {
	config, err := engineConfig(h, s)
	if err != nil {
		return err
	}
	g, err := readGenesis(h.genesisFile())
	if err != nil {
		return err
	}
	application, err := openApp(h, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, application.Close()) }()
	if info, err := application.Info(ctx, &abci.RequestInfo{}); err != nil {
		return err
	} else if info.LastBlockHeight == 0 {
		// The chain is about to begin here: better a clear word than a dump.
		if err := g.validate(); err != nil {
			return fail(exitUsage, fmt.Errorf("%s: %w", h.genesisFile(), err), "correct the file; every node of a chain needs the same one")
		}
	}

	ctx, failed := failureContext(ctx)
	engine, err := newEngine(ctx, h, config, application, engineLog{logger: logger, failed: failed, stopping: ctx.Done()})
	if err != nil {
		return err
	}
	if err := engine.Start(); err != nil {
		// CometBFT does not wrap the system's error.
		if strings.Contains(err.Error(), syscall.EADDRINUSE.Error()) {
			return fail(exitError, err, "another program listens there: stop it or change rpc.laddr or p2p.laddr in %s", h.settingsFile())
		}
		return fmt.Errorf("start: %w", err)
	}
	id, _ := h.nodeID()
	logger.Info("node started", "home", h, "id", id, "rpc", config.RPC.ListenAddress, "p2p", config.P2P.ListenAddress)

	<-ctx.Done()
	logger.Info("stopping", "cause", context.Cause(ctx))
	if err := engine.Stop(); err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	engine.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return fail(exitError, cause, "run energyd doctor; the chain halts rather than forks")
	}
	return nil
}

// errInUse is returned when another process runs on the same home.
var errInUse = errors.New("another process uses this home")

// openApp opens the application's state, which also keeps a second process out
// of this home.
func openApp(h home, logger *slog.Logger) (*app.App, error) {
	application, err := app.Open(app.Options{Dir: h.stateDir(), Logger: logger})
	if errors.Is(err, app.ErrLocked) {
		return nil, fail(exitError, fmt.Errorf("%s: %w", h, errInUse), "stop the node that runs there")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", h.stateDir(), err)
	}
	return application, nil
}

// newEngine replays what the application missed and returns a node that has
// not been started. CometBFT's stores belong to it; Stop closes them.
func newEngine(ctx context.Context, h home, config *cfg.Config, application *app.App, logger engineLog) (*node.Node, error) {
	nodeKey, err := p2p.LoadNodeKey(h.nodeKeyFile())
	if err != nil {
		return nil, err
	}
	if _, err := h.validatorKey(); err != nil {
		return nil, err
	}
	if err := h.checkSigned(); err != nil {
		return nil, err
	}
	engine, err := node.NewNodeWithContext(ctx, config,
		privval.LoadFilePV(h.validatorFile(), h.signedFile()), nodeKey,
		proxy.NewConnSyncLocalClientCreator(application),
		node.DefaultGenesisDocProviderFunc(config), openEngineDB,
		node.DefaultMetricsProvider(config.Instrumentation), logger)
	if err != nil {
		return nil, fmt.Errorf("engine: %w", err)
	}
	return engine, nil
}
