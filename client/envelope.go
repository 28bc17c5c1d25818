package client

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// Key is an Ed25519 key that signs envelopes or readings.
type Key struct{ private ed25519.PrivateKey }

// NewKey draws a key from the system's randomness.
func NewKey() (Key, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return Key{}, fmt.Errorf("draw a key: %w", err)
	}
	return KeyFromSeed(seed)
}

// KeyFromSeed returns the key of a 32-byte seed.
func KeyFromSeed(seed []byte) (Key, error) {
	if len(seed) != ed25519.SeedSize {
		return Key{}, fmt.Errorf("seed: expected %d bytes, got %d", ed25519.SeedSize, len(seed))
	}
	return Key{ed25519.NewKeyFromSeed(seed)}, nil
}

// ParseSeed reads a key's seed in hexadecimal.
func ParseSeed(text string) (Key, error) {
	seed, err := hex.DecodeString(text)
	if err != nil {
		return Key{}, errors.New("seed: expected 64 hexadecimal digits")
	}
	return KeyFromSeed(seed)
}

// Seed returns the key's secret.
func (k Key) Seed() []byte { return k.private.Seed() }

// Public returns the public key, 32 bytes.
func (k Key) Public() []byte { return k.private.Public().(ed25519.PublicKey) }

// Address returns the key's address: the account id if it is its first key.
func (k Key) Address() protocol.Address { return protocol.KeyAddress(k.Public()) }

// Pack turns messages into the form in which an envelope carries them.
func Pack(msgs ...proto.Message) ([]*txv1.Msg, error) {
	packed := make([]*txv1.Msg, 0, len(msgs))
	for _, msg := range msgs {
		data, err := protocol.Marshal(msg)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", msg.ProtoReflect().Descriptor().Name(), err)
		}
		packed = append(packed, &txv1.Msg{Type: string(msg.ProtoReflect().Descriptor().FullName()), Value: data})
	}
	return packed, nil
}

// Sign returns the bytes of a signed envelope.
func (k Key) Sign(chainID string, sequence uint64, expiryHeight int64, msgs ...proto.Message) ([]byte, error) {
	packed, err := Pack(msgs...)
	if err != nil {
		return nil, err
	}
	envelope := &txv1.Envelope{ChainId: chainID, Signer: k.Public(), Sequence: sequence, ExpiryHeight: expiryHeight, Msgs: packed}
	covered, err := protocol.EnvelopeSignBytes(envelope)
	if err != nil {
		return nil, err
	}
	envelope.Signature = ed25519.Sign(k.private, covered)
	return protocol.Marshal(envelope)
}

// SignReading signs a meter's reading as its gateway.
func (k Key) SignReading(chainID string, reading *meteringv1.Reading) error {
	covered, err := protocol.ReadingSignBytes(chainID, reading)
	if err != nil {
		return err
	}
	reading.Signature = ed25519.Sign(k.private, covered)
	return nil
}
