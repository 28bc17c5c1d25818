package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	ics23 "github.com/cosmos/ics23/go"
	"pgregory.net/rapid"
)

// pairs is the model of a store: nothing but a map.
type pairs map[string]string

// scan is what Range must yield.
func (p pairs) scan(prefix, from string) (out []string) {
	for _, k := range slices.Sorted(maps.Keys(p)) {
		if strings.HasPrefix(k, prefix) && k >= from {
			out = append(out, k+"="+p[k])
		}
	}
	return out
}

func collect(seq iter.Seq2[[]byte, []byte]) (out []string) {
	for k, v := range seq {
		out = append(out, string(k)+"="+string(v))
	}
	return out
}

// root is the definition of the tree, written down without any of its code.
func (p pairs) root() []byte {
	leaves := map[string][]byte{} // by path, one byte per bit
	for k, v := range p {
		path, value := sha256.Sum256([]byte(k)), sha256.Sum256([]byte(v))
		sum := sha256.Sum256(slices.Concat([]byte{0}, path[:], value[:]))
		var bits strings.Builder
		for i := range 256 {
			bits.WriteByte('0' + path[i/8]>>(7-i%8)&1)
		}
		leaves[bits.String()] = sum[:]
	}
	return naiveRoot(leaves, "")
}

func naiveRoot(leaves map[string][]byte, prefix string) []byte {
	var under [][]byte
	for path, sum := range leaves {
		if strings.HasPrefix(path, prefix) {
			under = append(under, sum)
		}
	}
	switch len(under) {
	case 0:
		return make([]byte, 32)
	case 1:
		return under[0]
	}
	sum := sha256.Sum256(slices.Concat([]byte{1}, naiveRoot(leaves, prefix+"0"), naiveRoot(leaves, prefix+"1")))
	return sum[:]
}

// Few short keys, so that they collide, share prefixes and touch the ends of
// ranges.
var (
	anyKey = rapid.Custom(func(t *rapid.T) string {
		return string(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xfe, 0xff}), 1, 4).Draw(t, "key"))
	})
	anyPart  = rapid.OneOf(rapid.Just(""), anyKey)
	anyValue = rapid.StringMatching(`[a-c]{1,3}`)
)

const modelUndo, modelViews = 4, 3

// machine runs a DB and its model side by side.
type machine struct {
	fs      *vfs.MemFS
	db      *DB
	block   *Branch
	pending pairs
	history []pairs // by height; history[0] is the empty store
	undo    int     // heights that can be rolled back
	views   []kept  // those that View must know, ascending
	roots   int     // and those that Root must know
	held    []*View
}

func newMachine(t *rapid.T) *machine {
	m := &machine{fs: vfs.NewCrashableMem(), pending: pairs{}, history: []pairs{{}}}
	m.open(t)
	return m
}

func (m *machine) open(t *rapid.T) {
	db, err := Open("state", Options{Undo: modelUndo, Views: modelViews, FS: m.fs})
	if err != nil {
		t.Fatal(err)
	}
	m.db, m.views, m.roots = db, nil, 0
	m.keep()
	m.reset()
}

// kept is a height that View knows, and whether it was asked for by its number.
type kept struct {
	height int64
	asked  bool
}

// keep does with the model's views what the last height, committed or returned to,
// must do with those of DB.
func (m *machine) keep() {
	last := m.height()
	var views []kept
	asked := 0
	for _, v := range slices.Backward(m.views) {
		latest := v.height > last-modelViews
		if !latest && v.asked {
			asked++
		}
		if v.height < last && (latest || v.asked && asked <= heldViews && v.height > last-keptRoots) {
			views = append(views, v)
		}
	}
	slices.Reverse(views)
	m.views = append(views, kept{height: last})
}

func (m *machine) height() int64 { return int64(len(m.history) - 1) }

func (m *machine) reset() {
	m.block, m.pending = m.db.Branch(), maps.Clone(m.history[m.height()])
}

