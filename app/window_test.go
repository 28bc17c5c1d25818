package app

import (
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
)

func TestUseSequence(t *testing.T) {
	fresh := func() *txv1.Window { return &txv1.Window{Bitmap: make([]byte, windowBits/8)} }
	for _, tc := range []struct {
		name string
		used []uint64
		next uint64
		want error
	}{
		{"first", nil, 1, nil},
		{"zero is never used", nil, 0, ErrReplayed},
		{"first may be far ahead", nil, 1024, nil},
		{"but not farther", nil, 1025, ErrSequenceTooFar},
		{"again", []uint64{1}, 1, ErrReplayed},
		{"below the highest, unused", []uint64{1, 9}, 8, nil},
		{"below the highest, used", []uint64{1, 9}, 1, ErrReplayed},
		{"last place of the window", []uint64{1024, 1025}, 2, nil},
		{"behind the window", []uint64{1024, 1025}, 1, ErrReplayed},
		{"one window ahead", []uint64{7}, 7 + 1024, nil},
		{"farther ahead", []uint64{7}, 8 + 1024, ErrSequenceTooFar},
	} {
		t.Run(tc.name, func(t *testing.T) {
			window := fresh()
			for _, s := range tc.used {
				if err := useSequence(window, s); err != nil {
					t.Fatalf("use %d: %v", s, err)
				}
			}
			if err := useSequence(window, tc.next); !errors.Is(err, tc.want) {
				t.Errorf("use %d after %v: got %v, want %v", tc.next, tc.used, err, tc.want)
			}
		})
	}
}

// Whatever the order, a sequence is used at most once, and refused only where
// the rule says so.
func TestUseSequenceAgainstSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := &txv1.Window{Bitmap: make([]byte, windowBits/8)}
		used, highest := make(map[uint64]bool), uint64(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			s := rapid.Uint64Range(0, highest+1100).Draw(t, "sequence")
			before := proto.Clone(window)
			err := useSequence(window, s)
			allowed := s != 0 && !used[s] && s <= highest+1024 && s+1024 > highest
			if (err == nil) != allowed {
				t.Fatalf("use %d with highest %d, used %v: got %v", s, highest, used[s], err)
			}
			if err == nil {
				used[s], highest = true, max(highest, s)
			} else if !proto.Equal(before, window) {
				t.Fatalf("a refusal of %d changed the window", s)
			}
		}
	})
}
