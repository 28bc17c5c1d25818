// Package protocol holds the bytes on which nodes and their clients must
// agree: addresses, ids, names, what signatures cover, the state keys that
// proofs name, and the tree of statements. It has no state and no I/O, so that
// a bill can be checked with nothing else.
package protocol

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/cosmos/btcutil/bech32"
	"golang.org/x/crypto/ripemd160" //nolint:staticcheck // S4 2.1 prescribes it for addresses
)

// Sizes in bytes.
const (
	AddressSize   = 20
	IDSize        = 16
	KeySize       = 32
	SignatureSize = 64
)

// AddressPrefix is the human-readable part of an address.
const AddressPrefix = "energy"

// Address is the id of an account: the address of its first key.
type Address [AddressSize]byte

// ID names an order, match or proposal.
type ID [IDSize]byte

// Accounts without keys.
var (
	// AuthorityAddress stands for the k-of-n registrar keys as a sender.
	AuthorityAddress = systemAddress("authority")
	// GridAddress is the upper grid's account, FeeAddress the fee ledger's;
	// both are signed.
	GridAddress = systemAddress("grid")
	FeeAddress  = systemAddress("fees")
	// GuaranteeAddress is the guarantee fund's account; it never owes.
	GuaranteeAddress = systemAddress("guarantee")
)

func systemAddress(name string) Address { return hash160([]byte("energyd/account/" + name)) }

// CreditBankAddress is the account, without keys, that holds the capital of an
// aggregator's credit bank.
func CreditBankAddress(aggregator Address) Address {
	return hash160(append([]byte("energyd/credit/"), aggregator[:]...))
}

// KeyAddress returns RIPEMD160(SHA256(public key)) (S4 2.1).
func KeyAddress(publicKey []byte) Address { return hash160(publicKey) }

func hash160(data []byte) Address {
	inner := sha256.Sum256(data)
	outer := ripemd160.New()
	outer.Write(inner[:])
	return Address(outer.Sum(nil))
}

// String returns the address in bech32, "energy1...".
func (a Address) String() string {
	words, err := bech32.ConvertBits(a[:], 8, 5, true)
	if err != nil {
		return hex.EncodeToString(a[:])
	}
	text, err := bech32.Encode(AddressPrefix, words)
	if err != nil {
		return hex.EncodeToString(a[:])
	}
	return text
}

// Bytes returns the address as a slice.
func (a Address) Bytes() []byte { return a[:] }

// ParseAddress reads a bech32 address.
func ParseAddress(text string) (Address, error) {
	prefix, words, err := bech32.Decode(text, 90)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", text, err)
	}
	if prefix != AddressPrefix {
		return Address{}, fmt.Errorf("address %q: expected the prefix %q", text, AddressPrefix)
	}
	data, err := bech32.ConvertBits(words, 5, 8, false)
	if err != nil {
		return Address{}, fmt.Errorf("address %q: %w", text, err)
	}
	return AddressFrom(data)
}

// AddressFrom takes the 20 bytes of an address.
func AddressFrom(data []byte) (Address, error) {
	if len(data) != AddressSize {
		return Address{}, fmt.Errorf("expected an address of %d bytes, got %d", AddressSize, len(data))
	}
	return Address(data), nil
}

func (id ID) String() string { return hex.EncodeToString(id[:]) }

// Bytes returns the id as a slice.
func (id ID) Bytes() []byte { return id[:] }

// IDFrom takes the 16 bytes of an id.
func IDFrom(data []byte) (ID, error) {
	if len(data) != IDSize {
		return ID{}, fmt.Errorf("expected an id of %d bytes, got %d", IDSize, len(data))
	}
	return ID(data), nil
}

// MessageID derives the id of what a message creates: the first 16 bytes of
// SHA-256("energyd/id" | signer key | sequence | place in the envelope). A
// sender knows it before the envelope is committed.
func MessageID(signerKey []byte, sequence uint64, msgIndex int) ID {
	hash := sha256.New()
	hash.Write([]byte("energyd/id"))
	hash.Write(signerKey)
	var numbers [16]byte
	binary.BigEndian.PutUint64(numbers[:8], sequence)
	binary.BigEndian.PutUint64(numbers[8:], uint64(msgIndex))
	hash.Write(numbers[:])
	return ID(hash.Sum(nil)[:IDSize])
}

// NameSize is the greatest length of the names of meters, grid nodes and
// tariff classes.
const NameSize = 32

var errName = errors.New("expected 1 to 32 characters of a-z 0-9 . _ -")

// CheckName says whether text may name a meter, grid node or tariff class.
func CheckName(text string) error {
	if len(text) == 0 || len(text) > NameSize {
		return fmt.Errorf("%q: %w", text, errName)
	}
	for _, r := range []byte(text) {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-' {
			return fmt.Errorf("%q: %w", text, errName)
		}
	}
	return nil
}
