package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
)

// Block is a committed block with what became of its transactions.
type Block struct {
	Height int64
	// TimeMs is the block time, Unix milliseconds.
	TimeMs  int64
	Txs     [][]byte
	Results []*abci.ExecTxResult
	// Events of the hooks.
	Events []abci.Event
}

// The parts of the engine's answers that a Block is made of. Its own decoder
// takes ten times as long, most of a follower's time.
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
		TxsResults []struct {
			Code      uint32  `json:"code"`
			Codespace string  `json:"codespace"`
			Log       string  `json:"log"`
			Data      []byte  `json:"data"`
			Events    []event `json:"events"`
		} `json:"txs_results"`
		FinalizeBlockEvents []event `json:"finalize_block_events"`
	}
	event struct {
		Type       string `json:"type"`
		Attributes []struct {
			Key   string `json:"key"`
			Value string `json:"value"`
		} `json:"attributes"`
	}
)

// Block fetches a committed block.
func (c *Client) Block(ctx context.Context, height int64) (*Block, error) {
	block, results := new(blockAnswer), new(resultsAnswer)
	err := c.each(ctx, func(node *rpchttp.HTTP) error {
		if err := c.call(ctx, node, "block", height, block); err != nil {
			return err
		}
		return c.call(ctx, node, "block_results", height, results)
	})
	if err != nil {
		return nil, fmt.Errorf("block %d: %w", height, err)
	}
	if len(results.TxsResults) != len(block.Block.Data.Txs) {
		return nil, fmt.Errorf("block %d: expected a result for each of %d transactions, got %d", height, len(block.Block.Data.Txs), len(results.TxsResults))
	}
	found := &Block{
		Height: height, TimeMs: block.Block.Header.Time.UnixMilli(), Txs: block.Block.Data.Txs, Events: abciEvents(results.FinalizeBlockEvents),
	}
	for _, r := range results.TxsResults {
		found.Results = append(found.Results, &abci.ExecTxResult{
			Code: r.Code, Codespace: r.Codespace, Log: r.Log, Data: r.Data, Events: abciEvents(r.Events),
		})
	}
	return found, nil
}

// call asks a node about a height and decodes the answer.
func (c *Client) call(ctx context.Context, node *rpchttp.HTTP, method string, height int64, answer any) error {
	var data json.RawMessage
	if _, err := c.calls[node].Call(ctx, method, map[string]any{"height": height}, &data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, answer); err != nil {
		return fmt.Errorf("response error: %s: %w", method, err)
	}
	return nil
}

func abciEvents(events []event) []abci.Event {
	converted := make([]abci.Event, len(events))
	for i, e := range events {
		converted[i].Type = e.Type
		for _, a := range e.Attributes {
			converted[i].Attributes = append(converted[i].Attributes, abci.EventAttribute{Key: a.Key, Value: a.Value})
		}
	}
	return converted
}
