package state

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// TestCrash loses unsynced data at random moments of random blocks. What a
// Commit has acknowledged must be there, whole.
func TestCrash(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 1))
	fs := vfs.NewCrashableMem()
	model, height := pairs{}, int64(0)
	for range 30 {
		db, err := Open("state", Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		if h, root := db.Version(); h != height || !bytes.Equal(root, model.root()) {
			t.Fatalf("after the crash: height %d root %x, want %d %x", h, root, height, model.root())
		}
		for range rnd.IntN(5) {
			b := db.Branch()
			for range rnd.IntN(40) {
				k, v := fmt.Sprint(rnd.IntN(100)), fmt.Sprint(rnd.Int())
				b.Set([]byte(k), []byte(v))
				model[k] = v
			}
			commit(t, db, b)
			height++
		}
		b := db.Branch() // a block that was executed but not committed
		fill(b, 10)
		db.Stage(b)
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rnd})
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		fs = crashed
	}
	if height == 0 {
		t.Fatal("no block was committed")
	}
}

// TestCrashInsideCommit stops the machine before each write and each sync that
// commits do: the height before or the new one must be there, whole.
func TestCrashInsideCommit(t *testing.T) {
	mem := vfs.NewCrashableMem()
	rnd := rand.New(rand.NewPCG(2, 2))
	var mu sync.Mutex
	var crashed []*vfs.MemFS // nil while nobody looks
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if crashed != nil && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			crashed = append(crashed,
				mem.CrashClone(vfs.CrashCloneCfg{}),
				mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rnd}))
		}
		return nil
	}))
	watch := func(c []*vfs.MemFS) (seen []*vfs.MemFS) {
		mu.Lock()
		defer mu.Unlock()
		seen, crashed = crashed, c
		return seen
	}
	db, err := Open("state", Options{FS: fs, Undo: 2})
	if err != nil {
		t.Fatal(err)
	}
	roots := [][]byte{make([]byte, 32)}
	for height := int64(1); height <= 5; height++ {
		b := db.Branch()
		for i := range 300 { // beyond one write of the log
			b.Set(fmt.Appendf(nil, "k%d", rnd.IntN(1000)), bytes.Repeat([]byte{byte(i), byte(height)}, 100))
		}
		roots = append(roots, db.Stage(b))
		watch([]*vfs.MemFS{})
		if err := db.Commit(height); err != nil {
			t.Fatal(err)
		}
		seen := watch(nil)
		if len(seen) < 4 {
			t.Fatalf("height %d: %d crashes, want one before a write and one before a sync at least", height, len(seen)/2)
		}
		for i, fs := range append(seen, mem.CrashClone(vfs.CrashCloneCfg{})) {
			after, err := Open("state", Options{FS: fs})
			if err != nil {
				t.Fatalf("height %d, crash %d: %v", height, i, err)
			}
			h, root := after.Version()
			if h < height-1 || i == len(seen) && h < height || !bytes.Equal(root, roots[h]) {
				t.Errorf("height %d, crash %d of %d: found height %d root %x", height, i, len(seen), h, root)
			}
			_ = after.Close()
		}
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}
