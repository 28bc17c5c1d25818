// Package node runs nodes in process, for tests of what talks to a node: the
// application of a test chain behind the engine's RPC, without consensus. Each
// transaction that is sent gets a block of its own. Nodes of one chain (Peer)
// differ in their addresses and faults only.
package node

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	"github.com/cometbft/cometbft/types"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/protocol"
)

// Node is a node of a chain that has one validator.
type Node struct {
	*Ledger
	// URL is where it answers.
	URL string
	// Faults, changed within With: it refuses connections, keeps envelopes out of
	// blocks, says it is of another chain, says it is behind, has no blocks to fetch.
	Down, Silent, Foreign, Syncing, Pruned bool

	asked int
}

// Ledger is the chain that nodes share. What the nodes' own goroutines touch is
// read and changed within With.
type Ledger struct {
	Chain   *testkit.Chain
	Members []*testkit.Member
	Blocks  map[int64]*Block
	// Now is the time of blocks; nil: each comes a second after the one before.
	Now func() time.Time
	// Answer, if set, answers queries by their path in place of the application,
	// Execute transactions; what it returns nil for is left to the application.
	Answer  func(path string) []byte
	Execute func(tx []byte) *abci.ExecTxResult

	mu  sync.Mutex
	set *types.ValidatorSet
	key types.PrivValidator
}

// Block is a block that was made.
type Block struct {
	Time    time.Time
	Txs     []types.Tx
	Results []*abci.ExecTxResult
	Events  []abci.Event
}

// New starts a node of a new chain with members who have ucoin each.
func New(t testing.TB, members int, ucoin int64, edits ...func(*app.Genesis)) *Node {
	t.Helper()
	l := &Ledger{Blocks: make(map[int64]*Block)}
	set, keys := types.RandValidatorSet(1, 10)
	l.set, l.key = set, keys[0]
	l.Chain = testkit.New(t, func(g *app.Genesis) {
		for i := range members {
			l.Members = append(l.Members, testkit.AddMember(g, i, ucoin))
		}
		for _, edit := range edits {
			edit(g)
		}
	})
	l.Blocks[l.Chain.Height] = &Block{Time: l.Chain.Time}
	return l.start(t)
}

// Peer starts another node of the same chain.
func (n *Node) Peer(t testing.TB) *Node {
	t.Helper()
	return n.start(t)
}

func (l *Ledger) start(t testing.TB) *Node {
	n := &Node{Ledger: l}
	mux := http.NewServeMux()
	server.RegisterRPCFuncs(mux, map[string]*server.RPCFunc{
		"status":            server.NewRPCFunc(n.status, ""),
		"abci_query":        server.NewRPCFunc(n.query, "path,data,height,prove"),
		"broadcast_tx_sync": server.NewRPCFunc(n.broadcast, "tx"),
		"block":             server.NewRPCFunc(n.block, "height"),
		"block_results":     server.NewRPCFunc(n.blockResults, "height"),
		"commit":            server.NewRPCFunc(n.commit, "height"),
		"validators":        server.NewRPCFunc(n.validators, "height,page,per_page"),
	}, log.NewNopLogger())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		down := false
		n.With(func() {
			n.asked++
			down = n.Down
		})
		if down {
			panic(http.ErrAbortHandler)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	n.URL = s.URL
	return n
}

// With runs a function while no request is answered.
func (l *Ledger) With(do func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	do()
}

// Asked returns how many requests came, refused connections among them.
func (n *Node) Asked() (requests int) {
	n.With(func() { requests = n.asked })
	return requests
}

// Block makes a block so long after the one before.
func (l *Ledger) Block(after time.Duration, txs ...[]byte) (made *Block) {
	l.With(func() { made = l.produce(after, txs...) })
	return made
}

// Next makes the next block at its time.
func (l *Ledger) Next(txs ...[]byte) (made *Block) {
	l.With(func() { made = l.produce(l.pace(), txs...) })
	return made
}

// Until makes empty blocks up to a time, a second apart.
func (l *Ledger) Until(at time.Time) {
	l.With(func() {
		for l.Chain.Time.Before(at) {
			l.produce(min(time.Second, at.Sub(l.Chain.Time)))
		}
	})
}

// pace is how long after the one before the next block comes.
func (l *Ledger) pace() time.Duration {
	if l.Now == nil {
		return time.Second
	}
	return max(l.Now().Sub(l.Chain.Time), time.Millisecond)
}

func (l *Ledger) produce(after time.Duration, txs ...[]byte) *Block {
	results := l.Chain.Block(after, txs...)
	made := &Block{Time: l.Chain.Time, Events: l.Chain.Events}
	for _, tx := range txs {
		if result := results[protocol.TxHash(tx)]; result != nil {
			made.Txs, made.Results = append(made.Txs, tx), append(made.Results, result)
		}
	}
	l.Blocks[l.Chain.Height] = made
	return made
}

func (n *Node) at(height int64) (*Block, error) {
	if n.Pruned {
		return nil, fmt.Errorf("height %d is not available, lowest height is %d", height, n.Chain.Height+1)
	}
	if found := n.Blocks[height]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("height %d must be less than or equal to the current blockchain height %d", height, n.Chain.Height)
}
