package simulate

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyd/energyd/x/matching/book"
)

func run(t *testing.T, name string, buys, sells, runs int, seed uint64, mechanisms ...string) *Report {
	t.Helper()
	d, err := NewDraw(name, buys, sells)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(Config{Draw: d, Runs: runs, Seed: seed, Mechanisms: mechanisms})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestS3Ch4 compares with the reproduced column of matching.md 4: within 5 % for
// satisfaction, shares, price and clean share. A book has above 100 MWh.
func TestS3Ch4(t *testing.T) {
	for _, seed := range []uint64{1, 7} {
		f := run(t, S3Ch4, 0, 0, 5, seed, "cmap").Mechanisms[0].Figures
		for _, c := range []struct {
			name      string
			got, want int64
		}{
			{"mean satisfaction", f.SatisfactionPPM, 705_000},
			{"top tenth", f.TopSatisfactionPPM, 894_000},
			{"worst tenth", f.WorstSatisfactionPPM, 445_000},
			{"buyers' share", f.BuyersOptimumPPM, 935_000},
			{"sellers' share", f.SellersOptimumPPM, 958_000},
			{"price", f.Price, 859_000},
			{"clean share", f.CleanPPM, 819_000},
		} {
			if off := c.got - c.want; off > c.want/20 || off < -c.want/20 {
				t.Errorf("seed %d: %s: got %d, want %d within 5 %%", seed, c.name, c.got, c.want)
			}
		}
		if f.VolumeWh < 100_000_000 {
			t.Errorf("seed %d: volume %d Wh", seed, f.VolumeWh)
		}
	}
}

func TestS3Ch3(t *testing.T) {
	r := run(t, S3Ch3, 0, 0, 5, 1, "kprototypes", "auction")
	ours, auction := r.Mechanisms[0].Figures, r.Mechanisms[1].Figures
	if ours.CleanPPM < 780_000 || ours.CleanPPM > 820_000 {
		t.Errorf("clean share: got %d ppm, want 78-82 %%", ours.CleanPPM)
	}
	if auction.CleanPPM > 50_000 {
		t.Errorf("clean share of the auction: got %d ppm, want at most 5 %%", auction.CleanPPM)
	}
	if ours.LossPPM >= auction.LossPPM {
		t.Errorf("loss: got %d ppm, the auction has %d", ours.LossPPM, auction.LossPPM)
	}
}

// TestSameSeed: a seed makes one report, another one another.
func TestSameSeed(t *testing.T) {
	first := run(t, S3Ch4, 15, 20, 3, 5)
	if diff := cmp.Diff(first, run(t, S3Ch4, 15, 20, 3, 5)); diff != "" {
		t.Errorf("(-first +second):\n%s", diff)
	}
	if cmp.Equal(first.Mechanisms, run(t, S3Ch4, 15, 20, 3, 6).Mechanisms) {
		t.Error("another seed makes the same report")
	}
	if len(first.Mechanisms) != 8 || first.Buys != 15 || first.Sells != 20 {
		t.Errorf("got %d mechanisms, %d x %d", len(first.Mechanisms), first.Buys, first.Sells)
	}
}

// TestLimits: those that respect limits do, and CMAP's own satisfactions are
// those by which all are measured.
func TestLimits(t *testing.T) {
	for _, l := range run(t, S3Ch4, 20, 20, 3, 1).Mechanisms {
		published := l.Name == "kprototypes" || l.Name == "cmap"
		if (l.Figures.LimitViolationsWh > 0) != published {
			t.Errorf("%s: %d Wh against limits", l.Name, l.Figures.LimitViolationsWh)
		}
	}
	d, err := NewDraw(S3Ch4, 20, 20)
	if err != nil {
		t.Fatal(err)
	}
	buys, sells, err := d.Orders(newRandom(3))
	if err != nil {
		t.Fatal(err)
	}
	scores := d.Scores()
	rate, err := book.Rate(scores, fitted(scores, buys), fitted(scores, sells))
	if err != nil {
		t.Fatal(err)
	}
	r, err := clear(Variant{"cmap", scores}, buys, sells)
	if err != nil {
		t.Fatal(err)
	}
	buyAt, sellAt := positions(buys), positions(sells)
	for _, trade := range r.Trades {
		if got := rate(buyAt[trade.Buy], sellAt[trade.Sell]); got != trade.SatisfactionPPM {
			t.Fatalf("%+v: rated %d", trade, got)
		}
	}
}

func TestErrors(t *testing.T) {
	small, err := NewDraw(S3Ch4, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"draw", second(NewDraw("s3ch5", 0, 0)), `draws: expected s3ch3, s3ch4 or a file, got "s3ch5"`},
		{"size", second(NewDraw(S3Ch4, 0, 5)), "size: expected 1 to 2000 orders on each side, got 0x5"},
		{"runs", second(Run(Config{Draw: small})), "runs: expected 1 or more, got 0"},
		{"mechanism", second(Run(Config{Draw: small, Runs: 1, Mechanisms: []string{"lottery"}})), `mechanism: expected kprototypes, kprototypes-limit, cmap, cmap-limit, welfare, auction, posted, highlow, got "lottery"`},
		{"twice", second(Run(Config{Draw: small, Runs: 1, Mechanisms: []string{"cmap", "cmap"}})), `mechanism: expected each once, got "cmap" twice`},
		{"no supply", second(Run(Config{Draw: s3ch4{200, 1}, Runs: 1})), "size: expected sells enough for the demand of 200 buys, got 1, which never were in 1000 draws"},
		{"books", second(RunMisreport(0, 3, 1)), "runs: expected 1 or more, got 0"},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, c.err, c.want)
		}
	}
}

