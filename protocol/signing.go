package protocol

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
)

// signatureField is the encoded length of a 64-byte signature in field 15: one
// byte of tag, one of length, the signature. The field is always last.
const signatureField = 2 + SignatureSize

// What is signed begins with a domain, so that no signature of one kind can be
// taken for one of another.
const (
	envelopeDomain = "energyd/tx\n"
	readingDomain  = "energyd/reading\n"
)

var (
	errShort        = errors.New("expected an encoding that ends with a 64-byte signature")
	errNotCanonical = errors.New("expected the canonical encoding: known fields in order, each once, no default values")
)

// Marshal encodes deterministically: fields by number. It is how envelopes,
// readings, statements and values of the state are encoded.
func Marshal(m proto.Message) ([]byte, error) {
	return proto.MarshalOptions{Deterministic: true}.Marshal(m)
}

// Unmarshal decodes data into m and refuses every encoding that does not marshal
// to itself again. Unknown fields do not: they are left out on the way. Messages have
// no maps, whose order would not be canonical.
func Unmarshal(data []byte, m proto.Message) error {
	name := func() protoreflect.Name { return m.ProtoReflect().Descriptor().Name() }
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(data, m); err != nil {
		return fmt.Errorf("%s: %w", name(), err)
	}
	again, err := Marshal(m)
	if err != nil {
		return fmt.Errorf("%s: %w", name(), err)
	}
	if string(again) != string(data) {
		return fmt.Errorf("%s: %w", name(), errNotCanonical)
	}
	return nil
}

// DecodeEnvelope decodes a transaction and returns what its signature covers:
// the domain and the received bytes without the signature field.
func DecodeEnvelope(tx []byte) (*txv1.Envelope, []byte, error) {
	envelope := new(txv1.Envelope)
	if err := Unmarshal(tx, envelope); err != nil {
		return nil, nil, err
	}
	if len(envelope.Signer) != KeySize {
		return nil, nil, fmt.Errorf("signer: expected a key of %d bytes, got %d", KeySize, len(envelope.Signer))
	}
	if len(envelope.Signature) != SignatureSize {
		return nil, nil, fmt.Errorf("signature: %w", errShort)
	}
	return envelope, append([]byte(envelopeDomain), tx[:len(tx)-signatureField]...), nil
}

// EnvelopeSignBytes returns what the signer of an envelope signs.
func EnvelopeSignBytes(envelope *txv1.Envelope) ([]byte, error) {
	unsigned := proto.Clone(envelope).(*txv1.Envelope)
	unsigned.Signature = nil
	body, err := Marshal(unsigned)
	if err != nil {
		return nil, err
	}
	return append([]byte(envelopeDomain), body...), nil
}

// TxHash is the hash by which a transaction is known: SHA-256 of its bytes.
func TxHash(tx []byte) [sha256.Size]byte { return sha256.Sum256(tx) }

// ReadingSignBytes returns what a gateway signs of a reading.
func ReadingSignBytes(chainID string, reading *meteringv1.Reading) ([]byte, error) {
	unsigned := proto.Clone(reading).(*meteringv1.Reading)
	unsigned.Signature = nil
	body, err := Marshal(unsigned)
	if err != nil {
		return nil, err
	}
	return append([]byte(readingDomain+chainID+"\n"), body...), nil
}

// VerifySignature checks an Ed25519 signature under the ZIP-215 rule, the one
// rule for envelopes, readings and (in CometBFT) votes: implementations that
// disagree on odd encodings would split the chain.
func VerifySignature(publicKey, message, signature []byte) bool {
	if len(publicKey) != KeySize || len(signature) != SignatureSize {
		return false
	}
	return ed25519.VerifyWithOptions(publicKey, message, signature, &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215})
}
