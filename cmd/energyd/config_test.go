package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestSettingsRoundTrip(t *testing.T) {
	s := recommended()
	s.Moniker, s.LogLevel = `node "one" \ ü`, "debug"
	s.RPC.Laddr, s.P2P.Laddr = "tcp://127.0.0.1:1", "tcp://[::]:2"
	s.P2P.ExternalAddress, s.P2P.PersistentPeers, s.P2P.UnconditionalPeerIDs = "a:3", "id@b:4,id@c:5", "id"
	s.P2P.AllowDuplicateIP = true
	s.P2P.SendRate, s.P2P.RecvRate, s.P2P.FlushThrottleTimeout = 6, 7, 8*time.Millisecond
	s.Mempool.Size, s.Mempool.MaxTxsBytes, s.Mempool.CacheSize = 9, 10, 11
	s.Consensus.TimeoutPropose, s.Consensus.TimeoutCommit, s.Consensus.PeerGossipSleepDuration = time.Second+time.Millisecond, time.Minute, time.Microsecond
	for _, want := range []*settings{recommended(), s} {
		got, err := readSettings(writeFile(t, want.text()))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("settings changed on the way (-want +got):\n%s", diff)
		}
	}
}

func TestReadSettings(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"", ""},
		{"[consensus]\ntimeout_commit = \"2s\"\n", ""},
		{"moniker = \"a\"\nmoniker = \"b\"\n", "line 2"},
		{"[p2p]\nsend_rate = \"fast\"\n", "send_rate"},
		{"[p2p\n", "column 5"},
		{"[p2p]\npex = true\n", "field p2p.pex: no such setting"},
		{"moniker = \"\"\n", "field moniker: expected a name"},
		{"log_level = \"loud\"\n", "field log_level: expected debug, info, warn or error"},
		{"[rpc]\nladdr = \"127.0.0.1:1\"\n", "field rpc.laddr: expected tcp://host:port"},
		{"[mempool]\nsize = 0\n", "field mempool.size: expected more than 0, got 0"},
		{"[consensus]\ntimeout_propose = \"-1s\"\n", "field consensus.timeout_propose: expected more than 0"},
		{"[consensus]\ntimeout_propose = \"soon\"\n", "line 2"},
	} {
		_, err := readSettings(writeFile(t, tc.text))
		if tc.want == "" {
			if err != nil {
				t.Errorf("%q: %v", tc.text, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.want) || exitCode(err) != exitUsage {
			t.Errorf("%q: got %v, want an error of usage that contains %q", tc.text, err, tc.want)
		}
	}
}

func TestEngineConfig(t *testing.T) {
	s := recommended()
	s.P2P.PersistentPeers = "id@host:1"
	c, err := engineConfig("/x", s)
	if err != nil {
		t.Fatal(err)
	}
	if c.P2P.SendRate != 200_000_000 || c.P2P.FlushThrottleTimeout != time.Millisecond || c.P2P.PexReactor || c.P2P.PersistentPeers != "id@host:1" {
		t.Errorf("p2p: %+v", c.P2P)
	}
	if c.Consensus.TimeoutPropose != 500*time.Millisecond || c.Consensus.PeerGossipSleepDuration != 5*time.Millisecond || c.Consensus.WaitForTxs() {
		t.Errorf("consensus: %+v", c.Consensus)
	}
	if c.TxIndex.Indexer != "null" || c.Mempool.Type != "flood" || !c.Mempool.Recheck || c.Mempool.Size != 20_000 || c.DBBackend != "goleveldb" {
		t.Errorf("tx_index %+v, mempool %+v, db %s", c.TxIndex, c.Mempool, c.DBBackend)
	}
	params := consensusParams()
	if err := params.ValidateBasic(); err != nil || params.Block.MaxBytes != -1 {
		t.Errorf("consensus parameters: %v, max_bytes %d", err, params.Block.MaxBytes)
	}
}

func writeFile(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
