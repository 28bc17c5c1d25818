package state

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	ics23 "github.com/cosmos/ics23/go"
)

const (
	benchKeys    = 1_000_000
	benchChanges = 3_000
	benchValue   = 100
)

func benchKey(i int) []byte { return NewKey(1, 1).Bytes(make([]byte, 20)).Uint64(mix(uint64(i))) }

// mix spreads numbers over the key space like addresses and hashed ids.
func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// benchData is a value that compresses about as badly as real ones, which are
// mostly ids and amounts.
func benchData(i, round int) []byte {
	b := make([]byte, benchValue)
	for at := 0; at+8 <= len(b); at += 16 {
		binary.LittleEndian.PutUint64(b[at:], mix(uint64(i)<<20+uint64(round)<<8+uint64(at)))
	}
	b[0] |= 1
	return b
}

// benchDB is a database of benchKeys pairs in dir, at height 1.
func benchDB(b *testing.B, dir string) *DB {
	b.Helper()
	db, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	br := db.Branch()
	for i := range benchKeys {
		br.Set(benchKey(i), benchData(i, 0))
	}
	db.Stage(br)
	if err := db.Commit(1); err != nil {
		b.Fatal(err)
	}
	settle(b, db.pebble)
	return db
}

// settle brings a freshly loaded database into the shape of one that grew.
func settle(b *testing.B, p *pebble.DB) {
	b.Helper()
	if err := p.Compact(b.Context(), []byte{0}, []byte{0xff}, false); err != nil {
		b.Fatal(err)
	}
}

// benchPlain is a plain pebble database with the same pairs.
func benchPlain(b *testing.B, dir string) *pebble.DB {
	b.Helper()
	p, err := pebble.Open(dir, pebbleOptions(vfs.Default))
	if err != nil {
		b.Fatal(err)
	}
	batch := p.NewBatch()
	for i := range benchKeys {
		if err := batch.Set(pairKey(benchKey(i)), benchData(i, 0), nil); err != nil {
			b.Fatal(err)
		}
	}
	if err := batch.Commit(pebble.Sync); err != nil {
		b.Fatal(err)
	}
	settle(b, p)
	return p
}

func liveHeap() uint64 {
	runtime.GC()
	runtime.GC() // the second empties the pools
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkBlock commits blocks of 3 000 changes to 1 M pairs, in turn with the
// same changes as a plain synced pebble batch, and reports the ratio of the
// medians.
func BenchmarkBlock(b *testing.B) {
	db := benchDB(b, b.TempDir())
	defer db.Close()
	plain := benchPlain(b, b.TempDir())
	defer plain.Close()
	rnd := rand.New(rand.NewPCG(1, 2))
	var ours, theirs, staging []time.Duration
	height := int64(1)
	for b.Loop() {
		height++
		keys := rnd.Perm(benchKeys)[:benchChanges]
		br := db.Branch()
		batch := plain.NewBatch()
		for _, i := range keys {
			br.Set(benchKey(i), benchData(i, int(height)))
		}
		start := time.Now()
		db.Stage(br)
		staging = append(staging, time.Since(start))
		if err := db.Commit(height); err != nil {
			b.Fatal(err)
		}
		ours = append(ours, time.Since(start))

		pairs := make([]struct{ key, value []byte }, 0, len(keys))
		for _, i := range keys {
			pairs = append(pairs, struct{ key, value []byte }{pairKey(benchKey(i)), benchData(i, int(height))})
		}
		start = time.Now()
		for _, c := range pairs {
			if err := batch.Set(c.key, c.value, nil); err != nil {
				b.Fatal(err)
			}
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			b.Fatal(err)
		}
		theirs = append(theirs, time.Since(start))
	}
	b.ReportMetric(float64(median(ours))/float64(median(theirs)), "ratio")
	b.ReportMetric(float64(median(ours).Microseconds())/1000, "ms/block")
	b.ReportMetric(float64(median(staging).Microseconds())/1000, "ms/stage")
	b.ReportMetric(float64(median(theirs).Microseconds())/1000, "ms/plain")
}

// BenchmarkView builds the tree and the order of 1 M pairs as Open does, and
// reports the memory they keep.
func BenchmarkView(b *testing.B) {
	var v *View
	for b.Loop() {
		v = nil //nolint:ineffassign // lets the view before go, so that only one is counted
		before := liveHeap()
		v = benchView()
		b.ReportMetric(float64(liveHeap()-before)/benchKeys, "heapB/key")
	}
	runtime.KeepAlive(v)
}

func benchView() *View {
	ups := make([]update, benchKeys)
	for i := range ups {
		ups[i] = newUpdate(string(benchKey(i)), benchData(i, 0))
	}
	return newView(ups)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	if err := benchDB(b, dir).Close(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		db, err := Open(dir, Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProof(b *testing.B) {
	db := OpenMemory()
	defer db.Close()
	br := db.Branch()
	for i := range 100_000 {
		br.Set(benchKey(i), benchData(i, 0))
	}
	root := db.Stage(br)
	if err := db.Commit(1); err != nil {
		b.Fatal(err)
	}
	v, err := db.View(0)
	if err != nil {
		b.Fatal(err)
	}
	for _, at := range []int{1, 200_000} {
		key := benchKey(at)
		p, err := v.Prove(key)
		if err != nil {
			b.Fatal(err)
		}
		name := "presence"
		if at >= 100_000 {
			name = "absence"
		}
		b.Run(fmt.Sprintf("prove/%s", name), func(b *testing.B) {
			for b.Loop() {
				if _, err := v.Prove(key); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("verify/%s", name), func(b *testing.B) {
			for b.Loop() {
				ok := ics23.VerifyNonMembership(ics23.SmtSpec, root, p, key)
				if at < 100_000 {
					ok = ics23.VerifyMembership(ics23.SmtSpec, root, p, key, benchData(at, 0))
				}
				if !ok {
					b.Fatal("the proof does not verify")
				}
			}
		})
	}
}

// BenchmarkGet reads pairs of 1 M at random.
func BenchmarkGet(b *testing.B) {
	v := benchView()
	i := 0
	for b.Loop() {
		if i = (i + 7919) % benchKeys; v.Get(benchKey(i)) == nil {
			b.Fatal("a pair is missing")
		}
	}
}

// BenchmarkOpenMemory is what every test of a module pays.
func BenchmarkOpenMemory(b *testing.B) {
	for b.Loop() {
		if err := OpenMemory().Close(); err != nil {
			b.Fatal(err)
		}
	}
}
