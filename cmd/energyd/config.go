package main

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// settings is config.toml: what an operator may change. The keys are those of
// CometBFT; what is missing here is fixed in engine.go.
type settings struct {
	Moniker  string `toml:"moniker"`
	LogLevel string `toml:"log_level"`
	RPC      struct {
		Laddr string `toml:"laddr"`
	} `toml:"rpc"`
	P2P struct {
		Laddr                string        `toml:"laddr"`
		ExternalAddress      string        `toml:"external_address"`
		PersistentPeers      string        `toml:"persistent_peers"`
		UnconditionalPeerIDs string        `toml:"unconditional_peer_ids"`
		AllowDuplicateIP     bool          `toml:"allow_duplicate_ip"`
		SendRate             int64         `toml:"send_rate"`
		RecvRate             int64         `toml:"recv_rate"`
		FlushThrottleTimeout time.Duration `toml:"flush_throttle_timeout"`
	} `toml:"p2p"`
	Mempool struct {
		Size        int   `toml:"size"`
		MaxTxsBytes int64 `toml:"max_txs_bytes"`
		CacheSize   int   `toml:"cache_size"`
	} `toml:"mempool"`
	Consensus struct {
		TimeoutPropose          time.Duration `toml:"timeout_propose"`
		TimeoutCommit           time.Duration `toml:"timeout_commit"`
		PeerGossipSleepDuration time.Duration `toml:"peer_gossip_sleep_duration"`
	} `toml:"consensus"`
}

// recommended returns the settings that init writes, measured in
// docs/adr/004-engine.md.
func recommended() *settings {
	s := &settings{Moniker: "energyd", LogLevel: "info"}
	s.RPC.Laddr = "tcp://127.0.0.1:26657"
	s.P2P.Laddr = "tcp://0.0.0.0:26656"
	s.P2P.SendRate, s.P2P.RecvRate = 200_000_000, 200_000_000
	s.P2P.FlushThrottleTimeout = time.Millisecond
	s.Mempool.Size, s.Mempool.MaxTxsBytes, s.Mempool.CacheSize = 20_000, 64<<20, 40_000
	s.Consensus.TimeoutPropose = 500 * time.Millisecond
	s.Consensus.TimeoutCommit = time.Second
	s.Consensus.PeerGossipSleepDuration = 5 * time.Millisecond
	return s
}

// settingsText is config.toml as init writes it.
const settingsText = `# Settings of this node. Keys mean what they mean to CometBFT; those that are not
# here are fixed by energyd (docs/adr/004-engine.md). Times are "500ms" or "1s".

# Name of this node, for people.
moniker = %q
# debug, info, warn or error; the engine's messages count one level lower.
log_level = %q

[rpc]
# Has no access control: keep it on loopback and put a gateway in front.
laddr = %q

[p2p]
laddr = %q
# Address at which peers reach this node, if it is not laddr.
external_address = %q
# Nodes to stay connected with: id@host:port, separated by commas.
persistent_peers = %q
# Ids of nodes that are let in even when all places are taken.
unconditional_peer_ids = %q
# Several nodes on one machine need it.
allow_duplicate_ip = %t
# Bytes a second for each peer.
send_rate = %d
recv_rate = %d
flush_throttle_timeout = %q

[mempool]
# Pending transactions: number, bytes, and hashes remembered.
size = %d
max_txs_bytes = %d
cache_size = %d

[consensus]
# How long a proposer may stay silent before the next one is asked.
timeout_propose = %q
# Pause after each block; blocks come about this often.
timeout_commit = %q
peer_gossip_sleep_duration = %q
`

// text writes the settings as config.toml.
func (s *settings) text() string {
	return fmt.Sprintf(settingsText, s.Moniker, s.LogLevel, s.RPC.Laddr, s.P2P.Laddr, s.P2P.ExternalAddress,
		s.P2P.PersistentPeers, s.P2P.UnconditionalPeerIDs, s.P2P.AllowDuplicateIP, s.P2P.SendRate, s.P2P.RecvRate,
		s.P2P.FlushThrottleTimeout, s.Mempool.Size, s.Mempool.MaxTxsBytes, s.Mempool.CacheSize,
		s.Consensus.TimeoutPropose, s.Consensus.TimeoutCommit, s.Consensus.PeerGossipSleepDuration)
}

// readSettings reads a config.toml. A setting left out keeps its recommended
// value; one that does not exist is an error.
func readSettings(file string) (*settings, error) {
	s := recommended()
	meta, err := toml.DecodeFile(file, s)
	if parse, ok := errors.AsType[toml.ParseError](err); ok {
		return nil, fail(exitUsage, fmt.Errorf("%s: line %d column %d: %s", file, parse.Position.Line, parse.Position.Col, parse.Message), "correct the file")
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fail(exitUsage, err, "make a home with energyd init")
	}
	if err != nil {
		return nil, fail(exitUsage, fmt.Errorf("%s: %w", file, err), "correct the file")
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fail(exitUsage, fmt.Errorf("%s: field %s: no such setting", file, unknown[0]), "remove it; the settings that exist are in docs/adr/004-engine.md")
	}
	if err := s.validate(); err != nil {
		return nil, fail(exitUsage, fmt.Errorf("%s: %w", file, err), "correct the file")
	}
	return s, nil
}

func (s *settings) validate() error {
	if s.Moniker == "" {
		return errors.New("field moniker: expected a name, got none")
	}
	if _, err := logLevel(s.LogLevel); err != nil {
		return fmt.Errorf("field log_level: %w", err)
	}
	for _, address := range []struct{ field, value string }{{"rpc.laddr", s.RPC.Laddr}, {"p2p.laddr", s.P2P.Laddr}} {
		if u, err := url.Parse(address.value); err != nil || u.Scheme != "tcp" || u.Port() == "" {
			return fmt.Errorf("field %s: expected tcp://host:port, got %q", address.field, address.value)
		}
	}
	for _, number := range []struct {
		field string
		value int64
	}{
		{"p2p.send_rate", s.P2P.SendRate},
		{"p2p.recv_rate", s.P2P.RecvRate},
		{"p2p.flush_throttle_timeout", int64(s.P2P.FlushThrottleTimeout)},
		{"mempool.size", int64(s.Mempool.Size)},
		{"mempool.max_txs_bytes", s.Mempool.MaxTxsBytes},
		{"mempool.cache_size", int64(s.Mempool.CacheSize)},
		{"consensus.timeout_propose", int64(s.Consensus.TimeoutPropose)},
		{"consensus.timeout_commit", int64(s.Consensus.TimeoutCommit)},
		{"consensus.peer_gossip_sleep_duration", int64(s.Consensus.PeerGossipSleepDuration)},
	} {
		if number.value <= 0 {
			return fmt.Errorf("field %s: expected more than 0, got %d", number.field, number.value)
		}
	}
	return nil
}

func logLevel(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "debug":
		return slog.LevelDebug, nil
	case "info":
		return slog.LevelInfo, nil
	case "warn":
		return slog.LevelWarn, nil
	case "error":
		return slog.LevelError, nil
	}
	return 0, fmt.Errorf("expected debug, info, warn or error, got %q", name)
}

// newFile writes a file that must not exist yet, readable by its owner only.
func newFile(name string, data []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	return errors.Join(err, file.Sync(), file.Close())
}
