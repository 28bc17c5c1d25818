package book

import (
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/energyd/energyd/internal/strictjson"
	cmapping "github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/welfare"
)

// orders are those of sounds: b0 may trade with both, b1 with s1 only.
const orders = `
"buys":[{"id":"b0","price":800,"energy_wh":5000,"x_m":0,"y_m":0,"reputation":90,"energy_type":"solar","prefer":["price","loss","environment"]},
{"id":"b1","price":500,"energy_wh":4000,"x_m":3000,"y_m":4000,"reputation":60,"energy_type":"wind","prefer":["reputation","supply"],"weights":[400,600]}],
"sells":[{"id":"s0","price":600,"energy_wh":4000,"x_m":3000,"y_m":4000,"reputation":80,"energy_type":"fossil","prefer":["price","demand","loss"]},
{"id":"s1","price":400,"energy_wh":6000,"x_m":0,"y_m":0,"reputation":70,"energy_type":"solar","environment":1,"prefer":["loss","reputation"],"weights":[999,1]}]}`

// sounds are valid books that the tables below break in one place each.
var sounds = map[string]string{
	"cmap":    `{"mechanism":"cmap","params":{"mode":"limit","price_min":300,"price_max":1400,"r_max_m":20000,"fee":10},` + orders,
	"welfare": `{"mechanism":"welfare","params":{"beta":20,"price_min":300,"price_max":1400,"r_max_m":20000,"fee":10,"loss_ppm_per_km":10000},` + orders,
	"auction": `{"mechanism":"auction","params":{"fee":10,"loss_ppm_per_km":10000},` + orders,
	"posted":  `{"mechanism":"posted","params":{"price":450,"fee":10},` + orders,
	"ratio":   `{"mechanism":"posted","params":{"retail":900,"feed_in":400},` + orders,
	"highlow": `{"mechanism":"highlow","params":{},` + orders,
}

// TestSounds compares the trades of each mechanism with those worked out by hand.
func TestSounds(t *testing.T) {
	for _, c := range []struct{ name, objective, trades string }{
		// b1 can only have s1, and for the most energy all of 4000; b0 prefers the
		// rest of s1, which is cheaper, nearer and clean.
		{"cmap", "", "b0-s0 3000 at 695, b0-s1 2000 at 595, b1-s1 4000 at 445"},
		// b0-s1 gains 390 and a little, b1-s1 500 * 0.95 - 410 = 65, b0-s0 150. The
		// last Wh of s1 goes to b1, that of s0 nowhere: 4000 of b0 from s0 would
		// leave 4000 of s1 to b1, 215 together, less than 390.
		{"welfare", "", "b0-s1 5000 at 0, b1-s1 1000 at 0"},
		{"auction", "6000", "b0-s1 5000 at 490, b1-s1 1000 at 490"},
		{"posted", "6000", "b0-s1 3333 at 450, b1-s1 2667 at 450"},
		// More supply than demand: feed-in. Demand 9000, s1 has 6000.
		{"ratio", "6000", "b0-s1 3333 at 400, b1-s1 2667 at 400"},
		{"highlow", "5000", "b0-s1 5000 at 600"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustClear(t, mustRead(t, sounds[c.name]))
			var got []string
			for _, d := range r.Trades {
				price := d.Price
				if c.name == "welfare" {
					price = 0 // what welfare's own tests are for
				}
				got = append(got, fmt.Sprintf("%s-%s %d at %d", d.Buy, d.Sell, d.EnergyWh, price))
			}
			if trades := strings.Join(got, ", "); trades != c.trades || !r.Certificate.Verified {
				t.Errorf("got %s, certificate %+v\nwant %s", trades, r.Certificate, c.trades)
			}
			if c.objective != "" && r.Objective != c.objective {
				t.Errorf("objective: got %s, want %s", r.Objective, c.objective)
			}
		})
	}
}

