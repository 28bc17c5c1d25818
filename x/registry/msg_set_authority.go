package registry

import (
	"bytes"
	"fmt"
	"slices"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

func checkSetAuthority(_ string, msg *registryv1.MsgSetAuthority) error {
	return checkAuthority("authority", msg.Authority)
}

// setAuthority replaces the registrar keys. Keys that leave office become
// tombstones, and open proposals lapse: the new keys decide anew.
func setAuthority(ctx *module.Ctx, msg *registryv1.MsgSetAuthority) error {
	for i, key := range msg.Authority.Keys {
		if owner, taken := OwnerOf(ctx.Store, key); taken {
			return ErrKeyTaken.With("%s: expected a new key, this one belongs or belonged to %v",
				fmt.Sprintf("authority.keys[%d]", i), protocol.Address(owner.Account))
		}
	}
	for _, old := range AuthorityOf(ctx.Store).Keys {
		stays := slices.ContainsFunc(msg.Authority.Keys, func(key []byte) bool { return bytes.Equal(key, old) })
		if !stays {
			keys.Set(ctx.Store, keyKey(old), &registryv1.KeyOwner{
				Key: old, Account: protocol.AuthorityAddress.Bytes(), Removed: true,
			})
		}
	}
	authority.Set(ctx.Store, msg.Authority)
	for _, proposal := range proposals.All(ctx.Store, proposals.Key()) {
		deleteProposal(ctx.Store, proposal)
		ctx.Emit(&registryv1.ProposalExpired{Proposal: proposal.Id})
	}
	ctx.Emit(&registryv1.AuthorityChanged{Threshold: msg.Authority.Threshold, Keys: int64(len(msg.Authority.Keys))})
	return nil
}
