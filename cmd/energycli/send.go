package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// receipt is what is printed of a transaction.
type receipt struct {
	Hash   string `json:"hash"`
	Height int64  `json:"height,omitempty"`
	// Created are the ids of what the messages made.
	Created  []created `json:"created,omitempty"`
	Executed *bool     `json:"executed,omitempty"`
	// Events are absent where the block was not waited for, and where it could not be
	// fetched: EventsMissing says why.
	Events        []eventJSON `json:"events,omitempty"`
	EventsMissing string      `json:"events_missing,omitempty"`
}

type created struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
}

// send signs the messages with the key of --from in one envelope, sends it and
// prints what became of it.
func (o *options) send(cmd *cobra.Command, l *link, msgs ...proto.Message) error {
	if o.from == "" {
		return usage("--from: expected the name of the key that signs, see energycli keys list")
	}
	info, err := l.ownKey(o.from)
	if err != nil {
		return err
	}
	if err := l.connect(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(l.ctx, o.timeout)
	defer cancel()
	sender := client.NewSender(l.Client, l.chainID)
	sequence, err := sender.Sequence(ctx, info.Address)
	if err != nil {
		return err
	}
	height, err := l.Height(ctx)
	if err != nil {
		return err
	}
	expiry := height + client.ExpiryBlocks
	sequence = o.unused(l.chainID, info.Address, sequence)
	if o.dryRun {
		return printEnvelope(cmd, l.chainID, info, sequence, expiry, msgs)
	}
	var summary []string
	for _, msg := range msgs {
		summary = append(summary, describeMessage(msg))
	}
	if err := o.confirm(cmd, strings.Join(summary, "\n")); err != nil {
		return err
	}
	key, err := o.unlock(cmd, o.from)
	if err != nil {
		return err
	}
	if err := signReadings(key, l.chainID, msgs); err != nil {
		return err
	}
	o.use(l.chainID, info.Address, sequence)
	tx, err := key.Sign(l.chainID, sequence, expiry, msgs...)
	if err != nil {
		return err
	}
	return o.deliver(cmd, sender, tx, expiry, createdBy(info.Public, sequence, msgs))
}

// deliver sends a signed envelope and prints its receipt.
func (o *options) deliver(cmd *cobra.Command, sender *client.Sender, tx []byte, expiry int64, made []created) error {
	// Typing a passphrase takes its time: the waiting begins here.
	ctx, cancel := context.WithTimeout(cmd.Context(), o.timeout)
	defer cancel()
	hash := protocol.TxHash(tx)
	r := receipt{Hash: fmt.Sprintf("%X", hash), Created: made}
	if !o.wait {
		if err := sender.Broadcast(ctx, tx); err != nil {
			return err
		}
		return o.printReceipt(cmd, r, nil)
	}
	following, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		// It ends with its context and has nothing else to say.
		_ = sender.Run(following)
	}()
	outcome, err := sender.Send(ctx, tx, expiry)
	stop()
	<-ended
	if err != nil {
		return err
	}
	r.Height = outcome.Height
	events, err := r.fetchEvents(ctx, sender.Client, hash)
	if err != nil { // the transaction stands all the same
		r.EventsMissing = err.Error()
	}
	return o.printReceipt(cmd, r, events)
}

// fetchEvents completes a receipt with the transaction's events, which stand in
// its block's results only.
func (r *receipt) fetchEvents(ctx context.Context, c *client.Client, hash [32]byte) ([]proto.Message, error) {
	block, err := c.Block(ctx, r.Height)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(block.Txs, func(tx []byte) bool { return protocol.TxHash(tx) == hash })
	if at < 0 {
		return nil, fmt.Errorf("block %d: expected the transaction in it", r.Height)
	}
	events, err := client.DecodeEvents(block.Results[at].Events)
	if err != nil {
		return nil, err
	}
	for _, event := range events {
		if approved, ok := event.(*registryv1.ProposalApproved); ok {
			r.Executed = &approved.Executed
		}
	}
	r.Events, err = eventsJSON(events)
	return events, err
}

