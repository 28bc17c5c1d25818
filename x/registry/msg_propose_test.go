package registry

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func packed(t *testing.T, msgs ...proto.Message) *registryv1.MsgPropose {
	t.Helper()
	proposal := new(registryv1.MsgPropose)
	for _, msg := range msgs {
		value, err := protocol.Marshal(msg)
		if err != nil {
			t.Fatal(err)
		}
		proposal.Msgs = append(proposal.Msgs, &txv1.Msg{
			Type: string(msg.ProtoReflect().Descriptor().FullName()), Value: value,
		})
	}
	return proposal
}

// proposeBy proposes with a key of the authority.
func (w *world) proposeBy(name string, msgs ...proto.Message) error {
	w.t.Helper()
	return w.send(module.Signer{Key: key(name)}, packed(w.t, msgs...))
}

func (w *world) approveBy(name string, proposal []byte) error {
	w.t.Helper()
	return w.send(module.Signer{Key: key(name)}, &registryv1.MsgApproveProposal{Proposal: proposal})
}

// proposed is the id of the last proposal.
func (w *world) proposed() []byte {
	w.t.Helper()
	events := emitted[*registryv1.Proposed](w)
	if len(events) == 0 {
		w.t.Fatal("nothing proposed")
	}
	return events[len(events)-1].Proposal
}

func TestProposeAndApprove(t *testing.T) {
	w := newWorld(t)
	w.must(w.proposeBy("a0", &registryv1.MsgFreeze{Account: address("alice")}, &registryv1.MsgThaw{Account: address("alice")},
		&registryv1.MsgFreeze{Account: address("alice"), Reason: "third"}))
	id := w.proposed()
	if got := w.account("alice").Status; got != registryv1.Status_STATUS_ACTIVE {
		t.Fatalf("executed by one of two: %v", got)
	}
	w.refused(w.approveBy("a0", id), ErrAlreadyApproved)
	w.must(w.approveBy("a2", id))
	if got := w.account("alice").Status; got != registryv1.Status_STATUS_FROZEN {
		t.Errorf("not executed by two of two: %v", got)
	}
	w.refused(w.approveBy("a1", id), ErrUnknownProposal)

	approvals := emitted[*registryv1.ProposalApproved](w)
	if len(approvals) != 2 || approvals[0].Executed || !approvals[1].Executed {
		t.Errorf("events: got %v", approvals)
	}
	if answer, err := queryProposals(module.QueryCtx{Store: w.ctx.Store}, nil); err != nil || len(answer.Proposals) != 0 {
		t.Errorf("proposals left: %v, %v", answer, err)
	}
}

func TestProposeWithThresholdOneExecutesAtOnce(t *testing.T) {
	w := newWorld(t)
	authority.Set(w.ctx.Store, &registryv1.Authority{Threshold: 1, Keys: [][]byte{key("a0"), key("a1")}})
	w.must(w.proposeBy("a1", &registryv1.MsgFreeze{Account: address("alice")}))
	if got := w.account("alice").Status; got != registryv1.Status_STATUS_FROZEN {
		t.Errorf("not executed: %v", got)
	}
	w.refused(w.approveBy("a0", w.proposed()), ErrUnknownProposal)
}

// A failing message fails the approval as a whole; the proposal waits.
func TestFailingProposalChangesNothing(t *testing.T) {
	w := newWorld(t)
	w.must(w.proposeBy("a0", &registryv1.MsgFreeze{Account: address("alice")}, &registryv1.MsgThaw{Account: address("nobody")}))
	id, before := w.proposed(), w.export()
	err := w.approveBy("a1", id)
	w.refused(err, ErrUnknownAccount)
	if !strings.Contains(err.Error(), "msgs[1] energy.registry.v1.MsgThaw") {
		t.Errorf("got %q, want the message named", err)
	}
	if after := w.export(); after != before {
		t.Errorf("state changed to %s", after)
	}
}

func TestOnlyAuthorityKeysPropose(t *testing.T) {
	w := newWorld(t)
	msg := &registryv1.MsgFreeze{Account: address("alice")}
	w.refused(w.by("alice", packed(t, msg)), ErrNotAuthorityKey)
	w.refused(w.proposeBy("stranger", msg), ErrNotAuthorityKey)
	w.refused(w.authority(packed(t, msg)), ErrNotAuthorityKey)
	w.must(w.proposeBy("a0", msg))
	w.refused(w.by("alice", &registryv1.MsgApproveProposal{Proposal: w.proposed()}), ErrNotAuthorityKey)
	w.refused(w.approveBy("stranger", w.proposed()), ErrNotAuthorityKey)
}

