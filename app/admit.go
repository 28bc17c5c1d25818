package app

import (
	"slices"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
	"github.com/energyd/energyd/x/registry"
)

// admission decides which transactions may be in one block, in order. It is
// the same in PrepareProposal (which drops what fails), ProcessProposal (which
// rejects the block) and FinalizeBlock (which leaves a code), and it is pure:
// state at H-1, height, block time and the transactions in, verdicts out.
type admission struct {
	*rules
	state  state.Reader
	height int64

	// Within the block: windows as they will be, envelopes and bytes by key,
	// bytes, and the lane of the latest one.
	windows map[protocol.Address]*txv1.Window
	used    map[protocol.Address]usage
	bytes   int64
	lane    module.Lane
}

func newAdmission(r state.Reader, height int64, by *rules) *admission {
	return &admission{
		rules:   by,
		state:   r,
		height:  height,
		windows: make(map[protocol.Address]*txv1.Window),
		used:    make(map[protocol.Address]usage),
	}
}

// usage is what a key has in the block so far.
type usage struct {
	envelopes, bytes int64
}

// keyShare is the part of a block's bytes that one key may fill: lanes before
// others must not crowd them out at one sender's will.
const keyShare = 8

// sender is whose envelope it is: an account, or the authority when nil.
type sender struct {
	account *registryv1.Account
}

// admit takes the next transaction of the block, or says why not. A refusal
// changes nothing.
func (ad *admission) admit(tx *checkedTx) (sender, error) {
	envelope := tx.envelope
	from, err := ad.senderOf(envelope.Signer)
	if err != nil {
		return sender{}, err
	}
	if int64(tx.size) > ad.params.MaxTxBytes {
		return sender{}, ErrTooLarge.With("transaction: expected at most %d bytes, got %d", ad.params.MaxTxBytes, tx.size)
	}
	if ad.bytes+int64(tx.size) > ad.params.MaxBlockBytes {
		return sender{}, ErrBlockFull.With("block: expected at most %d bytes", ad.params.MaxBlockBytes)
	}
	if tx.lane < ad.lane {
		return sender{}, ErrLaneOrder.With("lane %d after lane %d", tx.lane, ad.lane)
	}
	if err := checkExpiry(envelope.ExpiryHeight, ad.height, ad.params.MaxExpiryBlocks); err != nil {
		return sender{}, err
	}
	used := ad.used[tx.key]
	if quota := quotaOf(from, ad.params); used.envelopes >= quota {
		return sender{}, ErrQuota.With("signer: expected at most %d envelopes of a key in a block", quota)
	}
	if share := ad.params.MaxBlockBytes / keyShare; used.envelopes > 0 && used.bytes+int64(tx.size) > share {
		return sender{}, ErrQuota.With("signer: expected at most %d bytes of a key in a block", share)
	}
	window, ok := ad.windows[tx.key]
	if !ok {
		window = windowOf(ad.state, tx.key)
	}
	if err := useSequence(window, envelope.Sequence); err != nil {
		return sender{}, err
	}
	ad.windows[tx.key] = window
	ad.used[tx.key] = usage{used.envelopes + 1, used.bytes + int64(tx.size)}
	ad.bytes += int64(tx.size)
	ad.lane = tx.lane
	return from, nil
}

// senderOf finds whose key it is. Keys of pending and revoked accounts and
// removed keys are as unknown as a stranger's.
func (ad *admission) senderOf(key []byte) (sender, error) {
	if ad.isAuthority(key) {
		return sender{}, nil
	}
	owner, ok := registry.OwnerOf(ad.state, key)
	if !ok || owner.Removed {
		return sender{}, unknownKey(key)
	}
	account, ok := registry.AccountOf(ad.state, protocol.Address(owner.Account))
	if !ok {
		return sender{}, unknownKey(key)
	}
	if account.Status != registryv1.Status_STATUS_ACTIVE && account.Status != registryv1.Status_STATUS_FROZEN {
		return sender{}, ErrNotActive.With("signer: account %s is %s", protocol.Address(account.Account), account.Status)
	}
	return sender{account: account}, nil
}

// knows says whether a key may send anything at all.
func (ad *admission) knows(key []byte) bool {
	if ad.isAuthority(key) {
		return true
	}
	owner, ok := registry.OwnerOf(ad.state, key)
	return ok && !owner.Removed
}

func unknownKey(key []byte) error {
	return ErrUnknownKey.With("signer: no account has the key %x", key)
}

// checkExpiry: an envelope names the last height at which it may stand, not
// too far ahead, so that its fate is known by then.
func checkExpiry(expiry, height, ahead int64) error {
	if expiry < height {
		return ErrExpired.With("expiry_height: expected at least %d, got %d", height, expiry)
	}
	if expiry-height > ahead {
		return ErrExpiryTooFar.With("expiry_height: expected at most %d, got %d", height+ahead, expiry)
	}
	return nil
}

// quotaOf returns how many envelopes a key may have in a block.
func quotaOf(from sender, params *registryv1.Params) int64 {
	if from.account != nil && slices.Contains(from.account.Roles, registryv1.Role_ROLE_GATEWAY) {
		return params.QuotaPerGateway
	}
	return params.QuotaPerKey
}
