package metering

import (
	"github.com/oasisprotocol/curve25519-voi/primitives/ed25519"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/protocol"
)

// zip215 is the rule by which CometBFT verifies, too: validators with different
// implementations must agree on odd signatures.
var zip215 = &ed25519.Options{Verify: ed25519.VerifyOptionsZIP_215}

// checkSignatures verifies all readings of a message at once. The batch draws
// random weights, but under ZIP-215 its result is that of verifying one by one,
// which it does where it fails.
func checkSignatures(chainID string, gatewayKey []byte, readings []*meteringv1.Reading) error {
	key, err := ed25519.NewExpandedPublicKey(gatewayKey)
	if err != nil {
		return ErrField.With("gateway_key: expected an Ed25519 key: %v", err)
	}
	batch := ed25519.NewBatchVerifierWithCapacity(len(readings))
	for i, reading := range readings {
		signed, err := protocol.ReadingSignBytes(chainID, reading)
		if err != nil {
			return ErrField.With("readings[%d]: %v", i, err)
		}
		batch.AddExpandedWithOptions(key, signed, reading.Signature, zip215)
	}
	all, each := batch.Verify(nil)
	if all {
		return nil
	}
	for i, ok := range each {
		if !ok {
			return ErrSignature.With("readings[%d].signature: expected that of gateway_key over meter %q, sequence %d, version %d", i, readings[i].Meter, readings[i].Sequence, readings[i].Version)
		}
	}
	return ErrSignature.With("readings: expected signatures of gateway_key")
}
