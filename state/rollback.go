package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// An undo record is the meta record of the height before, then for each pair
// that the height changed its key and its old value, each behind its length as
// a uvarint; length 0 says that there was none. It is stored in pieces, one after
// the other: the database handles each value as a whole, in memory, and a large
// block's record is megabytes.

// errDamagedUndo says nothing of the state itself, which goes on.
var errDamagedUndo = errors.New("the undo record is damaged: this height cannot be rolled back")

// undoPiece is the least length of all pieces but the last.
const undoPiece = 32 << 10

// undoPieceKey is the key of the n-th piece, under which all lie in order.
func undoPieceKey(height int64, n uint32) []byte {
	return binary.BigEndian.AppendUint32(undoKey(height), n)
}

// putUndo adds the undo record of a height to the batch.
func putUndo(batch *pebble.Batch, height int64, before meta, ups []update) error {
	piece, n := before.encode(), uint32(0)
	for i := range ups {
		if len(piece) >= undoPiece {
			if err := batch.Set(undoPieceKey(height, n), piece, nil); err != nil {
				return err
			}
			piece, n = piece[:0], n+1
		}
		if key, old, changed := ups[i].undo(); changed {
			piece = appendPart(appendPart(piece, key), old)
		}
	}
	return batch.Set(undoPieceKey(height, n), piece, nil)
}

// deleteUndo removes the undo records of heights from first to last.
func deleteUndo(w pebble.Writer, first, last int64) error {
	return w.DeleteRange(undoKey(first), undoKey(last+1), pebble.NoSync)
}

// readUndo returns the undo record of a height, nil if there is none.
func readUndo(r pebble.Reader, height int64) ([]byte, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: undoKey(height), UpperBound: undoKey(height + 1)})
	if err != nil {
		return nil, err
	}
	var record []byte
	n := uint32(0)
	for ok := it.First(); ok && err == nil; ok = it.Next() {
		if !bytes.Equal(it.Key(), undoPieceKey(height, n)) {
			err = fmt.Errorf("%w: piece %d is missing", errDamagedUndo, n)
		}
		record, n = append(record, it.Value()...), n+1
	}
	return record, errors.Join(err, it.Error(), it.Close())
}

// undo returns what brings back the pair that an applied update replaced: an empty
// value says that there was none.
func (u *update) undo() (key, old string, changed bool) {
	switch {
	case u.idle():
		return "", "", false
	case u.old == nil:
		return u.leaf.key, "", true
	default:
		return u.old.key, u.old.value, true
	}
}

func appendPart(b []byte, part string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(part))), part...)
}

// nextUndo splits the first change off the record.
func nextUndo(b []byte) (c change, rest []byte, err error) {
	key, b, err := nextPart(b)
	if err != nil || key == nil {
		return c, nil, errors.Join(err, errTruncated)
	}
	c.key = string(key)
	c.value, rest, err = nextPart(b)
	return c, rest, err
}

var errTruncated = fmt.Errorf("%w: it ends in the middle", errDamagedUndo)

// nextPart splits a length and that many bytes off; nil when the length is 0.
func nextPart(b []byte) (part, rest []byte, err error) {
	n, size := binary.Uvarint(b)
	if size <= 0 || n > uint64(len(b)-size) {
		return nil, nil, errTruncated
	}
	b = b[size:]
	if n == 0 {
		return nil, b, nil
	}
	return b[:n:n], b[n:], nil
}

// Rollback returns to the height before the last one, on disk and for readers,
// or returns ErrNoUndo when its undo record is gone. What was staged is
// forgotten. Open views stay as they are.
func (db *DB) Rollback() error {
	v, err := db.View(0)
	if err != nil {
		return err
	}
	if err := db.rollback(v); err != nil {
		return fmt.Errorf("state: roll back height %d: %w", v.height, err)
	}
	return nil
}

func (db *DB) rollback(v *View) error {
	record, err := readUndo(db.pebble, v.height)
	if err != nil {
		return err
	}
	if record == nil {
		return ErrNoUndo
	}
	before, rest, err := decodeMeta(record)
	if err != nil {
		return fmt.Errorf("%w: %w", errDamagedUndo, err)
	}
	var ups []update
	known := make(map[string]bool)
	for len(rest) > 0 {
		var c change
		if c, rest, err = nextUndo(rest); err != nil {
			return err
		}
		if known[c.key] {
			return fmt.Errorf("%w: key %x is there twice", errDamagedUndo, c.key)
		}
		known[c.key] = true
		ups = append(ups, newUpdate(c.key, c.value))
	}
	s := newStage(v, ups)
	if root := *digestOf(s.tree); root != before.root {
		return fmt.Errorf("%w: it gives root %x, height %d had %x", errDamagedUndo, root, before.height, before.root)
	}
	batch := db.pebble.NewBatch()
	defer batch.Close()
	if err := deleteUndo(batch, v.height, v.height); err != nil {
		return err
	}
	return db.write(batch, before.height, s)
}
