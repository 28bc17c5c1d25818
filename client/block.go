package client

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Block is a committed block with what became of its transactions.
type Block struct {
	Height int64
	// TimeMs is the block time, Unix milliseconds.
	TimeMs  int64
	Txs     [][]byte
	Results []*Result
	// Events of the hooks.
	Events []Event
}

// Result is what became of a transaction in a block.
type Result struct {
	// Code is 0 for success; it stands in its codespace, and Log says it in words.
	Code      uint32  `json:"code"`
	Codespace string  `json:"codespace"`
	Log       string  `json:"log"`
	Data      []byte  `json:"data"`
	Events    []Event `json:"events"`
}

// Event is one of the engine's; DecodeEvents makes the chain's own of it.
type Event struct {
	Type       string      `json:"type"`
	Attributes []Attribute `json:"attributes"`
}

// Attribute is a part of an event.
type Attribute struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// The parts of the engine's answers that a Block is made of.
type (
	blockAnswer struct {
		Block struct {
			Header struct {
				Time time.Time `json:"time"`
			} `json:"header"`
			Data struct {
				Txs [][]byte `json:"txs"`
			} `json:"data"`
		} `json:"block"`
	}
	resultsAnswer struct {
		TxsResults          []*Result `json:"txs_results"`
		FinalizeBlockEvents []Event   `json:"finalize_block_events"`
	}
)

// Block fetches a committed block.
func (c *Client) Block(ctx context.Context, height int64) (*Block, error) {
	block, results := new(blockAnswer), new(resultsAnswer)
	params := struct {
		Height int64 `json:"height,string"`
	}{height}
	err := c.each(ctx, func(n *node) error {
		if err := n.call(ctx, "block", params, block); err != nil {
			return err
		}
		return n.call(ctx, "block_results", params, results)
	})
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", height, err)
	}
	if len(results.TxsResults) != len(block.Block.Data.Txs) || slices.Contains(results.TxsResults, nil) {
		return nil, fmt.Errorf("block %d: expected a result for each of %d transactions, got %d", height, len(block.Block.Data.Txs), len(results.TxsResults))
	}
	return &Block{
		Height: height, TimeMs: block.Block.Header.Time.UnixMilli(), Txs: block.Block.Data.Txs,
		Results: results.TxsResults, Events: results.FinalizeBlockEvents,
	}, nil
}
