package app

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	abci "github.com/cometbft/cometbft/abci/types"
	"google.golang.org/protobuf/proto"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

// TestOutcomesAreBounded in blocks, in bytes and in each answer.
func TestOutcomesAreBounded(t *testing.T) {
	a, err := Open(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	ask := func(after int64) *txv1.QueryOutcomesResponse {
		answer, err := a.queryOutcomes(module.QueryCtx{}, &txv1.QueryOutcomesRequest{AfterHeight: after})
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	height := int64(0)
	block := func(txs int) {
		height++
		results := make([]*abci.ExecTxResult, txs)
		for i := range results {
			results[i] = &abci.ExecTxResult{Code: 2, Codespace: "app", Log: strings.Repeat("x", 2000)}
		}
		if err := a.outcomes.stage(height, make([][]byte, txs), results); err != nil {
			t.Fatal(err)
		}
		a.outcomes.commit()
	}
	for range 300 {
		block(0)
	}
	for _, tc := range []struct{ after, from, to int64 }{
		{0, 45, 108}, {43, 45, 108}, {44, 45, 108}, {45, 46, 109}, {108, 109, 172}, {236, 237, 300}, {237, 238, 300}, {299, 300, 300},
	} {
		got := ask(tc.after)
		if n := len(got.Blocks); got.Height != 300 || got.First != 45 || n != int(tc.to-tc.from+1) || got.Blocks[0].Height != tc.from || got.Blocks[n-1].Height != tc.to {
			t.Errorf("after %d: %d blocks of %d to %d, want %d to %d", tc.after, n, got.First, got.Height, tc.from, tc.to)
		}
	}
	const txs = 1000 // 1 MB and some
	for range 20 {
		block(txs)
	}
	got := ask(0)
	remembered := 0
	for _, b := range got.Blocks {
		remembered += proto.Size(b)
	}
	if got.Height != 320 || got.First != 320 || len(got.Blocks) != 1 || remembered > rememberedBytes || remembered != a.outcomes.size {
		t.Errorf("%d bytes of %d blocks from %d, counted %d", remembered, len(got.Blocks), got.First, a.outcomes.size)
	}
	if log := got.Blocks[0].Txs[0].Log; len(log) != 1024 {
		t.Errorf("a log of %d bytes", len(log))
	}
	block(2 * txs)
	if got := ask(0); len(got.Blocks) != 0 || got.First != got.Height+1 || a.outcomes.size != 0 {
		t.Errorf("%d blocks from %d, %d bytes after a block that is too large", len(got.Blocks), got.First, a.outcomes.size)
	}
	block(0)
	if got := ask(0); got.Height != 322 || got.First != 322 || len(got.Blocks) != 1 {
		t.Errorf("%v after that", got)
	}
}

// TestOutcomesAreText: whatever a log quotes, the answer can be encoded.
func TestOutcomesAreText(t *testing.T) {
	for _, log := range []string{"a\xffb", strings.Repeat("x", 1023) + "€", strings.Repeat("\xff", 3000)} {
		var o outcomes
		if err := o.stage(1, [][]byte{nil}, []*abci.ExecTxResult{{Code: 1, Log: log}}); err != nil {
			t.Errorf("%q: %v", log, err)
			continue
		}
		o.commit()
		block := new(txv1.BlockOutcomes)
		if err := protocol.Unmarshal(o.latest()[0].encoded, block); err != nil {
			t.Errorf("%q: %v", log, err)
			continue
		}
		got := block.Txs[0]
		hash := protocol.TxHash(nil)
		if !utf8.ValidString(got.Log) || !strings.HasPrefix(log, got.Log[:min(len(got.Log), 1)]) || !bytes.Equal(got.Hash, hash[:]) {
			t.Errorf("%q of %q", got.Log, log)
		}
	}
}