func TestReadErrorsOfMechanisms(t *testing.T) {
	const tooMuch = "281474976710656"
	for _, c := range []struct{ book, old, new, want string }{
		{"cmap", `"mode":"limit"`, `"mode":"best"`, `line 1 column 38: field params.mode: expected "paper" or "limit", got "best"`},
		{"cmap", `"mode":"limit",`, ``, `line 1 column 30: field params.mode: expected a value, got nothing`},
		{"cmap", `"mode":"limit"`, `"mode":"paper"`, `line 1 column 101: field params.fee: expected 0 to 0, got 10`},
		{"cmap", `"r_max_m":20000`, `"r_max_m":0`, `line 1 column 89: field params.r_max_m: expected 1 to 1099511627776, got 0`},
		{"cmap", `"price_max":1400`, `"price_max":299`, `line 1 column 74: field params.price_max: expected 300 to 1099511627776, got 299`},
		{"cmap", `"fee":10`, `"range":{}`, `line 1 column 95: field params.range: expected one of the fields mode, price_min, price_max, r_max_m, fixed_scale, fee, loss_ppm_per_km, got unknown field "range"`},
		{"cmap", `"environment"]}`, `"environment","supply"]}`, `line 2 column 9: field buys[0].weights: expected one for each of 4 attributes, got 3`},
		{"cmap", `["reputation","supply"]`, `["reputation","demand"]`, `line 3 column 109: field buys[1].prefer: expected attributes out of [price supply loss energy_type environment reputation], got demand`},
		{"cmap", `["price","demand","loss"]`, `["price","colour","loss"]`, `line 4 column 120: field sells[0].prefer: expected names out of [price supply demand loss energy_type environment reputation], got "colour"`},
		{"cmap", `[999,1]`, `[999,2]`, `line 5 column 152: field sells[1].weights: expected a sum of 1000, got 1001`},
		{"cmap", `[400,600]`, `[400,6e2]`, `line 3 column 148: field buys[1].weights[1]: expected a whole number, got 6e2`},
		{"cmap", `[400,600]`, `{"price":1}`, `line 3 column 143: field buys[1].weights: expected an array, got an object`},
		{"cmap", `"reputation":90,`, ``, `line 2 column 9: field buys[0].reputation: expected a value, got nothing`},
		{"cmap", `"reputation":90,`, `"reputation":101,`, `line 2 column 78: field buys[0].reputation: expected 0 to 100, got 101`},
		{"cmap", `"x_m":3000,"y_m":4000,"reputation":60`, `"y_m":4000,"reputation":60`, `line 3 column 1: field buys[1].x_m: expected a value, got nothing`},
		{"cmap", `,"prefer":["price","demand","loss"]`, ``, `line 4 column 10: field sells[0].prefer: expected a value, got nothing`},
		{"cmap", `"energy_wh":5000`, `"energy_wh":` + tooMuch, `line 2 column 44: field buys[0].energy_wh: expected 1 to 1099511627776, got ` + tooMuch},
		{"welfare", `"beta":20`, `"beta":-1`, `line 1 column 41: field params.beta: expected 0 to 1099511627776, got -1`},
		{"welfare", `"fee":10`, `"fee":-1`, `line 1 column 99: field params.fee: expected 0 to 1099511627776, got -1`},
		{"welfare", `"price":600`, `"price":0`, `line 4 column 29: field sells[0].price: expected 1 to 1099511627776, got 0`},
		{"auction", `"fee":10`, `"fee":-1`, `line 1 column 40: field params.fee: expected 0 or more, got -1`},
		{"auction", `"loss_ppm_per_km":10000`, `"loss_ppm_per_km":-1`, `line 1 column 61: field params.loss_ppm_per_km: expected 0 to 1000000, got -1`},
		{"auction", `"energy_wh":6000`, `"energy_wh":-6000`, `line 5 column 36: field sells[1].energy_wh: expected 1 or more, got -6000`},
		{"auction", `"price":500`, `"price":-500`, `line 3 column 20: field buys[1].price: expected 0 or more, got -500`},
		{"auction", `"energy_wh":6000`, `"energy_wh":9223372036854775807`, `line 5 column 36: field sells[1].energy_wh: expected energies whose sum fits int64, got 9223372036854775807`},
		{"auction", `"price":800`, `"price":9223372036854775807`, `line 2 column 60: field buys[0].energy_wh: expected energies whose sum and worth fit int64, got 5000`},
		{"auction", `"id":"s1"`, `"id":"s0"`, `line 5 column 7: field sells[1].id: expected an id of its own, got that of another order, "s0"`},
		{"auction", `"environment":1`, `"max_loss_ppm":1`, `line 5 column 1: field sells[1]: expected no wanted_loss_ppm and max_loss_ppm: these are for buys, got one`},
		{"posted", `"price":450`, `"price":-1`, `line 1 column 41: field params.price: expected 0 or more, got -1`},
		{"posted", `"price":450,`, ``, `line 1 column 32: field params.price: expected a value, got nothing`},
		{"posted", `"price":450`, `"price":450,"retail":1`, `line 1 column 41: field params.price: expected either price or retail and feed_in, got both`},
		{"ratio", `"feed_in":400`, `"feed_in":901`, `line 1 column 56: field params.feed_in: expected 0 to the retail price 900, got 901`},
		{"ratio", `,"feed_in":400`, ``, `line 1 column 32: field params.feed_in: expected a value, got nothing`},
		{"highlow", `"params":{},`, ``, `line 1 column 1: field params: expected a value, got nothing`},
	} {
		t.Run(c.book+" "+c.new, func(t *testing.T) {
			if !strings.Contains(sounds[c.book], c.old) {
				t.Fatalf("%q is not in the book", c.old)
			}
			_, err := Read([]byte(strings.Replace(sounds[c.book], c.old, c.new, 1)))
			if mistake := (*strictjson.Error)(nil); !errors.As(err, &mistake) || err.Error() != c.want {
				t.Errorf("\n got %v\nwant %s", err, c.want)
			}
		})
	}
}