func (o *options) printReceipt(cmd *cobra.Command, r receipt, events []proto.Message) error {
	switch {
	case o.json():
		return printJSON(cmd.OutOrStdout(), r)
	case o.quiet:
		_, err := fmt.Fprintln(cmd.OutOrStdout(), r.Hash)
		return err
	}
	lines := []line{{"transaction", r.Hash}}
	if r.Height > 0 {
		lines = append(lines, line{"block", fmt.Sprint(r.Height)})
	} else {
		lines = append(lines, line{"block", "not waited for; see energycli query tx"})
	}
	for _, made := range r.Created {
		lines = append(lines, line{made.Kind, made.ID})
	}
	if r.Executed != nil {
		lines = append(lines, line{"executed", map[bool]string{true: "yes", false: "no, it waits for more approvals"}[*r.Executed]})
	}
	for _, event := range events {
		lines = append(lines, line{"event", describeMessage(event)})
	}
	if r.EventsMissing != "" {
		lines = append(lines, line{"events", "not known, the transaction stands: " + r.EventsMissing})
	}
	return writeLines(cmd.OutOrStdout(), lines)
}

// createdBy returns the ids of what messages create: they are known before.
func createdBy(key []byte, sequence uint64, msgs []proto.Message) []created {
	var made []created
	for i, msg := range msgs {
		switch msg.(type) {
		case *matchingv1.MsgPlaceSell, *matchingv1.MsgPlaceBuy:
			made = append(made, created{"order", protocol.MessageID(key, sequence, i).String()})
		case *settlementv1.MsgProposeContract:
			made = append(made, created{"contract", protocol.MessageID(key, sequence, i).String()})
		case *registryv1.MsgPropose:
			made = append(made, created{"proposal", protocol.MessageID(key, sequence, i).String()})
		}
	}
	return made
}

// signReadings signs the readings that are not signed yet, as their gateway.
func signReadings(key client.Key, chainID string, msgs []proto.Message) error {
	for _, msg := range msgs {
		switch batch := msg.(type) {
		case *meteringv1.MsgSubmitReadings:
			if err := signBatch(key, chainID, &batch.GatewayKey, batch.Readings); err != nil {
				return err
			}
		case *meteringv1.MsgCorrectReadings:
			if err := signBatch(key, chainID, &batch.GatewayKey, batch.Readings); err != nil {
				return err
			}
		}
	}
	return nil
}

func signBatch(key client.Key, chainID string, gatewayKey *[]byte, readings []*meteringv1.Reading) error {
	if len(*gatewayKey) == 0 {
		*gatewayKey = key.Public()
	}
	for i, reading := range readings {
		if len(reading.Signature) > 0 {
			continue
		}
		if string(*gatewayKey) != string(key.Public()) {
			return usage("readings[%d].signature: expected a signature, the key of --from is not the gateway key", i)
		}
		if err := key.SignReading(chainID, reading); err != nil {
			return err
		}
	}
	return nil
}

// envelopeJSON is an envelope with its messages opened.
type envelopeJSON struct {
	ChainID      string    `json:"chain_id"`
	Signer       string    `json:"signer"`
	Sequence     uint64    `json:"sequence"`
	ExpiryHeight int64     `json:"expiry_height"`
	Msgs         []msgJSON `json:"msgs"`
}

type msgJSON struct {
	Type  string          `json:"type"`
	Value json.RawMessage `json:"value"`
}

// printEnvelope prints the envelope that would be signed.
func printEnvelope(cmd *cobra.Command, chainID string, info client.KeyInfo, sequence uint64, expiry int64, msgs []proto.Message) error {
	packed, err := client.Pack(msgs...)
	if err != nil {
		return err
	}
	envelope := &txv1.Envelope{ChainId: chainID, Signer: info.Public, Sequence: sequence, ExpiryHeight: expiry, Msgs: packed}
	opened, err := openEnvelope(envelope)
	if err != nil {
		return err
	}
	return printJSON(cmd.OutOrStdout(), opened)
}

func openEnvelope(envelope *txv1.Envelope) (*envelopeJSON, error) {
	opened := &envelopeJSON{
		ChainID: envelope.ChainId, Signer: hex.EncodeToString(envelope.Signer), Sequence: envelope.Sequence,
		ExpiryHeight: envelope.ExpiryHeight, Msgs: []msgJSON{},
	}
	for i, packed := range envelope.Msgs {
		m, err := unpack(packed)
		if err != nil {
			return nil, fmt.Errorf("msgs[%d]: %w", i, err)
		}
		value, err := client.EncodeJSON(m)
		if err != nil {
			return nil, fmt.Errorf("msgs[%d]: %w", i, err)
		}
		opened.Msgs = append(opened.Msgs, msgJSON{packed.Type, value})
	}
	return opened, nil
}

// errNotFound is returned where the chain does not know what was asked for.
var errNotFound = errors.New("not found")
