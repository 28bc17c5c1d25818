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
	// rememberedBytes how much of them.
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
	// staged is the block that Commit is to store, size that of all that is
	// remembered. Only the consensus connection touches them.
	staged remembered
	size   int
	// committed are the blocks that were stored, without a gap. Queries read it
	// while the next block is executed: neither list nor blocks ever change.
	committed atomic.Pointer[[]remembered]
}

// remembered is a BlockOutcomes, encoded: a quarter of the memory of the message,
// and hardly any is ever asked for again.
type remembered struct {
	height  int64
	encoded []byte
}

// stage notes the results of a block that was executed.
func (o *outcomes) stage(height int64, txs [][]byte, results []*abci.ExecTxResult) error {
	block := &txv1.BlockOutcomes{Height: height, Txs: make([]*txv1.TxOutcome, len(txs))}
	for i, tx := range txs {
		hash, r := protocol.TxHash(tx), results[i]
		// A cut may split a character, and refusals quote what members sent.
		log := strings.ToValidUTF8(r.Log[:min(len(r.Log), rememberedLog)], "")
		block.Txs[i] = &txv1.TxOutcome{Hash: hash[:], Code: uint64(r.Code), Codespace: r.Codespace, Log: log}
	}
	encoded, err := protocol.Marshal(block)
	o.staged = remembered{height, encoded}
	return err
}

// commit shows the staged block and forgets the oldest ones beyond the bounds. A
// block that is larger than all that may be remembered is forgotten at once.
func (o *outcomes) commit() {
	blocks := append(slices.Clone(o.latest()), o.staged) // of its own, so that those forgotten are let go
	o.size += len(o.staged.encoded)
	for len(blocks) > rememberedBlocks || o.size > rememberedBytes {
		o.size -= len(blocks[0].encoded)
		blocks = blocks[1:]
	}
	o.committed.Store(&blocks)
}

// latest returns what is remembered, oldest block first.
func (o *outcomes) latest() []remembered {
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
		height = blocks[len(blocks)-1].height
	}
	first := height - int64(len(blocks)) + 1
	answer := &txv1.QueryOutcomesResponse{Height: height, First: first}
	if request.AfterHeight < 0 || request.AfterHeight >= height {
		return answer, nil
	}
	blocks = blocks[max(0, request.AfterHeight+1-first):]
	for _, block := range blocks[:min(len(blocks), outcomesPage)] {
		found := new(txv1.BlockOutcomes)
		if err := proto.Unmarshal(block.encoded, found); err != nil {
			return nil, err
		}
		answer.Blocks = append(answer.Blocks, found)
	}
	return answer, nil
}
