package main

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/client/proof"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// searchBlocks is how far back query tx looks by default.
const searchBlocks = 1000

func windowCommand(o *options) *cobra.Command {
	desc := (&txv1.QueryWindowRequest{}).ProtoReflect().Descriptor()
	return stateCommand(o, entry{"tx", "window", desc})
}

func invariantsCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "invariants", Short: "Let the node check the laws of its state; exit code 1 if one is broken", Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := o.link(cmd.Context())
			answer := new(txv1.QueryInvariantsResponse)
			if err := l.connect(); err != nil {
				return err
			}
			if _, err := l.Query(l.ctx, &txv1.QueryInvariantsRequest{}, answer, o.height); err != nil {
				return err
			}
			if err := o.printInvariants(cmd, answer); err != nil {
				return err
			}
			for _, invariant := range answer.Invariants {
				if invariant.Broken != "" {
					return fmt.Errorf("invariant %s is broken: %s", invariant.Name, invariant.Broken)
				}
			}
			return nil
		},
	}
}

func (o *options) printInvariants(cmd *cobra.Command, answer *txv1.QueryInvariantsResponse) error {
	if o.json() {
		return printMessage(cmd, answer)
	}
	var lines []line
	for _, invariant := range answer.Invariants {
		state := "holds"
		if invariant.Broken != "" {
			state = "BROKEN: " + invariant.Broken
		}
		lines = append(lines, line{invariant.Name, state})
	}
	return writeLines(cmd.OutOrStdout(), lines)
}

func headerCommand(o *options) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use: "header", Short: "Show a signed header, for --trusted-header of verify bill", Args: noArguments,
		Long: `Show the height and hash of a signed block header and, with --out, write it to
a file with its validators and their signatures. Ask a node that you trust:
whoever knows this header can check bills offline.`,
		Example: "  energycli query header --height 1200 --out header.json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			l := o.link(cmd.Context())
			header, err := l.header()
			if err != nil {
				return err
			}
			data, err := json.MarshalIndent(header, "", "  ")
			if err != nil {
				return err
			}
			if out != "" {
				if err := writeFile(cmd, out, data); err != nil {
					return err
				}
			}
			if o.json() {
				if out == "" {
					return writeFile(cmd, out, data)
				}
				return nil
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%d:%X\n", header.Signed.Height, header.Signed.Hash())
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file for the whole header")
	return cmd
}

// header fetches the header of --height, or the latest that has been signed.
func (l *link) header() (*proof.Header, error) {
	if err := l.connect(); err != nil {
		return nil, err
	}
	height := l.options.height
	if height == 0 {
		head, err := l.Height(l.ctx)
		if err != nil {
			return nil, err
		}
		height = head
	}
	header, err := proof.FetchHeader(l.ctx, l.Client, height)
	if err != nil {
		return nil, err
	}
	return header, header.Verify(l.chainID)
}

// txJSON is a transaction in a block.
type txJSON struct {
	Hash     string        `json:"hash"`
	Height   int64         `json:"height"`
	Code     string        `json:"code"`
	Log      string        `json:"log,omitempty"`
	Envelope *envelopeJSON `json:"envelope,omitempty"`
	Events   []eventJSON   `json:"events"`
	lines    []line
}

func transactionCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "tx HASH", Short: "Find a transaction in the latest blocks", Args: oneArgument("HASH"),
		Long: fmt.Sprintf("Find a transaction in the latest blocks, %d or as many as --limit says, back from\n--height or the latest.", searchBlocks),
		RunE: func(cmd *cobra.Command, args []string) error {
			hash, err := hex.DecodeString(args[0])
			if err != nil || len(hash) != 32 {
				return usage("HASH: expected 64 hexadecimal digits, got %q", args[0])
			}
			l := o.link(cmd.Context())
			found, err := l.find([32]byte(hash))
			if err != nil {
				return err
			}
			if o.json() {
				return printJSON(cmd.OutOrStdout(), found)
			}
			return writeLines(cmd.OutOrStdout(), found.lines)
		},
	}
}

