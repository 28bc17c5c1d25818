package state

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/google/btree"
)

// View is a committed height. It never changes, whatever the writer does, and
// may be used by several goroutines for as long as they like.
type View struct {
	height int64
	tree   node
	order  *order
	index  *index
	held   bool // it was asked for by its height
}

// order has the keys of a tree in order, for ranges. Like the tree it is never
// changed once it is shown: a later height has a clone, which copies the nodes
// that it touches and shares the rest. Values stay in the tree: most changes are
// to keys that are there already, and those leave the order as it is.
type order = btree.BTreeG[string]

func newOrder() *order { return btree.NewG(orderDegree, btree.Less[string]()) }

// reorder returns the order after updates that were applied to the tree.
func reorder(o *order, ups []update) *order {
	o = o.Clone()
	for i := range ups {
		switch u := &ups[i]; {
		case u.leaf != nil && u.old == nil:
			o.ReplaceOrInsert(u.leaf.key)
		case u.leaf == nil && u.old != nil:
			o.Delete(u.old.key)
		}
	}
	return o
}

// Height returns the height the view shows.
func (v *View) Height() int64 { return v.height }

// Root returns the 32-byte root of that height.
func (v *View) Root() []byte { return bytes.Clone(digestOf(v.tree)[:]) }

func (v *View) root() hash { return *digestOf(v.tree) }

// Get implements Reader.
func (v *View) Get(key []byte) []byte {
	l, known := v.index.find(v, key)
	if !known {
		l = find(v.tree, key)
	}
	if l == nil {
		return nil
	}
	return bytesOf(l.value)
}

// Range implements Reader.
func (v *View) Range(prefix, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		for key := range keysUnder(v.order, prefix, from) {
			if !yield(bytesOf(key), v.Get(bytesOf(key))) {
				return
			}
		}
	}
}

// keysUnder yields the keys with a prefix, ascending, from a key on.
func keysUnder(o *order, prefix, from []byte) iter.Seq[string] {
	return func(yield func(string) bool) {
		under := string(prefix)
		o.AscendGreaterOrEqual(string(later(prefix, from)), func(key string) bool {
			return strings.HasPrefix(key, under) && yield(key)
		})
	}
}

// latest reads what is committed at the moment of each call. It lies under the
// branches that DB.Branch returns, and lets them outlive a commit; only no range may
// be under way at one.
type latest struct{ db *DB }

func (l latest) Get(key []byte) []byte {
	found, ok := l.leaves()[string(key)]
	if !ok {
		return nil
	}
	return bytesOf(found.value)
}

func (l latest) Range(prefix, from []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(k, v []byte) bool) {
		leaves := l.leaves()
		for key := range keysUnder(l.view().order, prefix, from) {
			if !yield(bytesOf(key), bytesOf(leaves[key].value)) {
				return
			}
		}
	}
}

func (l latest) leaves() map[string]*leaf {
	if l.db.index.leaves == nil {
		panic(Fault{ErrClosed})
	}
	return l.db.index.leaves
}

func (l latest) view() *View {
	v, err := l.db.View(0)
	if err != nil {
		panic(Fault{err})
	}
	return v
}

// get returns a copy of the database's value, nil when the key is absent.
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
