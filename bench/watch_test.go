package bench

import (
	"context"
	"encoding/base64"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"

	"github.com/energyd/energyd/client"
	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
	meteringv1 "github.com/energyd/energyd/gen/energy/metering/v1"
	settlementv1 "github.com/energyd/energyd/gen/energy/settlement/v1"
	txv1 "github.com/energyd/energyd/gen/energy/tx/v1"
)

func events(t *testing.T, all ...proto.Message) (found []client.Event) {
	t.Helper()
	for _, m := range all {
		encoded, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, client.Event{Type: string(m.ProtoReflect().Descriptor().FullName()), Attributes: []client.Attribute{{Key: "proto", Value: base64.StdEncoding.EncodeToString(encoded)}}})
	}
	return found
}

// seeBlock shows the watch a block with so many transactions, the first of which has a
// hash and a code.
func (w *watch) seeBlock(height int64, txs int, hash [32]byte, code uint64) {
	block := &txv1.BlockOutcomes{Height: height}
	for i := range txs {
		tx := &txv1.TxOutcome{Hash: make([]byte, 32)}
		if i == 0 {
			tx = &txv1.TxOutcome{Hash: hash[:], Code: code, Codespace: "matching", Log: "why"}
		}
		block.Txs = append(block.Txs, tx)
	}
	w.onOutcomes(block)
}

// TestWatch: orders learn their fate from outcomes; what events say comes from the
// blocks of the measured time, fetched afterwards, as of when each was seen.
func TestWatch(t *testing.T) {
	w := newWatch()
	began := time.Now()
	good, bad := &order{intended: began.Add(-time.Second)}, &order{intended: began}
	w.expect([32]byte{1}, good)
	w.expect([32]byte{2}, bad)
	w.seeBlock(4, 7, [32]byte{1}, 0)
	w.begin()
	w.seeBlock(5, 2, [32]byte{2}, 9)
	w.seeBlock(6, 3, [32]byte{3}, 0)
	time.Sleep(time.Millisecond)
	w.seeBlock(7, 0, [32]byte{}, 0)
	w.end()
	w.seeBlock(8, 9, [32]byte{3}, 0)
	if !good.done || good.refused != nil || good.latency < time.Second {
		t.Errorf("the good order: %+v", good)
	}
	if want := (client.Rejected{Codespace: "matching", Code: 9, Log: "why", Height: 5}); !bad.done || bad.refused == nil || *bad.refused != want {
		t.Errorf("the bad order: %+v", bad.refused)
	}
	if committed, settled := w.reached(began, 1, nil); committed != 0 || settled != 0 {
		t.Errorf("%v, %v before the blocks were read", committed, settled)
	}
	seen := func(height int64) time.Duration {
		for _, m := range w.measured {
			if m.height == height {
				return m.at.Sub(began)
			}
		}
		t.Fatalf("block %d was not measured", height)
		return 0
	}

	reading := events(t, &meteringv1.ReadingAccepted{})
	blocks := map[int64]*client.Block{
		5: {Height: 5, Results: []*client.Result{{Events: append(reading, reading...)}, {}}, Events: events(t,
			&matchingv1.PeriodFinal{Book: &matchingv1.Book{Period: 1, Orders: 30, MatchedWh: 400}},
			&settlementv1.PeriodSettled{Root: &settlementv1.StatementsRoot{Period: 1, Totals: &settlementv1.Totals{SoldWh: 300}}})},
		6: {Height: 6, Results: []*client.Result{{Events: reading}}, Events: events(t,
			&matchingv1.PeriodFinal{Book: &matchingv1.Book{Period: 2, Orders: 20, MatchedWh: 50, Missed: true}})},
		7: {Height: 7, Events: events(t, &settlementv1.PeriodSettled{Root: &settlementv1.StatementsRoot{Period: 2}})},
	}
	var fetched []int64
	fetch := func(_ context.Context, height int64) (*client.Block, error) {
		fetched = append(fetched, height)
		return blocks[height], nil
	}
	if err := w.read(t.Context(), fetch); err != nil {
		t.Fatal(err)
	}
	want := Chain{Blocks: 3, Txs: 5, MostTxs: 3, Cleared: 2, Missed: 1, Settled: 2, MostOrders: 30, MatchedWh: 450, SettledWh: 300}
	if diff := cmp.Diff(want, w.seen, cmpopts.IgnoreUnexported(Chain{})); diff != "" || len(w.seen.intervals) != 3 {
		t.Errorf("%d intervals, chain (-want +got):\n%s", len(w.seen.intervals), diff)
	}
	if diff := cmp.Diff([]int64{5, 6, 7}, fetched); diff != "" {
		t.Errorf("fetched (-want +got):\n%s", diff)
	}
	for _, tc := range []struct {
		readings           int
		periods            []int64
		committed, settled time.Duration
	}{
		{2, []int64{1}, seen(5), seen(5)},
		{3, []int64{1, 2}, seen(6), seen(7)},
		{4, []int64{1, 2, 3}, 0, 0},
	} {
		if committed, settled := w.reached(began, tc.readings, tc.periods); committed != tc.committed || settled != tc.settled {
			t.Errorf("%d readings, periods %v: %v, %v, want %v, %v", tc.readings, tc.periods, committed, settled, tc.committed, tc.settled)
		}
	}
	failed := errors.New("no such block")
	if err := w.read(t.Context(), func(context.Context, int64) (*client.Block, error) { return nil, failed }); !errors.Is(err, failed) {
		t.Errorf("%v, want %v", err, failed)
	}
}

// TestWatchSees waits for a height.
func TestWatchSees(t *testing.T) {
	w := newWatch()
	w.seeBlock(4, 0, [32]byte{}, 0)
	if err := w.sees(t.Context(), 4); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.sees(ctx, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("%v for a block that was not seen", err)
	}
	done := make(chan error)
	go func() { done <- w.sees(t.Context(), 5) }()
	w.seeBlock(5, 0, [32]byte{}, 0)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
