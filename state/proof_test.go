package state

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"testing"

	ics23 "github.com/cosmos/ics23/go"
)

var spec = ics23.SmtSpec

// provable is a view of n pairs "key i" = "value i".
func provable(t testing.TB, n int) *View {
	t.Helper()
	db := OpenMemory()
	b := db.Branch()
	for i := range n {
		b.Set(fmt.Appendf(nil, "key %d", i), fmt.Appendf(nil, "value %d", i))
	}
	commit(t, db, b)
	v := view(t, db)
	t.Cleanup(func() { db.Close() })
	return v
}

func prove(t testing.TB, v *View, key []byte) *ics23.CommitmentProof {
	t.Helper()
	p, err := v.Prove(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestProofs proves every key of small and larger stores, and absent keys
// between, before the first and after the last.
func TestProofs(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 8, 33, 300} {
		v := provable(t, n)
		first, last, between := 0, 0, 0
		for i := range 2*n + 60 {
			key, value := fmt.Appendf(nil, "key %d", i), fmt.Appendf(nil, "value %d", i)
			p := prove(t, v, key)
			present := i < n
			if got := ics23.VerifyMembership(spec, v.Root(), p, key, value); got != present {
				t.Errorf("%d keys, key %d: presence verifies %v, want %v", n, i, got, present)
			}
			if got := ics23.VerifyNonMembership(spec, v.Root(), p, key); got == present {
				t.Errorf("%d keys, key %d: absence verifies %v, want %v", n, i, got, !present)
			}
			if ics23.VerifyMembership(spec, v.Root(), p, key, []byte("value")) {
				t.Errorf("%d keys, key %d: a wrong value verifies", n, i)
			}
			if ics23.VerifyMembership(spec, sha(v.Root()), p, key, value) || ics23.VerifyNonMembership(spec, sha(v.Root()), p, key) {
				t.Errorf("%d keys, key %d: verifies under another root", n, i)
			}
			switch non := p.GetNonexist(); {
			case non == nil:
			case non.Left == nil:
				first++
			case non.Right == nil:
				last++
			default:
				between++
			}
		}
		if first == 0 && last == 0 || n > 1 && between == 0 {
			t.Errorf("%d keys: %d proofs before the first key, %d after the last, %d between: a case was not met", n, first, last, between)
		}
	}
}

func sha(b []byte) []byte { h := sha256.Sum256(b); return h[:] }

// TestAbsenceOfOthers: a proof of absence of one key must prove nothing about
// keys that are there or lie elsewhere.
func TestAbsenceOfOthers(t *testing.T) {
	v := provable(t, 50)
	p := prove(t, v, []byte("nobody"))
	for i := range 50 {
		if ics23.VerifyNonMembership(spec, v.Root(), p, fmt.Appendf(nil, "key %d", i)) {
			t.Errorf("the absence of key %d verifies", i)
		}
	}
	// Neighbours that are not next to each other hide what lies between.
	keys := make([][]byte, 50)
	for i := range keys {
		keys[i] = fmt.Appendf(nil, "key %d", i)
	}
	slices.SortFunc(keys, func(a, b []byte) int { return bytes.Compare(sha(a), sha(b)) })
	for i := 1; i+1 < len(keys); i++ {
		forged := &ics23.CommitmentProof{Proof: &ics23.CommitmentProof_Nonexist{Nonexist: &ics23.NonExistenceProof{
			Key:   keys[i],
			Left:  prove(t, v, keys[i-1]).GetExist(),
			Right: prove(t, v, keys[i+1]).GetExist(),
		}}}
		if ics23.VerifyNonMembership(spec, v.Root(), forged, keys[i]) {
			t.Errorf("the absence of %s verifies", keys[i])
		}
	}
}

func TestProofErrors(t *testing.T) {
	v := provable(t, 0)
	if _, err := v.Prove([]byte("k")); !errors.Is(err, ErrNoProof) {
		t.Errorf("empty store: got %v, want ErrNoProof", err)
	}
	if _, err := v.Prove(nil); err == nil {
		t.Error("empty key: no error")
	}
}

// FuzzForgedProof changes the bytes of honest proofs. None may show that a key
// has a value it has not, that an absent key is there, or a present one is not.
func FuzzForgedProof(f *testing.F) {
	const n = 40
	v := provable(f, n)
	root := v.Root()
	for _, key := range []string{"key 0", "key 17", "absent", "key 40"} {
		b, err := prove(f, v, []byte(key)).Marshal()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, uint16(3), byte(1), "key 1", "value 2")
		f.Add(b, uint16(len(b)-1), byte(0x80), key, "forged")
	}
	f.Fuzz(func(t *testing.T, proof []byte, at uint16, flip byte, key, value string) {
		if len(proof) > 0 {
			proof[int(at)%len(proof)] ^= flip
		}
		var p ics23.CommitmentProof
		if p.Unmarshal(proof) != nil {
			return
		}
		held := v.Get([]byte(key))
		if ics23.VerifyMembership(spec, root, &p, []byte(key), []byte(value)) && string(held) != value {
			t.Errorf("key %q is proved to be %q, is %q", key, value, held)
		}
		if held != nil && ics23.VerifyNonMembership(spec, root, &p, []byte(key)) {
			t.Errorf("key %q is proved absent, is %q", key, held)
		}
	})
}

// TestTamperedProofs flips every bit of an honest proof.
func TestTamperedProofs(t *testing.T) {
	v := provable(t, 12)
	key, value := []byte("key 7"), []byte("value 7")
	honest, err := prove(t, v, key).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(honest) * 8 {
		forged := bytes.Clone(honest)
		forged[i/8] ^= 1 << (i % 8)
		var p ics23.CommitmentProof
		if p.Unmarshal(forged) != nil {
			continue
		}
		again, err := p.Marshal()
		if err == nil && bytes.Equal(again, honest) {
			continue // a bit that means nothing
		}
		if ics23.VerifyMembership(spec, v.Root(), &p, key, value) {
			t.Errorf("the proof verifies with bit %d of byte %d flipped", i%8, i/8)
		}
	}
}
