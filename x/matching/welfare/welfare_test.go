package welfare

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/energyd/energyd/units"
	"github.com/energyd/energyd/x/matching/cmap"
	"github.com/energyd/energyd/x/matching/field"
	"github.com/energyd/energyd/x/matching/transport"
)

var market = Params{Scores: cmap.Params{PriceMin: 1, PriceMax: 1000, RMaxM: 1000}}

var (
	onReputation = []cmap.Preference{{Attribute: cmap.Reputation, Weight: 1000}}
	onLoss       = []cmap.Preference{{Attribute: cmap.Loss, Weight: 1000}}
)

func buy(price, energy int64) cmap.Buy {
	return cmap.Buy{Price: price, EnergyWh: energy, Prefer: onReputation}
}

func sell(price, energy int64) cmap.Sell {
	return cmap.Sell{Price: price, EnergyWh: energy, Prefer: onReputation}
}

func free(int, int) Link { return Link{Link: cmap.Link{Eligible: true}} }

// TestClearByHand checks books small enough to compute on paper.
func TestClearByHand(t *testing.T) {
	type orders struct {
		buys  []cmap.Buy
		sells []cmap.Sell
	}
	withFee := func(fee, loss int64) func(int, int) Link {
		return func(int, int) Link { return Link{cmap.Link{Fee: fee, Eligible: true}, loss} }
	}
	for _, c := range []struct {
		name     string
		book     orders
		link     func(int, int) Link
		want     []Trade
		premiums []int64
	}{
		{"nobody", orders{}, free, []Trade{}, []int64{}},
		{"no buys", orders{nil, []cmap.Sell{sell(5, 1)}}, free, []Trade{}, []int64{0}},
		{"no sells", orders{[]cmap.Buy{buy(5, 1)}, nil}, free, []Trade{}, []int64{}},
		// Equal energies: the dual is anything in 0..100, and the price the middle.
		{"one pair", orders{[]cmap.Buy{buy(500, 7)}, []cmap.Sell{sell(400, 7)}}, free, []Trade{{Buy: 0, Sell: 0, EnergyWh: 7, Price: 450}}, []int64{50}},
		{"odd middle", orders{[]cmap.Buy{buy(501, 7)}, []cmap.Sell{sell(400, 7)}}, free, []Trade{{Buy: 0, Sell: 0, EnergyWh: 7, Price: 450}}, []int64{50}},
		{"supply to spare: the ask", orders{[]cmap.Buy{buy(500, 7)}, []cmap.Sell{sell(400, 8)}}, free, []Trade{{Buy: 0, Sell: 0, EnergyWh: 7, Price: 400}}, []int64{0}},
		{"demand to spare: the bid", orders{[]cmap.Buy{buy(500, 8)}, []cmap.Sell{sell(400, 7)}}, free, []Trade{{Buy: 0, Sell: 0, EnergyWh: 7, Price: 500}}, []int64{100}},
		{"fee", orders{[]cmap.Buy{buy(500, 8)}, []cmap.Sell{sell(400, 7)}}, withFee(30, 0), []Trade{{Buy: 0, Sell: 0, EnergyWh: 7, Price: 470}}, []int64{70}},
		// floor(501 * 0.9) = floor(450.9) = 450
		{"loss", orders{[]cmap.Buy{buy(501, 8)}, []cmap.Sell{sell(400, 7)}}, withFee(0, 100_000), []Trade{{Buy: 0, Sell: 0, EnergyWh: 7, Price: 450}}, []int64{50}},
		{"no gain but no loss", orders{[]cmap.Buy{buy(500, 8)}, []cmap.Sell{sell(450, 7)}}, withFee(50, 0), []Trade{{Buy: 0, Sell: 0, EnergyWh: 7, Price: 450}}, []int64{0}},
		{"fee too high", orders{[]cmap.Buy{buy(500, 8)}, []cmap.Sell{sell(450, 7)}}, withFee(51, 0), []Trade{}, []int64{0}},
		{"not eligible", orders{[]cmap.Buy{buy(500, 8)}, []cmap.Sell{sell(450, 7)}}, func(int, int) Link { return Link{} }, []Trade{}, []int64{0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := mustClear(t, market, c.book.buys, c.book.sells, c.link)
			if diff := cmp.Diff(c.want, r.Trades, terms); diff != "" {
				t.Errorf("trades (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.premiums, r.Premiums); diff != "" {
				t.Errorf("premiums (-want +got):\n%s", diff)
			}
		})
	}
}

// terms compares what is traded, not how it is rated.
var terms = cmpopts.IgnoreFields(Trade{}, "SatisfactionPPM", "BuyerPPM", "SellerPPM", "Worth")

// TestMarginMakesPrice: the buy that bids 450 is the one that a Wh more would
// serve. Which buy takes from which sell ties; prices do not.
func TestMarginMakesPrice(t *testing.T) {
	buys := []cmap.Buy{buy(500, 5), buy(450, 5), buy(420, 5)}
	r := mustClear(t, market, buys, []cmap.Sell{sell(400, 4), sell(410, 4)}, free)
	if diff := cmp.Diff([]int64{50, 40}, r.Premiums); diff != "" || r.EnergyWh != 8 {
		t.Errorf("%d Wh, premiums (-want +got):\n%s", r.EnergyWh, diff)
	}
	for _, trade := range r.Trades {
		if trade.Price != 450 {
			t.Errorf("price %d, want 450", trade.Price)
		}
	}
}

func mustClear(t interface {
	Helper()
	Fatal(...any)
}, p Params, buys []cmap.Buy, sells []cmap.Sell, link func(int, int) Link,
) *Result {
	t.Helper()
	r, err := Clear(p, buys, sells, link)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(p, buys, sells, link, r); err != nil {
		t.Fatal(err)
	}
	return r
}

// TestBeta checks that satisfaction decides between equal gains, and no more
// than beta says. Loss scores are 900 000 and 400 000 for the buy; the sells
// rate its reputation 0, so satisfactions are 450 000 and 200 000.
func TestBeta(t *testing.T) {
	b := []cmap.Buy{{Price: 500, EnergyWh: 5, Prefer: onLoss}}
	link := func(_, s int) Link {
		return Link{Link: cmap.Link{DistanceM: []int64{100, 600}[s], Eligible: true}}
	}
	for _, c := range []struct {
		beta, dearer int64
		seller       int
	}{
		{0, 0, 0},
		{0, 1, 1},
		{100, 24, 0}, // 45 - 24 > 20
		{100, 26, 1},
	} {
		p := market
		p.Beta = c.beta
		s := []cmap.Sell{sell(400+c.dearer, 5), sell(400, 5)}
		r := mustClear(t, p, b, s, link)
		if len(r.Trades) != 1 || c.beta+c.dearer > 0 && r.Trades[0].Sell != c.seller {
			t.Errorf("beta %d, %d dearer: trades %v, want one with %d", c.beta, c.dearer, r.Trades, c.seller)
		}
		if got, want := r.Trades[0].SatisfactionPPM, []int64{450_000, 200_000}[r.Trades[0].Sell]; got != want {
			t.Errorf("satisfaction %d, want %d", got, want)
		}
	}
	// With beta the dual may exceed the gain; the price does not exceed the bid.
	p := market
	p.Beta = 1000
	buys := []cmap.Buy{{Price: 500, EnergyWh: 5, Prefer: onLoss}, {Price: 500, EnergyWh: 5, Prefer: onLoss}}
	r := mustClear(t, p, buys, []cmap.Sell{sell(490, 5)}, link)
	if r.Premiums[0] != 460 || r.Trades[0].Price != 500 {
		t.Errorf("premium %d, price %d, want 460 and 500", r.Premiums[0], r.Trades[0].Price)
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		field string
		spoil func(*Params, *cmap.Buy, *cmap.Sell, *Link)
	}{
		{"", func(*Params, *cmap.Buy, *cmap.Sell, *Link) {}},
		{"beta", func(p *Params, _ *cmap.Buy, _ *cmap.Sell, _ *Link) { p.Beta = -1 }},
		{"beta", func(p *Params, _ *cmap.Buy, _ *cmap.Sell, _ *Link) { p.Beta = maxBeta + 1 }},
		{"r_max_m", func(p *Params, _ *cmap.Buy, _ *cmap.Sell, _ *Link) { p.Scores.RMaxM = 0 }},
		{"price", func(_ *Params, b *cmap.Buy, _ *cmap.Sell, _ *Link) { b.Price = 0 }},
		{"energy_wh", func(_ *Params, _ *cmap.Buy, s *cmap.Sell, _ *Link) { s.EnergyWh = -1 }},
		{"fee", func(_ *Params, _ *cmap.Buy, _ *cmap.Sell, l *Link) { l.Fee = -1 }},
		{"loss_ppm", func(_ *Params, _ *cmap.Buy, _ *cmap.Sell, l *Link) { l.LossPPM = -1 }},
		{"loss_ppm", func(_ *Params, _ *cmap.Buy, _ *cmap.Sell, l *Link) { l.LossPPM = units.PPM + 1 }},
	} {
		p, b, s, l := market, buy(5, 5), sell(4, 5), Link{}
		c.spoil(&p, &b, &s, &l)
		_, err := Clear(p, []cmap.Buy{b}, []cmap.Sell{s}, func(int, int) Link { return l })
		got := ""
		if mistake := (*field.Error)(nil); errors.As(err, &mistake) {
			got = mistake.Field
		}
		if got != c.field || (err == nil) != (c.field == "") {
			t.Errorf("got %v, want field %q", err, c.field)
		}
	}
	if _, err := Clear(market, []cmap.Buy{buy(5, 5)}, []cmap.Sell{sell(4, 5)}, free); err != nil {
		t.Error(err)
	}
}

// TestVerify checks that wrong results are found.
func TestVerify(t *testing.T) {
	buys, sells := []cmap.Buy{buy(500, 5), buy(450, 5)}, []cmap.Sell{sell(400, 4), sell(410, 4)}
	for _, c := range []struct {
		name  string
		spoil func(*Result)
	}{
		{"price", func(r *Result) { r.Trades[0].Price++ }},
		{"satisfaction", func(r *Result) { r.Trades[0].SatisfactionPPM++ }},
		{"premium", func(r *Result) { r.Premiums[0]-- }},
		{"energy", func(r *Result) { r.EnergyWh++ }},
		{"objective", func(r *Result) { r.Objective.SetInt64(1) }},
		{"no objective", func(r *Result) { r.Objective = nil }},
		{"flow", func(r *Result) { r.Solution.Flows[0].EnergyWh-- }},
		{"potential", func(r *Result) { r.Solution.Certificate.V[0]++ }},
		{"fallback", func(r *Result) { r.Solution.Fallback = true }},
		{"no solution", func(r *Result) { r.Solution = nil }},
		{"trade less", func(r *Result) { r.Trades = r.Trades[1:] }},
	} {
		r := mustClear(t, market, buys, sells, free)
		c.spoil(r)
		err := Verify(market, buys, sells, free, r)
		if !errors.Is(err, ErrUnproven) && !errors.Is(err, transport.ErrUnproven) {
			t.Errorf("%s: got %v, want an unproven clearing", c.name, err)
		}
	}
}

// TestFallback checks that trades without certificate are within both limits.
func TestFallback(t *testing.T) {
	buys, sells := []cmap.Buy{buy(501, 5)}, []cmap.Sell{sell(400, 4)}
	b, err := newBook(market, buys, sells, free)
	if err != nil {
		t.Fatal(err)
	}
	r := b.result(&transport.Solution{Flows: []transport.Flow{{Buy: 0, Sell: 0, EnergyWh: 4}}, Fallback: true})
	if diff := cmp.Diff([]Trade{{Buy: 0, Sell: 0, EnergyWh: 4, Price: 450}}, r.Trades, terms); diff != "" || r.Premiums != nil {
		t.Errorf("premiums %v, trades (-want +got):\n%s", r.Premiums, diff)
	}
}

// TestClear checks the rules that hold for every book, in any order.
func TestClear(t *testing.T) { rapid.Check(t, checkClear) }

func FuzzClear(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkClear)) }

