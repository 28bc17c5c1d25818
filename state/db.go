package state

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Errors of Open, View, Commit and Rollback.
var (
	ErrRootMismatch = errors.New("state: the stored pairs do not hash to the stored root: the database is damaged; " +
		"remove it and restore a snapshot or sync from the network")
	ErrLocked   = errors.New("state: another process holds the database; stop it first")
	ErrClosed   = errors.New("state: the database is closed")
	ErrNoView   = errors.New("state: no view of this height is kept")
	ErrNoUndo   = errors.New("state: no undo record is kept for the last height: it cannot be rolled back")
	ErrUnstaged = errors.New("state: nothing was staged since the last commit")
)

const (
	defaultUndo  = 256
	defaultViews = 8
	// keptRoots are those of the latest heights, the views' included.
	keptRoots = 64
	// heldViews are kept beyond the latest ones because they were asked for, as long
	// as their roots: whoever asks for a height asks again, for one proof after the
	// other, and what nobody asks for is not worth what changed since.
	heldViews = 8

	// A validator shall fit into 250 MB. All reads are served from memory: the
	// database is read at the start, by compactions and for undo records.
	cacheBytes    = 1 << 20
	memTableBytes = 8 << 20
)

// Options of Open; the zero value is right for a validator.
type Options struct {
	Undo  int64  // heights that can be rolled back; 0: 256
	Views int    // latest heights kept for View, the last included; 0: 8
	FS    vfs.FS // file system; nil: the machine's
}

// DB is the store on disk. One goroutine at a time writes (Stage, Commit,
// Rollback, Close) and reads through branches; any number may read through views
// meanwhile.
type DB struct {
	opt    Options
	pebble *pebble.DB
	staged *stage // the writer's only: what Commit will write
	index  *index

	mu    sync.Mutex // guards what follows, and View.held
	views []*View    // ascending, the last committed one last; empty once closed
	roots []meta     // the same, but more of them: a view keeps what changed since
}

// stage is what Commit will write.
type stage struct {
	tree  node
	order *order
	ups   []update // applied
}

// Open opens or creates the database in dir. It rebuilds the tree from the
// stored pairs and returns ErrRootMismatch when its root is not the stored one,
// ErrLocked when somebody else has the database open.
func Open(dir string, opt Options) (*DB, error) {
	if opt.Undo <= 0 {
		opt.Undo = defaultUndo
	}
	if opt.Views <= 0 {
		opt.Views = defaultViews
	}
	if opt.FS == nil {
		opt.FS = vfs.Default
	}
	p, err := pebble.Open(dir, pebbleOptions(opt.FS))
	if err != nil {
		return nil, fmt.Errorf("state: open %s: %w", dir, err)
	}
	db := &DB{opt: opt, pebble: p, index: new(index)}
	if err := db.load(); err != nil {
		return nil, errors.Join(fmt.Errorf("state: open %s: %w", dir, err), p.Close())
	}
	return db, nil
}

// OpenMemory returns an empty database in memory, for tests.
func OpenMemory() *DB {
	db, err := Open("state", Options{FS: vfs.NewMem()})
	if err != nil { // memory does not fail
		panic(err)
	}
	return db
}

func pebbleOptions(fs vfs.FS) *pebble.Options {
	return &pebble.Options{
		CacheSize:    cacheBytes,
		MemTableSize: memTableBytes,
		// A compaction of level 0 rewrites nearly all pairs, whose keys are random;
		// more tables there are read at the start only.
		L0CompactionThreshold: 16,
		L0StopWritesThreshold: 48,
		FormatMajorVersion:    pebble.FormatNewest,
		FS:                    lockFS{fs},
		Logger:                logger{},
	}
}

// load reads the last committed height, rebuilds its tree and checks it.
func (db *DB) load() error {
	m, err := readMeta(db.pebble)
	if err != nil {
		return err
	}
	if expired := m.height - db.opt.Undo; expired > 0 { // left behind by a greater Options.Undo
		if err := deleteUndo(db.pebble, 0, expired); err != nil {
			return err
		}
	}
	pairs, err := readPairs(db.pebble)
	if err != nil {
		return err
	}
	v := newView(pairs)
	v.height = m.height
	if root := v.root(); root != m.root {
		return fmt.Errorf("%w: height %d, stored root %x, root of the pairs %x", ErrRootMismatch, m.height, m.root, root)
	}
	db.index.leaves = make(map[string]*leaf, len(pairs))
	db.show(v, pairs)
	return nil
}

// show makes v, to which the updates led, the last committed height.
func (db *DB) show(v *View, ups []update) {
	v.index = db.index
	db.index.update(v, ups)
	db.keep(v)
}

