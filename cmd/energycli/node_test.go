package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	cmtbytes "github.com/cometbft/cometbft/libs/bytes"
	"github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/p2p"
	cmtproto "github.com/cometbft/cometbft/proto/tendermint/types"
	cmtversion "github.com/cometbft/cometbft/proto/tendermint/version"
	coretypes "github.com/cometbft/cometbft/rpc/core/types"
	"github.com/cometbft/cometbft/rpc/jsonrpc/server"
	rpctypes "github.com/cometbft/cometbft/rpc/jsonrpc/types"
	"github.com/cometbft/cometbft/types"
	"github.com/cometbft/cometbft/version"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/protocol"
)

// node is a node of one validator, without consensus: the application of a
// test chain behind the engine's RPC. Each transaction gets a block of its own.
type node struct {
	mu      sync.Mutex
	chain   *testkit.Chain
	members []*testkit.Member
	blocks  map[int64]*block
	set     *types.ValidatorSet
	key     types.PrivValidator
	url     string
	// silent keeps accepted transactions out of blocks, syncing claims to be
	// behind.
	silent, syncing bool
}

type block struct {
	time    time.Time
	txs     []types.Tx
	results []*abci.ExecTxResult
	events  []abci.Event
}

// newNode starts a node of a chain with two members that hold 100 coins.
func newNode(t *testing.T, edits ...func(*app.Genesis)) *node {
	t.Helper()
	n := &node{blocks: make(map[int64]*block)}
	set, keys := types.RandValidatorSet(1, 10)
	n.set, n.key = set, keys[0]
	n.chain = testkit.New(t, func(g *app.Genesis) {
		for i := range 2 {
			n.members = append(n.members, testkit.AddMember(g, i, 100_000_000))
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
		"commit":            server.NewRPCFunc(n.commit, "height"),
		"validators":        server.NewRPCFunc(n.validators, "height,page,per_page"),
	}, log.NewNopLogger())
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	n.url = s.URL
	return n
}

func (n *node) status(*rpctypes.Context) (*coretypes.ResultStatus, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return &coretypes.ResultStatus{
		NodeInfo: p2p.DefaultNodeInfo{Network: testkit.ChainID},
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
		n.produce(time.Second, tx)
	}
	return &coretypes.ResultBroadcastTx{Code: checked.Code, Codespace: checked.Codespace, Log: checked.Log, Hash: tx.Hash()}, nil
}

// produce makes a block; n.mu is held.
func (n *node) produce(after time.Duration, txs ...[]byte) {
	results := n.chain.Block(after, txs...)
	made := &block{time: n.chain.Time, events: n.chain.Events}
	for _, tx := range txs {
		if result := results[protocol.TxHash(tx)]; result != nil {
			made.txs, made.results = append(made.txs, tx), append(made.results, result)
		}
	}
	n.blocks[n.chain.Height] = made
}

// be makes the node silent or syncing.
func (n *node) be(silent, syncing bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.silent, n.syncing = silent, syncing
}

// until makes empty blocks up to a time.
func (n *node) until(at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for n.chain.Time.Before(at) {
		n.produce(min(time.Second, at.Sub(n.chain.Time)))
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

func (n *node) commit(_ *rpctypes.Context, height *int64) (*coretypes.ResultCommit, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	found, err := n.at(height)
	if err != nil {
		return nil, err
	}
	root, err := n.chain.App().Query(context.Background(), &abci.RequestQuery{Path: app.RootPath, Height: *height - 1})
	if err != nil {
		return nil, err
	}
	some := sha256.Sum256([]byte("some hash"))
	id := types.BlockID{Hash: some[:], PartSetHeader: types.PartSetHeader{Total: 1, Hash: some[:]}}
	header := &types.Header{
		Version: cmtversion.Consensus{Block: version.BlockProtocol}, ChainID: testkit.ChainID, Height: *height, Time: found.time,
		LastBlockID: id, LastCommitHash: some[:], DataHash: some[:], ValidatorsHash: n.set.Hash(), NextValidatorsHash: n.set.Hash(),
		ConsensusHash: some[:], AppHash: root.Value, LastResultsHash: some[:], EvidenceHash: some[:], ProposerAddress: n.set.Validators[0].Address,
	}
	id.Hash = header.Hash()
	votes := types.NewVoteSet(testkit.ChainID, *height, 0, cmtproto.PrecommitType, n.set)
	commit, err := types.MakeExtCommit(id, *height, 0, votes, []types.PrivValidator{n.key}, found.time, false)
	if err != nil {
		return nil, err
	}
	return coretypes.NewResultCommit(header, commit.ToCommit(), true), nil
}

func (n *node) validators(_ *rpctypes.Context, height *int64, _, _ *int) (*coretypes.ResultValidators, error) {
	return &coretypes.ResultValidators{BlockHeight: *height, Validators: n.set.Validators, Count: 1, Total: 1}, nil
}

// user is somebody at the command line with a home of their own.
type user struct {
	t    *testing.T
	node *node
	home string
	env  map[string]string
}

// newUser has the keys of the test chain in the keystore: authority,
// aggregator, and member0 and member1, all under one passphrase.
func newUser(t *testing.T, n *node) *user {
	t.Helper()
	u := &user{t: t, node: n, home: t.TempDir(), env: map[string]string{}}
	passphrase := filepath.Join(u.home, "passphrase")
	if err := os.WriteFile(passphrase, []byte("words\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := client.OpenKeystore(filepath.Join(u.home, "keys"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]client.Key{"authority": n.chain.Authority, "aggregator": n.chain.Aggregator, "stranger": testkit.NewKey("stranger")}
	for i, m := range n.members {
		keys[fmt.Sprintf("member%d", i)] = m.Key
	}
	for name, key := range keys {
		if err := store.Import(name, "words", 16, key); err != nil {
			t.Fatal(err)
		}
	}
	u.env = map[string]string{
		"ENERGYD_HOME": u.home, "ENERGYD_NODE": n.url, "ENERGYD_PASSPHRASE_FILE": passphrase, "ENERGYD_TIMEOUT": "20s",
	}
	return u
}

// run runs a command line, its arguments separated by spaces.
func (u *user) run(stdin, line string) (out string, code int, text string) {
	u.t.Helper()
	return u.runContext(context.Background(), stdin, line)
}

func (u *user) runContext(ctx context.Context, stdin, line string) (out string, code int, text string) {
	u.t.Helper()
	var stdout, stderr bytes.Buffer
	root := newRoot(func(name string) (string, bool) { value, ok := u.env[name]; return value, ok })
	root.SetArgs(strings.Fields(line))
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	cmd, err := root.ExecuteContextC(ctx)
	text = stderr.String()
	if err != nil {
		text += describe(cmd, err)
	}
	return stdout.String(), exitCode(err), text
}

// must runs a command that succeeds, and returns what it prints.
func (u *user) must(line string) string {
	u.t.Helper()
	out, code, text := u.run("", line)
	if code != exitOK {
		u.t.Fatalf("%s: exit code %d: %s", line, code, text)
	}
	return out
}