func checkClear(t *rapid.T) {
	price := rapid.Int64Range(1, rapid.SampledFrom([]int64{3, 900}).Draw(t, "greatest price"))
	energy := rapid.Int64Range(1, rapid.SampledFrom([]int64{2, 40}).Draw(t, "greatest energy"))
	p := market
	p.Beta = rapid.Int64Range(0, 30).Draw(t, "beta")
	buys := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cmap.Buy {
		return cmap.Buy{Price: price.Draw(t, "bid"), EnergyWh: energy.Draw(t, "demand"), Reputation: rapid.Int64Range(0, 100).Draw(t, "r"), Prefer: onLoss}
	}), 0, 6).Draw(t, "buys")
	sells := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) cmap.Sell {
		return cmap.Sell{Price: price.Draw(t, "ask"), EnergyWh: energy.Draw(t, "supply"), Prefer: onReputation}
	}), 0, 6).Draw(t, "sells")
	links := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Link {
		return Link{cmap.Link{DistanceM: rapid.Int64Range(0, 1200).Draw(t, "d"), Fee: rapid.Int64Range(0, 3).Draw(t, "fee"), Eligible: rapid.Bool().Draw(t, "e")}, rapid.Int64Range(0, units.PPM/5).Draw(t, "loss")}
	}), len(buys)*len(sells), len(buys)*len(sells)).Draw(t, "links")
	link := func(b, s int) Link { return links[b*len(sells)+s] }
	r := mustClear(t, p, buys, sells, link)
	for _, trade := range r.Trades {
		l, bid, ask := link(trade.Buy, trade.Sell), buys[trade.Buy].Price, sells[trade.Sell].Price
		if !l.Eligible || trade.Price < ask || trade.Price+l.Fee > bid*(units.PPM-l.LossPPM)/units.PPM {
			t.Fatalf("trade %+v breaks limits %d and %d over %+v", trade, ask, bid, l)
		}
	}
	checkPermuted(t, p, buys, sells, link, r)
}

