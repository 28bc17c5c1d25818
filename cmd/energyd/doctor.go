package main

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/units"
)

// Verdicts of doctor.
const (
	verdictOK   = "ok"
	verdictWarn = "warn"
	verdictFail = "fail"
)

// finding is one line of doctor.
type finding struct {
	Verdict string `json:"verdict"`
	What    string `json:"what"`
	Detail  string `json:"detail"`
	Todo    string `json:"todo,omitempty"`
}

func doctorCommand() *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check a node's home: modes, settings, genesis, databases, ports, disk, clock",
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := homeFlag(cmd)
			if err != nil {
				return err
			}
			findings := examine(h, time.Now())
			var lines []field
			failed := 0
			for _, f := range findings {
				text := f.What + ": " + f.Detail
				if f.Todo != "" {
					text += "; " + f.Todo
				}
				lines = append(lines, field{f.Verdict, text})
				if f.Verdict == verdictFail {
					failed++
				}
			}
			if err := print(cmd, output, findings, lines); err != nil {
				return err
			}
			if failed > 0 {
				return fail(exitError, fmt.Errorf("%d of %d checks failed", failed, len(findings)), "each line that says fail says what to do")
			}
			return nil
		},
	}
	outputFlag(cmd, &output)
	return cmd
}

// examine makes all checks. A check that needs what another one found broken
// is left out.
func examine(h home, now time.Time) []finding {
	findings := []finding{checked("modes", h.checkModes(), "only the owner can read keys and data")}
	_, validatorErr := h.validatorKey()
	_, nodeErr := h.nodeID()
	findings = append(findings, checked("keys", errors.Join(validatorErr, nodeErr, h.checkSigned()), "node and validator key can be read"))

	s, err := readSettings(h.settingsFile())
	findings = append(findings, checked("settings", err, h.settingsFile()))
	if err == nil {
		findings = append(findings, compareSettings(s)...)
	}
	g, err := readGenesis(h.genesisFile())
	if err == nil {
		err = g.validate()
	}
	findings = append(findings, checked("genesis", err, h.genesisFile()))
	if err == nil {
		findings = append(findings, checkMember(h, g))
	}
	running, lastBlock, database := checkDatabases(h)
	findings = append(findings, database)
	if s != nil && !running {
		findings = append(findings, checkPort("rpc.laddr", s.RPC.Laddr), checkPort("p2p.laddr", s.P2P.Laddr))
	}
	return append(findings, checkDisk(h), checkClock(now, g, lastBlock))
}

// checked turns an error into a finding.
func checked(what string, err error, fine string) finding {
	if err == nil {
		return finding{Verdict: verdictOK, What: what, Detail: fine}
	}
	found := finding{Verdict: verdictFail, What: what, Detail: strings.ReplaceAll(err.Error(), "\n", "; ")}
	if f, ok := errors.AsType[*failure](err); ok {
		found.Todo = f.todo
	}
	return found
}

// compareSettings names the measured settings that were changed.
func compareSettings(s *settings) []finding {
	want := recommended()
	var found []finding
	for _, setting := range []struct {
		field     string
		got, want any
	}{
		{"p2p.send_rate", s.P2P.SendRate, want.P2P.SendRate},
		{"p2p.recv_rate", s.P2P.RecvRate, want.P2P.RecvRate},
		{"p2p.flush_throttle_timeout", s.P2P.FlushThrottleTimeout, want.P2P.FlushThrottleTimeout},
		{"consensus.timeout_propose", s.Consensus.TimeoutPropose, want.Consensus.TimeoutPropose},
		{"consensus.peer_gossip_sleep_duration", s.Consensus.PeerGossipSleepDuration, want.Consensus.PeerGossipSleepDuration},
		{"mempool.size", s.Mempool.Size, want.Mempool.Size},
	} {
		if setting.got != setting.want {
			found = append(found, finding{verdictWarn, "settings", fmt.Sprintf("%s is %v, recommended is %v", setting.field, setting.got, setting.want), "see docs/adr/004-engine.md"})
		}
	}
	if host, _, err := net.SplitHostPort(strings.TrimPrefix(s.RPC.Laddr, "tcp://")); err == nil {
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			found = append(found, finding{verdictWarn, "settings", "rpc.laddr " + s.RPC.Laddr + " can be reached from outside and has no access control", "bind it to 127.0.0.1 and put a gateway in front"})
		}
	}
	return found
}

