package book

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyd/energyd/internal/strictjson"
	"github.com/energyd/energyd/x/matching/kproto"
)

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustRead(t *testing.T, text string) *Book {
	t.Helper()
	b, err := Read([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustClear(t *testing.T, b *Book) *Result {
	t.Helper()
	r, err := b.Clear()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestClearByHand compares whole results with those worked out on paper.
//
// limits: the t of 50 000 in 100 000 is 16384, so b0-s0 is 100 * 16384^2; b0-s1
// is a range and an environment off, 150 * Q^2; b1-s1 is 25 points off, t 8192,
// 10 * 8192^2. The loss of 5 km is 50 000 ppm. b2 bids less than any ask.
//
// no_limits: home-roof is 1024 Wh off in 4096, t 8192; then home-plant is 512
// off, t 4096, and of another type, 4096^2 + 2 * Q^2. roof is 2828 m away, the
// most that home accepts, far is 2835. Surplus: trunc(5 * 1.476) +
// trunc(-101 * 0.512) = 7 - 51.
func TestClearByHand(t *testing.T) {
	for _, name := range []string{"limits", "no_limits"} {
		t.Run(name, func(t *testing.T) {
			var want Result
			if err := strictjson.Decode(readFile(t, "testdata/"+name+".want.json"), &want); err != nil {
				t.Fatal(err)
			}
			got := mustClear(t, mustRead(t, string(readFile(t, "testdata/"+name+".book.json"))))
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

// TestReferenceCases compares the reference cases trade for trade.
func TestReferenceCases(t *testing.T) {
	books, err := filepath.Glob("../../../../shared/cases/kproto_*.book.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(books) == 0 {
		t.Skip("SKIPPED: no reference cases in ../shared/cases")
	}
	for _, path := range books {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var want struct {
				TradedWh int64 `json:"traded_wh"`
				Trades   []struct {
					Buy           string `json:"buy"`
					Sell          string `json:"sell"`
					EnergyWh      int64  `json:"energy_wh"`
					Dissimilarity int64  `json:"dissimilarity"`
				} `json:"trades"`
			}
			got := want
			expected := readFile(t, strings.Replace(path, ".book.", ".expect.", 1))
			if err := strictjson.Decode(expected, &want); err != nil {
				t.Fatal(err)
			}
			result := mustClear(t, mustRead(t, string(readFile(t, path))))
			text, err := json.Marshal(result)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !result.Certificate.Verified {
				t.Error("not verified")
			}
		})
	}
}

// sound is a valid book that the tables below break in one place each.
const sound = `{"mechanism":"kprototypes",
"params":{"respect_limits":true,"fee":5,"range":{"price":1000,"energy_wh":1000,"credit":10,"loss_ppm":1000},"loss_ppm_per_km":1000},
"buys":[{"id":"b0","price":1000,"energy_wh":10,"x_m":0,"y_m":0,"environment":1,"credit":50,"wanted_loss_ppm":7,"max_loss_ppm":9,"energy_type":"hydro","weights":{"price":1,"energy":2,"environment":3,"credit":4,"loss":5,"energy_type":6}},
{"id":"b1","price":900,"energy_wh":11,"x_m":1,"y_m":1,"weights":{}}],
"sells":[{"id":"s0","price":800,"energy_wh":12,"x_m":2,"y_m":2,"environment":1,"credit":51,"energy_type":"solar"},
{"id":"s1","price":700,"energy_wh":13,"x_m":3,"y_m":3,"environment":0,"credit":52,"energy_type":"fossil"}]}`

func TestReadErrors(t *testing.T) {
	mustRead(t, sound)
	const max64 = "9223372036854775807"
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown mechanism", `"kprototypes"`, `"lottery"`, `line 1 column 14: field mechanism: expected one of kprototypes, cmap, welfare, auction, posted, highlow, got "lottery"`},
		{"empty mechanism", `"kprototypes"`, `""`, `line 1 column 14: field mechanism: expected one of kprototypes, cmap, welfare, auction, posted, highlow, got ""`},
		{"mechanism of another kind", `"kprototypes"`, `1`, `line 1 column 14: field mechanism: expected a string, got 1`},
		{"no mechanism", `"mechanism":"kprototypes",`, ``, `line 1 column 1: field mechanism: expected a value, got nothing`},
		{"unknown parameter", `"fee":5`, `"fees":5`, `line 2 column 33: field params.fees: expected one of the fields respect_limits, fee, range, loss_ppm_per_km, got unknown field "fees"`},
		{"negative fee", `"fee":5`, `"fee":-5`, `line 2 column 39: field params.fee: expected 0 to 70368744177664, got -5`},
		{"no range", `"credit":10`, `"credit":0`, `line 2 column 89: field params.range.credit: expected 1 to 1099511627776, got 0`},
		{"loss per km", `"loss_ppm_per_km":1000`, `"loss_ppm_per_km":1000001`, `line 2 column 127: field params.loss_ppm_per_km: expected 0 to 1000000, got 1000001`},
		{"empty id", `"id":"b1"`, `"id":""`, `line 4 column 7: field buys[1].id: expected 1 to 64 printable characters, got ""`},
		{"control character in id", `"id":"s1"`, `"id":"\u001b[2J"`, `line 6 column 7: field sells[1].id: expected 1 to 64 printable characters, got "\x1b[2J"`},
		{"duplicate buy", `"id":"b1"`, `"id":"b0"`, `line 4 column 7: field buys[1].id: expected an id of its own, got that of another order, "b0"`},
		{"duplicate sell", `"id":"s1"`, `"id":"s0"`, `line 6 column 7: field sells[1].id: expected an id of its own, got that of another order, "s0"`},
		{"negative price", `"price":900`, `"price":-900`, `line 4 column 20: field buys[1].price: expected 0 to 70368744177664, got -900`},
		{"price spans 64 ranges", `"price":900`, `"price":64701`, `line 4 column 20: field buys[1].price: expected at most 64700 (64 ranges of 1000), got 64701`},
		{"zero energy", `"energy_wh":11,`, `"energy_wh":0,`, `line 4 column 36: field buys[1].energy_wh: expected 1 to 70368744177664, got 0`},
		{"negative energy", `"energy_wh":13`, `"energy_wh":-13`, `line 6 column 36: field sells[1].energy_wh: expected 1 to 70368744177664, got -13`},
		{"energy beyond int64", `"energy_wh":13`, `"energy_wh":9223372036854775808`, `line 6 column 36: field sells[1].energy_wh: expected a whole number that fits int64, got 9223372036854775808`},
		{"energy of int64", `"energy_wh":13`, `"energy_wh":` + max64, `line 6 column 36: field sells[1].energy_wh: expected 1 to 70368744177664, got ` + max64},
		{"energy spans 64 ranges", `"energy_wh":13`, `"energy_wh":64001`, `line 6 column 36: field sells[1].energy_wh: expected at most 64000 (64 ranges of 1000), got 64001`},
		{"fraction", `"energy_wh":13`, `"energy_wh":13.5`, `line 6 column 36: field sells[1].energy_wh: expected a whole number, got 13.5`},
		{"place", `"x_m":1,`, `"x_m":1000000001,`, `line 4 column 45: field buys[1].x_m: expected -1000000000 to 1000000000, got 1000000001`},
		{"place of a sell", `"y_m":3,`, `"y_m":-1000000001,`, `line 6 column 53: field sells[1].y_m: expected -1000000000 to 1000000000, got -1000000001`},
		{"environment", `"environment":1,"credit":50`, `"environment":2,"credit":50`, `line 3 column 78: field buys[0].environment: expected 0 to 1, got 2`},
		{"credit wished", `"credit":50`, `"credit":101`, `line 3 column 89: field buys[0].credit: expected 0 to 100, got 101`},
		{"credit", `"credit":52`, `"credit":-1`, `line 6 column 80: field sells[1].credit: expected 0 to 100, got -1`},
		{"wanted loss", `"wanted_loss_ppm":7`, `"wanted_loss_ppm":1000001`, `line 3 column 110: field buys[0].wanted_loss_ppm: expected 0 to 1000000, got 1000001`},
		{"wanted loss spans 64 ranges", `"wanted_loss_ppm":7`, `"wanted_loss_ppm":64001`, `line 3 column 110: field buys[0].wanted_loss_ppm: expected 0 to 64000, got 64001`},
		{"greatest loss", `"max_loss_ppm":9`, `"max_loss_ppm":-1`, `line 3 column 127: field buys[0].max_loss_ppm: expected 0 to 1000000, got -1`},
		{"energy type wished", `"hydro"`, `"coal"`, `line 3 column 143: field buys[0].energy_type: expected one of fossil, wind, hydro, solar, biomass, storage, got "coal"`},
		{"energy type", `"fossil"`, `""`, `line 6 column 97: field sells[1].energy_type: expected one of fossil, wind, hydro, solar, biomass, storage, got ""`},
		{"weight", `"energy_type":6`, `"energy_type":1001`, `line 3 column 233: field buys[0].weights.energy_type: expected 0 to 1000, got 1001`},
		{"weight of an unstated wish", `"weights":{}`, `"weights":{"credit":-1}`, `line 4 column 75: field buys[1].weights.credit: expected 0 to 1000, got -1`},
		{"no weights", `,"weights":{}`, ``, `line 4 column 1: field buys[1].weights: expected a value, got nothing`},
		{"too far apart", `"x_m":3`, `"x_m":70000`, `line 3 column 54: field buys[0].x_m: expected a place with a loss of at most 64000 ppm (64 ranges) to every sell, got 70000 ppm to sells[1]`},
		{"no such buys", `"buys":[`, `"buys":[null,`, `line 3 column 9: field buys[0]: expected an object, got null`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if strings.Count(sound, c.old) < 1 {
				t.Fatalf("%q is not in the book", c.old)
			}
			_, err := Read([]byte(strings.Replace(sound, c.old, c.new, 1)))
			if mistake := (*strictjson.Error)(nil); !errors.As(err, &mistake) {
				t.Fatalf("got %v, want a *strictjson.Error", err)
			}
			if err.Error() != c.want {
				t.Errorf("\n got %s\nwant %s", err, c.want)
			}
		})
	}
}

// TestMechanismIsJudgedFirst: the fields of another mechanism's book are not
// what is wrong with it.
func TestMechanismIsJudgedFirst(t *testing.T) {
	_, err := Read([]byte(`{"params":{"mode":"paper"},"buys":[],"sells":[],"mechanism":"lottery"}`))
	if err == nil || !strings.Contains(err.Error(), `got "lottery"`) {
		t.Errorf("got %v", err)
	}
}

// TestSumsThatOverflow: each order fits, their sum or worth does not.
func TestSumsThatOverflow(t *testing.T) {
	const head = `{"mechanism":"kprototypes","params":{"range":{"price":1099511627776,"energy_wh":1099511627776,"credit":100,"loss_ppm":1},"loss_ppm_per_km":0},`
	const place = `"x_m":0,"y_m":0,`
	const rest = place + `"environment":1,"credit":1,"energy_type":"wind"}`
	for _, c := range []struct{ name, text, field string }{
		{"worth of one", `"sells":[],"buys":[{"id":"b","price":70368744177664,"energy_wh":70368744177664,` + place + `"weights":{}}]}`, "buys[0].energy_wh"},
		{
			"worth of two", `"buys":[],"sells":[{"id":"a","price":70368744177664,"energy_wh":80000000,` + rest +
				`,{"id":"b","price":70368744177664,"energy_wh":80000000,` + rest + `]}`, "sells[1].energy_wh",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Read([]byte(head + c.text))
			if err == nil || !strings.Contains(err.Error(), "field "+c.field+": expected energies whose sum and worth fit int64") {
				t.Errorf("got %v, want one on %s", err, c.field)
			}
		})
	}
}

// TestFarSellIsReadIfItsLossFits: the corners of the area are too far apart,
// but no buy is in the one and a sell in the other.
func TestFarSellIsReadIfItsLossFits(t *testing.T) {
	text := strings.Replace(sound, `"x_m":2,"y_m":2`, `"x_m":-60000,"y_m":0`, 1)
	mustRead(t, strings.Replace(text, `"x_m":3,"y_m":3`, `"x_m":60000,"y_m":0`, 1))
}

// TestUnstatedWishesHaveNoWeight: no wish is stated, so only price and energy
// are compared, whatever the weights say.
func TestUnstatedWishesHaveNoWeight(t *testing.T) {
	text := strings.Replace(sound, `"weights":{}`, `"weights":{"price":1,"energy":2,"environment":3,"credit":4,"loss":5,"energy_type":6}`, 1)
	b := mustRead(t, text).solver.(*prototypes)
	if got, want := b.buys[1].Weights, (kproto.Weights{Price: 1, Energy: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got, want := b.buys[0].Weights.Sum(), int64(21); got != want {
		t.Errorf("weights of stated wishes: got sum %d, want %d", got, want)
	}
}

func TestVerifyRefusesForgedTrades(t *testing.T) {
	b := mustRead(t, string(readFile(t, "testdata/limits.book.json"))).solver.(*prototypes)
	trades := kproto.Clear(b.params, b.buys, b.sells, b.plane())
	if n, err := b.verify(trades, replaySteps); n != len(trades) || err != nil {
		t.Fatalf("true trades refused: %d, %v", n, err)
	}
	// With steps for two trades, the third is only checked for limits.
	if n, err := b.verify(trades, 2*len(b.sells)); n != 2 || err != nil {
		t.Fatalf("got %d trades replayed, %v", n, err)
	}
	forged := slices.Clone(trades)
	forged[2].Buy, forged[2].EnergyWh = 2, 1
	if _, err := b.verify(forged, 2*len(b.sells)); !errors.Is(err, errBeyondLimits) {
		t.Errorf("trade beyond a limit past the replay: got %v", err)
	}
	for _, c := range []struct {
		name  string
		forge func([]kproto.Trade) []kproto.Trade
	}{
		{"one left out", func(l []kproto.Trade) []kproto.Trade { return l[:len(l)-1] }},
		{"one more", func(l []kproto.Trade) []kproto.Trade { return append(l, l[0]) }},
		{"none", func([]kproto.Trade) []kproto.Trade { return nil }},
		{"swapped", func(l []kproto.Trade) []kproto.Trade { l[0], l[1] = l[1], l[0]; return l }},
		{"less energy", func(l []kproto.Trade) []kproto.Trade { l[0].EnergyWh--; return l }},
		{"another sell", func(l []kproto.Trade) []kproto.Trade { l[0].Sell = 1; return l }},
		{"another dissimilarity", func(l []kproto.Trade) []kproto.Trade { l[2].Dissimilarity--; return l }},
		{"another loss", func(l []kproto.Trade) []kproto.Trade { l[1].LossPPM = 0; return l }},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := b.verify(c.forge(slices.Clone(trades)), replaySteps); err == nil {
				t.Error("forged trades verified")
			}
		})
	}
}

// FuzzRead checks that no file makes Read or Clear panic, that every mistake is
// one line, and that every result verifies.
func FuzzRead(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte(`{"mechanism":"kprototypes","params":{"range":{"price":1,"energy_wh":1,"credit":1,"loss_ppm":1},"loss_ppm_per_km":0},"buys":[],"sells":[]}`))
	for _, text := range sounds {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := Read(data)
		if err != nil {
			if mistake := (*strictjson.Error)(nil); !errors.As(err, &mistake) || strings.ContainsAny(err.Error(), "\r\n") {
				t.Fatalf("bad error %q", err)
			}
			return
		}
		if r, err := b.Clear(); err != nil || !r.Certificate.Verified || r.TradedWh < 0 {
			t.Fatalf("bad result %+v, %v", r, err)
		}
	})
}
