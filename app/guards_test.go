package app_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	abci "github.com/cometbft/cometbft/abci/types"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/app"
	bankv1 "github.com/energyd/energyd/gen/energy/bank/v1"
	"github.com/energyd/energyd/internal/testkit"
)

// Each determinism guard catches a bug that was put there for it. The first
// guard, the analyzer, has its seeded bugs in internal/lint/determinism.

// checkedCounter puts a number into the app hash that depends on how many
// transactions this process saw in CheckTx: an app whose blocks depend on its
// mempool.
type checkedCounter struct {
	abci.Application
	checked int
}

func (a *checkedCounter) CheckTx(ctx context.Context, req *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	a.checked++
	return a.Application.CheckTx(ctx, req)
}

func (a *checkedCounter) FinalizeBlock(ctx context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	response, err := a.Application.FinalizeBlock(ctx, req)
	if err == nil {
		response.AppHash = fmt.Append(response.AppHash, a.checked)
	}
	return response, err
}

// memoryCounter counts transactions in memory that a restart forgets.
type memoryCounter struct {
	abci.Application
	executed int
}

func (a *memoryCounter) FinalizeBlock(ctx context.Context, req *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	response, err := a.Application.FinalizeBlock(ctx, req)
	if err != nil {
		return nil, err
	}
	a.executed += len(req.Txs)
	for _, result := range response.TxResults {
		result.Code += uint32(a.executed / 2)
	}
	return response, nil
}

func TestTwinsCatchSeededBugs(t *testing.T) {
	for _, tc := range []struct {
		name, twin string
		bug        func(abci.Application) abci.Application
	}{
		{"block depends on the mempool", "blind", func(a abci.Application) abci.Application { return &checkedCounter{Application: a} }},
		{"block depends on memory", "restarted", func(a abci.Application) abci.Application { return &memoryCounter{Application: a} }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			said := failure(t, func(t testing.TB) {
				var seller, buyer *testkit.Member
				c := testkit.NewWrapped(t, func(g *app.Genesis) {
					seller, buyer = testkit.AddMember(g, 1, coins), testkit.AddMember(g, 2, coins)
				}, func(_ string, a abci.Application) abci.Application { return tc.bug(a) })
				to := buyer.Address()
				for range 3 {
					c.Block(time.Second, c.Tx(seller.Key, &bankv1.MsgTransfer{To: to[:], AmountUcoin: 1}))
				}
			})
			if !strings.Contains(said, "twin "+tc.twin+" differs") {
				t.Errorf("got %q, want twin %s to differ", said, tc.twin)
			}
		})
	}
}

// A changed encoding and a changed state are caught by the golden files.
func TestGoldenFilesCatchSeededBugs(t *testing.T) {
	said := failure(t, func(tb testing.TB) {
		compareGolden(tb, "bytes.txt", goldenBytes(t, func(m proto.Message) {
			if balance, ok := m.(*bankv1.Balance); ok {
				balance.FreeUcoin++
			}
		}))
	})
	if !strings.Contains(said, "energy.bank.v1.Balance") {
		t.Errorf("bytes: got %q, want a change of energy.bank.v1.Balance", said)
	}
	said = failure(t, func(tb testing.TB) { compareGolden(tb, "roots.txt", scriptedRoots(t, 3_001)) })
	if !strings.Contains(said, "roots.txt line 1 changed") {
		t.Errorf("roots: got %q, want the first root to change", said)
	}
}

// failure runs fn with a test that is expected to fail and returns what it
// said, "" if it did not fail.
func failure(t *testing.T, fn func(testing.TB)) string {
	t.Helper()
	watched := &expected{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn(watched)
	}()
	<-done
	return watched.said
}

// expected is a test whose failure ends it but is not the real test's.
type expected struct {
	testing.TB
	said string
}

func (e *expected) Fatalf(format string, args ...any) {
	e.said = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (e *expected) Fatal(args ...any) {
	e.said = fmt.Sprint(args...)
	runtime.Goexit()
}

func (e *expected) Helper() {}
