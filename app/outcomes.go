package app

import (
	"slices"
	"strings"
	"sync/atomic"

	abci "github.com/cometbft/cometbft/abci/types"
	"google.golang.org/protobuf/proto"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/module"
	"github.com/energyd/energyd/protocol"
)

const (
	// rememberedBlocks is how many blocks' outcomes a node remembers at most,
	// rememberedBytes how much of them, as they are encoded; in memory they take
	// about four times as much.
	rememberedBlocks = 256
	rememberedBytes  = 2 << 20
	// rememberedLog is how much of a log a node remembers, bytes.
	rememberedLog = 1024
	// outcomesPage is how many blocks an answer holds at most.
	outcomesPage = 64
)

// outcomes is what a node remembers of its latest blocks: what became of their
// transactions, so that clients need not fetch whole blocks to learn it. It is no
// state: it begins empty with each start, and nothing that is executed reads it.
type outcomes struct {
	// staged is the block that Commit is to store, size the encoded size of what is
	// remembered. Only the consensus connection touches them.
	staged *txv1.BlockOutcomes
	size   int
	// committed are the blocks that were stored, without a gap. Queries read it
	// while the next block is executed: neither list nor blocks ever change.
	committed atomic.Pointer[[]*txv1.BlockOutcomes]
}

// stage notes the results of a block that was executed.
func (o *outcomes) stage(height int64, txs [][]byte, results []*abci.ExecTxResult) {
	o.staged = &txv1.BlockOutcomes{Height: height, Txs: make([]*txv1.TxOutcome, len(txs))}
	for i, tx := range txs {
		hash, r := protocol.TxHash(tx), results[i]
		// A cut may split a character, and refusals quote what members sent.
		log := strings.ToValidUTF8(r.Log[:min(len(r.Log), rememberedLog)], "")
		o.staged.Txs[i] = &txv1.TxOutcome{Hash: hash[:], Code: uint64(r.Code), Codespace: r.Codespace, Log: strings.Clone(log)}
	}
}

// commit shows the staged block and forgets the oldest ones beyond the bounds. A
// block that is larger than all that may be remembered is forgotten at once.
func (o *outcomes) commit() {
	blocks := append(slices.Clone(o.latest()), o.staged) // of its own, so that those forgotten are let go
	o.size += proto.Size(o.staged)
	for len(blocks) > rememberedBlocks || o.size > rememberedBytes {
		o.size -= proto.Size(blocks[0])
		blocks = blocks[1:]
	}
	o.committed.Store(&blocks)
}

// latest returns what is remembered, oldest block first.
func (o *outcomes) latest() []*txv1.BlockOutcomes {
	if found := o.committed.Load(); found != nil {
		return *found
	}
	return nil
}

// queryOutcomes answers from memory, whatever height is asked.
func (a *App) queryOutcomes(_ module.QueryCtx, request *txv1.QueryOutcomesRequest) (*txv1.QueryOutcomesResponse, error) {
	height, _ := a.db.Version()
	blocks := a.outcomes.latest()
	if len(blocks) > 0 { // the version may be of the block after them, or before
		height = blocks[len(blocks)-1].Height
	}
	first := height - int64(len(blocks)) + 1
	answer := &txv1.QueryOutcomesResponse{Height: height, First: first}
	if request.AfterHeight < 0 || request.AfterHeight >= height {
		return answer, nil
	}
	blocks = blocks[max(0, request.AfterHeight+1-first):]
	answer.Blocks = blocks[:min(len(blocks), outcomesPage)]
	return answer, nil
}
