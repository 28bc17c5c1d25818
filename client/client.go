// Package client is the Go SDK of the chain: build, sign and send envelopes,
// follow blocks, query, and check bills by proof. It knows the nodes' RPC and
// the bytes of package protocol, nothing of the application's insides.
package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	abci "github.com/cometbft/cometbft/abci/types"
	rpcclient "github.com/cometbft/cometbft/rpc/client"
	rpchttp "github.com/cometbft/cometbft/rpc/client/http"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	jsonrpc "github.com/cometbft/cometbft/rpc/jsonrpc/client"
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
	nodes []*rpchttp.HTTP
	// calls reach the same nodes, for answers that are decoded here.
	calls map[*rpchttp.HTTP]*jsonrpc.Client
	pools []*http.Client
	at    atomic.Int64
}

// New returns a client of the nodes at these RPC addresses, "tcp://host:port"
// or "http://host:port", comma-separated or one an element.
func New(addresses ...string) (*Client, error) {
	c := &Client{calls: make(map[*rpchttp.HTTP]*jsonrpc.Client)}
	for _, list := range addresses {
		for address := range strings.SplitSeq(list, ",") {
			address = strings.TrimSpace(address)
			if parsed, err := url.Parse(address); err != nil || parsed.Host == "" {
				return nil, fmt.Errorf("node %q: expected an address like tcp://127.0.0.1:26657", address)
			}
			pooled, node, calls, err := connect(address)
			if err != nil {
				return nil, fmt.Errorf("node %q: %w", address, err)
			}
			c.urls, c.nodes, c.pools = append(c.urls, address), append(c.nodes, node), append(c.pools, pooled)
			c.calls[node] = calls
		}
	}
	if len(c.nodes) == 0 {
		return nil, errors.New("node: expected at least one address")
	}
	return c, nil
}

// idleConnections is how many connections to a node wait for the next request.
// The engine's client keeps two, so that whoever sends many at a time would
// open and close one for nearly every request.
const idleConnections = 64

// connect returns the engine's client of one node, and the way for calls of our
// own; both share the connections of the pool.
func connect(address string) (*http.Client, *rpchttp.HTTP, *jsonrpc.Client, error) {
	pooled, err := jsonrpc.DefaultHTTPClient(address)
	if err != nil {
		return nil, nil, nil, err
	}
	if transport, ok := pooled.Transport.(*http.Transport); ok {
		transport.MaxIdleConnsPerHost = idleConnections
	}
	calls, err := jsonrpc.NewWithHTTPClient(address, pooled)
	if err != nil {
		return nil, nil, nil, err
	}
	node, err := rpchttp.NewWithClient(address, "/websocket", pooled)
	return pooled, node, calls, err
}

// Close closes the connections that no request uses. A client that is made for a
// few requests would leave them open for as long as the nodes let it.
func (c *Client) Close() {
	for _, pooled := range c.pools {
		pooled.CloseIdleConnections()
	}
}

// URLs returns the nodes' addresses.
func (c *Client) URLs() []string { return c.urls }

// each calls fn with the node that answered last, then with the others, until
// one answers. An answer of a node, even a refusal, ends the search.
func (c *Client) each(ctx context.Context, fn func(*rpchttp.HTTP) error) error {
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
	return strings.Contains(err.Error(), "RPC error") || strings.HasPrefix(err.Error(), "response error")
}

// Status returns a node's status.
func (c *Client) Status(ctx context.Context) (status *coretypes.ResultStatus, err error) {
	err = c.each(ctx, func(node *rpchttp.HTTP) error {
		status, err = node.Status(ctx)
		return err
	})
	return status, err
}

// RawQuery asks for path at height (0: latest), with the proof where the path
// has one.
func (c *Client) RawQuery(ctx context.Context, path string, data []byte, height int64) (*abci.ResponseQuery, error) {
	var result *coretypes.ResultABCIQuery
	err := c.each(ctx, func(node *rpchttp.HTTP) (err error) {
		result, err = node.ABCIQueryWithOptions(ctx, path, data, rpcclient.ABCIQueryOptions{Height: height, Prove: true})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("query %s: %w", path, err)
	}
	if r := result.Response; r.Code != 0 {
		return nil, &Rejected{Codespace: r.Codespace, Code: r.Code, Log: r.Log}
	}
	return &result.Response, nil
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
	return status.SyncInfo.LatestBlockHeight, nil
}