// checkMember says whether the node votes from the genesis on.
func checkMember(h home, g *genesis) finding {
	key, err := h.validatorKey()
	if err != nil {
		return checked("validator", err, "")
	}
	for _, account := range g.state.Registry.Accounts {
		if bytes.Equal(account.ValidatorKey, key) {
			return finding{verdictOK, "validator", fmt.Sprintf("votes with power %d from the genesis on", account.ValidatorPower), ""}
		}
	}
	return finding{verdictWarn, "validator", "this node's key is no aggregator's in the genesis file", "normal for a node that only follows, or that joined later"}
}

// checkDatabases opens what a node that is stopped left and compares heights.
func checkDatabases(h home) (running bool, lastBlock time.Time, f finding) {
	if _, err := os.Stat(h.stateDir()); errors.Is(err, os.ErrNotExist) {
		return false, time.Time{}, finding{verdictOK, "databases", "none yet: the node has not run", ""}
	}
	application, err := openApp(h, slog.New(slog.DiscardHandler))
	if errors.Is(err, errInUse) {
		return true, time.Time{}, finding{verdictWarn, "databases", "in use: the node runs", "stop it to have them checked, or ask energyd status"}
	}
	if err != nil {
		return false, time.Time{}, checked("databases", err, "")
	}
	defer func() { _ = application.Close() }() // nothing was written
	s, err := openStores(h)
	if err != nil {
		return false, time.Time{}, checked("databases", err, "")
	}
	defer func() { _ = s.close() }() // nothing was written
	at, err := s.heights(application)
	if err != nil {
		return false, time.Time{}, checked("databases", err, "")
	}
	if meta := s.blocks.LoadBlockMeta(at.blocks); meta != nil {
		lastBlock = meta.Header.Time
	}
	detail := fmt.Sprintf("blocks to height %d, engine state %d, application state %d", at.blocks, at.engine, at.app)
	switch {
	case at.app > at.blocks || at.engine > at.blocks:
		return false, lastBlock, finding{verdictFail, "databases", detail + ": state without its block", "restore data from a backup, or delete it and let the node sync"}
	case at.blocks-at.app > 1 || at.blocks-at.engine > 1:
		return false, lastBlock, finding{verdictWarn, "databases", detail, "the next start executes the missing blocks"}
	}
	return false, lastBlock, finding{verdictOK, "databases", detail, ""}
}

// checkPort tries to listen as the node would.
func checkPort(name, laddr string) finding {
	listener, err := net.Listen("tcp", strings.TrimPrefix(laddr, "tcp://"))
	if err != nil {
		return finding{verdictFail, "port", fmt.Sprintf("%s %s: %v", name, laddr, err), "stop what listens there or change " + name}
	}
	return checked("port", listener.Close(), name+" "+laddr+" is free")
}

// Free space in bytes: a chain grows by some GB a month.
const (
	diskWarn = 10 << 30
	diskFail = 1 << 30
)

func checkDisk(h home) finding {
	dir := string(h)
	for !exists(dir) && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return checked("disk", fmt.Errorf("%s: %w", dir, err), "")
	}
	free := int64(fs.Bavail) * int64(fs.Bsize)
	f := finding{verdictOK, "disk", units.FormatScaled(free/1_000_000, 3) + " GB free", ""}
	switch {
	case free < diskFail:
		f.Verdict, f.Todo = verdictFail, "make room: a node that cannot write stops"
	case free < diskWarn:
		f.Verdict, f.Todo = verdictWarn, "make room soon"
	}
	return f
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// checkClock compares the clock with what must lie in the past.
func checkClock(now time.Time, g *genesis, lastBlock time.Time) finding {
	past, what := lastBlock, "the last block"
	if past.IsZero() && g != nil {
		past, what = g.doc.GenesisTime, "the genesis"
	}
	if now.Before(past) {
		return finding{verdictFail, "clock", fmt.Sprintf("shows %s, before %s at %s", now.UTC().Format(time.RFC3339), what, past.UTC().Format(time.RFC3339)), "set it, by NTP for instance"}
	}
	return finding{verdictOK, "clock", now.UTC().Format(time.RFC3339), ""}
}
