package app

import (
	"bytes"
	"slices"
	"sync"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// rules are what all transactions judged against one state have in common.
type rules struct {
	chainID   string
	params    *registryv1.Params
	authority *registryv1.Authority
}

// rulesOf returns the rules of a state at a block time.
func rulesOf(r state.Reader, timeMs int64) *rules {
	return &rules{
		chainID:   registry.ChainOf(r).ChainId,
		params:    registry.ParamsNow(r, timeMs),
		authority: registry.AuthorityOf(r),
	}
}

// isAuthority says whether key is one of the authority's.
func (r *rules) isAuthority(key []byte) bool {
	return slices.ContainsFunc(r.authority.Keys, func(own []byte) bool { return bytes.Equal(own, key) })
}

// latestRules keeps the rules by which CheckTx judges: those of the latest
// committed state, read once for the many transactions between two blocks.
type latestRules struct {
	mu     sync.Mutex
	height int64
	rules  *rules
}

// of returns the rules of a view of the latest state.
func (l *latestRules) of(view *state.View) (*rules, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.rules != nil && l.height == view.Height() {
		return l.rules, nil
	}
	latest, ok := head.Get(view)
	if !ok {
		return nil, ErrNotReady.With("transaction: the chain has no block yet, send it again")
	}
	l.height, l.rules = view.Height(), rulesOf(view, latest.TimeMs)
	return l.rules, nil
}