// TestEmptySides: every mechanism takes a book with an empty side, and says so
// with an empty result that is verified.
func TestEmptySides(t *testing.T) {
	all := map[string]string{"kprototypes": sound}
	for name, text := range sounds {
		all[name] = text
	}
	for name, text := range all {
		for _, sides := range []struct{ buys, sells bool }{{}, {buys: true}, {sells: true}} {
			b := mustRead(t, text)
			buys, sells := b.Orders()
			if !sides.buys {
				buys = nil
			}
			if !sides.sells {
				sells = nil
			}
			b, err := New(b.Mechanism(), buys, sells)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			r := mustClear(t, b)
			r.Sides = nil
			want := &Result{
				Mechanism: b.mechanism.Name(), Objective: "0", Trades: []Trade{},
				Stats: Stats{Buys: len(buys), Sells: len(sells)}, Certificate: Certificate{Verified: true},
			}
			if diff := cmp.Diff(want, r); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

// TestCMAPReferenceCases compares objective, energy and the objectives of both
// sides with the reference; the trades must only be feasible, as optima may tie.
func TestCMAPReferenceCases(t *testing.T) {
	books, err := filepath.Glob("../../../../shared/cases/cmap_*.book.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(books) == 0 {
		t.Skip("SKIPPED: no reference cases in ../shared/cases")
	}
	for _, path := range books {
		t.Run(filepath.Base(path), func(t *testing.T) {
			var want struct {
				Objective string `json:"objective"`
				TradedWh  int64  `json:"traded_wh"`
				Z1Max     string `json:"z1_max"`
				Z1Min     string `json:"z1_min"`
				Z2Max     string `json:"z2_max"`
				Z2Min     string `json:"z2_min"`
				K1        int64  `json:"k1"`
				K2        int64  `json:"k2"`
				Sample    []struct {
					Buy      string `json:"buy"`
					Sell     string `json:"sell"`
					EnergyWh int64  `json:"energy_wh"`
				} `json:"sample_trades"`
			}
			if err := strictjson.Decode(readFile(t, strings.Replace(path, ".book.", ".expect.", 1)), &want); err != nil {
				t.Fatal(err)
			}
			b := mustRead(t, string(readFile(t, path)))
			r := mustClear(t, b)
			got := want
			got.Objective, got.TradedWh = r.Objective, r.TradedWh
			got.Z1Max, got.Z1Min, got.K1 = r.Sides.Buyers.Max, r.Sides.Buyers.Min, r.Sides.Buyers.K
			got.Z2Max, got.Z2Min, got.K2 = r.Sides.Sellers.Max, r.Sides.Sellers.Min, r.Sides.Sellers.K
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if !r.Certificate.Verified {
				t.Errorf("certificate %+v", r.Certificate)
			}
			checkFeasible(t, b, r)
			checkPermuted(t, b, r)
		})
	}
}

// checkFeasible checks trades by ids against the orders.
func checkFeasible(t *testing.T, b *Book, r *Result) {
	t.Helper()
	left := map[string]int64{}
	bids, asks := map[string]int64{}, map[string]int64{}
	for _, o := range b.buys {
		left[o.ID], bids[o.ID] = o.EnergyWh, o.Price
	}
	for _, o := range b.sells {
		left[o.ID], asks[o.ID] = o.EnergyWh, o.Price
	}
	limits := r.Mechanism != "cmap" || b.mechanism.(CMAP).Mode == Limit
	var sum int64
	for _, d := range r.Trades {
		left[d.Buy] -= d.EnergyWh
		left[d.Sell] -= d.EnergyWh
		sum += d.EnergyWh
		fee := b.mechanism.terms().fee
		if d.EnergyWh <= 0 || left[d.Buy] < 0 || left[d.Sell] < 0 || limits && (d.Price < asks[d.Sell] || d.Price+fee > bids[d.Buy]) {
			t.Fatalf("trade %+v: bid %d, ask %d, left %d, %d", d, bids[d.Buy], asks[d.Sell], left[d.Buy], left[d.Sell])
		}
	}
	if sum != r.TradedWh || limits && r.Stats.LimitViolationsWh != 0 {
		t.Errorf("traded %d, expected %d; against limits %d", r.TradedWh, sum, r.Stats.LimitViolationsWh)
	}
}

// checkPermuted checks that the order of the book changes neither objective nor
// energy.
func checkPermuted(t *testing.T, b *Book, r *Result) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	for range 3 {
		buys, sells := slices.Clone(b.buys), slices.Clone(b.sells)
		rng.Shuffle(len(buys), func(i, k int) { buys[i], buys[k] = buys[k], buys[i] })
		rng.Shuffle(len(sells), func(i, k int) { sells[i], sells[k] = sells[k], sells[i] })
		other, err := New(b.mechanism, buys, sells)
		if err != nil {
			t.Fatal(err)
		}
		if p := mustClear(t, other); p.Objective != r.Objective || p.TradedWh != r.TradedWh || !p.Certificate.Verified {
			t.Errorf("permuted: got %s with %d Wh, want %s with %d", p.Objective, p.TradedWh, r.Objective, r.TradedWh)
		}
	}
}

// drawn returns a book of random orders as those of sounds.
func drawn(t *testing.T, mechanism Mechanism, n int, seed uint64) *Book {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	side := func(prefix string, prefer []string) []Order {
		list := make([]Order, n)
		for i := range list {
			number := func(n int64) *int64 { v := r.Int64N(n); return &v }
			list[i] = Order{
				ID: fmt.Sprint(prefix, i), Price: 300 + r.Int64N(1000), EnergyWh: 1 + r.Int64N(9000), X: number(9000), Y: number(9000),
				Reputation: number(101), EnergyType: &energyTypes[r.IntN(5)], Prefer: prefer,
			}
		}
		return list
	}
	b, err := New(mechanism, side("b", []string{"price", "loss", "environment"}), side("s", []string{"price", "demand", "loss"}))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDrawn clears random books by every mechanism: they are verified, feasible,
// and where the order of the book decides nothing but a Wh of a tie, permuting
// it changes no objective.
func TestDrawn(t *testing.T) {
	price, retail, feedIn := int64(700), int64(1300), int64(600)
	for _, m := range []Mechanism{
		CMAP{Mode: Limit, PriceMin: 300, PriceMax: 1300, RMaxM: 5000, Fee: 50},
		CMAP{Mode: Limit, PriceMin: 300, PriceMax: 1300, RMaxM: 5000, FixedScale: true},
		Welfare{Beta: 40, PriceMin: 300, PriceMax: 1300, RMaxM: 5000, Fee: 20, LossPPMPerKM: 20_000},
		Auction{Fee: 30},
		Posted{Price: &price, Fee: 10},
		Posted{Retail: &retail, FeedIn: &feedIn},
		HighLow{Fee: 10},
	} {
		for seed := range uint64(5) {
			b := drawn(t, m, 5+int(seed)*7, seed)
			r := mustClear(t, b)
			if !r.Certificate.Verified || len(r.Trades) == 0 {
				t.Errorf("%+v: certificate %+v, %d trades", m, r.Certificate, len(r.Trades))
			}
			checkFeasible(t, b, r)
			if _, paired := m.(HighLow); !paired { // equal prices rank by position
				checkPermuted(t, b, r)
			}
		}
	}
}

// TestForgedClearings: a wrong clearing is caught by the check of each
// mechanism.
func TestForgedClearings(t *testing.T) {
	for name, clear := range map[string]func(t *testing.T) (deals []deal, check func([]deal) error){
		"auction": func(t *testing.T) ([]deal, func([]deal) error) {
			s := drawn(t, Auction{Fee: 30}, 20, 1).solver.(auctioned)
			return forgeable(t, s, s.priced, s.verifyGreatest)
		},
		"posted": func(t *testing.T) ([]deal, func([]deal) error) {
			price := int64(700)
			s := drawn(t, Posted{Price: &price}, 20, 1).solver.(*atPrice)
			return forgeable(t, s, s.priced, s.verifyRationed)
		},
		"highlow": func(t *testing.T) ([]deal, func([]deal) error) {
			s := drawn(t, HighLow{}, 20, 1).solver.(bilateral)
			return forgeable(t, s, s.priced, s.verifyPairs)
		},
	} {
		deals, check := clear(t)
		for what, forge := range map[string]func(l []deal) []deal{
			"nothing":         func([]deal) []deal { return nil },
			"one left out":    func(l []deal) []deal { return l[1:] },
			"one twice":       func(l []deal) []deal { return append(l, l[0]) },
			"less energy":     func(l []deal) []deal { l[0].energyWh -= 2; return l },
			"more energy":     func(l []deal) []deal { l[0].energyWh += 2; return l },
			"no energy":       func(l []deal) []deal { l[0].energyWh = 0; return l },
			"another price":   func(l []deal) []deal { l[0].price++; return l },
			"another partner": func(l []deal) []deal { l[0].buy, l[1].buy = l[1].buy, l[0].buy; return l[:len(l)-1] },
		} {
			if err := check(forge(slices.Clone(deals))); err == nil {
				t.Errorf("%s: forged by %s and not caught", name, what)
			}
		}
	}
}

// forgeable clears a book and returns the deals with their check.
func forgeable(t *testing.T, s solver, p *priced, more func(int64, []deal) error) ([]deal, func([]deal) error) {
	t.Helper()
	c, err := s.clear()
	if err != nil || c.wrong != nil {
		t.Fatal(err, c.wrong)
	}
	price := c.deals[0].price
	return c.deals, func(deals []deal) error {
		if err := p.verify(price, deals); err != nil {
			return err
		}
		return more(price, deals)
	}
}

// TestForgedCertificates: a clearing by CMAP or welfare that was tampered with
// does not verify against the book.
func TestForgedCertificates(t *testing.T) {
	c := drawn(t, CMAP{Mode: Limit, PriceMin: 300, PriceMax: 1300, RMaxM: 5000}, 20, 1).solver.(*preferred)
	r, err := cmapping.Clear(c.params, c.buys, c.sells, c.link)
	if err != nil {
		t.Fatal(err)
	}
	r.Trades[0].EnergyWh--
	if err := cmapping.Verify(c.params, c.buys, c.sells, c.link, r); err == nil {
		t.Error("cmap: a forged trade is not caught")
	}
	w := drawn(t, Welfare{PriceMin: 300, PriceMax: 1300, RMaxM: 5000}, 20, 1).solver.(*gainful)
	g, err := welfare.Clear(w.params, w.buys, w.sells, w.link)
	if err != nil {
		t.Fatal(err)
	}
	g.Trades[0].Price++
	if err := welfare.Verify(w.params, w.buys, w.sells, w.link, g); err == nil {
		t.Error("welfare: a forged price is not caught")
	}
}

// TestWrongClearingIsReported: what a check finds is in the certificate.
func TestWrongClearingIsReported(t *testing.T) {
	b := mustRead(t, sounds["auction"])
	b.solver = wrongSolver{}
	r := mustClear(t, b)
	if want := (Certificate{Verified: false, Note: "trade 0 is wrong"}); r.Certificate != want {
		t.Errorf("got %+v, want %+v", r.Certificate, want)
	}
}

type wrongSolver struct{}

func (wrongSolver) clear() (*clearing, error) {
	return &clearing{objective: new(big.Int), wrong: errors.New("trade 0 is wrong")}, nil
}

// TestLargeBooksAreRefused: a book of more pairs than can be held in memory is a
// mistake of the book, not the end of the program.
func TestLargeBooksAreRefused(t *testing.T) {
	n := 5000
	b := drawn(t, Auction{}, n, 1)
	_, err := New(CMAP{Mode: Limit, PriceMin: 1, PriceMax: 2, RMaxM: 1}, b.buys, b.sells)
	if want := "field sells: expected at most 10000 orders on each side and 16777216 pairs, got 5000 orders"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
