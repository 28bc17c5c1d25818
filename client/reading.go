package client

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/protocol"
	"github.com/energyd/energyd/units"
)

// SignedReading is a meter's reading with what anyone needs to check its
// signature offline (SPEC 7).
type SignedReading struct {
	ChainID    string
	GatewayKey []byte
	Reading    *meteringv1.Reading
}

// ErrReadingChanged says that the reading is not what the key signed.
var ErrReadingChanged = errors.New("the reading is not as it was signed")

type readingFile struct {
	ChainID    string          `json:"chain_id"`
	GatewayKey string          `json:"gateway_key"`
	Reading    json.RawMessage `json:"reading"`
}

// MarshalJSON writes the reading as a file holds it.
func (r *SignedReading) MarshalJSON() ([]byte, error) {
	reading, err := EncodeJSON(r.Reading)
	if err != nil {
		return nil, err
	}
	return json.Marshal(readingFile{ChainID: r.ChainID, GatewayKey: hex.EncodeToString(r.GatewayKey), Reading: reading})
}

// ParseSignedReading reads a reading's file; whatever would be written
// differently is refused.
func ParseSignedReading(data []byte) (*SignedReading, error) {
	var file readingFile
	if err := strictjson.Decode(data, &file); err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	wrong := func(field string, err error) error {
		return fmt.Errorf("%w: %w", ErrReadingChanged, strictjson.At(data, &file, field, "what the reading was written with", err.Error()))
	}
	key, err := hex.DecodeString(file.GatewayKey)
	if err != nil || len(key) != protocol.KeySize {
		return nil, wrong("gateway_key", fmt.Errorf("not %d hexadecimal digits", 2*protocol.KeySize))
	}
	reading := &SignedReading{ChainID: file.ChainID, GatewayKey: key, Reading: new(meteringv1.Reading)}
	if err := DecodeJSON(file.Reading, reading.Reading); err != nil {
		return nil, wrong("reading", err)
	}
	again, err := json.Marshal(reading)
	if err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	var tight bytes.Buffer
	if err := json.Compact(&tight, data); err != nil {
		return nil, fmt.Errorf("reading: %w", err)
	}
	if !bytes.Equal(again, tight.Bytes()) {
		return nil, fmt.Errorf("%w: it would be written differently", ErrReadingChanged)
	}
	return reading, nil
}

// Verify checks that the key in the file signed the reading for that chain.
// Whose key it is the file cannot say.
func (r *SignedReading) Verify() error {
	covered, err := protocol.ReadingSignBytes(r.ChainID, r.Reading)
	if err != nil {
		return err
	}
	if !protocol.VerifySignature(r.GatewayKey, covered, r.Reading.Signature) {
		return fmt.Errorf("%w: the signature is not that of key %x", ErrReadingChanged, r.GatewayKey)
	}
	return nil
}

// SignedReading fetches a reading that the chain still keeps, with the key of
// the meter's gateway that signed it. sequence 0 asks for the latest.
func (c *Client) SignedReading(ctx context.Context, chainID, meter string, sequence uint64) (*SignedReading, error) {
	state := new(meteringv1.QueryMeterStateResponse)
	if _, err := c.Query(ctx, &meteringv1.QueryMeterStateRequest{Meter: meter}, state, 0); err != nil {
		return nil, err
	}
	var reading *meteringv1.Reading
	for _, kept := range state.Readings {
		if len(kept.Signature) > 0 && (sequence == 0 || kept.Sequence == sequence) {
			reading = kept
		}
	}
	if reading == nil {
		return nil, fmt.Errorf("meter %s: no such signed reading among the %d that the chain keeps", meter, len(state.Readings))
	}
	return c.withKey(ctx, chainID, reading)
}

// CorrectedReading fetches the reading that corrected a meter's boundary last,
// with the key that signed it, for as long as the chain keeps the boundary.
func (c *Client) CorrectedReading(ctx context.Context, chainID, meter string, boundary int64) (*SignedReading, error) {
	known, err := c.Boundary(ctx, meter, boundary)
	if err != nil {
		return nil, err
	}
	if known.Boundary.Corrected == nil {
		return nil, fmt.Errorf("meter %s: its boundary of %s was not corrected", meter, units.FormatTime(boundary))
	}
	return c.withKey(ctx, chainID, known.Boundary.Corrected)
}

// Boundary fetches a boundary of a meter that the chain keeps for corrections.
func (c *Client) Boundary(ctx context.Context, meter string, timeMs int64) (*meteringv1.BoundaryAt, error) {
	found := new(meteringv1.QueryBoundariesResponse)
	if _, err := c.Query(ctx, &meteringv1.QueryBoundariesRequest{Meter: meter, FromMs: timeMs, Limit: 1}, found, 0); err != nil {
		return nil, err
	}
	if len(found.Boundaries) == 0 || found.Boundaries[0].TimeMs != timeMs {
		return nil, fmt.Errorf("meter %s: expected a boundary that the chain keeps, got %s", meter, units.FormatTime(timeMs))
	}
	return found.Boundaries[0], nil
}

// withKey adds the key of the meter's gateway that signed a reading.
func (c *Client) withKey(ctx context.Context, chainID string, reading *meteringv1.Reading) (*SignedReading, error) {
	meter := reading.Meter
	bound := new(registryv1.QueryMeterResponse)
	if _, err := c.Query(ctx, &registryv1.QueryMeterRequest{Meter: meter}, bound, 0); err != nil {
		return nil, err
	}
	gateway := new(registryv1.QueryAccountResponse)
	if _, err := c.Query(ctx, &registryv1.QueryAccountRequest{Account: bound.Meter.GetGateway()}, gateway, 0); err != nil {
		return nil, err
	}
	for _, key := range gateway.Account.GetKeys() {
		found := &SignedReading{ChainID: chainID, GatewayKey: key, Reading: reading}
		if found.Verify() == nil {
			return found, nil
		}
	}
	return nil, fmt.Errorf("meter %s: reading of %s: signed by none of the keys of gateway %s", meter, units.FormatTime(reading.TimeMs), FormatBytes(bound.Meter.GetGateway()))
}
