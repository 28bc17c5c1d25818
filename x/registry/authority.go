package registry

import (
	"bytes"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/state"
)

// AuthorityOf returns the registrar keys in office; none before genesis.
func AuthorityOf(r state.Reader) *registryv1.Authority {
	found, ok := authority.Get(r)
	if !ok {
		return &registryv1.Authority{}
	}
	return found
}

// IsAuthorityKey says whether key is one of the authority in office.
func IsAuthorityKey(r state.Reader, key []byte) bool {
	for _, own := range AuthorityOf(r).Keys {
		if bytes.Equal(own, key) {
			return true
		}
	}
	return false
}

// checkAuthoritySigner refuses whoever does not sign with a key of the
// authority, and the authority itself: a proposal cannot make proposals.
func checkAuthoritySigner(ctx *module.Ctx) error {
	if ctx.Signer.Authority || ctx.Signer.Account != nil || !IsAuthorityKey(ctx.Store, ctx.Signer.Key) {
		return ErrNotAuthorityKey.With("signer: expected a key of the authority, got %x", ctx.Signer.Key)
	}
	return nil
}
