package client

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

const (
	// pollEvery is how often a follower asks for the next block.
	pollEvery = 25 * time.Millisecond
	// noBlocks stands for the height after which no blocks are asked for.
	noBlocks = -1
)

// Run follows the chain until ctx ends. A node that stops answering is
// replaced by the next; while none answers, Run keeps trying.
func (s *Sender) Run(ctx context.Context) error {
	for {
		answer, err := s.outcomes(ctx, noBlocks)
		if err == nil {
			s.follow(answer.Height)
			break
		}
		s.mu.Lock()
		s.unready = err
		s.mu.Unlock()
		if !sleep(ctx, s.pollEvery()) {
			return ctx.Err()
		}
	}
	close(s.ready)
	for {
		if more, err := s.advance(ctx); err == nil && more {
			continue
		}
		if !sleep(ctx, s.pollEvery()) {
			return ctx.Err()
		}
	}
}

// advance asks once for the blocks after the head and delivers them; more says
// that the answer left some out. A node that is behind, as the one after a node
// that died may be, shows none.
func (s *Sender) advance(ctx context.Context) (more bool, err error) {
	head := s.Head()
	after := head
	if s.OnBlock != nil {
		after = noBlocks
	}
	answer, err := s.outcomes(ctx, after)
	if err != nil {
		return false, err
	}
	// What the node does not remember, or OnBlock is to see, is fetched whole.
	whole := answer.Height
	if s.OnBlock == nil {
		whole = min(whole, answer.First-1)
	}
	for height := head + 1; height <= whole; height++ {
		block, err := s.Block(ctx, height)
		if err != nil {
			return false, err
		}
		s.deliver(outcomesOf(block))
		if s.OnBlock != nil {
			s.OnBlock(block)
		}
	}
	for _, block := range answer.Blocks {
		if block.Height == s.Head()+1 {
			s.deliver(block)
		}
	}
	return s.Head() > head && s.Head() < answer.Height, nil
}

// outcomes asks a node what became of the transactions of the blocks after a
// height. Before its first block it knows of none. Each hash in an answer has 32
// bytes.
func (s *Sender) outcomes(ctx context.Context, after int64) (*txv1.QueryOutcomesResponse, error) {
	answer := new(txv1.QueryOutcomesResponse)
	_, err := s.Query(ctx, &txv1.QueryOutcomesRequest{AfterHeight: after}, answer, 0)
	if isNotReady(err) {
		return answer, nil
	}
	for _, block := range answer.Blocks {
		for _, tx := range block.Txs {
			if len(tx.Hash) != sha256.Size {
				return nil, fmt.Errorf("outcomes of block %d: expected hashes of %d bytes, got %d", block.Height, sha256.Size, len(tx.Hash))
			}
		}
	}
	return answer, err
}

// outcomesOf returns the outcomes of a block that was fetched whole.
func outcomesOf(block *Block) *txv1.BlockOutcomes {
	found := &txv1.BlockOutcomes{Height: block.Height}
	for i, tx := range block.Txs {
		hash, r := protocol.TxHash(tx), block.Results[i]
		found.Txs = append(found.Txs, &txv1.TxOutcome{Hash: hash[:], Code: uint64(r.Code), Codespace: r.Codespace, Log: r.Log})
	}
	return found
}

// deliver tells those who wait what became of their envelopes.
func (s *Sender) deliver(block *txv1.BlockOutcomes) {
	s.mu.Lock()
	for _, tx := range block.Txs {
		hash := [sha256.Size]byte(tx.Hash)
		if wait, ok := s.waiting[hash]; ok {
			wait <- Outcome{Hash: hash, Height: block.Height, Code: uint32(tx.Code), Codespace: tx.Codespace, Log: tx.Log}
			delete(s.waiting, hash)
		}
	}
	s.height = block.Height
	s.mu.Unlock()
	if s.OnOutcomes != nil {
		s.OnOutcomes(block)
	}
}

// Head returns the latest height that Run has seen.
func (s *Sender) Head() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.height
}

func (s *Sender) follow(height int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.height = height
}

func (s *Sender) pollEvery() time.Duration {
	if s.PollEvery > 0 {
		return s.PollEvery
	}
	return pollEvery
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
