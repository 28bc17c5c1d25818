package app_test

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/energyd/energyd/app"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/protocol"
)

// lone is an application by itself, whose blocks a test finalizes and commits.
type lone struct {
	*app.App
	t      *testing.T
	height int64
}

func openLone(t *testing.T, dir string) *lone {
	t.Helper()
	a, err := app.Open(app.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	return &lone{App: a, t: t}
}

// begin gives it a genesis.
func (l *lone) begin() {
	l.t.Helper()
	genesis := app.DefaultGenesis(testkit.ChainID, testkit.Period.Milliseconds())
	genesis.Registry.Authority = &registryv1.Authority{Threshold: 1, Keys: [][]byte{testkit.NewKey("authority").Public()}}
	genesis.Registry.Params[0].Params = testkit.Params()
	genesis.Registry.Accounts = testkit.Operators()
	data, err := json.Marshal(genesis)
	if err != nil {
		l.t.Fatal(err)
	}
	if _, err := l.InitChain(context.Background(), &abci.RequestInitChain{ChainId: testkit.ChainID, Time: testkit.Start, AppStateBytes: data, InitialHeight: 1}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lone) finalize(txs ...[]byte) {
	l.t.Helper()
	at := testkit.Start.Add(time.Duration(l.height+1) * time.Second)
	if _, err := l.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{Txs: txs, Height: l.height + 1, Time: at}); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lone) commit() {
	l.t.Helper()
	if _, err := l.Commit(context.Background(), &abci.RequestCommit{}); err != nil {
		l.t.Fatal(err)
	}
	l.height++
}

// ask queries the outcomes after a height; the state of at is named beside it.
func (l *lone) ask(after, at int64) *txv1.QueryOutcomesResponse {
	l.t.Helper()
	answer := l.query(after, at)
	found := new(txv1.QueryOutcomesResponse)
	if err := proto.Unmarshal(answer.Value, found); err != nil || answer.Code != 0 {
		l.t.Fatalf("%v, %s", err, answer.Log)
	}
	return found
}

func (l *lone) query(after, at int64) *abci.ResponseQuery {
	data, err := protocol.Marshal(&txv1.QueryOutcomesRequest{AfterHeight: after})
	if err != nil {
		l.t.Error(err)
	}
	answer, err := l.Query(context.Background(), &abci.RequestQuery{Path: "/energy.tx.v1.QueryOutcomesRequest", Data: data, Height: at})
	if err != nil {
		l.t.Error(err)
	}
	return answer
}

func (l *lone) expect(after int64, want *txv1.QueryOutcomesResponse) {
	l.t.Helper()
	for _, at := range []int64{0, l.height} {
		if diff := cmp.Diff(want, l.ask(after, at), protocmp.Transform()); diff != "" {
			l.t.Errorf("outcomes after %d, asked at %d (-want +got):\n%s", after, at, diff)
		}
	}
}

func outcome(tx []byte, code uint64, codespace, log string) *txv1.TxOutcome {
	hash := protocol.TxHash(tx)
	return &txv1.TxOutcome{Hash: hash[:], Code: code, Codespace: codespace, Log: log}
}

// TestOutcomes: a node tells what became of a block's transactions once it has
// stored the block, and begins anew with a start.
func TestOutcomes(t *testing.T) {
	key := testkit.NewKey("aggregator")
	to := testkit.NewKey("gateway").Address()
	sign := func(sequence uint64, ucoin int64) []byte {
		tx, err := key.Sign(testkit.ChainID, sequence, 100, &bankv1.MsgTransfer{To: to[:], AmountUcoin: ucoin})
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	good, err := key.Sign(testkit.ChainID, 1, 100, &registryv1.MsgSetEndpoints{})
	if err != nil {
		t.Fatal(err)
	}
	refused, broken, other := sign(2, 5), []byte("no envelope"), sign(3, 7)
	dir := t.TempDir()
	l := openLone(t, dir)
	l.begin()
	if answer := l.query(0, 0); answer.Codespace != "app" || answer.Code != app.ErrNotReady.Code {
		t.Errorf("%s/%d before the first block", answer.Codespace, answer.Code)
	}
	l.finalize()
	if answer := l.query(0, 0); answer.Code != app.ErrNotReady.Code {
		t.Error("answers before the first block is stored")
	}
	l.commit()
	first := &txv1.BlockOutcomes{Height: 1}
	l.expect(0, &txv1.QueryOutcomesResponse{Height: 1, First: 1, Blocks: []*txv1.BlockOutcomes{first}})
	l.finalize(other)
	l.finalize(good, refused, broken) // in its place
	l.expect(1, &txv1.QueryOutcomesResponse{Height: 1, First: 1})
	l.expect(0, &txv1.QueryOutcomesResponse{Height: 1, First: 1, Blocks: []*txv1.BlockOutcomes{first}})
	l.commit()
	second := &txv1.BlockOutcomes{Height: 2, Txs: []*txv1.TxOutcome{
		outcome(good, 0, "", ""),
		outcome(refused, 7, "bank", "msgs[0]: bank/holds_no_coins: to:"),
		outcome(broken, 3, "app", "app/malformed: "),
	}}
	for i, tx := range l.ask(1, 0).Blocks[0].Txs { // how it goes on is the modules' own
		if strings.HasPrefix(tx.Log, second.Txs[i].Log) {
			second.Txs[i].Log = tx.Log
		}
	}
	for after, want := range map[int64][]*txv1.BlockOutcomes{
		math.MinInt64: nil, -1: nil, 0: {first, second}, 1: {second}, 2: nil, 3: nil, math.MaxInt64: nil,
	} {
		l.expect(after, &txv1.QueryOutcomesResponse{Height: 2, First: 1, Blocks: want})
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	l = openLone(t, dir)
	l.height = 2
	l.expect(0, &txv1.QueryOutcomesResponse{Height: 2, First: 3})
	l.finalize(other)
	l.expect(2, &txv1.QueryOutcomesResponse{Height: 2, First: 3})
	l.commit()
	got := l.ask(0, 0)
	if got.Height != 3 || got.First != 3 || len(got.Blocks) != 1 || got.Blocks[0].Height != 3 || string(got.Blocks[0].Txs[0].Hash) != string(outcome(other, 0, "", "").Hash) {
		t.Errorf("%v after a start and a block", got)
	}
}

// TestOutcomesWhileExecuting: queries beside blocks see the memory of one block or
// the next, never something between.
func TestOutcomesWhileExecuting(t *testing.T) {
	l := openLone(t, "")
	l.begin()
	l.finalize()
	l.commit()
	var asking sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		asking.Go(func() {
			var last int64
			for {
				answer := new(txv1.QueryOutcomesResponse)
				if err := proto.Unmarshal(l.query(0, 0).Value, answer); err != nil {
					t.Error(err)
				}
				for i, block := range answer.Blocks {
					if block.Height != answer.First+int64(i) || len(block.Txs) != int(block.Height-1)%3 {
						t.Errorf("block %d has %d transactions, the %dth after %d", block.Height, len(block.Txs), i, answer.First)
					}
				}
				if answer.Height < last || len(answer.Blocks) != int(answer.Height-answer.First+1) {
					t.Errorf("height %d after %d with %d blocks from %d", answer.Height, last, len(answer.Blocks), answer.First)
				}
				last = answer.Height
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for l.height < 60 {
		var txs [][]byte
		for range l.height % 3 {
			txs = append(txs, []byte("no envelope"))
		}
		l.finalize(txs...)
		l.commit()
	}
	close(done)
	asking.Wait()
}