func (m *machine) closeAll(t *rapid.T) {
	m.held = nil
	for range 2 {
		if err := m.db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *machine) write(t *rapid.T) { writeSome(t, m.block, m.pending) }

func writeSome(t *rapid.T, s Store, model pairs) {
	for range rapid.IntRange(1, 8).Draw(t, "writes") {
		k := anyKey.Draw(t, "key")
		if rapid.IntRange(0, 2).Draw(t, "delete") == 0 {
			s.Delete([]byte(k))
			delete(model, k)
		} else {
			v := anyValue.Draw(t, "value")
			s.Set([]byte(k), []byte(v))
			model[k] = v
		}
	}
}

// nested writes on a branch of a branch and keeps or drops each.
func (m *machine) nested(t *rapid.T) {
	outer, outerModel := NewBranch(m.block), maps.Clone(m.pending)
	writeSome(t, outer, outerModel)
	inner, innerModel := NewBranch(outer), maps.Clone(outerModel)
	writeSome(t, inner, innerModel)
	checkReader(t, inner, innerModel)
	if rapid.Bool().Draw(t, "keep inner") {
		inner.Write()
		outerModel = innerModel
	} else {
		inner.Discard()
	}
	checkReader(t, inner, outerModel)
	checkReader(t, outer, outerModel)
	checkReader(t, m.block, m.pending)
	if rapid.Bool().Draw(t, "keep outer") {
		outer.Write()
		m.pending = outerModel
	}
}

// atomic writes in nested calls of Atomic, each of which stands, fails or
// panics.
func (m *machine) atomic(t *rapid.T) {
	var level func(depth int, model pairs)
	level = func(depth int, model pairs) {
		inner := maps.Clone(model)
		failed := errors.New("not wanted")
		fate := rapid.SampledFrom([]string{"stands", "fails", "panics"}).Draw(t, "fate")
		var err error
		panicked := recovered(func() {
			err = m.block.Atomic(func() error {
				writeSome(t, m.block, inner)
				if depth > 0 {
					level(depth-1, inner)
				}
				writeSome(t, m.block, inner)
				switch fate {
				case "fails":
					return failed
				case "panics":
					panic(failed)
				}
				return nil
			})
		})
		if panicked != nil && panicked != failed {
			panic(panicked) // rapid's own, which ends a run
		}
		switch {
		case fate == "stands" && (err != nil || panicked != nil), fate == "fails" && err != failed, fate == "panics" && panicked != failed:
			t.Fatalf("Atomic that %s: error %v, panic %v", fate, err, panicked)
		case fate == "stands":
			clear(model)
			maps.Copy(model, inner)
		}
		checkReader(t, m.block, model)
	}
	level(rapid.IntRange(0, 2).Draw(t, "depth"), m.pending)
}

func (m *machine) commit(t *rapid.T) {
	if rapid.Bool().Draw(t, "stage early") { // a stage that does not count
		m.db.Stage(m.block)
		m.write(t)
	}
	root := m.db.Stage(m.block)
	if want := m.pending.root(); !bytes.Equal(root, want) {
		t.Fatalf("staged root %x, want %x", root, want)
	}
	m.check(t)
	if err := m.db.Commit(m.height() + 1); err != nil {
		t.Fatal(err)
	}
	if m.height() > 0 {
		m.undo = min(m.undo+1, modelUndo)
	}
	m.roots = min(m.roots+1, keptRoots-1)
	m.history = append(m.history, m.pending)
	m.keep()
	m.reset()
}

func (m *machine) rollback(t *rapid.T) {
	err := m.db.Rollback()
	if m.undo == 0 {
		if !errors.Is(err, ErrNoUndo) {
			t.Fatalf("rollback of height %d: got %v, want ErrNoUndo", m.height(), err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	m.undo--
	m.roots = max(m.roots-1, 0)
	m.history = m.history[:m.height()]
	m.keep()
	m.reset()
}

func (m *machine) reopen(t *rapid.T) {
	m.closeAll(t)
	m.open(t)
}

// crash loses all that was not synced, in the middle of a block.
func (m *machine) crash(t *rapid.T) {
	m.db.Stage(m.block)
	m.fs, m.held = m.fs.CrashClone(vfs.CrashCloneCfg{}), nil
	m.open(t)
}

func (m *machine) hold(t *rapid.T) {
	v, err := m.db.View(0)
	if err != nil {
		t.Fatal(err)
	}
	m.held = append(m.held, v)
}

func (m *machine) check(t *rapid.T) {
	height, root := m.db.Version()
	if height != m.height() {
		t.Fatalf("last height %d, want %d", height, m.height())
	}
	if want := m.history[height].root(); !bytes.Equal(root, want) {
		t.Fatalf("root %x, want %x", root, want)
	}
	checkReader(t, m.block, m.pending)
	for h := height; h >= 1; h-- {
		if !rapid.Bool().Draw(t, "ask for a view") {
			continue
		}
		v, err := m.db.View(h)
		at := slices.IndexFunc(m.views, func(v kept) bool { return v.height == h })
		if at < 0 {
			if !errors.Is(err, ErrNoView) {
				t.Fatalf("view of height %d: got %v, want ErrNoView", h, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		m.views[at].asked = true
		checkView(t, v, m.history[h])
	}
	for h := height; h >= 1; h-- {
		root, err := m.db.Root(h)
		if h < height-int64(m.roots) {
			if !errors.Is(err, ErrNoView) {
				t.Fatalf("root of height %d: got %v, want ErrNoView", h, err)
			}
			break
		}
		if want := m.history[h].root(); err != nil || !bytes.Equal(root, want) {
			t.Fatalf("root of height %d: got %x, %v, want %x", h, root, err, want)
		}
	}
}

func checkReader(t *rapid.T, r Reader, want pairs) {
	k := anyKey.Draw(t, "get")
	v, ok := want[k]
	if got := r.Get([]byte(k)); string(got) != v || (got != nil) != ok {
		t.Fatalf("get %x: got %q, want %q", k, got, v)
	}
	prefix, from := anyPart.Draw(t, "prefix"), anyPart.Draw(t, "from")
	if got, want := collect(r.Range([]byte(prefix), []byte(from))), want.scan(prefix, from); !slices.Equal(got, want) {
		t.Fatalf("range %x from %x: got %q, want %q", prefix, from, got, want)
	}
}

func checkView(t *rapid.T, v *View, want pairs) {
	checkReader(t, v, want)
	if root := want.root(); !bytes.Equal(v.Root(), root) {
		t.Fatalf("root of height %d: got %x, want %x", v.Height(), v.Root(), root)
	}
	key := []byte(anyKey.Draw(t, "prove"))
	p, err := v.Prove(key)
	if len(want) == 0 {
		if !errors.Is(err, ErrNoProof) {
			t.Fatalf("proof in an empty store: got %v, want ErrNoProof", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	value, present := want[string(key)]
	if got := ics23.VerifyMembership(ics23.SmtSpec, v.Root(), p, key, []byte(value)); got != present {
		t.Fatalf("proof of presence of %x: verifies %v, want %v", key, got, present)
	}
	if got := ics23.VerifyNonMembership(ics23.SmtSpec, v.Root(), p, key); got == present {
		t.Fatalf("proof of absence of %x: verifies %v, want %v", key, got, !present)
	}
}

// TestModel drives a database and a map through the same random life: writes,
// nested branches, commits, rollbacks, restarts and crashes. Views taken on the
// way must never change.
func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMachine(t)
		defer func() { m.closeAll(t) }()
		t.Repeat(map[string]func(*rapid.T){
			"":         m.check,
			"write":    m.write,
			"nested":   m.nested,
			"commit":   m.commit,
			"commit2":  m.commit, // twice as often as the rest
			"rollback": m.rollback,
			"atomic":   m.atomic,
			"reopen":   m.reopen,
			"crash":    m.crash,
			"hold": func(t *rapid.T) {
				m.hold(t)
				v, want := m.held[len(m.held)-1], maps.Clone(m.history[m.height()])
				m.write(t)
				m.commit(t)
				checkView(t, v, want)
			},
		})
	})
}

// TestRootDependsOnTheSetOnly reaches the same set by different ways.
func TestRootDependsOnTheSetOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := pairs(rapid.MapOfN(rapid.StringN(1, 3, 9), anyValue, 0, 60).Draw(t, "pairs"))
		keys := rapid.Permutation(slices.Sorted(maps.Keys(want))).Draw(t, "order")
		var tree node
		for len(keys) > 0 {
			n := rapid.IntRange(1, len(keys)).Draw(t, "batch")
			var ups, undo []update
			for _, k := range keys[:n] {
				ups = append(ups, newUpdate(k, []byte(want[k])))
				undo = append(undo, newUpdate(k, nil))
			}
			before := *digestOf(tree)
			with := applyUpdates(tree, ups)
			if got := *digestOf(applyUpdates(with, undo)); got != before {
				t.Fatalf("root after adding and deleting %d keys is %x, was %x", n, got, before)
			}
			tree, keys = with, keys[n:]
		}
		if got, want := *digestOf(tree), want.root(); !bytes.Equal(got[:], want) {
			t.Fatalf("root %x, want %x", got, want)
		}
	})
}
