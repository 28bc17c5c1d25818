package testnet

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/energyd/energyd/client"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
)

// follow follows the chain through all that happens to its nodes, and demands in the
// end that every block was told once, in order.
func follow(t *testing.T, network *Network) (stop func()) {
	c, err := client.New(network.Addresses()...)
	if err != nil {
		t.Fatal(err)
	}
	sender := client.NewSender(c, network.Folder().ChainID)
	var mu sync.Mutex
	var heights []int64
	sender.OnOutcomes = func(block *txv1.BlockOutcomes) {
		mu.Lock()
		defer mu.Unlock()
		heights = append(heights, block.Height)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = sender.Run(ctx) // ends with ctx only
	}()
	return func() {
		t.Helper()
		last := heightOf(t, network, 0)
		for end := time.Now().Add(10 * time.Second); sender.Head() < last && time.Now().Before(end); {
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
		<-done
		for i, height := range heights {
			if i > 0 && height != heights[i-1]+1 {
				t.Errorf("block %d was told after %d", height, heights[i-1])
			}
		}
		if len(heights) < 10 || heights[len(heights)-1] < last {
			t.Errorf("%d blocks were told up to height %d: %v", len(heights), last, heights)
		}
	}
}

// resultsAreThere: as soon as a node tells of a block, it can be fetched with its
// results.
func resultsAreThere(t *testing.T, network *Network) {
	node := network.rpc[0]
	for last, end := int64(0), heightOf(t, network, 0)+5; last < end; {
		answer := new(txv1.QueryOutcomesResponse)
		if _, err := node.Query(t.Context(), &txv1.QueryOutcomesRequest{AfterHeight: -1}, answer, 0); err != nil {
			t.Fatal(err)
		}
		if answer.Height == last {
			continue
		}
		last = answer.Height
		if _, err := node.Block(t.Context(), last); err != nil {
			t.Errorf("the node told of block %d: %v", last, err)
		}
	}
}
