package main

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	cfg "github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/types"

	"github.com/energyd/energyd/app"
)

// engineConfig is CometBFT's configuration: the node's settings, the values
// fixed here, and CometBFT's own defaults for the rest (docs/adr/004-engine.md).
func engineConfig(h home, s *settings) (*cfg.Config, error) {
	c := cfg.DefaultConfig().SetRoot(string(h))
	c.Moniker = s.Moniker
	// The peer filter needs the registry's list of nodes, which does not exist yet.
	c.FilterPeers = false

	c.RPC.ListenAddress = s.RPC.Laddr

	c.P2P.ListenAddress = s.P2P.Laddr
	c.P2P.ExternalAddress = s.P2P.ExternalAddress
	c.P2P.PersistentPeers = s.P2P.PersistentPeers
	c.P2P.UnconditionalPeerIDs = s.P2P.UnconditionalPeerIDs
	c.P2P.AllowDuplicateIP = s.P2P.AllowDuplicateIP
	c.P2P.SendRate, c.P2P.RecvRate = s.P2P.SendRate, s.P2P.RecvRate
	c.P2P.FlushThrottleTimeout = s.P2P.FlushThrottleTimeout
	// Members are named by the operator, never learnt from strangers.
	c.P2P.PexReactor = false
	c.P2P.AddrBookStrict = false

	c.Mempool.Type = cfg.MempoolTypeFlood
	c.Mempool.Recheck = true
	c.Mempool.Size = s.Mempool.Size
	c.Mempool.MaxTxsBytes = s.Mempool.MaxTxsBytes
	c.Mempool.CacheSize = s.Mempool.CacheSize

	c.Consensus.TimeoutPropose = s.Consensus.TimeoutPropose
	c.Consensus.TimeoutCommit = s.Consensus.TimeoutCommit
	c.Consensus.PeerGossipSleepDuration = s.Consensus.PeerGossipSleepDuration
	// A round whose proposer is dead ends with votes for nothing, after which
	// CometBFT waits timeout_precommit for others: its default of 1 s costs more
	// than the proposer's silence. Later rounds wait longer by themselves.
	c.Consensus.TimeoutPrevote = 250 * time.Millisecond
	c.Consensus.TimeoutPrecommit = 250 * time.Millisecond
	// Gates, rounds and deadlines are acted on by the first block past them, so
	// blocks must come also when nobody sends anything.
	c.Consensus.CreateEmptyBlocks = true
	c.Consensus.CreateEmptyBlocksInterval = 0

	c.TxIndex.Indexer = "null"
	if err := c.ValidateBasic(); err != nil {
		return nil, fmt.Errorf("%s: %w", h.settingsFile(), err)
	}
	return c, nil
}

// consensusParams are the engine's part of the genesis file. The application
// keeps its own limit on block size: with -1 the engine hands over every
// pending transaction, so that lanes can be filled in their order (DESIGN 5).
func consensusParams() *types.ConsensusParams {
	params := types.DefaultConsensusParams()
	params.Block.MaxBytes = -1
	params.Block.MaxGas = -1
	// A piece of evidence is about 1 kB and one per validator and height is all
	// that honest nodes can produce.
	params.Evidence.MaxBytes = 64 << 10
	// CometBFT's rollback takes the version that block headers carry from here,
	// everything else from what the application says of itself.
	params.Version.App = app.Version
	return params
}

// consensusFailure is the message with which CometBFT's consensus gives up for
// good while the rest of the process goes on.
const consensusFailure = "CONSENSUS FAILURE!!!"

// engineLog passes the engine's messages on to slog, one level lower: what the
// engine calls information is of interest only when looking for a fault.
type engineLog struct {
	logger *slog.Logger
	// failed is called with the engine's last words, see consensusFailure.
	failed func(cause string)
	// stopping ends when the node is told to stop: what the engine then calls
	// errors are connections closing.
	stopping <-chan struct{}
}

var _ log.Logger = engineLog{}

func (l engineLog) Debug(string, ...any) {}

func (l engineLog) Info(msg string, keyvals ...any) { l.logger.Debug(msg, keyvals...) }

// Warn counts as information. CometBFT 0.38 has no such level.
func (l engineLog) Warn(msg string, keyvals ...any) { l.logger.Info(msg, keyvals...) }

func (l engineLog) Error(msg string, keyvals ...any) {
	if msg != consensusFailure {
		level := slog.LevelWarn
		select {
		case <-l.stopping:
			level = slog.LevelDebug
		default:
		}
		l.logger.Log(context.Background(), level, msg, keyvals...)
		return
	}
	l.logger.Error(msg, keyvals...)
	cause := msg
	if len(keyvals) > 1 {
		cause = fmt.Sprint(keyvals[1])
	}
	l.failed(cause)
}

func (l engineLog) With(keyvals ...any) log.Logger {
	l.logger = l.logger.With(keyvals...)
	return l
}

// failureContext returns a context that ends when the engine gives up, and the
// function for engineLog.failed.
func failureContext(parent context.Context) (context.Context, func(cause string)) {
	ctx, cancel := context.WithCancelCause(parent)
	return ctx, func(cause string) { cancel(fmt.Errorf("consensus stopped: %s", cause)) }
}
