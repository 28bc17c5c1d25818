package state

import (
	"bytes"
	"fmt"
	"iter"

	"github.com/google/btree"
)

// change is one entry of a branch; a nil value is a deletion.
type change struct{ key, value []byte }

func changeLess(a, b change) bool { return bytes.Compare(a.key, b.key) < 0 }

// btreeDegree is the fan-out of a branch's tree: wide enough to be flat for a
// block's thousands of changes, narrow enough to clone cheaply.
const btreeDegree = 16

// Branch is a Store that keeps its changes to itself until they are written to
// the parent or discarded. It is used by one goroutine at a time, and so is its
// parent while it has branches.
type Branch struct {
	base   Reader
	parent Store // nil for a branch of the database, which DB.Stage takes
	dirty  *btree.BTreeG[change]
}

// NewBranch returns an empty branch over parent.
func NewBranch(parent Store) *Branch {
	b := newBranch(parent)
	b.parent = parent
	return b
}

func newBranch(base Reader) *Branch {
	return &Branch{base: base, dirty: btree.NewG(btreeDegree, changeLess)}
}

// Get implements Reader.
func (b *Branch) Get(key []byte) []byte {
	if c, ok := b.dirty.Get(change{key: key}); ok {
		return c.value
	}
	return b.base.Get(key)
}

// Set implements Store. It keeps copies of key and value.
func (b *Branch) Set(key, value []byte) {
	if len(key) == 0 || len(key) > MaxKeySize || len(value) == 0 {
		panic(fmt.Sprintf("state: set key %x to %x: want a key of 1 to %d bytes and a value", key, value, MaxKeySize))
	}
	b.dirty.ReplaceOrInsert(change{key: bytes.Clone(key), value: bytes.Clone(value)})
}

// Delete implements Store.
func (b *Branch) Delete(key []byte) {
	if len(key) == 0 {
		panic("state: delete an empty key")
	}
	b.dirty.ReplaceOrInsert(change{key: bytes.Clone(key)})
}

// Write moves the changes to the parent and leaves the branch empty, ready for
// use again. A branch of the database has no parent to write to: it panics.
func (b *Branch) Write() {
	if b.parent == nil {
		panic("state: Write of a branch of the database: use DB.Stage and DB.Commit")
	}
	b.dirty.Ascend(func(c change) bool {
		if c.value == nil {
			b.parent.Delete(c.key)
		} else {
			b.parent.Set(c.key, c.value)
		}
		return true
	})
	b.Discard()
}

// Discard forgets the changes.
func (b *Branch) Discard() { b.dirty.Clear(false) }

// Range implements Reader: the merge of a frozen copy of the branch's own
// changes with the range of what lies under it.
func (b *Branch) Range(prefix, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		own := newCursor(b.dirty, prefix, from)
		if own.ok { // most ranges meet no changes; after a Clone the next ones copy nodes
			own.tree = b.dirty.Clone()
		}
		for k, v := range b.base.Range(prefix, from) {
			for own.ok && bytes.Compare(own.key, k) < 0 {
				if own.value != nil && !yield(own.key, own.value) {
					return
				}
				own.next()
			}
			if own.ok && bytes.Equal(own.key, k) {
				continue // the change hides the pair; the next turn yields it
			}
			if !yield(k, v) {
				return
			}
		}
		for ; own.ok; own.next() {
			if own.value != nil && !yield(own.key, own.value) {
				return
			}
		}
	}
}

// cursor walks the changes under a prefix one by one, which the push iterators
// of btree cannot do while another range is being merged.
type cursor struct {
	change
	ok     bool
	tree   *btree.BTreeG[change]
	prefix []byte
}

func newCursor(tree *btree.BTreeG[change], prefix, from []byte) *cursor {
	c := &cursor{tree: tree, prefix: prefix}
	c.seek(later(prefix, from), false)
	return c
}

func (c *cursor) next() { c.seek(c.key, true) }

// seek moves to the first change at (or, when past is set, after) key.
func (c *cursor) seek(key []byte, past bool) {
	c.ok = false
	c.tree.AscendGreaterOrEqual(change{key: key}, func(found change) bool {
		if past && bytes.Equal(found.key, key) {
			return true
		}
		c.change, c.ok = found, bytes.HasPrefix(found.key, c.prefix)
		return false
	})
}

// later returns the greater of the two: where a range over prefix that shall
// start at from begins.
func later(prefix, from []byte) []byte {
	if bytes.Compare(from, prefix) > 0 {
		return from
	}
	return prefix
}
