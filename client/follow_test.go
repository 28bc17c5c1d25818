package client

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
	"github.com/energyd/energyd/protocol"
)

// follower follows nodes that differ in what they have and remember.
type follower struct {
	*Sender
	nodes []*fakeNode
	// delivered are the heights that were delivered, in that order.
	delivered []int64
}

// fakeNode answers as a node of a chain in which block h holds transaction(h), whose
// code is h % 3.
type fakeNode struct {
	mu sync.Mutex
	// height is the latest block; first the oldest that is remembered, lost a block
	// that cannot be fetched.
	height, first, lost int64
	down                bool
	// answer, if set, is what it says of outcomes.
	answer *txv1.QueryOutcomesResponse

	asked   int     // for outcomes
	fetched []int64 // heights of whole blocks
}

func transaction(height int64) []byte { return fmt.Appendf(nil, "transaction of block %d", height) }

func newFollower(t *testing.T, at int64, nodes ...*fakeNode) *follower {
	t.Helper()
	f := &follower{nodes: nodes}
	var urls []string
	for _, n := range nodes {
		s := httptest.NewServer(n)
		t.Cleanup(s.Close)
		urls = append(urls, s.URL)
	}
	c, err := New(urls...)
	if err != nil {
		t.Fatal(err)
	}
	f.Sender = NewSender(c, "chain")
	f.OnOutcomes = func(block *txv1.BlockOutcomes) { f.delivered = append(f.delivered, block.Height) }
	f.follow(at)
	return f
}

func (n *fakeNode) change(fn func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fn()
}

