package app_test

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/app"
	"github.com/energyd/energyd/client"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	registryv1 "github.com/energyd/energyd/gen/energy/registry/v1"
	"github.com/energyd/energyd/internal/testkit"
	"github.com/energyd/energyd/module"
)

// fuzzed is one application in memory with a member, which a fuzz target keeps
// for all its inputs: whatever came before must do no harm either.
type fuzzed struct {
	*app.App
	member *testkit.Member
	height int64
	time   time.Time
}

func newFuzzed(t testing.TB) *fuzzed {
	t.Helper()
	g := app.DefaultGenesis(testkit.ChainID, testkit.Period.Milliseconds())
	g.Registry.Authority = &registryv1.Authority{Threshold: 1, Keys: [][]byte{testkit.NewKey("authority").Public()}}
	g.Registry.Accounts = testkit.Operators()
	f := &fuzzed{member: testkit.AddMember(g, 1, coins), time: testkit.Start}
	data, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	if f.App, err = app.Open(app.Options{}); err != nil {
		t.Fatal(err)
	}
	if _, err := f.InitChain(context.Background(), &abci.RequestInitChain{ChainId: testkit.ChainID, Time: f.time, AppStateBytes: data}); err != nil {
		t.Fatal(err)
	}
	f.block(t)
	return f
}

// block executes transactions as a decided block; afterwards every law holds.
func (f *fuzzed) block(t testing.TB, txs ...[]byte) []*abci.ExecTxResult {
	t.Helper()
	f.height, f.time = f.height+1, f.time.Add(time.Second)
	response, err := f.FinalizeBlock(context.Background(), &abci.RequestFinalizeBlock{Txs: txs, Height: f.height, Time: f.time})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Commit(context.Background(), &abci.RequestCommit{}); err != nil {
		t.Fatal(err)
	}
	return response.TxResults
}

// seeds are signed envelopes of every kind of sender.
func seeds(t testing.TB, m *testkit.Member) [][]byte {
	t.Helper()
	start := testkit.Start.Add(2 * testkit.Period).UnixMilli()
	address := m.Address()
	var all [][]byte
	for i, s := range []struct {
		key client.Key
		msg proto.Message
	}{
		{m.Key, &bankv1.MsgTransfer{To: address[:], AmountUcoin: 1}},
		{m.Key, sell(start, m, 400_000, 100)},
		{m.Key, buy(start, 400_000, 100, true)},
		{m.Key, &matchingv1.MsgCancel{Period: start, Order: make([]byte, 16)}},
		{testkit.NewKey("gateway"), &meteringv1.MsgSubmitReadings{GatewayKey: testkit.NewKey("gateway").Public()}},
		{testkit.NewKey("authority"), &registryv1.MsgPropose{}},
		{testkit.NewKey("stranger"), &registryv1.MsgFreeze{Account: address[:], Reason: "x"}},
	} {
		tx, err := s.key.Sign(testkit.ChainID, uint64(i+1), 500, s.msg)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, tx)
	}
	return all
}

func FuzzCheckTx(f *testing.F) {
	chain := newFuzzed(f)
	for _, tx := range seeds(f, chain.member) {
		f.Add(tx)
	}
	f.Fuzz(func(t *testing.T, tx []byte) {
		answer, err := chain.CheckTx(context.Background(), &abci.RequestCheckTx{Tx: tx})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Code != 0 && answer.Log == "" {
			t.Error("a refusal without a reason")
		}
	})
}

func FuzzProcessProposal(f *testing.F) {
	chain := newFuzzed(f)
	all := seeds(f, chain.member)
	for i := range all {
		f.Add(all[i], all[(i+1)%len(all)])
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		proposed, err := chain.PrepareProposal(context.Background(), &abci.RequestPrepareProposal{
			Txs: [][]byte{a, b}, MaxTxBytes: 1 << 20, Height: chain.height + 1, Time: chain.time,
		})
		if err != nil {
			t.Fatal(err)
		}
		if chain.verdict(t, proposed.Txs) != abci.ResponseProcessProposal_ACCEPT {
			t.Error("an honest proposal was rejected")
		}
		if got := chain.verdict(t, [][]byte{a, b}); got == abci.ResponseProcessProposal_ACCEPT && len(proposed.Txs) < 2 {
			t.Error("a proposal was accepted that an honest proposer would not make")
		}
	})
}

func (f *fuzzed) verdict(t testing.TB, txs [][]byte) abci.ResponseProcessProposal_ProposalStatus {
	t.Helper()
	answer, err := f.ProcessProposal(context.Background(), &abci.RequestProcessProposal{Txs: txs, Height: f.height + 1, Time: f.time})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Status
}

func FuzzFinalizeBlock(f *testing.F) {
	chain := newFuzzed(f)
	all := seeds(f, chain.member)
	for i := range all {
		f.Add(all[i], all[(i+1)%len(all)])
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		for _, result := range chain.block(t, a, b) {
			if result.Code != 0 && result.Log == "" {
				t.Error("a refusal without a reason")
			}
			if result.Codespace == "app" && result.Code == module.ErrPanic.Code {
				t.Errorf("a panic: %s", result.Log)
			}
		}
	})
}
