package client

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/p2p"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"

	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// rpcNode serves functions of the engine's RPC.
func rpcNode(t *testing.T, functions map[string]*server.RPCFunc) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	server.RegisterRPCFuncs(mux, functions, log.NewNopLogger())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func statusOf(chainID string, calls *atomic.Int64) *server.RPCFunc {
	return server.NewRPCFunc(func(*rpctypes.Context) (*coretypes.ResultStatus, error) {
		calls.Add(1)
		return &coretypes.ResultStatus{NodeInfo: p2p.DefaultNodeInfo{Network: chainID}, SyncInfo: coretypes.SyncInfo{LatestBlockHeight: 5}}, nil
	}, "")
}

func TestClientStaysWithWhoAnswers(t *testing.T) {
	var first, second atomic.Int64
	a := rpcNode(t, map[string]*server.RPCFunc{"status": statusOf("a", &first)})
	b := rpcNode(t, map[string]*server.RPCFunc{"status": statusOf("b", &second)})
	c, err := New(a.URL+", "+b.URL, "tcp://127.0.0.1:1")
	if err != nil || len(c.URLs()) != 3 {
		t.Fatalf("%v, %v", c, err)
	}
	ask := func(want string) {
		t.Helper()
		status, err := c.Status(context.Background())
		if err != nil || status.ChainID != want {
			t.Fatalf("%v, %v, want an answer of %s", status, err, want)
		}
	}
	ask("a")
	a.Close()
	ask("b")
	ask("b")
	if first.Load() != 1 || second.Load() != 2 {
		t.Errorf("asked %d and %d times", first.Load(), second.Load())
	}
	b.Close()
	if _, err := c.Status(context.Background()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("%v, want %v", err, ErrUnreachable)
	}
}

// TestRefusalIsAnAnswer: what one node refuses is not taken to the next.
func TestRefusalIsAnAnswer(t *testing.T) {
	var calls atomic.Int64
	refuse := server.NewRPCFunc(func(*rpctypes.Context) (*coretypes.ResultStatus, error) {
		calls.Add(1)
		return nil, errors.New("no")
	}, "")
	a, b := rpcNode(t, map[string]*server.RPCFunc{"status": refuse}), rpcNode(t, map[string]*server.RPCFunc{"status": refuse})
	c, err := New(a.URL, b.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Status(context.Background()); err == nil || errors.Is(err, ErrUnreachable) || calls.Load() != 1 {
		t.Errorf("%v after %d calls", err, calls.Load())
	}
}

func TestNewRefusesAddresses(t *testing.T) {
	for _, address := range []string{"", "127.0.0.1:26657", "node", "tcp://", "http://a,,http://b"} {
		if _, err := New(address); err == nil {
			t.Errorf("%q was taken as an address", address)
		}
	}
	if _, err := New(); err == nil {
		t.Error("no address at all was taken")
	}
}

// query answers queries: for a window with this value, for outcomes that the chain
// stands at block 5.
func query(t *testing.T, window []byte) *server.RPCFunc {
	t.Helper()
	head, err := protocol.Marshal(&txv1.QueryOutcomesResponse{Height: 5, First: 1})
	if err != nil {
		t.Fatal(err)
	}
	return server.NewRPCFunc(func(_ *rpctypes.Context, path string, _ bytes.HexBytes, _ int64, _ bool) (*coretypes.ResultABCIQuery, error) {
		value := window
		if path == "/energy.tx.v1.QueryOutcomesRequest" {
			value = head
		}
		return &coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Value: value}}, nil
	}, "path,data,height,prove")
}

// TestSendReplayed: when another envelope took the sequence, the sender hears
// of it long before the expiry height.
func TestSendReplayed(t *testing.T) {
	var calls, offers atomic.Int64
	node := rpcNode(t, map[string]*server.RPCFunc{
		"status":     statusOf("chain", &calls),
		"abci_query": query(t, nil),
		"broadcast_tx_sync": server.NewRPCFunc(func(_ *rpctypes.Context, tx types.Tx) (*coretypes.ResultBroadcastTx, error) {
			if offers.Add(1) == 1 {
				return &coretypes.ResultBroadcastTx{}, nil
			}
			return &coretypes.ResultBroadcastTx{Code: 10, Codespace: "app", Log: "app/replayed: sequence 5 was used"}, nil
		}, "tx"),
	})
	c, err := New(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	s := NewSender(c, "chain")
	go func() { _ = s.Run(ctx) }()
	_, err = s.Send(ctx, []byte("envelope"), 1000)
	rejected, ok := errors.AsType[*Rejected](err)
	if !ok || rejected.Code != 10 || offers.Load() != 3 {
		t.Errorf("%v after %d offers, want a refusal after the third", err, offers.Load())
	}
}

// TestSendAfterExpiry: an envelope that a node knows already and no new block
// holds has expired only if its sequence was never used.
func TestSendAfterExpiry(t *testing.T) {
	key, err := KeyFromSeed(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	const highest = 7
	// Used are 7 and 5: bits 0 and 2, counted down from the highest.
	window, err := protocol.Marshal(&txv1.QueryWindowResponse{Window: &txv1.Window{Highest: highest, Bitmap: []byte{0b101}}})
	if err != nil {
		t.Fatal(err)
	}
	var calls atomic.Int64
	node := rpcNode(t, map[string]*server.RPCFunc{
		"status": statusOf("chain", &calls),
		"broadcast_tx_sync": server.NewRPCFunc(func(*rpctypes.Context, types.Tx) (*coretypes.ResultBroadcastTx, error) {
			return nil, errors.New("tx already exists in cache")
		}, "tx"),
		"abci_query": query(t, window),
	})
	c, err := New(node.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel) // after the parallel cases
	s := NewSender(c, "chain")
	go func() { _ = s.Run(ctx) }()
	for _, tc := range []struct {
		name     string
		sequence uint64
		expired  bool
	}{
		{"not reached yet", highest + 1, true},
		{"the highest", highest, false},
		{"passed over", 6, true},
		{"used", 5, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tx, err := key.Sign("chain", tc.sequence, 4, &bankv1.MsgTransfer{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.Send(ctx, tx, 4)
			_, unknown := errors.AsType[*Unknown](err)
			if errors.Is(err, ErrExpired) != tc.expired || unknown == tc.expired {
				t.Errorf("%v, want expired %v, else unknown", err, tc.expired)
			}
		})
	}
}
