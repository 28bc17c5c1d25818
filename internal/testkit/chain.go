// Package testkit runs the application in process for tests: a chain of one
// authority and one aggregator that is executed three times at once. The first
// twin sees everything, the second never sees CheckTx, the third is restarted
// from disk before each block; whatever they do not agree on is a bug that
// would split the network. After every block all invariants are checked.
package testkit

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/cometbft/cometbft/types"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/protocol"
)

// ChainID of every test chain.
const ChainID = "energyd-test"

// Period is the length of a test chain's periods.
const Period = 10 * time.Second

// Start is the time of a test chain's genesis: the start of a period.
var Start = time.UnixMilli(1_700_000_000_000).UTC()

// Chain is a chain under test with its three twins.
type Chain struct {
	T          testing.TB
	Authority  client.Key
	Aggregator client.Key
	Gateway    client.Key
	Height     int64
	Time       time.Time
	// Events of the latest block's hooks.
	Events []abci.Event

	twins []*twin
	// validators is the engine's set, which stops at updates that do not fit.
	validators *types.ValidatorSet
	sequence   map[protocol.Address]uint64
	wrap       func(name string, a abci.Application) abci.Application
}

// twin is one application and how it is treated.
type twin struct {
	name string
	// app is the application; abci is what blocks go through: the same, or
	// what a test put around it.
	app     *app.App
	abci    abci.Application
	dir     string
	checks  bool
	restart bool
}

// NewKey returns a key that is the same in every run.
func NewKey(name string) client.Key {
	seed := protocol.TxHash([]byte("energyd test key " + name))
	key, err := client.KeyFromSeed(seed[:])
	if err != nil {
		panic(err)
	}
	return key
}

// Params are parameters that suit periods of ten seconds.
func Params() *registryv1.Params {
	g := app.DefaultGenesis(ChainID, Period.Milliseconds())
	params := g.Registry.Params[0].Params
	params.GateLeadMs, params.RoundLengthMs = 4000, 2000
	params.OrderHorizonMs = 30_000
	params.DeadlinePeriods = 2
	params.StatementRetentionPeriods = 10
	return params
}

// New starts a chain; edit may change the genesis.
func New(t testing.TB, edit func(*app.Genesis)) *Chain {
	t.Helper()
	return NewWrapped(t, edit, func(_ string, a abci.Application) abci.Application { return a })
}

// NewWrapped starts a chain whose twins, by name ("full", "blind",
// "restarted"), a test may put something around: a bug, to see it caught.
func NewWrapped(t testing.TB, edit func(*app.Genesis), wrap func(name string, a abci.Application) abci.Application) *Chain {
	t.Helper()
	c := &Chain{
		wrap: wrap,
		T:    t, Authority: NewKey("authority"), Aggregator: NewKey("aggregator"), Gateway: NewKey("gateway"),
		Time: Start, sequence: make(map[protocol.Address]uint64),
	}
	genesis := app.DefaultGenesis(ChainID, Period.Milliseconds())
	genesis.Registry.Authority = &registryv1.Authority{Threshold: 1, Keys: [][]byte{c.Authority.Public()}}
	genesis.Registry.Params[0].Params = Params()
	genesis.Registry.Accounts = Operators()
	if edit != nil {
		edit(genesis)
	}
	c.twins = []*twin{
		{name: "full", checks: true},
		{name: "blind"},
		{name: "restarted", dir: t.TempDir(), restart: true},
	}
	c.initChain(genesis)
	t.Cleanup(func() {
		for _, w := range c.twins {
			_ = w.app.Close()
		}
	})
	c.Block(time.Second)
	return c
}

// Operators returns the genesis accounts of a test chain's aggregator, who
// validates alone, and of its gateway.
func Operators() []*registryv1.Account {
	operator := func(name string, role registryv1.Role) *registryv1.Account {
		key := NewKey(name)
		address := key.Address()
		identity := protocol.TxHash([]byte(name))
		return &registryv1.Account{
			Account: address[:], Identity: identity[:], UserType: name, Roles: []registryv1.Role{role},
			Status: registryv1.Status_STATUS_ACTIVE, Keys: [][]byte{key.Public()},
		}
	}
	aggregator := operator("aggregator", registryv1.Role_ROLE_AGGREGATOR)
	aggregator.ValidatorKey, aggregator.ValidatorPower = NewKey("validator").Public(), 10
	aggregator.HomeAggregator = aggregator.Account
	gateway := operator("gateway", registryv1.Role_ROLE_GATEWAY)
	gateway.HomeAggregator = aggregator.Account
	return []*registryv1.Account{aggregator, gateway}
}