// checkPermuted checks that neither objective nor premiums depend on order.
func checkPermuted(t *rapid.T, p Params, buys []cmap.Buy, sells []cmap.Sell, link func(int, int) Link, r *Result) {
	bs, ss := make([]int, len(buys)), make([]int, len(sells))
	for i := range bs {
		bs[i] = i
	}
	for j := range ss {
		ss[j] = j
	}
	if len(bs) > 0 {
		bs = rapid.Permutation(bs).Draw(t, "buy order")
	}
	if len(ss) > 0 {
		ss = rapid.Permutation(ss).Draw(t, "sell order")
	}
	var otherBuys []cmap.Buy
	var otherSells []cmap.Sell
	for _, i := range bs {
		otherBuys = append(otherBuys, buys[i])
	}
	for _, j := range ss {
		otherSells = append(otherSells, sells[j])
	}
	other := mustClear(t, p, otherBuys, otherSells, func(b, s int) Link { return link(bs[b], ss[s]) })
	if other.Objective.Cmp(r.Objective) != 0 {
		t.Fatalf("objective %s, permuted %s", r.Objective, other.Objective)
	}
	for j, premium := range other.Premiums {
		if premium != r.Premiums[ss[j]] {
			t.Fatalf("sell %d: premium %d, permuted %d", ss[j], r.Premiums[ss[j]], premium)
		}
	}
}