func second[T any](_ T, err error) error { return err }

// TestFile: the file's own mechanism has its parameters, and a note tells each
// default.
func TestFile(t *testing.T) {
	text := `{"mechanism":"auction","params":{"fee":7},
"buys":[{"id":"b","price":900000,"energy_wh":1000}],"sells":[{"id":"s","price":500000,"energy_wh":2000,"energy_type":"wind"}]}`
	b, err := book.Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Run(Config{Draw: NewFileDraw("file.json", b), Runs: 1})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range r.Mechanisms {
		names = append(names, l.Name)
		if l.Figures.VolumeWh != 1000 || l.Figures.CleanPPM != 1_000_000 {
			t.Errorf("%s: %+v", l.Name, l.Figures)
		}
		if own, ok := l.Params.(book.Auction); ok && own.Fee != 7 {
			t.Errorf("auction: %+v", own)
		}
	}
	if got := strings.Join(names, " "); got != "kprototypes cmap welfare auction posted highlow" {
		t.Errorf("got %s", got)
	}
	if notes := strings.Join(r.Notes, "\n"); !strings.Contains(notes, "1 orders do not state energy_type") || !strings.Contains(notes, "2 orders do not state prefer") {
		t.Errorf("notes:\n%s", notes)
	}
}

// TestSVG: the plot is XML and names every mechanism and measure.
func TestSVG(t *testing.T) {
	r := run(t, S3Ch3, 10, 20, 1, 1)
	var out bytes.Buffer
	if err := r.WriteSVG(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for d := xml.NewDecoder(&out); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	for _, l := range r.Mechanisms {
		if n := strings.Count(text, ">"+l.Name+"<"); n != len(Measures) {
			t.Errorf("%s stands %d times, want %d", l.Name, n, len(Measures))
		}
	}
}

func TestRounded(t *testing.T) {
	for _, c := range []struct {
		value          int64
		places, digits int
		want           string
	}{
		{1_234_567, 6, 3, "1.235"}, {-1_234_500, 6, 3, "-1.235"}, {499, 3, 0, "0"}, {500, 3, 0, "1"}, {42, 0, 0, "42"},
	} {
		if got := rounded(c.value, c.places, c.digits); got != c.want {
			t.Errorf("%d / 10^%d: got %s, want %s", c.value, c.places, got, c.want)
		}
	}
}

// TestPapers: docs/papers.md is what make paper writes.
func TestPapers(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: seconds; make paper-check does the same")
	}
	want, err := os.ReadFile("../../../docs/papers.md")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := WritePapers(&got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("run make paper (-docs/papers.md +got):\n%s", diff)
	}
}
