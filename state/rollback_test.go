package state

import (
	"bytes"
	"errors"
	"testing"
)

// TestUndoOfAnySize: an undo record takes exactly the room that its lengths need.
func TestUndoOfAnySize(t *testing.T) {
	for _, size := range []int{1, 127, 128, 129, 255, 256, 16383, 16384, 16385, 1 << 21} {
		db := OpenMemory()
		key, old := bytes.Repeat([]byte("k"), min(size, MaxKeySize)), bytes.Repeat([]byte("v"), size)
		b := db.Branch()
		b.Set(key, old)
		want := commit(t, db, b)
		b = db.Branch()
		b.Set(key, []byte("new"))
		b.Set([]byte("another"), []byte("new"))
		commit(t, db, b)
		if err := db.Rollback(); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		b = db.Branch()
		if _, root := db.Version(); !bytes.Equal(root, want) || !bytes.Equal(b.Get(key), old) || b.Get([]byte("another")) != nil {
			t.Errorf("%d bytes: rolled back to root %x, want %x", size, root, want)
		}
		db.Close()
	}
}

// TestRootsAreKept of 64 heights, though fewer have a view, and not of more; the first
// height may be any.
func TestRootsAreKept(t *testing.T) {
	const first, last = 1000, 1099
	db := OpenMemory()
	defer db.Close()
	roots := make(map[int64][]byte)
	for height := int64(first); height <= last; height++ {
		b := db.Branch()
		b.Set([]byte("height"), []byte{byte(height)})
		roots[height] = db.Stage(b)
		if err := db.Commit(height); err != nil {
			t.Fatal(err)
		}
	}
	for height, want := range map[int64][]byte{0: roots[last], last: roots[last], last - 63: roots[last-63], last - 64: nil, last + 1: nil, -1: nil} {
		got, err := db.Root(height)
		if (want == nil) != errors.Is(err, ErrNoView) || !bytes.Equal(got, want) {
			t.Errorf("height %d: %x, %v, want %x", height, got, err, want)
		}
	}
}
