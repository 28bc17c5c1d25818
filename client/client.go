// Package client is the Go SDK of the chain: build, sign and send envelopes,
// follow blocks and query. It knows the nodes' RPC and the bytes of package
// protocol, nothing of the application's insides, and stands without the engine's
// code, so that gateways stay small; bills and headers with their proofs are
// package proof's.
package client

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/protocol"
)

// ErrUnreachable is returned when no node answers.
var ErrUnreachable = errors.New("no node answers")

// Rejected is a refusal by the chain, with its code.
type Rejected struct {
	Codespace string
	Code      uint32
	Log       string
	// Height of the block that holds it, 0 if it never entered one.
	Height int64
}

func (r *Rejected) Error() string {
	return fmt.Sprintf("rejected by the chain (code %s/%d): %s", r.Codespace, r.Code, r.Log)
}

// Client talks to any of several equal nodes; it stays with one that answers.
type Client struct {
	urls  []string
	nodes []*node
	at    atomic.Int64
}

// New returns a client of the nodes at these RPC addresses, "tcp://host:port"
// or "http://host:port", comma-separated or one an element.
func New(addresses ...string) (*Client, error) {
	c := new(Client)
	for _, list := range addresses {
		for address := range strings.SplitSeq(list, ",") {
			address = strings.TrimSpace(address)
			parsed, err := url.Parse(address)
			if err != nil || parsed.Host == "" {
				return nil, fmt.Errorf("node %q: expected an address like tcp://127.0.0.1:26657", address)
			}
			c.urls, c.nodes = append(c.urls, address), append(c.nodes, newNode(parsed))
		}
	}
	if len(c.nodes) == 0 {
		return nil, errors.New("node: expected at least one address")
	}
	return c, nil
}

// Close closes the connections that no request uses. A client that is made for a
// few requests would leave them open for as long as the nodes let it.
func (c *Client) Close() {
	for _, node := range c.nodes {
		node.http.CloseIdleConnections()
	}
}

// URLs returns the nodes' addresses.
func (c *Client) URLs() []string { return c.urls }

// each calls fn with the node that answered last, then with the others, until
// one answers. An answer of a node, even a refusal, ends the search.
func (c *Client) each(ctx context.Context, fn func(*node) error) error {
	var last error
	start := c.at.Load()
	for i := range int64(len(c.nodes)) {
		at := (start + i) % int64(len(c.nodes))
		err := fn(c.nodes[at])
		if err == nil || ctx.Err() != nil || answered(err) {
			c.at.Store(at)
			return err
		}
		last = err
	}
	return fmt.Errorf("%w: %w", ErrUnreachable, last)
}

// answered says whether err came from a node rather than from the way to it.
func answered(err error) bool {
	_, ok := errors.AsType[*NodeError](err)
	return ok
}

// Call asks a node for a method of the engine's RPC that has no function here,
// and decodes the JSON of its result into answer. params become an object; the
// engine wants 64-bit integers as strings.
func (c *Client) Call(ctx context.Context, method string, params, answer any) error {
	return c.each(ctx, func(n *node) error { return n.call(ctx, method, params, answer) })
}

// Status is what a node says of itself.
type Status struct {
	ChainID string
	// Height of the latest block that it committed, and that block's time.
	Height int64
	Time   time.Time
	// Earliest is the height of the first block that the node still has.
	Earliest int64
	// CatchingUp is true until it has all blocks of its peers.
	CatchingUp bool
}

// Status returns a node's status.
func (c *Client) Status(ctx context.Context) (*Status, error) {
	var answer struct {
		NodeInfo struct {
			Network string `json:"network"`
		} `json:"node_info"`
		SyncInfo struct {
			Height     int64     `json:"latest_block_height,string"`
			Time       time.Time `json:"latest_block_time"`
			Earliest   int64     `json:"earliest_block_height,string"`
			CatchingUp bool      `json:"catching_up"`
		} `json:"sync_info"`
	}
	if err := c.Call(ctx, "status", struct{}{}, &answer); err != nil {
		return nil, err
	}
	sync := answer.SyncInfo
	return &Status{ChainID: answer.NodeInfo.Network, Height: sync.Height, Time: sync.Time, Earliest: sync.Earliest, CatchingUp: sync.CatchingUp}, nil
}

// Answer is the chain's answer to a query.
type Answer struct {
	// Height of the state that answered.
	Height int64
	Value  []byte
	// Proof of the value under that state's root, ICS 23; nil where the path has
	// none.
	Proof []byte
}

// RawQuery asks for path at height (0: latest), with the proof where the path
// has one.
func (c *Client) RawQuery(ctx context.Context, path string, data []byte, height int64) (*Answer, error) {
	params := struct {
		Path   string `json:"path"`
		Data   string `json:"data"`
		Height int64  `json:"height,string"`
		Prove  bool   `json:"prove"`
	}{path, hex.EncodeToString(data), height, true}
	var answer struct {
		Response struct {
			Code      uint32 `json:"code"`
			Codespace string `json:"codespace"`
			Log       string `json:"log"`
			Height    int64  `json:"height,string"`
			Value     []byte `json:"value"`
			Proof     struct {
				Ops []struct {
					Data []byte `json:"data"`
				} `json:"ops"`
			} `json:"proofOps"`
		} `json:"response"`
	}
	if err := c.Call(ctx, "abci_query", params, &answer); err != nil {
		return nil, fmt.Errorf("query %s: %w", path, err)
	}
	r := answer.Response
	if r.Code != 0 {
		return nil, &Rejected{Codespace: r.Codespace, Code: r.Code, Log: r.Log}
	}
	found := &Answer{Height: r.Height, Value: r.Value}
	if len(r.Proof.Ops) == 1 {
		found.Proof = r.Proof.Ops[0].Data
	}
	return found, nil
}

// Query sends a request message and decodes the answer into response; it
// returns the height of the state that answered. height 0 asks for the latest.
func (c *Client) Query(ctx context.Context, request, response proto.Message, height int64) (int64, error) {
	data, err := protocol.Marshal(request)
	if err != nil {
		return 0, err
	}
	answer, err := c.RawQuery(ctx, "/"+string(request.ProtoReflect().Descriptor().FullName()), data, height)
	if err != nil {
		return 0, err
	}
	if err := proto.Unmarshal(answer.Value, response); err != nil {
		return 0, fmt.Errorf("answer: %w", err)
	}
	return answer.Height, nil
}

// Height returns the latest committed height that a node knows.
func (c *Client) Height(ctx context.Context) (int64, error) {
	status, err := c.Status(ctx)
	if err != nil {
		return 0, err
	}
	return status.Height, nil
}