func TestProposeRefusals(t *testing.T) {
	thaw := packed(t, &registryv1.MsgThaw{Account: address("alice")}).Msgs[0]
	tests := []struct {
		name string
		msgs []*txv1.Msg
		want *module.Error
	}{
		{"nothing", nil, ErrInvalidField},
		{"too much", make([]*txv1.Msg, maxProposalMsgs+1), ErrInvalidField},
		{"unknown type", []*txv1.Msg{{Type: "energy.registry.v1.MsgNothing"}}, ErrBadProposal},
		{"no type", []*txv1.Msg{thaw, {}}, ErrBadProposal},
		{"not protobuf", []*txv1.Msg{{Type: thaw.Type, Value: []byte{0xff}}}, ErrBadProposal},
		{"not canonical", []*txv1.Msg{{Type: thaw.Type, Value: append(thaw.Value, thaw.Value...)}}, ErrBadProposal},
		{"unknown field", []*txv1.Msg{{Type: thaw.Type, Value: append([]byte{0x78, 1}, thaw.Value...)}}, ErrBadProposal},
		{"a proposal", []*txv1.Msg{{Type: "energy.registry.v1.MsgPropose"}}, ErrBadProposal},
		{"an approval", []*txv1.Msg{{Type: "energy.registry.v1.MsgApproveProposal"}}, ErrBadProposal},
	}
	w := newWorld(t)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w.t = t
			w.refused(w.send(module.Signer{Key: key("a0")}, &registryv1.MsgPropose{Msgs: test.msgs}), test.want)
		})
	}
	w.t = t
	w.refused(w.approveBy("a0", []byte{1}), ErrInvalidField)
	w.refused(w.approveBy("a0", make([]byte, protocol.IDSize)), ErrUnknownProposal)
}

// What messages of a proposal create gets ids of its own.
func TestProposedMessagesHaveTheirOwnIDs(t *testing.T) {
	w := newWorld(t)
	seen := map[protocol.ID]bool{}
	w.ctx.Route = func(ctx *module.Ctx, _ proto.Message) error {
		seen[ctx.ID()] = true
		return nil
	}
	authority.Set(w.ctx.Store, &registryv1.Authority{Threshold: 1, Keys: [][]byte{key("a0")}})
	msgs := packed(t, &registryv1.MsgThaw{Account: address("alice")}, &registryv1.MsgThaw{Account: address("alice")})
	for i := range 2 {
		w.ctx.MsgIndex = i
		w.must(w.send(module.Signer{Key: key("a0")}, msgs))
		seen[w.ctx.ID()] = true
	}
	if len(seen) != 6 {
		t.Errorf("%d distinct ids, want 6", len(seen))
	}
}

func TestProposalsExpire(t *testing.T) {
	w := newWorld(t)
	short := DefaultParams()
	short.ProposalTtlBlocks = 2
	params.Set(w.ctx.Store, paramsKey(0), &registryv1.ParamsEntry{Params: short})
	w.must(w.proposeBy("a0", &registryv1.MsgFreeze{Account: address("alice")}))
	id := w.proposed()
	w.endBlock()
	w.endBlock() // now the last height at which it may be approved
	if err := w.ctx.Atomic(func(ctx *module.Ctx) error {
		ctx.Signer = module.Signer{Key: key("a1")}
		if err := approveProposal(ctx, &registryv1.MsgApproveProposal{Proposal: id}); err != nil {
			t.Errorf("at its last height: %v", err)
		}
		return ErrInvalidField // drop it
	}); err == nil {
		t.Fatal("expected the branch dropped")
	}
	w.endBlock()
	w.refused(w.approveBy("a1", id), ErrProposalExpired)
	w.endBlock()
	w.refused(w.approveBy("a1", id), ErrUnknownProposal)
	if got := len(emitted[*registryv1.ProposalExpired](w)); got != 1 {
		t.Errorf("%d expired, want 1", got)
	}
}
