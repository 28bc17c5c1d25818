package state

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Keys of the database: one byte keeps the pairs apart from the store's own
// records.
const (
	pairPrefix = 's' // | key -> value
	undoPrefix = 'u' // | height, 8 bytes, | number, 4 bytes, big-endian -> piece of the undo record
	metaKey    = "m" // -> format, height, root
)

// metaFormat is the layout of everything in the database.
const metaFormat = 2

func pairKey(key []byte) []byte {
	return append(append(make([]byte, 0, 1+len(key)), pairPrefix), key...)
}

// undoKey begins the keys of a height's undo record.
func undoKey(height int64) []byte {
	return binary.BigEndian.AppendUint64([]byte{undoPrefix}, uint64(height))
}

// prefixEnd returns the least key above all keys with the prefix, whose first
// byte is one of ours and so not 0xff.
func prefixEnd(prefix []byte) []byte {
	last := len(prefix) - 1
	for prefix[last] == 0xff {
		last--
	}
	end := bytes.Clone(prefix[:last+1])
	end[last]++
	return end
}

// meta names the last committed height. It changes in the same batch as the
// pairs.
type meta struct {
	height int64
	root   hash
}

func (m meta) encode() []byte {
	return append(binary.BigEndian.AppendUint64([]byte{metaFormat}, uint64(m.height)), m.root[:]...)
}

const metaSize = 1 + 8 + hashSize

func decodeMeta(b []byte) (m meta, rest []byte, err error) {
	if len(b) < metaSize || b[0] != metaFormat {
		return m, nil, fmt.Errorf("record of a height starts with %.1x: want format %d, which this program writes, and %d bytes", b, metaFormat, metaSize)
	}
	m.height = int64(binary.BigEndian.Uint64(b[1:]))
	m.root = hash(b[1+8 : metaSize])
	return m, b[metaSize:], nil
}

// readMeta returns the last committed height, 0 in a new database.
func readMeta(r pebble.Reader) (m meta, err error) {
	b, err := get(r, []byte(metaKey))
	if err != nil || b == nil {
		return m, err
	}
	if m, _, err = decodeMeta(b); err != nil {
		return m, fmt.Errorf("%w; remove a state of another version and sync it from the network", err)
	}
	return m, nil
}

// Stage hashes the changes of b, a branch of this database, over the committed
// tree and returns the 32-byte root that Commit will store. Readers see
// nothing of it. It may be called again, after more changes or with another
// branch: the last call counts.
func (db *DB) Stage(b *Branch) (root []byte) {
	if b.base != (latest{db}) {
		panic("state: Stage of a branch that is not DB.Branch of this database")
	}
	v := latest{db}.view()
	ups := make([]update, 0, len(b.changes))
	for c := range b.all() {
		if c.value == nil && db.index.leaves[c.key] == nil {
			continue // made and deleted in this block
		}
		ups = append(ups, newUpdate(c.key, c.value))
	}
	db.staged = newStage(v, ups)
	return bytes.Clone(digestOf(db.staged.tree)[:])
}

// newStage applies updates to a height.
func newStage(v *View, ups []update) *stage {
	s := &stage{tree: applyUpdates(v.tree, ups), ups: ups}
	s.order = reorder(v.order, ups)
	return s
}

// Commit writes what was staged as the state of height, in one synced batch
// with the height, its root and its undo record, and then shows it to readers.
// Heights follow each other; the first may be any above 0. After a failed write
// the state on disk is unknown and the database must be opened again.
func (db *DB) Commit(height int64) error {
	if err := db.commit(height); err != nil {
		return fmt.Errorf("state: commit height %d: %w", height, err)
	}
	return nil
}

func (db *DB) commit(height int64) error {
	if db.staged == nil {
		return ErrUnstaged
	}
	v, err := db.View(0)
	if err != nil {
		return err
	}
	if height <= 0 || v.height != 0 && height != v.height+1 {
		return fmt.Errorf("the last height is %d: want the next one", v.height)
	}
	batch := db.pebble.NewBatchWithSize(batchSize(db.staged.ups))
	defer batch.Close()
	if v.height != 0 { // below the first height there is nothing to return to
		if err := putUndo(batch, height, meta{v.height, v.root()}, db.staged.ups); err != nil {
			return err
		}
	}
	if expired := height - db.opt.Undo; expired > 0 {
		if err := deleteUndo(batch, expired, expired); err != nil {
			return err
		}
	}
	return db.write(batch, height, db.staged)
}

// batchSize is about how long the batch of a height with these changes gets, which
// then need not grow: a change's key is in it twice, once for the undo record.
func batchSize(ups []update) int {
	const header, perChange = 1 << 10, 24 // of a change: one byte and four lengths
	size := header
	for i := range ups {
		u := &ups[i]
		switch key, old, changed := u.undo(); {
		case !changed:
		case u.leaf == nil:
			size += perChange + 2*len(key) + len(old)
		default:
			size += perChange + 2*len(key) + len(old) + len(u.leaf.value)
		}
	}
	return size
}

// write adds the changes and the record of the last height to the batch, syncs
// it and shows the new version to readers.
func (db *DB) write(batch *pebble.Batch, height int64, s *stage) error {
	for i := range s.ups {
		if err := put(batch, &s.ups[i]); err != nil {
			return err
		}
	}
	v := &View{height: height, tree: s.tree, order: s.order}
	if err := batch.Set([]byte(metaKey), meta{height, v.root()}.encode(), nil); err != nil {
		return err
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		return err
	}
	db.staged = nil
	db.show(v, s.ups)
	return nil
}

func put(batch *pebble.Batch, u *update) error {
	switch {
	case u.idle():
		return nil
	case u.leaf == nil:
		key := u.old.key
		op := batch.DeleteDeferred(1 + len(key))
		op.Key[0] = pairPrefix
		copy(op.Key[1:], key)
		return op.Finish()
	default:
		key, value := u.leaf.key, u.leaf.value
		op := batch.SetDeferred(1+len(key), len(value))
		op.Key[0] = pairPrefix
		copy(op.Key[1:], key)
		copy(op.Value, value)
		return op.Finish()
	}
}
