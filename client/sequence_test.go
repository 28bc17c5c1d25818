package client

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/bytes"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// windowAfter answers queries for a window, whose highest sequence is 7, after
// so many refusals.
func windowAfter(refusals int64, refusal string, calls *atomic.Int64) *server.RPCFunc {
	return server.NewRPCFunc(func(*rpctypes.Context, string, bytes.HexBytes, int64, bool) (*coretypes.ResultABCIQuery, error) {
		if calls.Add(1) <= refusals {
			return &coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Code: 18, Codespace: "app", Log: refusal}}, nil
		}
		value, err := protocol.Marshal(&txv1.QueryWindowResponse{Window: &txv1.Window{Highest: 7}})
		return &coretypes.ResultABCIQuery{Response: abci.ResponseQuery{Value: value}}, err
	}, "path,data,height,prove")
}

func TestSequence(t *testing.T) {
	const notReady = "app/not_ready: query: the chain has no block yet"
	for _, tc := range []struct {
		name     string
		refusals int64
		refusal  string
		within   time.Duration
		ok       bool
		most     int64 // calls
	}{
		{"at once", 0, "", 10 * time.Second, true, 1},
		{"after the first block", 3, notReady, 10 * time.Second, true, 4},
		{"never a block", 1 << 40, notReady, 200 * time.Millisecond, false, 1 << 40},
		{"another refusal", 1 << 40, "app/malformed: key_address: expected 20 bytes", 10 * time.Second, false, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var calls atomic.Int64
			node := rpcNode(t, map[string]*server.RPCFunc{"abci_query": windowAfter(tc.refusals, tc.refusal, &calls)})
			c, err := New(node.URL)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), tc.within)
			defer cancel()
			got, err := NewSender(c, "chain").Sequence(ctx, protocol.Address{1})
			if tc.ok && (err != nil || got != 8) {
				t.Errorf("got %d, %v, want 8", got, err)
			}
			if !tc.ok && err == nil {
				t.Errorf("got %d, want an error", got)
			}
			if rejected, is := errors.AsType[*Rejected](err); is && !strings.Contains(rejected.Log, tc.refusal) {
				t.Errorf("got %v, want %s", err, tc.refusal)
			}
			if calls.Load() > tc.most {
				t.Errorf("asked %d times, want at most %d", calls.Load(), tc.most)
			}
		})
	}
}

// Broadcast tells apart what a node refuses and what it could not take just now,
// and says why.
func TestBroadcastNotTaken(t *testing.T) {
	broadcast := func(code uint32, log string, err error) *server.RPCFunc {
		return server.NewRPCFunc(func(*rpctypes.Context, types.Tx) (*coretypes.ResultBroadcastTx, error) {
			return &coretypes.ResultBroadcastTx{Code: code, Codespace: "app", Log: log}, err
		}, "tx")
	}
	for _, tc := range []struct {
		name    string
		node    *server.RPCFunc
		refused bool
		want    string // part of the error, "" for none
	}{
		{"taken", broadcast(0, "", nil), false, ""},
		{"taken before", broadcast(0, "", errors.New("tx already exists in cache")), false, ""},
		{"refused", broadcast(3, "app/unknown_key: signer", nil), true, "unknown_key"},
		{"refused for now", broadcast(3, "app/too_many_pending: signer", nil), false, "too_many_pending"},
		{"no room", broadcast(0, "", errors.New("mempool is full")), false, "mempool is full"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := New(rpcNode(t, map[string]*server.RPCFunc{"broadcast_tx_sync": tc.node}).URL)
			if err != nil {
				t.Fatal(err)
			}
			err = NewSender(c, "chain").Broadcast(t.Context(), []byte("envelope"))
			if tc.want == "" {
				if err != nil {
					t.Errorf("got %v, want none", err)
				}
				return
			}
			var rejected *Rejected
			var unknown *Unknown
			if errors.As(err, &rejected) != tc.refused || errors.As(err, &unknown) == tc.refused || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %T %v, want %q, refused %v", err, err, tc.want, tc.refused)
			}
		})
	}
}
