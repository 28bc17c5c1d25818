package state

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strings"
)

// change is what a branch does to a key; a nil value is a deletion.
type change struct {
	key   string
	value []byte
}

// Branch is a Store that keeps its changes to itself until they are written to
// the parent or discarded. It is used by one goroutine at a time, and so is its
// parent while it has branches.
type Branch struct {
	base   Reader
	parent Store // nil for a branch of the database, which DB.Stage takes
	// The changes twice: hashed for the many reads of a block, most of which
	// find nothing here, and table by table for ranges.
	changes map[string]*change
	tables  []*table
	unused  []change
	// journal has what Atomic needs to take changes back, the latest last.
	journal []taken
	atomic  int // how many calls of Atomic are running
}

// taken is how a change was before it was made or changed again.
type taken struct {
	change *change
	value  []byte
	made   bool
}

// NewBranch returns an empty branch over parent.
func NewBranch(parent Store) *Branch {
	b := newBranch(parent)
	b.parent = parent
	return b
}

func newBranch(base Reader) *Branch {
	return &Branch{base: base, changes: make(map[string]*change)}
}

// Get implements Reader.
func (b *Branch) Get(key []byte) []byte {
	if c, ok := b.changes[string(key)]; ok {
		return c.value
	}
	return b.base.Get(key)
}

// Set implements Store.
func (b *Branch) Set(key, value []byte) {
	if len(key) == 0 || len(key) > MaxKeySize || len(value) == 0 {
		panic(fmt.Sprintf("state: set key %x to %x: want a key of 1 to %d bytes and a value", key, value, MaxKeySize))
	}
	b.put(key, value)
}

// Delete implements Store.
func (b *Branch) Delete(key []byte) {
	if len(key) == 0 {
		panic("state: delete an empty key")
	}
	b.put(key, nil)
}

func (b *Branch) put(key, value []byte) {
	c, known := b.changes[string(key)]
	if !known {
		c = b.newChange()
		c.key = string(key)
		b.changes[c.key] = c
		b.tableOf(c.key).add(c)
	}
	if b.atomic > 0 {
		if len(b.journal) == cap(b.journal) { // append would grow a long one by a quarter
			b.journal = slices.Grow(b.journal, max(64, len(b.journal)))
		}
		b.journal = append(b.journal, taken{c, c.value, !known})
	}
	c.value = value
}

// newChange returns an empty change. Changes are made many at a time: a block has
// thousands.
func (b *Branch) newChange() *change {
	if len(b.unused) == 0 {
		b.unused = make([]change, min(16+len(b.changes), 512))
	}
	c := &b.unused[0]
	b.unused = b.unused[1:]
	return c
}

// Atomic implements Store.
func (b *Branch) Atomic(fn func() error) (err error) {
	mark, done := len(b.journal), false
	b.atomic++
	defer func() { // also when fn panics
		if err != nil || !done {
			b.takeBack(mark)
		}
		if b.atomic--; b.atomic == 0 {
			b.journal = b.journal[:0]
		}
	}()
	err = fn()
	done = true
	return err
}

// takeBack undoes the changes of the journal from mark on, the latest first.
func (b *Branch) takeBack(mark int) {
	for i := len(b.journal) - 1; i >= mark; i-- {
		was := &b.journal[i]
		was.change.value = was.value
		if was.made {
			delete(b.changes, was.change.key)
			b.tableOf(was.change.key).remove(was.change)
		}
	}
	b.journal = b.journal[:mark]
}

// Write moves the changes to the parent and leaves the branch empty, ready for
// use again. A branch of the database has no parent to write to: it panics.
func (b *Branch) Write() {
	if b.parent == nil {
		panic("state: Write of a branch of the database: use DB.Stage and DB.Commit")
	}
	for c := range b.all() {
		if c.value == nil {
			b.parent.Delete(bytesOf(c.key))
		} else {
			b.parent.Set(bytesOf(c.key), c.value)
		}
	}
	b.Discard()
}

// Discard forgets the changes.
func (b *Branch) Discard() {
	clear(b.changes)
	b.tables = nil
}

// Range implements Reader: the merge of a copy of the branch's own changes with
// the range of what lies under it.
func (b *Branch) Range(prefix, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		own := b.under(prefix, later(prefix, from))
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

// under copies the branch's own changes under a prefix, from a key on: they may
// change while they are read.
func (b *Branch) under(prefix, from []byte) []change {
	var own []change
	start := string(prefix)
	for _, t := range b.tables {
		if !t.mayHave(prefix) {
			continue
		}
		t.inOrder().AscendGreaterOrEqual(&change{key: string(from)}, func(c *change) bool {
			if !strings.HasPrefix(c.key, start) {
				return false
			}
			own = append(own, *c)
			return true
		})
	}
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
