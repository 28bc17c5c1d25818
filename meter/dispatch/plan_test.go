package dispatch

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dispatchv1 "github.com/energyd/energyd/gen/energy/dispatch/v1"
)

// TestRenewed: which plan is followed after an answer of the chain.
func TestRenewed(t *testing.T) {
	noon := time.Date(2026, 3, 20, 12, 0, 0, 0, time.UTC)
	old := &Plan{At: noon, Block: noon.Add(-time.Second)}
	for _, tc := range []struct {
		name      string
		old       *Plan
		at, block time.Duration // after noon
		want      string        // next, old or none
		says      string
	}{
		{"good", old, 10 * time.Second, 9 * time.Second, "next", ""},
		{"the first", nil, 0, 0, "next", ""},
		{"the clock a little behind", old, 10 * time.Second, 39 * time.Second, "next", ""},
		{"the clock far behind", old, 10 * time.Second, 41 * time.Second, "none", "31s behind"},
		{"the clock set ahead", old, time.Hour, 20 * time.Second, "none", "ahead of the latest block"},
		{"the chain stands still", old, time.Hour, -time.Second, "old", "stands still"},
		{"the first, the chain stands still", nil, time.Hour, 0, "none", "stands still"},
		{"a node behind", old, 10 * time.Second, -3 * time.Second, "old", "2s before the latest one known"},
		{"never set", old, -noon.Sub(time.Unix(1000, 0)), 0, "none", "never set"},
	} {
		next := &Plan{At: noon.Add(tc.at), Block: noon.Add(tc.block)}
		got, err := tc.old.Renewed(next)
		want := map[string]*Plan{"next": next, "old": tc.old}[tc.want]
		if got != want || (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v, %v", tc.name, got, err)
		}
	}
}

func TestOutbox(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acks")
	open := func() *Outbox {
		b, err := OpenOutbox(path)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	ack := func(device string, period int64, applied int64) *dispatchv1.Acknowledgement {
		return &dispatchv1.Acknowledgement{Device: device, Period: period, AppliedW: applied}
	}
	b := open()
	for _, a := range []*dispatchv1.Acknowledgement{ack("a", 1, 1), ack("b", 1, 2), ack("a", 1, 3), ack("a", 2, 4)} {
		if err := b.Add(a); err != nil {
			t.Fatal(err)
		}
	}
	b = open()
	var got []int64
	for _, a := range b.Peek(10) {
		got = append(got, a.AppliedW)
	}
	if len(got) != 3 || got[0] != 2 || got[1] != 3 || got[2] != 4 {
		t.Fatalf("after a restart %v wait, want 2 3 4", got)
	}
	sent := b.Peek(2)
	if err := b.Add(ack("a", 1, 5)); err != nil { // while the older one is on its way
		t.Fatal(err)
	}
	if err := b.Done(sent); err != nil {
		t.Fatal(err)
	}
	if b = open(); b.Waiting() != 2 || b.Peek(9)[0].AppliedW != 4 || b.Peek(9)[1].AppliedW != 5 {
		t.Errorf("%v wait, want 4 and 5", b.Peek(9))
	}
	for i := range int64(maxWaiting) {
		b.waiting = append(b.waiting, ack("c", i, 0))
	}
	if err := b.Add(ack("d", 0, 0)); err != nil || b.Waiting() != maxWaiting || b.waiting[0].Device != "c" {
		t.Errorf("%v, %d wait, want the newest %d", err, b.Waiting(), maxWaiting)
	}
	if err := os.WriteFile(path, []byte("no message"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := OpenOutbox(path); err == nil || !strings.Contains(err.Error(), path) || b.Waiting() != 0 {
		t.Errorf("a broken file: %v", err)
	}
	if b := open(); b.Waiting() != 0 {
		t.Errorf("a broken file is read twice")
	}
}
