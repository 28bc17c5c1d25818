package cmap

import (
	"errors"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/energyd/energyd/x/matching/transport"
)

type fataler interface {
	Helper()
	Fatal(...any)
}

func mustClear(t fataler, k *testBook) *Result {
	t.Helper()
	r, err := Clear(k.p, k.buys, k.sells, k.link)
	if err != nil {
		t.Fatal(err)
	}
	if err := Verify(k.p, k.buys, k.sells, k.link, r); err != nil {
		t.Fatal(err)
	}
	return r
}

func open(int, int) Link { return Link{Eligible: true} }

// byHand is a book to compute on paper. Both buys look at environment and sell 0
// alone is clean; both sells look at reputation and buy 1 has the better one. So
// a' is 1 for sell 0, b' is 1 for buy 1, and else 0.
func byHand() *testBook {
	return &testBook{
		p: market,
		buys: []Buy{
			{Price: 500, EnergyWh: 4, Reputation: 60, Prefer: on(Environment)},
			{Price: 700, EnergyWh: 4, Reputation: 90, Prefer: on(Environment)},
		},
		sells: []Sell{
			{Price: 600, EnergyWh: 4, Clean: true, Prefer: on(Reputation)},
			{Price: 401, EnergyWh: 6, Prefer: on(Reputation)},
		},
		link: open,
	}
}

