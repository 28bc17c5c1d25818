package registry

import (
	"fmt"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
)

func checkPropose(_ string, msg *registryv1.MsgPropose) error {
	if len(msg.Msgs) == 0 || len(msg.Msgs) > maxProposalMsgs {
		return ErrInvalidField.With("msgs: expected 1 to %d messages, got %d", maxProposalMsgs, len(msg.Msgs))
	}
	for i, packed := range msg.Msgs {
		if _, err := unpack(fmt.Sprintf("msgs[%d]", i), packed); err != nil {
			return err
		}
	}
	return nil
}

// propose counts as the first approval; where one suffices it executes at once.
func propose(ctx *module.Ctx, msg *registryv1.MsgPropose) error {
	if err := checkAuthoritySigner(ctx); err != nil {
		return err
	}
	id := ctx.ID()
	proposal := &registryv1.Proposal{
		Id:            id[:],
		Msgs:          msg.Msgs,
		ExpiresHeight: ctx.Height + ParamsNow(ctx.Store, ctx.TimeMs).ProposalTtlBlocks,
	}
	ctx.Emit(&registryv1.Proposed{Proposal: id[:], ByKey: ctx.Signer.Key})
	return addApproval(ctx, proposal)
}
