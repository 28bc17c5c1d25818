package registry

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

// The life of an account: every message in every status.
func TestStatuses(t *testing.T) {
	const (
		pending = registryv1.Status_STATUS_PENDING
		active  = registryv1.Status_STATUS_ACTIVE
		frozen  = registryv1.Status_STATUS_FROZEN
		revoked = registryv1.Status_STATUS_REVOKED
	)
	bob := address("bob")
	freezeIt, thawIt, revokeIt := &registryv1.MsgFreeze{Account: bob}, &registryv1.MsgThaw{Account: bob}, &registryv1.MsgRevoke{Account: bob}
	tests := []struct {
		from registryv1.Status
		msg  proto.Message
		to   registryv1.Status // 0: refused
	}{
		{pending, freezeIt, 0},
		{pending, thawIt, 0},
		{pending, revokeIt, 0},
		{active, freezeIt, frozen},
		{active, thawIt, 0},
		{active, revokeIt, revoked},
		{frozen, freezeIt, 0},
		{frozen, thawIt, active},
		{frozen, revokeIt, revoked},
		{revoked, freezeIt, 0},
		{revoked, thawIt, 0},
		{revoked, revokeIt, 0},
	}
	for _, test := range tests {
		w := newWorld(t)
		w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob")}))
		if test.from != pending {
			w.must(w.authority(&registryv1.MsgApprove{Account: bob}))
		}
		switch test.from {
		case frozen:
			w.must(w.authority(freezeIt))
		case revoked:
			w.must(w.authority(revokeIt))
		}
		err := w.authority(test.msg)
		if test.to == 0 {
			w.refused(err, ErrWrongStatus)
			continue
		}
		w.must(err)
		if got := w.account("bob").Status; got != test.to {
			t.Errorf("%v, %T: got %v, want %v", test.from, test.msg, got, test.to)
		}
	}
}

func TestStoppedThisBlock(t *testing.T) {
	w := newWorld(t)
	w.must(w.by("agg0", &registryv1.MsgApply{Application: prosumer("bob")}))
	w.must(w.authority(&registryv1.MsgApprove{Account: address("bob")}))
	w.must(w.authority(&registryv1.MsgFreeze{Account: address("bob"), Reason: "no readings"}))
	w.must(w.authority(&registryv1.MsgRevoke{Account: address("alice"), Reason: "moved"}))

	want := []protocol.Address{protocol.Address(address("alice")), protocol.Address(address("bob"))}
	slices.SortFunc(want, func(a, b protocol.Address) int { return bytes.Compare(a[:], b[:]) })
	if got := StoppedThisBlock(w.ctx.Store, w.ctx.Height); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := StoppedThisBlock(w.ctx.Store, w.ctx.Height+1); len(got) != 0 {
		t.Errorf("at another height: got %v", got)
	}
	w.endBlock()
	if got := StoppedThisBlock(w.ctx.Store, w.ctx.Height-1); len(got) != 0 {
		t.Errorf("after the hook: got %v", got)
	}
}

func TestReason(t *testing.T) {
	w := newWorld(t)
	for _, reason := range []string{strings.Repeat("x", maxReason+1), "two\nlines", "\xff"} {
		w.refused(w.authority(&registryv1.MsgFreeze{Account: address("alice"), Reason: reason}), ErrInvalidField)
		w.refused(w.authority(&registryv1.MsgRevoke{Account: address("alice"), Reason: reason}), ErrInvalidField)
	}
	w.must(w.authority(&registryv1.MsgFreeze{Account: address("alice"), Reason: "keine Zählerstände"}))
}

// What the chain froze by itself it thaws itself, unless the authority took the
// freeze over.
func TestFreezeCause(t *testing.T) {
	const cause = registryv1.FreezeCause_FREEZE_CAUSE_VIOLATIONS
	alice := protocol.Address(address("alice"))
	w := newWorld(t)
	for _, test := range []struct {
		name string
		do   func()
		want registryv1.Status
		ours bool // frozen for the cause
	}{
		{"an active one", func() { FreezeFor(w.ctx, alice, cause, "violations") }, registryv1.Status_STATUS_FROZEN, true},
		{"thawed by the chain", func() { ThawFrom(w.ctx, alice, cause, "paid") }, registryv1.Status_STATUS_ACTIVE, false},
		{"again", func() { FreezeFor(w.ctx, alice, cause, "violations") }, registryv1.Status_STATUS_FROZEN, true},
		{"thawed by the authority", func() { w.must(w.authority(&registryv1.MsgThaw{Account: alice[:]})) }, registryv1.Status_STATUS_ACTIVE, false},
		{"and again", func() { FreezeFor(w.ctx, alice, cause, "violations") }, registryv1.Status_STATUS_FROZEN, true},
		{"taken over", func() { w.must(w.authority(&registryv1.MsgFreeze{Account: alice[:]})) }, registryv1.Status_STATUS_FROZEN, false},
		{"not ours to thaw", func() { ThawFrom(w.ctx, alice, cause, "paid") }, registryv1.Status_STATUS_FROZEN, false},
		{"nor to freeze", func() { FreezeFor(w.ctx, alice, cause, "violations") }, registryv1.Status_STATUS_FROZEN, false},
	} {
		test.do()
		if got := w.account("alice").Status; got != test.want || FrozenFor(w.ctx.Store, alice, cause) != test.ours {
			t.Fatalf("%s: %v, ours %t; want %v, %t", test.name, got, FrozenFor(w.ctx.Store, alice, cause), test.want, test.ours)
		}
	}
	application := prosumer("bob")
	application.FreezeCause = cause
	w.refused(w.by("agg0", &registryv1.MsgApply{Application: application}), ErrInvalidField)
}
