// Package proof holds what needs no trust in the node that gave it: block headers
// with the commits that sign them, and bills whose statements are proved under
// such a header (SPEC 15). It stands on the engine's own checks of signatures.
package proof

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cometbft/cometbft/crypto/ed25519"
	cmtjson "github.com/cometbft/cometbft/libs/json"
	cmtmath "github.com/cometbft/cometbft/libs/math"
	"github.com/cometbft/cometbft/types"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/protocol"
)

// Header is a block header with the commit that signed it and the validators
// who could: all that is needed to trust what the header says, given somebody
// to trust it from (Trust).
type Header struct {
	Signed     *types.SignedHeader
	Validators []Validator
}

// Validator is a consensus key and its voting power.
type Validator struct {
	Key   []byte
	Power int64
}

// headerFile is the form in a file.
type headerFile struct {
	SignedHeader json.RawMessage `json:"signed_header"`
	Validators   []validatorFile `json:"validators"`
}

type validatorFile struct {
	Key   string `json:"key"`
	Power int64  `json:"power"`
}

// MarshalJSON writes the header as a file holds it.
func (h *Header) MarshalJSON() ([]byte, error) {
	signed, err := cmtjson.Marshal(h.Signed)
	if err != nil {
		return nil, err
	}
	file := headerFile{SignedHeader: signed, Validators: []validatorFile{}}
	for _, v := range h.Validators {
		file.Validators = append(file.Validators, validatorFile{Key: hex.EncodeToString(v.Key), Power: v.Power})
	}
	return json.Marshal(file)
}

// UnmarshalJSON reads what MarshalJSON wrote; what is wrong with data is a
// *strictjson.Error.
func (h *Header) UnmarshalJSON(data []byte) error {
	var file headerFile
	if err := strictjson.Decode(data, &file); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	signed := new(types.SignedHeader)
	if err := cmtjson.Unmarshal(file.SignedHeader, signed); err != nil {
		return fmt.Errorf("header: %w", strictjson.At(data, &file, "signed_header", "a header with its commit", err.Error()))
	}
	if signed.Header == nil || signed.Commit == nil {
		return fmt.Errorf("header: %w", strictjson.At(data, &file, "signed_header", "a header with its commit", "only one of them or none"))
	}
	h.Signed, h.Validators = signed, nil
	for i, v := range file.Validators {
		key, err := hex.DecodeString(v.Key)
		if err != nil || len(key) != protocol.KeySize {
			field, expected := fmt.Sprintf("validators[%d].key", i), fmt.Sprintf("%d hexadecimal digits", 2*protocol.KeySize)
			return fmt.Errorf("header: %w", strictjson.At(data, &file, field, expected, strictjson.Quote(v.Key)))
		}
		h.Validators = append(h.Validators, Validator{Key: key, Power: v.Power})
	}
	return nil
}

// set returns the validators as CometBFT counts them.
func (h *Header) set() (*types.ValidatorSet, error) {
	validators := make([]*types.Validator, 0, len(h.Validators))
	// The engine panics beyond its greatest total power.
	left := types.MaxTotalVotingPower
	for i, v := range h.Validators {
		if v.Power <= 0 || v.Power > left {
			return nil, fmt.Errorf("validators[%d].power: expected a positive number, %d in all at most, got %d", i, types.MaxTotalVotingPower, v.Power)
		}
		left -= v.Power
		validators = append(validators, types.NewValidator(ed25519.PubKey(v.Key), v.Power))
	}
	return types.ValidatorSetFromExistingValidators(validators)
}

// Verify checks the header in itself: complete, its validators those that it
// names, and signed by more than two thirds of their power.
func (h *Header) Verify(chainID string) error {
	if h.Signed == nil || h.Signed.Header == nil || h.Signed.Commit == nil {
		return errors.New("header: signed_header: expected header and commit")
	}
	if err := h.Signed.ValidateBasic(chainID); err != nil {
		return fmt.Errorf("header: %w", err)
	}
	for i, signature := range h.Signed.Commit.Signatures {
		// The engine panics at times that its encoding does not know.
		if year := signature.Timestamp.Year(); year < 1 || year > 9999 {
			return fmt.Errorf("header: commit.signatures[%d].timestamp: expected a year from 1 to 9999, got %d", i, year)
		}
	}
	set, err := h.set()
	if err != nil {
		return fmt.Errorf("header: %w", err)
	}
	if !bytes.Equal(set.Hash(), h.Signed.ValidatorsHash) {
		return errors.New("header: validators: not those whose hash the header names")
	}
	commit := h.Signed.Commit
	if err := types.VerifyCommit(chainID, set, commit.BlockID, h.Signed.Height, commit); err != nil {
		return fmt.Errorf("header: commit: %w", err)
	}
	return nil
}

// Trusted is a header got out of band: whole, or only its height and hash.
type Trusted struct {
	Height int64
	Hash   []byte
	Header *Header
}

