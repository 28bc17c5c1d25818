package module

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/state"
)

// Signer is whose envelope it is.
type Signer struct {
	// Key is the Ed25519 public key that signed.
	Key      []byte
	Sequence uint64
	// Account is nil for the authority.
	Account *registryv1.Account
	// Authority: the message was approved by k of n authority keys.
	Authority bool
}

// Address is the sender's account id, or that of the authority.
func (s Signer) Address() protocol.Address {
	if s.Account == nil {
		return protocol.AuthorityAddress
	}
	return protocol.Address(s.Account.Account)
}

// Ctx is what a message or hook may know and touch.
type Ctx struct {
	ChainID string
	Height  int64
	// TimeMs is the block time (BFT median), Unix milliseconds.
	TimeMs int64
	// PrevAppHash is the state root after the previous block.
	PrevAppHash []byte
	Store       state.Store
	Signer      Signer
	// MsgIndex is the message's place in its envelope.
	MsgIndex int
	// Route executes another message as the authority; only app sets it, for
	// approved proposals.
	Route func(*Ctx, proto.Message) error

	events *[]proto.Message
}

// NewCtx returns a context whose events are collected in events.
func NewCtx(store state.Store, events *[]proto.Message) *Ctx {
	return &Ctx{Store: store, events: events}
}

// Emit records an event. Events of a dropped branch are dropped with it.
func (c *Ctx) Emit(event proto.Message) { *c.events = append(*c.events, event) }

// ID derives the id of what the message creates, the same for whoever knows
// the envelope's signer, its sequence and the message's place.
func (c *Ctx) ID() protocol.ID {
	return protocol.MessageID(c.Signer.Key, c.Signer.Sequence, c.MsgIndex)
}

// DeriveID derives an id from parts, for what hooks create.
func DeriveID(kind string, parts ...[]byte) protocol.ID {
	hash := sha256.New()
	hash.Write([]byte(kind))
	for _, part := range parts {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		hash.Write(size[:])
		hash.Write(part)
	}
	return protocol.ID(hash.Sum(nil)[:protocol.IDSize])
}

// Atomic runs fn so that its writes and events stand only if it returns nil. A
// panic becomes an error, but for a fault of the database, which must halt the
// node.
func (c *Ctx) Atomic(fn func(*Ctx) error) (err error) {
	var events []proto.Message
	child := *c
	child.events = &events
	defer func() {
		if r := recover(); r != nil {
			if fault, ok := r.(state.Fault); ok {
				panic(fault)
			}
			err = fmt.Errorf("%w: %v", ErrPanic, r)
		}
	}()
	if err := c.Store.Atomic(func() error { return fn(&child) }); err != nil {
		return err
	}
	*c.events = append(*c.events, events...)
	return nil
}
