package state

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// version is a committed height: its tree and a snapshot of the database as it
// was then. It lives while the DB keeps it or a reader holds it.
type version struct {
	height int64
	tree   node
	snap   *pebble.Snapshot
	refs   int // guarded by DB.mu
}

func (v *version) root() hash { return *digestOf(v.tree) }

// View is a committed height that does not change whatever the writer does. It
// may be used by several goroutines and must be closed, after which it must not
// be used.
type View struct {
	*version
	db    *DB
	close sync.Once
}

// Height returns the height the view shows.
func (v *View) Height() int64 { return v.height }

// Root returns the 32-byte root of that height.
func (v *View) Root() []byte { return bytes.Clone(digestOf(v.tree)[:]) }

// Close releases the view. A second Close is harmless.
func (v *View) Close() { v.close.Do(func() { v.db.release(v.version) }) }

// Get implements Reader.
func (v *version) Get(key []byte) []byte {
	l := find(v.tree, key)
	if l == nil {
		return nil
	}
	return []byte(l.value())
}

// Range implements Reader.
func (v *version) Range(prefix, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		it, err := v.snap.NewIter(&pebble.IterOptions{
			LowerBound: pairKey(later(prefix, from)),
			UpperBound: prefixEnd(pairKey(prefix)),
		})
		if err != nil {
			panic(Fault{err})
		}
		defer it.Close() // its error is that of it.Error below
		for ok := it.First(); ok; ok = it.Next() {
			if !yield(bytes.Clone(it.Key()[1:]), bytes.Clone(it.Value())) {
				return
			}
		}
		if err := it.Error(); err != nil {
			panic(Fault{err})
		}
	}
}

// get returns a copy of the value, nil when the key is absent.
func get(r pebble.Reader, key []byte) ([]byte, error) {
	value, closer, err := r.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return slices.Clone(value), closer.Close()
}

// latest reads what is committed at the moment of each call. It lies under the
// branches that DB.Branch returns, and lets them outlive a commit.
type latest struct{ db *DB }

func (l latest) acquire() *version {
	v, err := l.db.acquireLatest()
	if err != nil {
		panic(Fault{err})
	}
	return v
}

func (l latest) Get(key []byte) []byte {
	v := l.acquire()
	defer l.db.release(v)
	return v.Get(key)
}

func (l latest) Range(prefix, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		v := l.acquire()
		defer l.db.release(v)
		v.Range(prefix, from)(yield)
	}
}
