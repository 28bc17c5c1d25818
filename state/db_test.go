package state

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// commit stages b and commits the next height.
func commit(t testing.TB, db *DB, b *Branch) (root []byte) {
	t.Helper()
	root = db.Stage(b)
	height, _ := db.Version()
	if err := db.Commit(height + 1); err != nil {
		t.Fatal(err)
	}
	return root
}

func view(t testing.TB, db *DB) *View {
	t.Helper()
	v, err := db.View(0)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestGoldenRoots pins the tree: every replica must come to these.
func TestGoldenRoots(t *testing.T) {
	for _, c := range []struct {
		keys int
		root string
	}{
		{0, "0000000000000000000000000000000000000000000000000000000000000000"},
		{1, "263f3134568bd91568a048cb99c08729973fd146db930b054d91a3f79e7a346a"},
		{2, "978e1405e68c6035b3d130831dde63ae9c8225e591448286d456124dbb41a025"},
		{3, "9c6a9da0c8a4b504fd888906d1265b25d3dd82d6ade033fb02c386fe4572ec16"},
		{100, "4336443501812f34db0ae10d829ce68fc76ae6e8d15492920178685756a68d53"},
		{1000, "94e14a12fb00fff7ad653aa82359e0cffb2664d906947ecfe5d1dabb7f1e5255"},
	} {
		db := OpenMemory()
		b := db.Branch()
		for i := range c.keys {
			b.Set(fmt.Appendf(nil, "key %d", i), fmt.Appendf(nil, "value %d", i))
		}
		if got := hex.EncodeToString(commit(t, db, b)); got != c.root {
			t.Errorf("%d keys: root %s, want %s", c.keys, got, c.root)
		}
		db.Close()
	}
}

func TestFirstHeight(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	if height, root := db.Version(); height != 0 || !bytes.Equal(root, make([]byte, 32)) {
		t.Errorf("new database is at height %d, root %x, want 0 and zero bytes", height, root)
	}
	if err := db.Commit(1); !errors.Is(err, ErrUnstaged) {
		t.Errorf("commit of nothing: got %v, want ErrUnstaged", err)
	}
	db.Stage(db.Branch())
	for _, c := range []struct {
		height int64
		ok     bool
	}{{0, false}, {-1, false}, {1000, true}, {1000, false}, {1002, false}, {999, false}, {1001, true}} {
		db.Stage(db.Branch())
		if err := db.Commit(c.height); (err == nil) != c.ok {
			t.Errorf("commit of height %d: got %v, want success %v", c.height, err, c.ok)
		}
	}
	if err := db.Commit(1002); !errors.Is(err, ErrUnstaged) {
		t.Errorf("second commit of one stage: got %v, want ErrUnstaged", err)
	}
}

// TestDamageIsRefused changes one stored pair behind the store's back.
func TestDamageIsRefused(t *testing.T) {
	for name, damage := range map[string]func(*pebble.Batch) error{
		"value changed": func(b *pebble.Batch) error { return b.Set(pairKey([]byte("k001")), []byte("w"), nil) },
		"pair lost":     func(b *pebble.Batch) error { return b.Delete(pairKey([]byte("k001")), nil) },
		"pair added":    func(b *pebble.Batch) error { return b.Set(pairKey([]byte("k1")), []byte("v"), nil) },
	} {
		fs := vfs.NewMem()
		db, err := Open("state", Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		b := db.Branch()
		fill(b, 10)
		commit(t, db, b)
		batch := db.pebble.NewBatch()
		if err := errors.Join(damage(batch), batch.Commit(pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		for range 2 { // and a refusal leaves nothing locked
			if _, err := Open("state", Options{FS: fs}); !errors.Is(err, ErrRootMismatch) {
				t.Errorf("%s: got %v, want ErrRootMismatch", name, err)
			}
		}
	}
}

func TestDamagedRecords(t *testing.T) {
	for name, c := range map[string]struct {
		key  []byte
		cut  int
		open bool
	}{
		"last height": {[]byte(metaKey), 1, false},
		"undo record": {undoPieceKey(2, 0), 1, true},
		"undo header": {undoPieceKey(2, 0), 20, true},
	} {
		fs := vfs.NewMem()
		db, err := Open("state", Options{FS: fs})
		if err != nil {
			t.Fatal(err)
		}
		b := db.Branch()
		fill(b, 3)
		commit(t, db, b)
		b.Set([]byte("k001"), []byte("changed"))
		commit(t, db, b)
		record, err := get(db.pebble, c.key)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.pebble.Set(c.key, record[:len(record)-c.cut], pebble.Sync), db.Close()); err != nil {
			t.Fatal(err)
		}
		db, err = Open("state", Options{FS: fs})
		if (err == nil) != c.open {
			t.Fatalf("%s: open: got %v, want success %v", name, err, c.open)
		}
		if !c.open {
			continue
		}
		if err := db.Rollback(); !errors.Is(err, errDamagedUndo) {
			t.Errorf("%s: rollback: got %v, want an error about the record", name, err)
		}
		if height, _ := db.Version(); height != 2 {
			t.Errorf("%s: after a refused rollback the height is %d, want 2", name, height)
		}
		db.Close()
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	if d := os.Getenv("STATE_TEST_LOCKED"); d != "" { // the other process
		if _, err := Open(d, Options{}); !errors.Is(err, ErrLocked) {
			t.Fatalf("got %v, want ErrLocked", err)
		}
		return
	}
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrLocked) {
		t.Errorf("second open in one process: got %v, want ErrLocked", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestLocked$")
	cmd.Env = append(os.Environ(), "STATE_TEST_LOCKED="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("second process: %v\n%s", err, out)
	}
	if err := errors.Join(db.Close(), db.Close()); err != nil {
		t.Error(err)
	}
	db, err = Open(dir, Options{})
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestClosed(t *testing.T) {
	fs := vfs.NewMem()
	db, err := Open("state", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	b := db.Branch()
	want := fill(b, 3)
	commit(t, db, b)
	v := view(t, db)
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if got := collect(v.Range(nil, nil)); strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("view held over the close: got %q, want %q", got, want)
	}
	if _, err := db.View(0); !errors.Is(err, ErrClosed) {
		t.Errorf("View: got %v, want ErrClosed", err)
	}
	if err := db.Rollback(); !errors.Is(err, ErrClosed) {
		t.Errorf("Rollback: got %v, want ErrClosed", err)
	}
	if height, root := db.Version(); height != 0 || len(root) != 32 {
		t.Errorf("Version: got %d %x, want 0 and an empty root", height, root)
	}
	for name, read := range map[string]func(){
		"Get":   func() { db.Branch().Get([]byte("k")) },
		"Range": func() { collect(db.Branch().Range(nil, nil)) },
		"Stage": func() { db.Stage(db.Branch()) },
	} {
		if f, ok := recovered(read).(Fault); !ok || !errors.Is(f, ErrClosed) {
			t.Errorf("%s: panics with %v, want a Fault of ErrClosed", name, f)
		}
	}
	db, err = Open("state", Options{FS: fs})
	if err != nil {
		t.Fatalf("open after close: %v", err)
	}
	db.Close()
}

// TestUndoIsKept checks the edges of the window, also after it was narrowed.
func TestUndoIsKept(t *testing.T) {
	for _, c := range []struct{ undo, reopen, steps int }{{3, 3, 3}, {10, 2, 2}, {2, 10, 2}, {10, 10, 5}} {
		fs := vfs.NewMem()
		db, err := Open("state", Options{FS: fs, Undo: int64(c.undo)})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 6 {
			b := db.Branch()
			b.Set([]byte("k"), fmt.Append(nil, i))
			commit(t, db, b)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if db, err = Open("state", Options{FS: fs, Undo: int64(c.reopen)}); err != nil {
			t.Fatal(err)
		}
		steps := 0
		for err = db.Rollback(); err == nil; err = db.Rollback() {
			steps++
		}
		if !errors.Is(err, ErrNoUndo) || steps != c.steps {
			t.Errorf("undo %d then %d: %d heights rolled back, then %v; want %d, then ErrNoUndo", c.undo, c.reopen, steps, err, c.steps)
		}
		if got, want := string(db.Branch().Get([]byte("k"))), fmt.Sprint(5-c.steps); got != want {
			t.Errorf("undo %d then %d: value %s, want %s", c.undo, c.reopen, got, want)
		}
		db.Close()
	}
}

// TestViewsAskedFor: a view stays while it is one of the latest, longer if it was
// asked for by its number, and not for ever.
func TestViewsAskedFor(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	next := func() {
		b := db.Branch()
		height, _ := db.Version()
		b.Set([]byte("k"), fmt.Append(nil, height+1))
		commit(t, db, b)
	}
	known := func(height int64) bool {
		v, err := db.View(height)
		if err != nil && !errors.Is(err, ErrNoView) {
			t.Fatal(err)
		}
		if err == nil && (v.Height() != height || string(v.Get([]byte("k"))) != fmt.Sprint(height)) {
			t.Fatalf("view of %d: shows height %d, %s", height, v.Height(), v.Get([]byte("k")))
		}
		return err == nil
	}
	for range 10 {
		next()
	}
	if v, err := db.View(0); err != nil || v.Height() != 10 { // the last, not asked for by number
		t.Fatal(v.Height(), err)
	}
	if known(2) || !known(3) {
		t.Error("of 10 heights 3 to 10 must be known")
	}
	for range 56 { // to 66
		next()
	}
	if !known(3) || known(10) {
		t.Error("10 was not asked for and must be gone at 66, 3 must not be")
	}
	next()
	if known(3) {
		t.Error("3 must be gone 64 heights later")
	}
	asked := db.views[len(db.views)-1].height
	for range heldViews + 1 {
		if !known(db.views[len(db.views)-1].height) {
			t.Error("the last height is not known")
		}
		next()
	}
	for range defaultViews - 1 {
		next()
	}
	if known(asked) || !known(asked+1) {
		t.Errorf("of %d heights asked for the first must go, and only that", heldViews+1)
	}
	if len(db.views) > heldViews+defaultViews {
		t.Errorf("%d views are kept", len(db.views))
	}
}

// TestConcurrentViews reads and proves while the writer goes on; run with -race.
func TestConcurrentViews(t *testing.T) {
	db := OpenMemory()
	b := db.Branch()
	fill(b, 200)
	commit(t, db, b)
	done := make(chan struct{})
	var readers sync.WaitGroup
	for r := range 4 {
		readers.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				if err := readView(db, fmt.Appendf(nil, "k%03d", (i*7+r)%200)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 60 {
		b := db.Branch()
		for j := range 200 { // every pair of a height has the height's number
			b.Set(fmt.Appendf(nil, "k%03d", j), fmt.Append(nil, "h", i+2))
		}
		commit(t, db, b)
		if i%20 == 19 {
			if err := db.Rollback(); err != nil {
				t.Error(err)
			}
			b := db.Branch()
			b.Discard()
			for j := range 200 {
				b.Set(fmt.Appendf(nil, "k%03d", j), fmt.Append(nil, "h", i+2))
			}
			commit(t, db, b)
		}
	}
	close(done)
	readers.Wait()
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// readView checks that a view is of one piece.
func readView(db *DB, key []byte) error {
	v, err := db.View(0)
	if err != nil {
		return err
	}
	want := fmt.Sprint("h", v.Height())
	if v.Height() == 1 {
		want = "v"
	}
	for k, got := range v.Range([]byte("k"), key) {
		if string(got) != want || string(v.Get(k)) != want {
			return fmt.Errorf("height %d, key %s: range says %s, get %s, want %s", v.Height(), k, got, v.Get(k), want)
		}
	}
	p, err := v.Prove(key)
	if err != nil {
		return err
	}
	if err := p.GetExist().Verify(spec, v.Root(), key, []byte(want)); err != nil {
		return fmt.Errorf("height %d: %w", v.Height(), err)
	}
	return nil
}

// TestReadFault: a database that cannot be read does not open. It must not look
// empty.
func TestReadFault(t *testing.T) {
	var failing atomic.Bool
	fs := errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
		if failing.Load() && op.Kind == errorfs.OpFileReadAt {
			return errorfs.ErrInjected
		}
		return nil
	}))
	db, err := Open("state", Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	b := db.Branch()
	fill(b, 10)
	commit(t, db, b)
	if err := errors.Join(db.pebble.Flush(), db.Close()); err != nil { // out of the log, into a table
		t.Fatal(err)
	}
	failing.Store(true)
	if _, err = Open("state", Options{FS: fs}); !errors.Is(err, errorfs.ErrInjected) {
		t.Errorf("open on a broken disk: got %v, want the disk's error", err)
	}
	failing.Store(false)
	if db, err = Open("state", Options{FS: fs}); err != nil {
		t.Fatal(err)
	}
	if got := len(collect(db.Branch().Range(nil, nil))); got != 10 {
		t.Errorf("on the mended disk: %d pairs, want 10", got)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

// TestManyChanges: a height that changes thousands of pairs, whose sides are hashed
// at the same time, has the root of a tree that was built anew.
func TestManyChanges(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	want := pairs{}
	for height := range 4 {
		b := db.Branch()
		for i := range 6000 {
			key := fmt.Sprint("key", i)
			switch {
			case height > 0 && i%(height+2) != 0: // stays
			case height > 1 && i%7 == 0:
				delete(want, key)
				b.Delete([]byte(key))
			default:
				want[key] = fmt.Sprint(height)
				b.Set([]byte(key), []byte(want[key]))
			}
		}
		var ups []update
		for key, value := range want {
			ups = append(ups, newUpdate(key, []byte(value)))
		}
		if root := commit(t, db, b); !bytes.Equal(root, newView(ups).Root()) {
			t.Fatalf("height %d: root %x, want %x", height+1, root, newView(ups).Root())
		}
	}
	for i := range 6000 {
		key := fmt.Sprint("key", i)
		if got := string(db.Branch().Get([]byte(key))); got != want[key] {
			t.Fatalf("%s: %q, want %q", key, got, want[key])
		}
	}
}