// readPairs returns the stored pairs as updates of an empty tree.
func readPairs(r pebble.Reader) ([]update, error) {
	it, err := r.NewIter(&pebble.IterOptions{LowerBound: pairKey(nil), UpperBound: prefixEnd(pairKey(nil))})
	if err != nil {
		return nil, fmt.Errorf("read the pairs: %w", err)
	}
	var ups []update
	for ok := it.First(); ok; ok = it.Next() {
		ups = append(ups, newUpdate(string(it.Key()[1:]), bytes.Clone(it.Value())))
	}
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return nil, fmt.Errorf("read the pairs: %w", err)
	}
	return ups, nil
}

// newView is a view of exactly the leaves in ups.
func newView(ups []update) *View {
	v := &View{order: newOrder()}
	for i := range ups {
		v.order.ReplaceOrInsert(ups[i].leaf.key)
	}
	v.tree = applyUpdates(nil, ups)
	return v
}

// Version returns the last committed height and its 32-byte root: before the
// first commit (and after Close) height 0 and the empty root, all zero bytes.
func (db *DB) Version() (height int64, root []byte) {
	v, err := db.View(0)
	if err != nil {
		return 0, make([]byte, hashSize)
	}
	return v.height, v.Root()
}

// Branch returns an empty branch over what is committed at the time of each of
// its reads. It is staged with Stage, not written with Write.
func (db *DB) Branch() *Branch { return newBranch(latest{db}) }

// View returns a committed height, 0 for the last, or ErrNoView when that height
// is not kept. One of the latest 8 that is asked for by its number is kept until 64
// are later, or 8 later ones that were asked for.
func (db *DB) View(height int64) (*View, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.views) == 0 {
		return nil, ErrClosed
	}
	last := db.views[len(db.views)-1]
	if height == 0 {
		return last, nil
	}
	for _, v := range slices.Backward(db.views) {
		if v.height == height {
			v.held = true
			return v, nil
		}
	}
	return nil, fmt.Errorf("%w: height %d, the last is %d", ErrNoView, height, last.height)
}

// Root returns the 32-byte root of one of the latest 64 committed heights, 0 for
// the last, or ErrNoView.
func (db *DB) Root(height int64) ([]byte, error) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.views) == 0 {
		return nil, ErrClosed
	}
	for _, m := range slices.Backward(db.roots) {
		if m.height == height || height == 0 {
			return bytes.Clone(m.root[:]), nil
		}
	}
	return nil, fmt.Errorf("%w: height %d, the roots kept begin with %d", ErrNoView, height, db.roots[0].height)
}

// Close closes the database; a second Close is harmless. Views that were taken
// can still be read.
func (db *DB) Close() error {
	db.mu.Lock()
	defer db.mu.Unlock()
	if len(db.views) == 0 {
		return nil
	}
	db.views = nil
	db.index.close()
	return db.pebble.Close()
}

// keep makes v the last committed height. It forgets the oldest ones and, after
// a rollback, those that v replaces.
func (db *DB) keep(v *View) {
	db.mu.Lock()
	defer db.mu.Unlock()
	last := len(db.views)
	for last > 0 && db.views[last-1].height >= v.height {
		last--
	}
	db.views = append(db.lasting(db.views[:last], v.height), v)

	known := slices.IndexFunc(db.roots, func(m meta) bool { return m.height >= v.height })
	if known < 0 {
		known = len(db.roots)
	}
	db.roots = append(db.roots[max(0, known+1-keptRoots):known], meta{v.height, v.root()})
}

// lasting returns the views that stay when the height after them is committed: the
// latest, and the latest of those that were asked for.
func (db *DB) lasting(views []*View, height int64) []*View {
	recent := max(0, len(views)-(db.opt.Views-1))
	held := slices.DeleteFunc(slices.Clone(views[:recent]), func(v *View) bool {
		return !v.held || v.height <= height-keptRoots
	})
	held = held[max(0, len(held)-heldViews):]
	return append(held, views[recent:]...)
}

// lockFS marks a failure to lock, which pebble reports like any other.
type lockFS struct{ vfs.FS }

func (fs lockFS) Lock(name string) (io.Closer, error) {
	c, err := fs.FS.Lock(name)
	if err != nil {
		return nil, fmt.Errorf("%w (%w)", ErrLocked, err)
	}
	return c, nil
}

// logger keeps pebble's chatter out of the node's log.
type logger struct{}

func (logger) Infof(string, ...any) {}

func (logger) Errorf(format string, args ...any) {
	slog.Error("state database", "err", fmt.Sprintf(format, args...))
}

// Fatalf must not return: pebble calls it when it cannot write its log.
func (logger) Fatalf(format string, args ...any) { panic(Fault{fmt.Errorf(format, args...)}) }