// find looks for a transaction from block to block, backwards.
func (l *link) find(hash [32]byte) (*txJSON, error) {
	if err := l.connect(); err != nil {
		return nil, err
	}
	height, limit := l.options.height, l.options.limit
	if height == 0 {
		head, err := l.Height(l.ctx)
		if err != nil {
			return nil, err
		}
		height = head
	}
	if limit == 0 {
		limit = searchBlocks
	}
	first := max(1, height-limit+1)
	for at := height; at >= first; at-- {
		block, err := l.Block(l.ctx, at)
		if err != nil {
			return nil, err
		}
		for i, tx := range block.Txs {
			if protocol.TxHash(tx) == hash {
				return openTx(block, i)
			}
		}
	}
	return nil, fmt.Errorf("transaction %X in blocks %d to %d: %w", hash, first, height, errNotFound)
}

// openTx decodes a transaction of a block and what became of it.
func openTx(block *client.Block, i int) (*txJSON, error) {
	result := block.Results[i]
	found := &txJSON{Hash: fmt.Sprintf("%X", protocol.TxHash(block.Txs[i])), Height: block.Height, Code: "0", Log: result.Log}
	state := "done"
	if result.Code != 0 {
		found.Code = fmt.Sprintf("%s/%d", result.Codespace, result.Code)
		state = fmt.Sprintf("failed (code %s): %s", found.Code, result.Log)
	}
	found.lines = []line{{"transaction", found.Hash}, {"block", fmt.Sprint(block.Height)}, {"outcome", state}}
	if envelope, _, err := protocol.DecodeEnvelope(block.Txs[i]); err == nil {
		found.lines = append(found.lines, line{"signer", hex.EncodeToString(envelope.Signer)})
		for _, packed := range envelope.Msgs {
			found.lines = append(found.lines, line{"message", describeMsg(packed)})
		}
		// A message of a later version of the chain is no reason to show nothing.
		found.Envelope, _ = openEnvelope(envelope)
	}
	events, err := client.DecodeEvents(result.Events)
	if err != nil {
		return nil, err
	}
	for _, event := range events {
		found.lines = append(found.lines, line{"event", describeMessage(event)})
	}
	found.Events, err = eventsJSON(events)
	return found, err
}

// blockJSON is a block.
type blockJSON struct {
	Height int64       `json:"height"`
	TimeMs int64       `json:"time_ms"`
	Txs    []*txJSON   `json:"txs"`
	Events []eventJSON `json:"events"`
}

func blockCommand(o *options) *cobra.Command {
	return &cobra.Command{
		Use: "block [HEIGHT]", Short: "Show a block, its transactions and events", Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			height := o.height
			if len(args) > 1 || len(args) == 1 && height != 0 {
				return usage("%s: expected one height", cmd.CommandPath())
			}
			if len(args) == 1 {
				var err error
				if height, err = strconv.ParseInt(args[0], 10, 64); err != nil || height <= 0 {
					return usage("HEIGHT: expected a number above 0, got %q", args[0])
				}
			}
			return o.printBlock(cmd, height)
		},
	}
}

func (o *options) printBlock(cmd *cobra.Command, height int64) error {
	l := o.link(cmd.Context())
	if err := l.connect(); err != nil {
		return err
	}
	if height == 0 {
		head, err := l.Height(l.ctx)
		if err != nil {
			return err
		}
		height = head
	}
	block, err := l.Block(l.ctx, height)
	if err != nil {
		return err
	}
	shown := blockJSON{Height: block.Height, TimeMs: block.TimeMs, Txs: []*txJSON{}}
	lines := []line{
		{"block", fmt.Sprint(block.Height)},
		{"time", time.UnixMilli(block.TimeMs).UTC().Format(time.RFC3339Nano)},
		{"transactions", fmt.Sprint(len(block.Txs))},
	}
	for i := range block.Txs {
		tx, err := openTx(block, i)
		if err != nil {
			return err
		}
		shown.Txs = append(shown.Txs, tx)
		lines = append(lines, tx.lines...)
	}
	events, err := client.DecodeEvents(block.Events)
	if err != nil {
		return err
	}
	for _, event := range events {
		lines = append(lines, line{"block event", describeMessage(event)})
	}
	if shown.Events, err = eventsJSON(events); err != nil {
		return err
	}
	if o.json() {
		return printJSON(cmd.OutOrStdout(), shown)
	}
	return writeLines(cmd.OutOrStdout(), lines)
}