// BenchmarkClear clears 1000 x 1000 orders in one solve.
func BenchmarkClear(b *testing.B) {
	const n = 1000
	r := rand.New(rand.NewPCG(1, 5))
	p := Params{Scores: cmap.Params{PriceMin: 302_300, PriceMax: 1_416_700, RMaxM: 20_000}, Beta: 20_000}
	buyers := []cmap.Preference{{Attribute: cmap.Price, Weight: 500}, {Attribute: cmap.Loss, Weight: 300}, {Attribute: cmap.Environment, Weight: 200}}
	sellers := []cmap.Preference{{Attribute: cmap.Price, Weight: 500}, {Attribute: cmap.Demand, Weight: 300}, {Attribute: cmap.Loss, Weight: 200}}
	buys, sells := make([]cmap.Buy, n), make([]cmap.Sell, n)
	var at [n][4]int64
	for i := range n {
		price := func() int64 { return 302_300 + r.Int64N(1_416_700-302_300+1) }
		energy := func() int64 { return 48_960 + r.Int64N(453_620-48_960+1) }
		buys[i] = cmap.Buy{Price: price(), EnergyWh: energy(), Reputation: 60 + r.Int64N(41), Prefer: buyers}
		sells[i] = cmap.Sell{Price: price(), EnergyWh: energy(), Reputation: 60 + r.Int64N(41), Clean: r.IntN(5) > 0, Prefer: sellers}
		at[i] = [4]int64{r.Int64N(51_100), r.Int64N(51_100), r.Int64N(51_100), r.Int64N(51_100)}
	}
	link := func(b, s int) Link {
		dx, dy := at[b][0]-at[s][2], at[b][1]-at[s][3]
		d := int64(units.Sqrt(uint64(dx*dx + dy*dy)))
		return Link{cmap.Link{DistanceM: d, Fee: 10_000, Eligible: d <= 30_000}, d * 2 / 10}
	}
	var result *Result
	for b.Loop() {
		result, _ = Clear(p, buys, sells, link)
	}
	book, err := newBook(p, buys, sells, link)
	if err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	s, _ := transport.Solve(book.problem)
	b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms/solve")
	start = time.Now()
	premiums(book.problem, s)
	b.ReportMetric(float64(time.Since(start).Microseconds())/1000, "ms/duals")
	b.ReportMetric(float64(s.Pivots), "pivots")
	b.ReportMetric(float64(len(result.Trades)), "trades")
}
