package state

import (
	"bytes"
	"fmt"
	"iter"
	"strings"

	"github.com/google/btree"
)

// change is one entry of a branch; a nil value is a deletion.
type change struct {
	key   string
	value []byte
}

func changeLess(a, b change) bool { return a.key < b.key }

// btreeDegree is the fan-out of a branch's tree: wide enough to be flat for a
// block's thousands of changes.
const btreeDegree = 16

// nodes are those of branches that were written or discarded, for the next ones:
// a block makes a branch for each transaction. Any number may share the list.
var nodes = btree.NewFreeListG[change](4096)

// Branch is a Store that keeps its changes to itself until they are written to
// the parent or discarded. It is used by one goroutine at a time, and so is its
// parent while it has branches.
type Branch struct {
	base   Reader
	parent Store // nil for a branch of the database, which DB.Stage takes
	// The changes twice: in order for ranges, hashed for the many reads of a
	// block, most of which find nothing.
	dirty  *btree.BTreeG[change]
	values map[string][]byte
}

// NewBranch returns an empty branch over parent.
func NewBranch(parent Store) *Branch {
	b := newBranch(parent)
	b.parent = parent
	return b
}

func newBranch(base Reader) *Branch {
	return &Branch{
		base: base, dirty: btree.NewWithFreeListG(btreeDegree, changeLess, nodes), values: make(map[string][]byte),
	}
}

// Get implements Reader.
func (b *Branch) Get(key []byte) []byte {
	if value, ok := b.values[string(key)]; ok {
		return value
	}
	return b.base.Get(key)
}

// Set implements Store. It keeps copies of key and value.
func (b *Branch) Set(key, value []byte) {
	if len(key) == 0 || len(key) > MaxKeySize || len(value) == 0 {
		panic(fmt.Sprintf("state: set key %x to %x: want a key of 1 to %d bytes and a value", key, value, MaxKeySize))
	}
	b.put(change{string(key), bytes.Clone(value)})
}

// Delete implements Store.
func (b *Branch) Delete(key []byte) {
	if len(key) == 0 {
		panic("state: delete an empty key")
	}
	b.put(change{key: string(key)})
}

func (b *Branch) put(c change) {
	b.dirty.ReplaceOrInsert(c)
	b.values[c.key] = c.value
}

// Write moves the changes to the parent and leaves the branch empty, ready for
// use again. A branch of the database has no parent to write to: it panics.
func (b *Branch) Write() {
	if b.parent == nil {
		panic("state: Write of a branch of the database: use DB.Stage and DB.Commit")
	}
	parent, isBranch := b.parent.(*Branch)
	b.dirty.Ascend(func(c change) bool {
		switch {
		case isBranch: // which may have the copies
			parent.put(c)
		case c.value == nil:
			b.parent.Delete(bytesOf(c.key))
		default:
			b.parent.Set(bytesOf(c.key), c.value)
		}
		return true
	})
	b.Discard()
}

// Discard forgets the changes.
func (b *Branch) Discard() {
	b.dirty.Clear(true)
	clear(b.values)
}

// Range implements Reader: the merge of a copy of the branch's own changes with
// the range of what lies under it.
func (b *Branch) Range(prefix, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		own := b.changes(prefix, later(prefix, from))
		for k, v := range b.base.Range(prefix, from) {
			for len(own) > 0 && own[0].key < string(k) {
				if own[0].value != nil && !yield(bytesOf(own[0].key), own[0].value) {
					return
				}
				own = own[1:]
			}
			if len(own) > 0 && own[0].key == string(k) {
				continue // the change hides the pair; the next turn yields it
			}
			if !yield(k, v) {
				return
			}
		}
		for _, c := range own {
			if c.value != nil && !yield(bytesOf(c.key), c.value) {
				return
			}
		}
	}
}

// changes lists the branch's own changes under a prefix, from a key on. Most
// ranges meet few or none, so a list is cheaper than a clone of the tree, after
// which every write would copy nodes.
func (b *Branch) changes(prefix, from []byte) []change {
	var own []change
	under := string(prefix)
	b.dirty.AscendGreaterOrEqual(change{key: string(from)}, func(c change) bool {
		if !strings.HasPrefix(c.key, under) {
			return false
		}
		own = append(own, c)
		return true
	})
	return own
}

// later returns the greater of the two: where a range over prefix that shall
// start at from begins.
func later(prefix, from []byte) []byte {
	if bytes.Compare(from, prefix) > 0 {
		return from
	}
	return prefix
}
