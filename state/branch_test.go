package state

import (
	"fmt"
	"slices"
	"testing"
)

func fill(s Store, n int) (want []string) {
	for i := range n {
		k := fmt.Sprintf("k%03d", i)
		s.Set([]byte(k), []byte("v"))
		want = append(want, k+"=v")
	}
	return want
}

// TestRangeDuringWrites changes a store at every level while a range over it
// runs: the range must go on as if nothing had happened.
func TestRangeDuringWrites(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	block := db.Branch()
	want := fill(block, 50)
	commit(t, db, block)
	block = db.Branch()
	fill(block, 20) // some of the pairs come from the branch, the rest from below
	tx := NewBranch(block)
	var got []string
	for k, v := range tx.Range([]byte("k"), nil) {
		got = append(got, string(k)+"="+string(v))
		tx.Delete([]byte(fmt.Sprintf("k%03d", len(got))))
		tx.Set(append(k, 'x'), []byte("new"))
		block.Set([]byte(fmt.Sprintf("k%03dy", len(got))), []byte("new"))
		switch len(got) {
		case 10:
			tx.Write()
		case 20:
			commit(t, db, block)
		case 30:
			tx.Discard()
			block.Discard()
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRangeStopsEarly(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	block := db.Branch()
	fill(block, 10)
	commit(t, db, block)
	block = db.Branch()
	block.Set([]byte("k005x"), []byte("v"))
	for _, stop := range []int{1, 6, 7, 8, 11} {
		n := 0
		for range block.Range(nil, nil) {
			if n++; n == stop {
				break
			}
		}
		if n != stop {
			t.Errorf("stopped after %d pairs, want %d", n, stop)
		}
	}
}

func TestBranchCopiesKeys(t *testing.T) {
	db := OpenMemory()
	defer db.Close()
	b := db.Branch()
	key := []byte("key")
	b.Set(key, []byte("value"))
	key[0] = 'X'
	if got := b.Get([]byte("key")); string(got) != "value" {
		t.Errorf("after the caller's key was changed the pair is %q, want value", got)
	}
}

func TestBrokenInvariantsPanic(t *testing.T) {
	db, other := OpenMemory(), OpenMemory()
	defer db.Close()
	defer other.Close()
	b := db.Branch()
	for name, f := range map[string]func(){
		"set an empty key":       func() { b.Set(nil, []byte("v")) },
		"set an empty value":     func() { b.Set([]byte("k"), nil) },
		"set a long key":         func() { b.Set(make([]byte, MaxKeySize+1), []byte("v")) },
		"delete an empty key":    func() { b.Delete(nil) },
		"write a database's own": func() { b.Write() },
		"stage a nested branch":  func() { db.Stage(NewBranch(b)) },
		"stage a foreign branch": func() { db.Stage(other.Branch()) },
	} {
		if recovered(f) == nil {
			t.Errorf("%s: no panic", name)
		}
	}
	b.Set(make([]byte, MaxKeySize), []byte("v"))
	commit(t, db, b)
	if got := db.Branch().Get(make([]byte, MaxKeySize)); string(got) != "v" {
		t.Errorf("value of the longest key is %q, want v", got)
	}
}

func recovered(f func()) (r any) {
	defer func() { r = recover() }()
	f()
	return nil
}
