package protocol

import (
	"crypto/sha256"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// SaltSize is the length of what hides a sealed order from those who guess.
const SaltSize = 32

// sealDomain begins what is hashed, as those of signatures do.
const sealDomain = "energyd/seal\n"

// SealCommitment returns what an account commits to before the gate when it
// reveals an order after it (SPEC 5): SHA-256(sealDomain | chain id | "\n" |
// account | encoding of the message that reveals, its salt included). It binds
// the order to one account and one chain: a copy is worth nothing to others.
func SealCommitment(chainID string, account Address, reveal *matchingv1.MsgRevealOrder) ([]byte, error) {
	data, err := Marshal(reveal)
	if err != nil {
		return nil, err
	}
	hash := sha256.New()
	hash.Write([]byte(sealDomain + chainID + "\n"))
	hash.Write(account[:])
	hash.Write(data)
	return hash.Sum(nil), nil
}

// SealID returns the id of a sealed order: the first 16 bytes of its commitment.
// It is fixed before anybody knows the hash that decides ties.
func SealID(commitment []byte) ID { return ID(commitment[:IDSize]) }
