package registry

import (
	"testing"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func TestSetAuthority(t *testing.T) {
	w := newWorld(t)
	w.must(w.proposeBy("a0", &registryv1.MsgFreeze{Account: address("alice")}))
	next := &registryv1.Authority{Threshold: 1, Keys: [][]byte{key("a0"), key("b0")}}
	w.must(w.authority(&registryv1.MsgSetAuthority{Authority: next}))

	for name, want := range map[string]bool{"a0": true, "b0": true, "a1": false, "a2": false} {
		if got := IsAuthorityKey(w.ctx.Store, key(name)); got != want {
			t.Errorf("%s in office: got %t, want %t", name, got, want)
		}
	}
	if owner, ok := OwnerOf(w.ctx.Store, key("a1")); !ok || !owner.Removed {
		t.Errorf("a1: got %v, want a tombstone", owner)
	}
	if got := len(emitted[*registryv1.ProposalExpired](w)); got != 1 {
		t.Errorf("%d proposals lapsed, want 1", got)
	}
	back := &registryv1.Authority{Threshold: 1, Keys: [][]byte{key("a1")}}
	w.refused(w.authority(&registryv1.MsgSetAuthority{Authority: back}), ErrKeyTaken)
}

func TestSetAuthorityRefusals(t *testing.T) {
	tests := []struct {
		name      string
		threshold int64
		keys      []string
		want      *module.Error
	}{
		{"no keys", 1, nil, ErrInvalidField},
		{"no threshold", 0, []string{"b0"}, ErrInvalidField},
		{"more than there are", 2, []string{"b0"}, ErrInvalidField},
		{"twice the same", 1, []string{"b0", "b0"}, ErrInvalidField},
		{"a member's", 1, []string{"b0", "alice"}, ErrKeyTaken},
	}
	w := newWorld(t)
	w.refused(w.authority(&registryv1.MsgSetAuthority{}), ErrInvalidField)
	for _, test := range tests {
		next := &registryv1.Authority{Threshold: test.threshold}
		for _, name := range test.keys {
			next.Keys = append(next.Keys, key(name))
		}
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			w.refused(w.authority(&registryv1.MsgSetAuthority{Authority: next}), test.want)
		})
	}
}