func (n *fakeNode) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.down {
		panic(http.ErrAbortHandler)
	}
	var request struct {
		Method string `json:"method"`
		Params struct {
			Height string `json:"height"`
			Data   string `json:"data"`
		} `json:"params"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	height, _ := strconv.ParseInt(request.Params.Height, 10, 64) // other methods have none
	answer := map[string]any{"jsonrpc": "2.0", "id": 1}
	switch request.Method {
	case "abci_query":
		n.asked++
		answer["result"] = map[string]any{"response": n.outcomes(request.Params.Data)}
	case "broadcast_tx_sync":
		answer["result"] = map[string]any{"code": 0}
	case "block", "block_results":
		if height > n.height || height == n.lost {
			answer["error"] = map[string]any{"code": -32603, "data": "no such block"}
			break
		}
		if request.Method == "block_results" {
			n.fetched = append(n.fetched, height)
			answer["result"] = map[string]any{"txs_results": []any{map[string]any{"code": height % 3, "codespace": "app", "log": "why"}}}
			break
		}
		answer["result"] = map[string]any{"block": map[string]any{
			"header": map[string]any{"time": time.UnixMilli(height).UTC()}, "data": map[string]any{"txs": [][]byte{transaction(height)}},
		}}
	}
	_ = json.NewEncoder(w).Encode(answer) // the caller is gone
}

// outcomes answers the query as the application does.
func (n *fakeNode) outcomes(data string) any {
	refusal := func(log string) any { return map[string]any{"code": 18, "codespace": "app", "log": log, "height": "0"} }
	if n.height == 0 {
		return refusal("app/not_ready: query: the chain has no block yet")
	}
	request, answer := new(txv1.QueryOutcomesRequest), &txv1.QueryOutcomesResponse{Height: n.height, First: n.first}
	raw, err := hex.DecodeString(data)
	if err == nil {
		err = protocol.Unmarshal(raw, request)
	}
	if err != nil {
		return refusal(err.Error())
	}
	after := request.AfterHeight
	for h := max(after+1, n.first); after >= 0 && h <= n.height && len(answer.Blocks) < 64; h++ {
		answer.Blocks = append(answer.Blocks, blockOutcomes(h))
	}
	if n.answer != nil {
		answer = n.answer
	}
	value, err := protocol.Marshal(answer)
	if err != nil {
		return refusal(err.Error())
	}
	return map[string]any{"height": strconv.FormatInt(n.height, 10), "value": base64.StdEncoding.EncodeToString(value)}
}

func blockOutcomes(height int64) *txv1.BlockOutcomes {
	hash := protocol.TxHash(transaction(height))
	return &txv1.BlockOutcomes{Height: height, Txs: []*txv1.TxOutcome{
		{Hash: make([]byte, 32)}, {Hash: hash[:], Code: uint64(height % 3), Codespace: "app", Log: "why"},
	}}
}

// run advances as Run does until a node has no more, and returns how many
// questions that took.
func (f *follower) run(t *testing.T) (questions int) {
	t.Helper()
	for {
		questions++
		more, err := f.advance(t.Context())
		if err != nil || !more {
			return questions
		}
	}
}

// expect looks at what was delivered, and fetched whole, since the last call.
func (f *follower) expect(t *testing.T, delivered, fetched []int64) {
	t.Helper()
	var whole []int64
	for _, n := range f.nodes {
		n.change(func() { whole, n.fetched = append(whole, n.fetched...), nil })
	}
	if diff := cmp.Diff(delivered, f.delivered); diff != "" {
		t.Errorf("delivered (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(fetched, whole); diff != "" {
		t.Errorf("fetched whole (-want +got):\n%s", diff)
	}
	f.delivered = nil
}

// span lists heights.
func span(from, to int64) (heights []int64) {
	for h := from; h <= to; h++ {
		heights = append(heights, h)
	}
	return heights
}

func TestFollow(t *testing.T) {
	for _, tc := range []struct {
		name      string
		node      *fakeNode
		at        int64
		delivered []int64
		fetched   []int64
		questions int
	}{
		{"nothing new", &fakeNode{height: 5, first: 1}, 5, nil, nil, 1},
		{"the next block", &fakeNode{height: 6, first: 1}, 5, span(6, 6), nil, 1},
		{"from the beginning", &fakeNode{height: 3, first: 1}, 0, span(1, 3), nil, 1},
		{"one answer is full", &fakeNode{height: 69, first: 1}, 5, span(6, 69), nil, 1},
		{"more than an answer holds", &fakeNode{height: 200, first: 1}, 5, span(6, 200), nil, 4},
		{"the first is the next", &fakeNode{height: 9, first: 6}, 5, span(6, 9), nil, 1},
		{"one is forgotten", &fakeNode{height: 9, first: 7}, 5, span(6, 9), span(6, 6), 1},
		{"asleep for long", &fakeNode{height: 300, first: 45}, 5, span(6, 300), span(6, 44), 4},
		{"the node was restarted", &fakeNode{height: 9, first: 10}, 5, span(6, 9), span(6, 9), 1},
		{"restarted, nothing new", &fakeNode{height: 5, first: 6}, 5, nil, nil, 1},
		{"the node is behind", &fakeNode{height: 4, first: 1}, 5, nil, nil, 1},
		{"behind and restarted", &fakeNode{height: 4, first: 5}, 5, nil, nil, 1},
		{"the node has no block yet", &fakeNode{}, 5, nil, nil, 1},
		{"a block is missing", &fakeNode{height: 9, first: 10, lost: 8}, 5, span(6, 7), span(6, 7), 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFollower(t, tc.at, tc.node)
			if questions := f.run(t); questions != tc.questions {
				t.Errorf("%d questions, want %d", questions, tc.questions)
			}
			f.expect(t, tc.delivered, tc.fetched)
		})
	}
}

// TestFollowWhole: for OnBlock every block is fetched whole, and seen by both.
func TestFollowWhole(t *testing.T) {
	f := newFollower(t, 5, &fakeNode{height: 80, first: 1, lost: 70})
	var seen []int64
	f.OnBlock = func(block *Block) {
		seen = append(seen, block.Height)
		if block.TimeMs != block.Height || string(block.Txs[0]) != string(transaction(block.Height)) || f.Head() != block.Height {
			t.Errorf("%v at %d", block, f.Head())
		}
	}
	f.run(t)
	f.expect(t, span(6, 69), span(6, 69))
	f.nodes[0].change(func() { f.nodes[0].lost = 0 })
	f.run(t)
	f.run(t)
	f.expect(t, span(70, 80), span(70, 80))
	if diff := cmp.Diff(span(6, 80), seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}

// TestFollowOthers: when the node in use changes, nothing is left out and nothing
// told twice.
func TestFollowOthers(t *testing.T) {
	a, b := &fakeNode{height: 10, first: 1}, &fakeNode{height: 8, first: 1}
	f := newFollower(t, 5, a, b)
	f.run(t)
	f.expect(t, span(6, 10), nil)
	a.change(func() { a.down = true })
	f.run(t)
	f.expect(t, nil, nil) // b is behind
	b.change(func() { b.height = 12 })
	f.run(t)
	f.expect(t, span(11, 12), nil)
	a.change(func() { a.down, a.height, a.first = false, 11, 12 }) // restarted, behind b
	b.change(func() { b.down = true })
	f.run(t)
	f.expect(t, nil, nil)
	a.change(func() { a.height, a.first, a.lost = 15, 14, 13 }) // 13 is not there yet
	f.run(t)
	f.run(t)
	f.expect(t, nil, nil)
	b.change(func() { b.down, b.height = false, 14 })
	a.change(func() { a.down = true })
	f.run(t)
	f.expect(t, span(13, 14), nil)
	a.change(func() { a.down, a.lost = false, 0 })
	b.change(func() { b.down = true })
	f.run(t)
	f.expect(t, span(15, 15), nil)
}

// TestFollowNonsense: what a broken node answers is not delivered out of order.
func TestFollowNonsense(t *testing.T) {
	blocks := func(heights ...int64) (found []*txv1.BlockOutcomes) {
		for _, h := range heights {
			found = append(found, blockOutcomes(h))
		}
		return found
	}
	for _, tc := range []struct {
		name      string
		answer    *txv1.QueryOutcomesResponse
		delivered []int64
		fetched   []int64
	}{
		{"known ones", &txv1.QueryOutcomesResponse{Height: 9, First: 1, Blocks: blocks(3, 4, 5, 6)}, span(6, 6), nil},
		{"one twice", &txv1.QueryOutcomesResponse{Height: 9, First: 1, Blocks: blocks(6, 6, 7)}, span(6, 7), nil},
		{"a gap", &txv1.QueryOutcomesResponse{Height: 9, First: 1, Blocks: blocks(6, 8, 9)}, span(6, 6), nil},
		{"none though it remembers", &txv1.QueryOutcomesResponse{Height: 9, First: 1}, nil, nil},
		{"no hash", &txv1.QueryOutcomesResponse{Height: 9, First: 1, Blocks: []*txv1.BlockOutcomes{
			blockOutcomes(6), {Height: 7, Txs: []*txv1.TxOutcome{{Hash: []byte("short")}}},
		}}, nil, nil},
		{"it remembers the future", &txv1.QueryOutcomesResponse{Height: 7, First: 1 << 62}, span(6, 7), span(6, 7)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFollower(t, 5, &fakeNode{height: 9, answer: tc.answer})
			if more, err := f.advance(t.Context()); (err != nil) != (tc.name == "no hash") {
				t.Fatalf("%v, %v", more, err)
			}
			f.expect(t, tc.delivered, tc.fetched)
		})
	}
}

// TestSendLearnsOutcome, whether the node remembers the block or it is fetched.
func TestSendLearnsOutcome(t *testing.T) {
	for _, remembered := range []bool{true, false} {
		for _, height := range []int64{6, 7} {
			t.Run(fmt.Sprintf("%d %v", height, remembered), func(t *testing.T) {
				node := &fakeNode{height: 5, first: 1}
				f := newFollower(t, 0, node)
				f.OnOutcomes, f.PollEvery = nil, time.Millisecond
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				defer cancel()
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					_ = f.Run(ctx)
				}()
				if err := f.following(ctx); err != nil || f.Head() != 5 {
					t.Fatalf("%v, at %d", err, f.Head())
				}
				go func() {
					for f.waits() == 0 {
						time.Sleep(time.Millisecond)
					}
					node.change(func() {
						if node.height = height; !remembered {
							node.first = height + 1
						}
					})
				}()
				outcome, err := f.Send(ctx, transaction(height), 100)
				rejected, _ := errors.AsType[*Rejected](err)
				switch {
				case outcome.Height != height || outcome.Hash != protocol.TxHash(transaction(height)) || outcome.Log != "why" || outcome.Codespace != "app" || outcome.Latency <= 0:
					t.Errorf("%+v, %v", outcome, err)
				case height == 6 && (err != nil || outcome.Code != 0):
					t.Errorf("%+v, %v, want success", outcome, err)
				case height == 7 && (rejected == nil || *rejected != Rejected{Codespace: "app", Code: 1, Log: "why", Height: 7}):
					t.Errorf("%+v, %v, want a refusal", outcome, err)
				}
				cancel()
				<-ended
			})
		}
	}
}

// TestRunFromGenesis: who follows a chain before its first block sees that one.
func TestRunFromGenesis(t *testing.T) {
	node := new(fakeNode)
	f := newFollower(t, 0, node)
	seen := make(chan int64, 10)
	f.OnOutcomes, f.PollEvery = func(block *txv1.BlockOutcomes) { seen <- block.Height }, time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	if err := f.following(ctx); err != nil {
		t.Fatal(err)
	}
	node.change(func() { node.height, node.first = 2, 1 })
	if first, second := <-seen, <-seen; first != 1 || second != 2 {
		t.Errorf("blocks %d and %d", first, second)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestRunSaysWhy: a sender that no node lets follow tells what they said.
func TestRunSaysWhy(t *testing.T) {
	f := newFollower(t, 0, &fakeNode{height: 1, first: 1, answer: &txv1.QueryOutcomesResponse{
		Height: 1, Blocks: []*txv1.BlockOutcomes{{Height: 1, Txs: []*txv1.TxOutcome{{Hash: []byte("short")}}}},
	}})
	f.PollEvery = time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	ended := make(chan error)
	go func() { ended <- f.Run(ctx) }()
	err := f.following(ctx)
	if !errors.Is(err, ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "expected hashes of 32 bytes, got 5") {
		t.Errorf("got %v", err)
	}
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// waits is how many wait for an outcome.
func (s *Sender) waits() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.waiting)
}
