package testnet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/energyd/energyd/client/proof"
)

// Height returns the latest height that node i knows.
func (n *Network) Height(ctx context.Context, i int) (int64, error) {
	height, err := n.rpc[i].Height(ctx)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", n.nodes[i].name, err)
	}
	return height, nil
}

// WaitHeight waits until every node that runs has the block at height.
func (n *Network) WaitHeight(ctx context.Context, height int64) error {
	for i, p := range n.nodes {
		last := int64(-1)
		err := poll(ctx, 50*time.Millisecond, func() (bool, error) {
			if p.pid() == 0 {
				return true, nil
			}
			at, err := n.rpc[i].Height(ctx)
			if err != nil {
				return false, nil // down or starting
			}
			last = at
			return at >= height, nil
		})
		if err != nil {
			return fmt.Errorf("%s: waiting for height %d, at %d: %w", p.name, height, last, err)
		}
	}
	return nil
}

// ErrFork is returned when nodes disagree: it must never be seen.
var ErrFork = errors.New("nodes disagree")

// AppHash returns the root of the state after the block at height, which every
// node that runs must name in its own header at height + 1, under one block
// hash. It waits for that header.
func (n *Network) AppHash(ctx context.Context, height int64) ([]byte, error) {
	if err := n.WaitHeight(ctx, height+1); err != nil {
		return nil, err
	}
	var appHash, blockHash []byte
	var seen []string
	for i, p := range n.nodes {
		if p.pid() == 0 {
			continue
		}
		header, err := proof.FetchHeader(ctx, n.rpc[i], height+1)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.name, err)
		}
		seen = append(seen, fmt.Sprintf("%s: app hash %X in block %X", p.name, header.Signed.AppHash, header.Signed.Hash()))
		if appHash == nil {
			appHash, blockHash = header.Signed.AppHash, header.Signed.Hash()
		}
		if !bytes.Equal(appHash, header.Signed.AppHash) || !bytes.Equal(blockHash, header.Signed.Hash()) {
			return nil, fmt.Errorf("height %d: %w: %s", height, ErrFork, strings.Join(seen, "; "))
		}
	}
	if appHash == nil {
		return nil, fmt.Errorf("height %d: no node runs", height)
	}
	return appHash, nil
}
