package gateway

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/p2p"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"

	"github.com/energyd/energyd/app"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/protocol"
)

// node is a node of one validator, without consensus: the application of a test
// chain behind the engine's RPC. Each transaction gets a block of its own.
type node struct {
	mu       sync.Mutex
	chain    *testkit.Chain
	members  []*testkit.Member
	blocks   map[int64]*block
	url      string
	accepted []*meteringv1.ReadingAccepted
	// now is the time of blocks.
	now func() time.Time
	// Faults: refuses connections, keeps envelopes out of blocks, answers for
	// another chain, is behind.
	down, silent, foreign, syncing bool
}

type block struct {
	time    time.Time
	txs     []types.Tx
	results []*abci.ExecTxResult
	events  []abci.Event
}

// began is when the clock of all tests showed the start of the test chain.
var began = time.Now()

// clockOf returns a clock that showed the start of the test chain, and a second
// for its first block, at a time.
func clockOf(began time.Time) func() time.Time {
	return func() time.Time { return testkit.Start.Add(time.Second + time.Since(began)) }
}

// newNode starts a node of a chain with members whose meters the test gateway
// reads.
func newNode(t testing.TB, members int, edits ...func(*app.Genesis)) *node {
	t.Helper()
	n := &node{blocks: make(map[int64]*block), now: clockOf(began)}
	n.chain = testkit.New(t, func(g *app.Genesis) {
		for i := range members {
			n.members = append(n.members, testkit.AddMember(g, i, 1_000_000))
		}
		for _, edit := range edits {
			edit(g)
		}
	})
	n.blocks[n.chain.Height] = &block{time: n.chain.Time}
	mux := http.NewServeMux()
	server.RegisterRPCFuncs(mux, map[string]*server.RPCFunc{
		"status":            server.NewRPCFunc(n.status, ""),
		"abci_query":        server.NewRPCFunc(n.query, "path,data,height,prove"),
		"broadcast_tx_sync": server.NewRPCFunc(n.broadcast, "tx"),
		"block":             server.NewRPCFunc(n.block, "height"),
		"block_results":     server.NewRPCFunc(n.blockResults, "height"),
	}, log.NewNopLogger())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.mu.Lock()
		down := n.down
		n.mu.Unlock()
		if down {
			panic(http.ErrAbortHandler)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	n.url = s.URL
	return n
}

// be changes the node under its lock.
func (n *node) be(change func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	change()
}

func (n *node) status(*rpctypes.Context) (*coretypes.ResultStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	network := testkit.ChainID
	if n.foreign {
		network = "another-chain"
	}
	return &coretypes.ResultStatus{
		NodeInfo: p2p.DefaultNodeInfo{Network: network},
		SyncInfo: coretypes.SyncInfo{LatestBlockHeight: n.chain.Height, CatchingUp: n.syncing},
	}, nil
}

func (n *node) query(_ *rpctypes.Context, path string, data cmtbytes.HexBytes, height int64, _ bool) (*coretypes.ResultABCIQuery, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answer, err := n.chain.App().Query(context.Background(), &abci.RequestQuery{Path: path, Data: data, Height: height})
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultABCIQuery{Response: *answer}, nil
}

func (n *node) broadcast(_ *rpctypes.Context, tx types.Tx) (*coretypes.ResultBroadcastTx, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	checked := n.chain.CheckTx(tx)
	if checked.Code == 0 && !n.silent {
		n.produce(tx)
	}
	return &coretypes.ResultBroadcastTx{Code: checked.Code, Codespace: checked.Codespace, Log: checked.Log, Hash: tx.Hash()}, nil
}

// produce makes a block; n.mu is held.
func (n *node) produce(txs ...[]byte) {
	results := n.chain.Block(max(n.now().Sub(n.chain.Time), time.Millisecond), txs...)
	made := &block{time: n.chain.Time, events: n.chain.Events}
	for _, tx := range txs {
		result := results[protocol.TxHash(tx)]
		if result == nil {
			continue
		}
		made.txs, made.results = append(made.txs, tx), append(made.results, result)
	}
	n.blocks[n.chain.Height] = made
	found := testkit.Seen(n.chain.Height, made.results, made.events)
	events, err := found.AllEvents()
	if err != nil {
		n.chain.T.Error(err)
	}
	for _, event := range events {
		if accepted, ok := event.(*meteringv1.ReadingAccepted); ok {
			n.accepted = append(n.accepted, accepted)
		}
	}
}

func (n *node) at(height *int64) (*block, error) {
	if found := n.blocks[*height]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("height %d must be less than or equal to the current blockchain height %d", *height, n.chain.Height)
}

func (n *node) block(_ *rpctypes.Context, height *int64) (*coretypes.ResultBlock, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, err := n.at(height)
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultBlock{Block: &types.Block{
		Header: types.Header{Height: *height, Time: found.time}, Data: types.Data{Txs: found.txs}, LastCommit: &types.Commit{},
	}}, nil
}

func (n *node) blockResults(_ *rpctypes.Context, height *int64) (*coretypes.ResultBlockResults, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, err := n.at(height)
	if err != nil {
		return nil, err
	}
	return &coretypes.ResultBlockResults{Height: *height, TxsResults: found.results, FinalizeBlockEvents: found.events}, nil
}

// state asks the chain for a meter.
func (n *node) state(meter string) *meteringv1.QueryMeterStateResponse {
	n.mu.Lock()
	defer n.mu.Unlock()
	answer := new(meteringv1.QueryMeterStateResponse)
	n.chain.Query(&meteringv1.QueryMeterStateRequest{Meter: meter}, answer)
	return answer
}

// sequences returns those of a meter that blocks hold, in their order.
func (n *node) sequences(meter string) (found []uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, accepted := range n.accepted {
		if accepted.Meter == meter {
			found = append(found, accepted.Sequence)
		}
	}
	return found
}
