package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	matchingv1 "github.com/energyd/energyd/gen/energy/matching/v1"
)

// TestPairs: in the interval of each run its pair, and nobody else, meters what it
// trades, and connections bear the most of it.
func TestPairs(t *testing.T) {
	const most = 3
	m := pairs(most)
	for i := range 2 * most {
		trades, full := planned(i)
		if want := []int{1, 1, 2, 2, 3, 3}[i]; trades != want || full != (i == 1 || i == 3 || i == 5) {
			t.Errorf("run %d: %d trades, full %v", i, trades, full)
		}
		for p, participant := range m.Participants {
			var wantImport, wantExport int64
			if strings.HasPrefix(participant.Name, "full") == full {
				if strings.HasSuffix(participant.Name, "seller") {
					wantExport = int64(trades) * 100
				} else {
					wantImport = int64(trades) * 100
				}
			}
			if imported, exported := m.Meter(p, i); imported != wantImport || exported != wantExport {
				t.Errorf("run %d: %s meters %d and %d Wh, want %d and %d", i, participant.Name, imported, exported, wantImport, wantExport)
			}
		}
	}
	for p, participant := range m.Participants {
		if want := map[bool]string{false: "household", true: "verified"}[p >= 2]; participant.UserType != want {
			t.Errorf("%s is a %s, want %s", participant.Name, participant.UserType, want)
		}
		if got := m.RatingW(p); got != 3*100*4 {
			t.Errorf("%s is connected with %d W, want 300 Wh in a quarter of an hour", participant.Name, got)
		}
	}
}

func soundVerification() *Verification {
	return &Verification{Blocks: 90, BlockMs: 222, Runs: []VerificationRun{
		{Trades: 1, Txs: 2, Bytes: 378, OrderMs: 240, ConfirmedMs: 2540, SettledMs: 10_160},
		{Trades: 1, Full: true, Txs: 8, Bytes: 1416, ReauthoriseMs: 430, OrderMs: 243, SignMs: 247, ConfirmedMs: 2790, SettledMs: 10_240, HeldUcoin: 80_250},
		{Trades: 2, Txs: 4, Bytes: 756, OrderMs: 260, ConfirmedMs: 2510, SettledMs: 10_230},
		{Trades: 2, Full: true, Txs: 12, Bytes: 2152, ReauthoriseMs: 450, OrderMs: 245, SignMs: 225, ConfirmedMs: 2770, SettledMs: 10_110, HeldUcoin: 160_500},
	}}
}

func TestVerificationText(t *testing.T) {
	var out bytes.Buffer
	if err := soundVerification().WriteText(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		"1 fast 240 240.0 2 2.0 378 378.0 0 2.5 10.2",
		"1 full 430+243+247 = 920 920.0 8 8.0 1416 1416.0 0.08025 2.8 10.2",
		"2 fast 260 130.0 4 2.0 756 378.0 0 2.5 10.2",
		"2 full 450+245+225 = 920 460.0 12 6.0 2152 1076.0 0.1605 2.8 10.1",
	} {
		if got := strings.Join(strings.Fields(lines[i+1]), " "); got != want {
			t.Errorf("line %d: %q, want %q", i+1, got, want)
		}
	}
	for _, want := range []string{"222 ms in the mean of 90 blocks", "one batch of transactions (250 ms", "one after the other (920 ms)"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

func TestVerificationJSON(t *testing.T) {
	var out bytes.Buffer
	if err := soundVerification().WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got Verification
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if want := soundVerification(); got.BlockMs != want.BlockMs || !slices.Equal(got.Runs, want.Runs) {
		t.Errorf("got %+v", got)
	}
}

// TestVerificationPlot: well-formed, two lines in each of three charts, each with
// all its points.
func TestVerificationPlot(t *testing.T) {
	var out bytes.Buffer
	if err := soundVerification().WritePlot(&out); err != nil {
		t.Fatal(err)
	}
	drawn := out.String()
	for decoder := xml.NewDecoder(&out); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v in\n%s", err, drawn)
		}
	}
	for text, times := range map[string]int{">fast path<": 3, ">full path<": 3, " d=\"M": 6, "L710.0": 6, "verification, ms": 1, "bytes in blocks": 1, "dasharray": 0} {
		if got := strings.Count(drawn, text); got != times {
			t.Errorf("%q %d times, want %d", text, got, times)
		}
	}
}

func TestUnsigned(t *testing.T) {
	for _, tc := range []struct {
		seller, buyer bool
		want          string
	}{{false, false, "sb"}, {true, false, "b"}, {false, true, "s"}, {true, true, ""}} {
		match := &matchingv1.Match{Seller: []byte("s"), Buyer: []byte("b"), SellerConfirmed: tc.seller, BuyerConfirmed: tc.buyer}
		if got := string(bytes.Join(unsigned(match), nil)); got != tc.want {
			t.Errorf("confirmed %v and %v: %q signs, want %q", tc.seller, tc.buyer, got, tc.want)
		}
	}
}

// TestMeasureVerification on four processes: the full path takes an order, a
// signature and two halves of a re-authorisation a side, the fast one the orders.
func TestMeasureVerification(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: starts four processes; make e2e runs it")
	}
	binary := filepath.Join(t.TempDir(), "energyd")
	if out, err := exec.Command("go", "build", "-o", binary, "../cmd/energyd").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out := new(transcript)
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	v, err := MeasureVerification(ctx, Options{
		Binary: binary, Dir: filepath.Join(t.TempDir(), "net"), Periods: 2, PeriodLength: 6 * time.Second, Seed: 7, Out: out,
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var txs, held []int64
	for _, r := range v.Runs {
		txs, held = append(txs, r.Txs), append(held, r.HeldUcoin)
		if r.Bytes < r.Txs*100 || r.VerifyMs() == 0 || r.ConfirmedMs < r.VerifyMs() || r.SettledMs < r.ConfirmedMs || (r.SignMs > 0) != r.Full {
			t.Errorf("got %+v", r)
		}
	}
	// A buyer's bid of 0.5 coin and fee of 0.005, a seller's retail less feed-in of
	// 0.35, on 0.1 kWh; the match takes the price that the auction found.
	if !slices.Equal(txs, []int64{2, 8, 4, 12}) || held[0] != 0 || held[2] != 0 || held[1] < 35_000 || held[1] > 85_500 || held[3] != 2*held[1] {
		t.Errorf("transactions %v, held %v", txs, held)
	}
}