// ParseTrusted reads HEIGHT:HASH, or the contents of a file that holds a
// Header.
func ParseTrusted(text string) (*Trusted, error) {
	if height, hash, ok := strings.Cut(strings.TrimSpace(text), ":"); ok && !strings.Contains(text, "{") {
		h, err := strconv.ParseInt(height, 10, 64)
		if err != nil || h <= 0 {
			return nil, fmt.Errorf("trusted header: expected HEIGHT:HASH, got height %q", height)
		}
		digest, err := hex.DecodeString(hash)
		if err != nil || len(digest) != 32 {
			return nil, fmt.Errorf("trusted header: expected HEIGHT:HASH, got hash %q", hash)
		}
		return &Trusted{Height: h, Hash: digest}, nil
	}
	header := new(Header)
	if err := header.UnmarshalJSON([]byte(text)); err != nil {
		return nil, fmt.Errorf("trusted %w", err)
	}
	return &Trusted{Height: header.Signed.Height, Hash: header.Signed.Hash(), Header: header}, nil
}

// Trust checks that whoever trusts t may trust h, which Verify passed: it is
// the same header, the one before, the next one by the validators that t names
// for it, or one signed by validators that hold more than two thirds of the
// power at t. All but the first need the trusted header whole: a hash alone
// does not say who may sign.
func (t *Trusted) Trust(chainID string, h *Header) error {
	signed := h.Signed
	if signed.Height == t.Height {
		if !bytes.Equal(signed.Hash(), t.Hash) {
			return fmt.Errorf("header %d has the hash %X, the trusted one %X", signed.Height, signed.Hash(), t.Hash)
		}
		return nil
	}
	if t.Header == nil {
		return fmt.Errorf("header %d is not the trusted %d: give the hash of header %d, or the trusted header as a file", signed.Height, t.Height, signed.Height)
	}
	if err := t.Header.Verify(chainID); err != nil {
		return fmt.Errorf("trusted %w", err)
	}
	known := t.Header.Signed
	if signed.Height == t.Height-1 {
		if !bytes.Equal(known.LastBlockID.Hash, signed.Hash()) {
			return fmt.Errorf("header %d has the hash %X, the trusted header after it names %X", signed.Height, signed.Hash(), known.LastBlockID.Hash)
		}
		return nil
	}
	if signed.Height == t.Height+1 && bytes.Equal(known.NextValidatorsHash, signed.ValidatorsHash) {
		return nil
	}
	set, err := t.Header.set()
	if err != nil {
		return fmt.Errorf("trusted header: %w", err)
	}
	if err := types.VerifyCommitLightTrusting(chainID, set, signed.Commit, cmtmath.Fraction{Numerator: 2, Denominator: 3}); err != nil {
		return fmt.Errorf("header %d against the validators of the trusted %d: %w", signed.Height, t.Height, err)
	}
	return nil
}

// FetchHeader fetches a header with its commit and validators.
func FetchHeader(ctx context.Context, c *client.Client, height int64) (*Header, error) {
	header := new(Header)
	var commit struct {
		SignedHeader *types.SignedHeader `json:"signed_header"`
	}
	if err := call(ctx, c, "commit", page{Height: height}, &commit); err != nil {
		return nil, fmt.Errorf("header %d: %w", height, err)
	}
	if commit.SignedHeader == nil || commit.SignedHeader.Header == nil || commit.SignedHeader.Commit == nil {
		return nil, fmt.Errorf("header %d: the node gave none", height)
	}
	header.Signed = commit.SignedHeader
	for number := int64(1); ; number++ {
		var found struct {
			Validators []*types.Validator `json:"validators"`
			Total      int                `json:"total"`
		}
		if err := call(ctx, c, "validators", page{height, number, 100}, &found); err != nil {
			return nil, fmt.Errorf("validators at %d: %w", height, err)
		}
		for i, v := range found.Validators {
			if v == nil || v.PubKey == nil {
				return nil, fmt.Errorf("validators at %d: the node gave no key of number %d", height, i)
			}
			header.Validators = append(header.Validators, Validator{Key: v.PubKey.Bytes(), Power: v.VotingPower})
		}
		if len(header.Validators) >= found.Total || len(found.Validators) == 0 {
			return header, nil
		}
	}
}

// page is what the engine's RPC is asked for: a height, and of long lists a part.
type page struct {
	Height  int64 `json:"height,string"`
	Number  int64 `json:"page,string,omitempty"`
	PerPage int64 `json:"per_page,string,omitempty"`
}

// call decodes an answer as the engine writes its own types.
func call(ctx context.Context, c *client.Client, method string, params page, answer any) error {
	var data json.RawMessage
	if err := c.Call(ctx, method, params, &data); err != nil {
		return err
	}
	if err := cmtjson.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("answer to %s: %w", method, err)
	}
	return nil
}
