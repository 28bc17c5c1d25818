package registry

import (
	"bytes"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func checkApproveProposal(_ string, msg *registryv1.MsgApproveProposal) error {
	return checkBytes("proposal", msg.Proposal, protocol.IDSize, "an id")
}

func approveProposal(ctx *module.Ctx, msg *registryv1.MsgApproveProposal) error {
	if err := checkAuthoritySigner(ctx); err != nil {
		return err
	}
	proposal, ok := proposals.Get(ctx.Store, proposals.Key().Bytes(msg.Proposal))
	if !ok {
		return ErrUnknownProposal.With("proposal: expected one that waits for approvals, got %x", msg.Proposal)
	}
	if ctx.Height > proposal.ExpiresHeight {
		return ErrProposalExpired.With("proposal: expected one that ends at height %d or later, got %d", ctx.Height, proposal.ExpiresHeight)
	}
	for _, key := range proposal.Approvals {
		if bytes.Equal(key, ctx.Signer.Key) {
			return ErrAlreadyApproved.With("signer: expected a key that has not approved %x yet", msg.Proposal)
		}
	}
	return addApproval(ctx, proposal)
}

// addApproval adds the signer's approval and executes the proposal if it was
// the last one needed.
func addApproval(ctx *module.Ctx, proposal *registryv1.Proposal) error {
	proposal.Approvals = append(proposal.Approvals, ctx.Signer.Key)
	complete := int64(len(proposal.Approvals)) >= AuthorityOf(ctx.Store).Threshold
	ctx.Emit(&registryv1.ProposalApproved{Proposal: proposal.Id, ByKey: ctx.Signer.Key, Executed: complete})
	if !complete {
		saveProposal(ctx.Store, proposal)
		return nil
	}
	deleteProposal(ctx.Store, proposal)
	return execute(ctx, proposal.Msgs)
}
