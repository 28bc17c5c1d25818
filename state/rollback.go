package state

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// An undo record is the meta record of the height before, then for each pair
// that the height changed its key and its old value, each behind its length as
// a uvarint; length 0 says that there was none.

// putUndo adds the undo record of a height to the batch, in place: a block's record
// is about as long as its changes.
func putUndo(batch *pebble.Batch, height int64, before meta, ups []update) error {
	key, header := undoKey(height), before.encode()
	size := len(header)
	for i := range ups {
		if k, old, changed := ups[i].undo(); changed {
			size += partSize(k) + partSize(old)
		}
	}
	op := batch.SetDeferred(len(key), size)
	copy(op.Key, key)
	record := append(op.Value[:0], header...)
	for i := range ups {
		if k, old, changed := ups[i].undo(); changed {
			record = appendPart(appendPart(record, k), old)
		}
	}
	return op.Finish()
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

func partSize(part string) int {
	size := 1 + len(part)
	for n := len(part); n >= 0x80; n >>= 7 {
		size++
	}
	return size
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

var errTruncated = errors.New("undo record ends in the middle")

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
	record, err := get(db.pebble, undoKey(v.height))
	if err != nil {
		return err
	}
	if record == nil {
		return ErrNoUndo
	}
	before, rest, err := decodeMeta(record)
	if err != nil {
		return err
	}
	var ups []update
	for len(rest) > 0 {
		var c change
		if c, rest, err = nextUndo(rest); err != nil {
			return err
		}
		ups = append(ups, newUpdate(c.key, c.value))
	}
	s := newStage(v, ups)
	if root := *digestOf(s.tree); root != before.root {
		return fmt.Errorf("%w: its undo record gives root %x, height %d had %x", ErrRootMismatch, root, before.height, before.root)
	}
	batch := db.pebble.NewBatch()
	defer batch.Close()
	if err := batch.Delete(undoKey(v.height), nil); err != nil {
		return err
	}
	return db.write(batch, before.height, s)
}
