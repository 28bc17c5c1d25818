package state

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestUndoOfAnySize: an undo record brings back values of any length.
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

// TestUndoInPieces: a height that changed much has its undo record in pieces, all of
// which bring it back, and which all go.
func TestUndoInPieces(t *testing.T) {
	const pairs = 5000
	db, err := Open("state", Options{Undo: 2, FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	set := func(value string) []byte {
		b := db.Branch()
		for i := range pairs {
			b.Set(fmt.Appendf(nil, "key %06d", i), []byte(value))
		}
		return commit(t, db, b)
	}
	pieces := func(height int64) (n int) {
		for i := range uint32(100) {
			piece, err := get(db.pebble, undoPieceKey(height, i))
			if err != nil {
				t.Fatal(err)
			}
			if len(piece) > undoPiece+100 {
				t.Errorf("piece %d of height %d has %d bytes", i, height, len(piece))
			}
			if piece != nil {
				n++
			}
		}
		return n
	}
	set("first")
	want := set("second")
	set("third")
	if n := pieces(3); n < 3 {
		t.Errorf("the undo record of %d pairs is in %d pieces", pairs, n)
	}
	first, err := get(db.pebble, undoPieceKey(3, 1))
	if err != nil {
		t.Fatal(err)
	}
	last := uint32(pieces(3))
	for name, damage := range map[string]struct{ set, remove uint32 }{
		"a piece too many, with keys that are there": {last, last + 1}, "one missing": {1, 2},
	} {
		kept, err := get(db.pebble, undoPieceKey(3, damage.remove))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.pebble.Set(undoPieceKey(3, damage.set), first, nil), db.pebble.Delete(undoPieceKey(3, damage.remove), nil)); err != nil {
			t.Fatal(err)
		}
		if err := db.Rollback(); !errors.Is(err, errDamagedUndo) {
			t.Errorf("%s: %v, want %v", name, err, errDamagedUndo)
		}
		if err := db.pebble.Delete(undoPieceKey(3, last), nil); err != nil {
			t.Fatal(err)
		}
		if kept != nil {
			if err := db.pebble.Set(undoPieceKey(3, damage.remove), kept, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := db.Rollback(); err != nil {
		t.Fatal(err)
	}
	if _, root := db.Version(); !bytes.Equal(root, want) || string(db.Branch().Get([]byte("key 004999"))) != "second" {
		t.Errorf("rolled back to root %x, want %x", root, want)
	}
	if n := pieces(3); n != 0 {
		t.Errorf("%d pieces are left of a height that was rolled back", n)
	}
	set("third")
	set("fourth")
	if n := pieces(2); n != 0 || pieces(3) == 0 {
		t.Errorf("%d pieces are left of a height beyond the two that can be rolled back", n)
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
