package state

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// An undo record is the meta record of the height before, then for each pair
// that the height changed its key and its old value, each behind its length as
// a uvarint; length 0 says that there was none.

func appendUndo(b []byte, ups []update) []byte {
	for i := range ups {
		u := &ups[i]
		switch {
		case u.idle():
		case u.old == nil:
			b = appendPart(appendPart(b, u.leaf.key), "")
		default:
			b = appendPart(appendPart(b, u.old.key), u.old.value)
		}
	}
	return b
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
