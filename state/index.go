package state

import "sync"

// index has the leaves of the last committed tree by key: to descend the tree costs
// ten times as much, and nearly every read of a block and of what waits for one is
// of the last height. Only the writer changes it, and so reads it without the lock.
type index struct {
	mu     sync.RWMutex
	of     *View            // whose leaves these are, nil once closed
	leaves map[string]*leaf // nil once closed
}

// find returns the leaf of a key of v, nil if it has none. It does not know if v is
// not the last committed height.
func (i *index) find(v *View, key []byte) (found *leaf, known bool) {
	if i == nil { // a view that is not of a database
		return nil, false
	}
	i.mu.RLock()
	defer i.mu.RUnlock()
	if i.of != v {
		return nil, false
	}
	return i.leaves[string(key)], true
}

// update makes it the index of v, to which the updates of the tree before led.
func (i *index) update(v *View, ups []update) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for j := range ups {
		switch u := &ups[j]; {
		case u.idle():
		case u.leaf == nil:
			delete(i.leaves, u.old.key)
		default:
			i.leaves[u.leaf.key] = u.leaf
		}
	}
	i.of = v
}

func (i *index) close() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.of, i.leaves = nil, nil
}
