package registry

import (
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

// EndBlock implements module.EndBlocker; it must run after every other hook.
func (Module) EndBlock(ctx *module.Ctx) error {
	for key := range stopped.All(ctx.Store, stopped.Key()) {
		stopped.Delete(ctx.Store, key)
	}
	// The ends are ordered by height: the first one that is not over ends the
	// search.
	prefix := proposalEnds.Key()
	ahead := prefix.Int64(ctx.Height)
	for key := range proposalEnds.All(ctx.Store, prefix) {
		if string(key) >= string(ahead) {
			break
		}
		id := key[len(key)-protocol.IDSize:]
		if proposal, ok := proposals.Get(ctx.Store, proposals.Key().Bytes(id)); ok {
			deleteProposal(ctx.Store, proposal)
			ctx.Emit(&registryv1.ProposalExpired{Proposal: id})
		}
	}
	return nil
}