// TestClearByHand: every clearing has Z1 = 4 (all of sell 0) at best and 2 at
// worst (6 from sell 1); Z2 is always 4, so that R2 = 0 and R1 = 2 = M: K1 = 0,
// K2 = 2^20, and w = b'.
func TestClearByHand(t *testing.T) {
	million := func(n int64) *big.Int { return big.NewInt(n * One) }
	k := byHand()
	r := mustClear(t, k)
	if r.EnergyWh != 8 || r.Objective.Cmp(million(4)) != 0 || r.Buyers.K != 0 || r.Sellers.K != 1<<20 {
		t.Errorf("energy %d, objective %s, weights %d, %d", r.EnergyWh, r.Objective, r.Buyers.K, r.Sellers.K)
	}
	for _, c := range []struct {
		name      string
		got, want *big.Int
	}{
		{"Z1max", r.Buyers.Max, million(4)},
		{"Z1min", r.Buyers.Min, million(2)},
		{"Z2max", r.Sellers.Max, million(4)},
		{"Z2min", r.Sellers.Min, million(4)},
		{"Z2", r.Sellers.Z, million(4)},
	} {
		if c.got.Cmp(c.want) != 0 {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
	var total int64
	for _, trade := range r.Trades {
		total += trade.EnergyWh
		// Paper mode: the middle of bid and ask whatever they are.
		price := [2][2]int64{{550, 450}, {650, 550}}[trade.Buy][trade.Sell]
		satisfaction := [2][2]int64{{One / 2, 0}, {One, One / 2}}[trade.Buy][trade.Sell]
		if trade.Price != price || trade.SatisfactionPPM != satisfaction || (trade.BuyerPPM+trade.SellerPPM)/2 != satisfaction {
			t.Errorf("trade %+v, want price %d and satisfaction %d", trade, price, satisfaction)
		}
	}
	if total != 8 {
		t.Errorf("trades of %d Wh, want 8", total)
	}
}

// sides leaves out what the mean in SatisfactionPPM is made of.
var sides = cmpopts.IgnoreFields(Trade{}, "BuyerPPM", "SellerPPM")

// TestLimit: with a fee of 90, bid 500 meets ask 401 with 9 to spare, but not
// 600; bid 700 meets both.
func TestLimit(t *testing.T) {
	k := byHand()
	k.p.Limit = true
	k.link = func(int, int) Link { return Link{Fee: 90, Eligible: true} }
	r := mustClear(t, k)
	// (500 - 90 + 401) / 2 = 405.5, (700 - 90 + 600) / 2 = 605.
	want := []Trade{{Buy: 0, Sell: 1, EnergyWh: 4, Price: 405, SatisfactionPPM: 0}, {Buy: 1, Sell: 0, EnergyWh: 4, Price: 605, SatisfactionPPM: One}}
	if r.Trades[len(r.Trades)-1].Sell == 1 { // as good for the sellers, who alone count
		want = []Trade{{Buy: 0, Sell: 1, EnergyWh: 4, Price: 405, SatisfactionPPM: 0}, {Buy: 1, Sell: 0, EnergyWh: 2, Price: 605, SatisfactionPPM: One}, {Buy: 1, Sell: 1, EnergyWh: 2, Price: 505, SatisfactionPPM: One / 2}}
	}
	if diff := cmp.Diff(want, r.Trades, sides); diff != "" {
		t.Errorf("trades (-want +got):\n%s", diff)
	}
	// The extremes are those of all pairs in both modes.
	if r.Buyers.Max.Int64() != 4*One || r.Buyers.Min.Int64() != 2*One {
		t.Errorf("extremes %s and %s", r.Buyers.Max, r.Buyers.Min)
	}
	// bid = ask + fee is within the limit, and eligibility comes on top.
	k.link = func(b, s int) Link { return Link{Fee: 99, Eligible: b == 0 && s == 1} }
	if diff := cmp.Diff([]Trade{{Buy: 0, Sell: 1, EnergyWh: 4, Price: 401, SatisfactionPPM: 0}}, mustClear(t, k).Trades, sides); diff != "" {
		t.Errorf("one pair (-want +got):\n%s", diff)
	}
	k.link = func(b, s int) Link { return Link{Fee: 100, Eligible: b == 0 && s == 1} }
	if r := mustClear(t, k); len(r.Trades) != 0 || r.EnergyWh != 0 || r.Objective.Sign() != 0 {
		t.Errorf("no pair is feasible, but trades %v", r.Trades)
	}
}

func TestNobody(t *testing.T) {
	full := byHand()
	for _, k := range []*testBook{
		{p: market, link: open},
		{p: market, buys: full.buys, link: open},
		{p: market, sells: full.sells, link: open},
	} {
		r := mustClear(t, k)
		if len(r.Trades) != 0 || r.EnergyWh != 0 || r.Objective.Sign() != 0 || r.Buyers.K != 1<<20 || r.Sellers.K != 1<<20 {
			t.Errorf("%d buys, %d sells: %+v", len(k.buys), len(k.sells), r)
		}
	}
}

func TestTooMuchEnergy(t *testing.T) {
	k := byHand()
	k.buys = slices.Repeat([]Buy{{Price: 1, EnergyWh: maxValue, Prefer: on(Price)}}, 2500)
	k.sells = k.sells[:1]
	if _, err := Clear(k.p, k.buys, k.sells, k.link); !errors.Is(err, transport.ErrProblem) {
		t.Errorf("got %v, want %v", err, transport.ErrProblem)
	}
}

// TestVerify checks that every wrong number in a result is found.
func TestVerify(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*Result)
	}{
		{"price", func(r *Result) { r.Trades[0].Price++ }},
		{"satisfaction", func(r *Result) { r.Trades[0].SatisfactionPPM-- }},
		{"trade's energy", func(r *Result) { r.Trades[0].EnergyWh-- }},
		{"trade less", func(r *Result) { r.Trades = r.Trades[1:] }},
		{"energy", func(r *Result) { r.EnergyWh++ }},
		{"objective", func(r *Result) { r.Objective = big.NewInt(1) }},
		{"no objective", func(r *Result) { r.Objective = nil }},
		{"buyers' weight", func(r *Result) { r.Buyers.K++ }},
		{"sellers' weight", func(r *Result) { r.Sellers.K-- }},
		{"buyers' sum", func(r *Result) { r.Buyers.Z = new(big.Int) }},
		{"sellers' worst", func(r *Result) { r.Sellers.Min = big.NewInt(1) }},
		{"a fallback unmarked", func(r *Result) { r.Combined.Fallback = true }},
		{"a fallback marked", func(r *Result) { r.Fallback = true }},
		{"no best", func(r *Result) { r.Buyers.Best = nil }},
		{"no worst", func(r *Result) { r.Sellers.Worst = nil }},
		{"no combined", func(r *Result) { r.Combined = nil }},
		{"another's solution", func(r *Result) { r.Buyers.Best = r.Buyers.Worst }},
		{"worst potential", func(r *Result) { r.Sellers.Worst.Certificate.U[0]-- }},
		{"combined flow", func(r *Result) { r.Combined.Flows[0].EnergyWh-- }},
		{"combined potential", func(r *Result) { r.Combined.Certificate.V[0]-- }},
		{"combined objective", func(r *Result) { r.Combined.Objective = big.NewInt(1) }},
		{"combined energy", func(r *Result) { r.Combined.EnergyWh-- }},
	} {
		k := byHand()
		r := mustClear(t, k)
		c.spoil(r)
		err := Verify(k.p, k.buys, k.sells, k.link, r)
		if !errors.Is(err, ErrUnproven) && !errors.Is(err, transport.ErrUnproven) {
			t.Errorf("%s: got %v, want an unproven clearing", c.name, err)
		}
	}
}

