package app

import (
	"sync"

	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

// pending counts the transactions of each key and lane in this node's mempool,
// so that no key fills it. CometBFT rechecks all that is left after a block,
// which counts it anew.
type pending struct {
	mu     sync.Mutex
	counts map[pendingKey]int64
}

type pendingKey struct {
	key  protocol.Address
	lane module.Lane
}

func newPending() *pending { return &pending{counts: make(map[pendingKey]int64)} }

// add counts one more, unless there are limit already.
func (p *pending) add(key protocol.Address, lane module.Lane, limit int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := pendingKey{key, lane}
	if p.counts[at] >= limit {
		return false
	}
	p.counts[at]++
	return true
}

// reset forgets the counts; the mempool is locked and about to be rechecked.
func (p *pending) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.counts)
}