func (c *Chain) initChain(genesis *app.Genesis) {
	c.T.Helper()
	data, err := json.Marshal(genesis)
	if err != nil {
		c.T.Fatal(err)
	}
	var first *abci.ResponseInitChain
	for _, w := range c.twins {
		c.open(w)
		answer, err := w.abci.InitChain(context.Background(), &abci.RequestInitChain{ChainId: ChainID, Time: c.Time, AppStateBytes: data, InitialHeight: 1})
		if err != nil {
			c.T.Fatal(err)
		}
		if first == nil {
			first = answer
			c.validators = types.NewValidatorSet(nil)
			c.updateValidators(answer.Validators)
		}
		if diff := cmp.Diff(first.AppHash, answer.AppHash); diff != "" {
			c.T.Fatalf("genesis: twin %s differs:\n%s", w.name, diff)
		}
	}
}

// Tx signs messages with the key's next sequence.
func (c *Chain) Tx(key client.Key, msgs ...proto.Message) []byte {
	c.T.Helper()
	c.sequence[key.Address()]++
	tx, err := key.Sign(ChainID, c.sequence[key.Address()], c.Height+100, msgs...)
	if err != nil {
		c.T.Fatal(err)
	}
	return tx
}

// Propose returns a transaction in which the authority proposes messages.
func (c *Chain) Propose(msgs ...proto.Message) []byte {
	c.T.Helper()
	packed, err := client.Pack(msgs...)
	if err != nil {
		c.T.Fatal(err)
	}
	return c.Tx(c.Authority, &registryv1.MsgPropose{Msgs: packed})
}

// Block makes a block after a time: it offers the transactions to the mempool,
// lets the first twin propose, and executes the proposal on all. It returns
// the results by the hash of the transaction; refused ones have none.
func (c *Chain) Block(after time.Duration, txs ...[]byte) map[[32]byte]*abci.ExecTxResult {
	c.T.Helper()
	var waiting [][]byte
	for _, tx := range txs {
		if c.CheckTx(tx).Code == 0 || c.Height == 0 {
			waiting = append(waiting, tx)
		}
	}
	proposal, err := c.twins[0].abci.PrepareProposal(context.Background(), &abci.RequestPrepareProposal{
		Txs: waiting, MaxTxBytes: 4 << 20, Height: c.Height + 1, Time: c.Time.Add(after),
	})
	if err != nil {
		c.T.Fatal(err)
	}
	for _, w := range c.twins {
		c.restart(w)
		verdict, err := w.abci.ProcessProposal(context.Background(), &abci.RequestProcessProposal{
			Txs: proposal.Txs, Hash: blockHash(proposal.Txs, c.Height+1, c.Time.Add(after)), Height: c.Height + 1, Time: c.Time.Add(after),
		})
		if err != nil || verdict.Status != abci.ResponseProcessProposal_ACCEPT {
			c.T.Fatalf("height %d: twin %s rejects its own proposal: %v", c.Height+1, w.name, err)
		}
	}
	results := c.Force(after, proposal.Txs...)
	byHash := make(map[[32]byte]*abci.ExecTxResult, len(results))
	for i, tx := range proposal.Txs {
		byHash[protocol.TxHash(tx)] = results[i]
	}
	return byHash
}

// Force executes transactions as a decided block, whether or not an honest
// validator would have accepted it, and returns their results in order.
func (c *Chain) Force(after time.Duration, txs ...[]byte) []*abci.ExecTxResult {
	c.T.Helper()
	c.Height, c.Time = c.Height+1, c.Time.Add(after)
	var first *abci.ResponseFinalizeBlock
	for _, w := range c.twins {
		c.restart(w)
		response, err := w.abci.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{Txs: txs, Hash: blockHash(txs, c.Height, c.Time), Height: c.Height, Time: c.Time})
		if err != nil {
			c.T.Fatalf("height %d: twin %s: %v", c.Height, w.name, err)
		}
		if _, err := w.abci.Commit(context.Background(), &abci.RequestCommit{}); err != nil {
			c.T.Fatalf("height %d: twin %s: %v", c.Height, w.name, err)
		}
		if first == nil {
			first = response
		}
		if diff := cmp.Diff(first, response); diff != "" {
			c.T.Fatalf("height %d: twin %s differs:\n%s", c.Height, w.name, diff)
		}
	}
	c.Events = first.Events
	c.updateValidators(first.ValidatorUpdates)
	for _, law := range c.Invariants() {
		if law != "" {
			c.T.Fatalf("height %d: %s", c.Height, law)
		}
	}
	return first.TxResults
}

// blockHash stands for the hash of a block.
func blockHash(txs [][]byte, height int64, at time.Time) []byte {
	return append(types.ToTxs(txs).Hash(), fmt.Sprint(height, at)...)
}

// Seen returns a block with its results and events as a client sees it.
func Seen(height int64, results []*abci.ExecTxResult, events []abci.Event) *client.Block {
	block := &client.Block{Height: height, Events: seenEvents(events)}
	for _, r := range results {
		block.Results = append(block.Results, &client.Result{Code: r.Code, Codespace: r.Codespace, Log: r.Log, Data: r.Data, Events: seenEvents(r.Events)})
	}
	return block
}

