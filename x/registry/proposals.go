package registry

import (
	"fmt"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/emptypb"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// maxProposalMsgs bounds the work of one approval.
const maxProposalMsgs = 256

func saveProposal(s state.Store, proposal *registryv1.Proposal) {
	proposals.Set(s, proposals.Key().Bytes(proposal.Id), proposal)
	proposalEnds.Set(s, proposalEndKey(proposal), &emptypb.Empty{})
}

func deleteProposal(s state.Store, proposal *registryv1.Proposal) {
	proposals.Delete(s, proposals.Key().Bytes(proposal.Id))
	proposalEnds.Delete(s, proposalEndKey(proposal))
}

func proposalEndKey(proposal *registryv1.Proposal) state.Key {
	return proposalEnds.Key().Int64(proposal.ExpiresHeight).Bytes(proposal.Id)
}

// execute runs a proposal's messages in the name of the authority. Any failure
// fails the transaction that brought the last approval, and the proposal waits
// for another try.
func execute(ctx *module.Ctx, msgs []*txv1.Msg) error {
	for i, packed := range msgs {
		msg, err := unpack(fmt.Sprintf("msgs[%d]", i), packed)
		if err != nil {
			return err
		}
		inner := *ctx
		inner.Signer.Authority = true
		// Places beyond those of any envelope: what the messages create gets
		// ids of its own.
		inner.MsgIndex = (ctx.MsgIndex+1)<<16 | i
		if err := ctx.Route(&inner, msg); err != nil {
			return fmt.Errorf("msgs[%d] %s: %w", i, packed.Type, err)
		}
	}
	return nil
}

// unpack decodes a proposed message, whichever module it is for.
func unpack(field string, packed *txv1.Msg) (proto.Message, error) {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(packed.GetType()))
	if err != nil {
		return nil, ErrBadProposal.With("%s.type: expected the name of a message, got %q", field, packed.GetType())
	}
	msg := kind.New().Interface()
	switch msg.(type) {
	case *registryv1.MsgPropose, *registryv1.MsgApproveProposal:
		return nil, ErrBadProposal.With("%s.type: expected no proposal within a proposal", field)
	}
	if err := protocol.Unmarshal(packed.Value, msg); err != nil {
		return nil, ErrBadProposal.With("%s.value: %v", field, err)
	}
	return msg, nil
}
