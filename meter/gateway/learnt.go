package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"github.com/energyd/energyd/protocol"
)

// maxLearnt is how many nodes a gateway learns: the first ones of the chain's
// answer.
const maxLearnt = 64

// learnt is what the chain said last. It is kept on disk, so that a gateway
// which starts while its own node is away knows others, and signs as often as it
// did.
type learnt struct {
	ChainID   string `json:"chain_id"`
	PeriodMs  int64  `json:"period_length_ms"`
	ReadingMs int64  `json:"reading_interval_ms"` // 0: the chain does not ask
	UploadMs  int64  `json:"upload_interval_ms"`  // 0: at once
	// Nodes are endpoints of the chain's aggregators.
	Nodes []string `json:"nodes"`
}

func learntFile(home string) string { return filepath.Join(home, "chain.json") }

// readLearnt returns what was kept of a chain. What is damaged, open to others
// or of another chain is an error and is not used: the chain says it again.
func readLearnt(path, chainID string) (*learnt, error) {
	l := new(learnt)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return l, err
	}
	if mode := info.Mode().Perm(); mode&0o022 != 0 {
		return l, fmt.Errorf("%s has mode %04o: others may change it, expected 0600", path, mode)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return l, err
	}
	found := new(learnt)
	if err := json.Unmarshal(data, found); err != nil {
		return l, fmt.Errorf("%s is damaged: %w", path, err)
	}
	if found.ChainID != chainID {
		return l, fmt.Errorf("%s is of chain %q, expected chain_id %q", path, found.ChainID, chainID)
	}
	return found.sound(), nil
}

// sound drops what the chain would have refused, whoever said it: a node may
// lie, and a file may be edited.
func (l *learnt) sound() *learnt {
	s := &learnt{ChainID: l.ChainID}
	if l.PeriodMs > 0 && l.PeriodMs <= (24*time.Hour).Milliseconds() {
		s.PeriodMs = l.PeriodMs
	}
	if ms := l.ReadingMs; ms >= 1000 && ms <= s.PeriodMs && s.PeriodMs%ms == 0 && s.PeriodMs/ms <= 1000 {
		s.ReadingMs = ms
	}
	if l.UploadMs > 0 {
		s.UploadMs = min(l.UploadMs, s.PeriodMs/2)
	}
	for _, node := range l.Nodes {
		if protocol.CheckEndpoint(node) == nil && !slices.Contains(s.Nodes, node) && len(s.Nodes) < maxLearnt {
			s.Nodes = append(s.Nodes, node)
		}
	}
	return s
}

// learn takes over what the chain says, from the next poll and the next sending
// on, and keeps it.
func (g *Gateway) learn(found *learnt) {
	found = found.sound()
	if reflect.DeepEqual(found, g.learnt.Load()) {
		return
	}
	g.learnt.Store(found)
	g.good.Store(nil) // some may be gone
	g.log.Info("the chain says", "period", inMs(found.PeriodMs), "reading interval", inMs(found.ReadingMs),
		"upload interval", inMs(found.UploadMs), "nodes", len(found.Nodes))
	data, err := json.MarshalIndent(found, "", "  ")
	if err == nil {
		err = replaceFile(learntFile(g.options.Home), append(data, '\n'))
	}
	if err != nil {
		g.log.Warn("what the chain says is not kept for the next start", "error", err)
	}
}

// nodes returns the addresses of nodes, the configured ones first.
func (g *Gateway) nodes() []string {
	all := slices.Clone(g.config().Nodes)
	if !g.config().Discover {
		return all
	}
	for _, node := range g.learnt.Load().Nodes {
		if !slices.Contains(all, node) {
			all = append(all, node)
		}
	}
	return all
}

// replaceFile writes a file that is there as a whole or as it was before.
func replaceFile(path string, data []byte) error {
	made, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = made.Write(data)
	if err = errors.Join(err, made.Sync(), made.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