func seenEvents(events []abci.Event) []client.Event {
	seen := make([]client.Event, len(events))
	for i, e := range events {
		seen[i].Type = e.Type
		for _, a := range e.Attributes {
			seen[i].Attributes = append(seen[i].Attributes, client.Attribute{Key: a.Key, Value: a.Value})
		}
	}
	return seen
}

// updateValidators changes the engine's set as CometBFT would.
func (c *Chain) updateValidators(updates []abci.ValidatorUpdate) {
	c.T.Helper()
	if len(updates) == 0 {
		return
	}
	changes, err := types.PB2TM.ValidatorUpdates(updates)
	if err != nil {
		c.T.Fatalf("height %d: validator updates: %v", c.Height, err)
	}
	if err := c.validators.UpdateWithChangeSet(changes); err != nil {
		c.T.Fatalf("height %d: validator updates stop the engine: %v", c.Height, err)
	}
}

// restart closes and opens the twin that lives from disk alone, but not
// between genesis and the first block, which no commit has stored.
func (c *Chain) restart(w *twin) {
	c.T.Helper()
	if !w.restart || c.Height <= 1 {
		return
	}
	if err := w.app.Close(); err != nil {
		c.T.Fatal(err)
	}
	c.open(w)
}

func (c *Chain) open(w *twin) {
	c.T.Helper()
	var err error
	if w.app, err = app.Open(app.Options{Dir: w.dir}); err != nil {
		c.T.Fatal(err)
	}
	w.abci = c.wrap(w.name, w.app)
}

// CheckTx offers a transaction to the mempools that see any.
func (c *Chain) CheckTx(tx []byte) *abci.ResponseCheckTx {
	c.T.Helper()
	var answer *abci.ResponseCheckTx
	for _, w := range c.twins {
		if !w.checks {
			continue
		}
		var err error
		if answer, err = w.abci.CheckTx(context.Background(), &abci.RequestCheckTx{Tx: tx}); err != nil {
			c.T.Fatal(err)
		}
	}
	return answer
}

// Must makes a block of transactions that all must succeed.
func (c *Chain) Must(after time.Duration, txs ...[]byte) {
	c.T.Helper()
	for i, tx := range txs {
		if answer := c.CheckTx(tx); answer.Code != 0 {
			c.T.Fatalf("transaction %d: %s", i, answer.Log)
		}
	}
	results := c.Block(after, txs...)
	for i, tx := range txs {
		result, ok := results[protocol.TxHash(tx)]
		if !ok {
			c.T.Fatalf("transaction %d: not in the block", i)
		}
		if result.Code != 0 {
			c.T.Fatalf("transaction %d: %s", i, result.Log)
		}
	}
}

// Until makes empty blocks, a second apart, until the block time is at.
func (c *Chain) Until(at time.Time) {
	c.T.Helper()
	for c.Time.Before(at) {
		c.Block(min(time.Second, at.Sub(c.Time)))
	}
}

// Query asks the first twin.
func (c *Chain) Query(request, response proto.Message) {
	c.T.Helper()
	data, err := protocol.Marshal(request)
	if err != nil {
		c.T.Fatal(err)
	}
	answer, err := c.twins[0].app.Query(context.Background(), &abci.RequestQuery{Path: "/" + string(request.ProtoReflect().Descriptor().FullName()), Data: data})
	if err != nil {
		c.T.Fatal(err)
	}
	if answer.Code != 0 {
		c.T.Fatalf("%s: %s", request.ProtoReflect().Descriptor().Name(), answer.Log)
	}
	if err := proto.Unmarshal(answer.Value, response); err != nil {
		c.T.Fatal(err)
	}
}

// App returns the twin that saw everything.
func (c *Chain) App() *app.App { return c.twins[0].app }

// Accepts says whether the first twin would vote for a block of these
// transactions.
func (c *Chain) Accepts(txs ...[]byte) bool {
	c.T.Helper()
	verdict, err := c.twins[0].abci.ProcessProposal(context.Background(), &abci.RequestProcessProposal{Txs: txs, Hash: blockHash(txs, c.Height+1, c.Time), Height: c.Height + 1, Time: c.Time})
	if err != nil {
		c.T.Fatal(err)
	}
	return verdict.Status == abci.ResponseProcessProposal_ACCEPT
}

// Balances returns the balances of all accounts.
func (c *Chain) Balances() *bankv1.QueryBalancesResponse {
	c.T.Helper()
	answer := new(bankv1.QueryBalancesResponse)
	c.Query(&bankv1.QueryBalancesRequest{Limit: 1000}, answer)
	return answer
}

// Root returns the first twin's committed state root.
func (c *Chain) Root() []byte {
	c.T.Helper()
	info, err := c.twins[0].abci.Info(context.Background(), &abci.RequestInfo{})
	if err != nil {
		c.T.Fatal(err)
	}
	return info.LastBlockAppHash
}
