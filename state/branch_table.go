package state

import (
	"bytes"
	"cmp"
	"iter"
	"slices"

	"github.com/google/btree"
)

// table has a branch's changes to the keys of one table, which begin with the
// same two bytes. Most tables that a block writes it never ranges over: their
// changes are not put in order.
type table struct {
	id tableID
	// fresh are the latest changes, as they were made; the others are in order.
	fresh []*change
	order *btree.BTreeG[*change]
}

// tableID is the module byte and the table byte; a shorter key, which no table
// has, is filled up with zero.
type tableID [2]byte

func tableIDOf(key string) (id tableID) {
	copy(id[:], key)
	return id
}

// orderDegree keeps copies of an order small, and its nodes few.
const orderDegree = 16

func changeLess(a, b *change) bool { return a.key < b.key }

// tableOf returns the table of a key, a new one if it has no changes yet.
func (b *Branch) tableOf(key string) *table {
	id := tableIDOf(key)
	at, known := slices.BinarySearchFunc(b.tables, id, func(t *table, id tableID) int {
		return cmp.Or(cmp.Compare(t.id[0], id[0]), cmp.Compare(t.id[1], id[1]))
	})
	if !known {
		b.tables = slices.Insert(b.tables, at, &table{id: id, order: btree.NewG(orderDegree, changeLess)})
	}
	return b.tables[at]
}

// all yields the branch's changes, by table and in no other order.
func (b *Branch) all() iter.Seq[*change] {
	return func(yield func(*change) bool) {
		for _, t := range b.tables {
			going := true
			t.order.Ascend(func(c *change) bool {
				going = yield(c)
				return going
			})
			for i := 0; going && i < len(t.fresh); i++ {
				going = yield(t.fresh[i])
			}
			if !going {
				return
			}
		}
	}
}

func (t *table) add(c *change) { t.fresh = append(t.fresh, c) }

// remove takes back the latest change that was added and is still there.
func (t *table) remove(c *change) {
	if last := len(t.fresh) - 1; last >= 0 && t.fresh[last] == c {
		t.fresh = t.fresh[:last]
		return
	}
	t.order.Delete(c)
}

// inOrder puts the fresh changes in order, too.
func (t *table) inOrder() *btree.BTreeG[*change] {
	for _, c := range t.fresh {
		t.order.ReplaceOrInsert(c)
	}
	t.fresh = t.fresh[:0]
	return t.order
}

// mayHave says whether keys with the prefix can be in the table.
func (t *table) mayHave(prefix []byte) bool {
	n := min(len(prefix), len(t.id))
	return bytes.Equal(prefix[:n], t.id[:n])
}