// TestClear checks the rules that hold for every book, in any order.
func TestClear(t *testing.T) { rapid.Check(t, checkClear) }

func FuzzClear(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkClear)) }

func checkClear(t *rapid.T) {
	k := drawBook(t)
	r := mustClear(t, k)
	var demand, supply int64
	for i := range k.buys {
		demand += k.buys[i].EnergyWh
	}
	for j := range k.sells {
		supply += k.sells[j].EnergyWh
	}
	if !k.p.Limit && r.EnergyWh != min(demand, supply) {
		t.Fatalf("%d Wh traded, want the short side of %d and %d", r.EnergyWh, demand, supply)
	}
	for _, trade := range r.Trades {
		l, bid, ask := k.link(trade.Buy, trade.Sell), k.buys[trade.Buy].Price, k.sells[trade.Sell].Price
		if k.p.Limit && (!l.Eligible || trade.Price < ask || trade.Price+l.Fee > bid) {
			t.Fatalf("trade %+v breaks limits %d and %d over %+v", trade, ask, bid, l)
		}
	}
	for _, s := range []Side{r.Buyers, r.Sellers} {
		if s.Z.Cmp(s.Max) > 0 || !k.p.Limit && s.Z.Cmp(s.Min) < 0 || s.K < 0 || s.K > 1<<20 {
			t.Fatalf("side %s of %s to %s, weight %d", s.Z, s.Min, s.Max, s.K)
		}
	}
	other := mustClear(t, permuted(t, k))
	if other.EnergyWh != r.EnergyWh || other.Objective.Cmp(r.Objective) != 0 || other.Buyers.K != r.Buyers.K || other.Sellers.K != r.Sellers.K {
		t.Fatalf("%d Wh, objective %s, permuted %d, %s", r.EnergyWh, r.Objective, other.EnergyWh, other.Objective)
	}
}

func drawBook(t *rapid.T) *testBook {
	price := rapid.Int64Range(1, rapid.SampledFrom([]int64{2, 1600}).Draw(t, "greatest price"))
	energy := rapid.Int64Range(1, rapid.SampledFrom([]int64{2, 40}).Draw(t, "greatest energy"))
	reputation, energyType := rapid.Int64Range(0, 100), rapid.Int32Range(0, 4)
	prefer := func(known []Attribute) *rapid.Generator[[]Preference] {
		return rapid.Custom(func(t *rapid.T) []Preference {
			order := rapid.Permutation(known).Draw(t, "attributes")
			if rapid.Bool().Draw(t, "one") {
				return on(order[0])
			}
			return []Preference{{order[0], 500}, {order[1], 300}, {order[2], 200}}
		})
	}
	k := &testBook{p: market}
	k.p.Limit, k.p.FixedScale = rapid.Bool().Draw(t, "limit"), rapid.Bool().Draw(t, "fixed scale")
	k.buys = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Buy {
		return Buy{price.Draw(t, "bid"), energy.Draw(t, "demand"), reputation.Draw(t, "r"), energyType.Draw(t, "type"), prefer(buyAttributes).Draw(t, "prefer")}
	}), 0, 6).Draw(t, "buys")
	k.sells = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Sell {
		s := Sell{price.Draw(t, "ask"), energy.Draw(t, "supply"), reputation.Draw(t, "r"), energyType.Draw(t, "type"), false, prefer(sellAttributes).Draw(t, "prefer")}
		s.Clean = s.EnergyType > 0
		return s
	}), 0, 6).Draw(t, "sells")
	links := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Link {
		return Link{rapid.Int64Range(0, 25_000).Draw(t, "d"), rapid.Int64Range(0, 3).Draw(t, "fee"), rapid.Bool().Draw(t, "eligible")}
	}), len(k.buys)*len(k.sells), len(k.buys)*len(k.sells)).Draw(t, "links")
	sells := len(k.sells)
	k.link = func(b, s int) Link { return links[b*sells+s] }
	return k
}

func permuted(t *rapid.T, k *testBook) *testBook {
	order := func(n int, label string) []int {
		out := make([]int, n)
		for i := range out {
			out[i] = i
		}
		if n == 0 {
			return out
		}
		return rapid.Permutation(out).Draw(t, label)
	}
	buys, sells := order(len(k.buys), "buy order"), order(len(k.sells), "sell order")
	out := &testBook{p: k.p, link: func(b, s int) Link { return k.link(buys[b], sells[s]) }}
	for _, i := range buys {
		out.buys = append(out.buys, k.buys[i])
	}
	for _, j := range sells {
		out.sells = append(out.sells, k.sells[j])
	}
	return out
}
