package stackelberg

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// coins is 10^6 ucoin.
const coins = 1_000_000

// bank is one whose rates are free and which has enough.
func bank(edit func(*Bank)) Bank {
	b := Bank{CapitalUcoin: 1_000 * coins, CostPPM: 10_000, RateMinPPM: 1, RateMaxPPM: MaxRatePPM}
	if edit != nil {
		edit(&b)
	}
	return b
}

// plain has k = 10 coins and theta = 10 coins times 90 000: it borrows 10 (90 000/r
// - 1) coins, 20 at 30 000 and 5 at 60 000.
func plain(edit func(*Borrower)) Borrower {
	b := Borrower{AmountUcoin: 20 * coins, RatePPM: 30_000, NoneFromPPM: 90_000, LimitUcoin: 100 * coins}
	if edit != nil {
		edit(&b)
	}
	return b
}

func limited(limit int64) Borrower { return plain(func(b *Borrower) { b.LimitUcoin = limit }) }

func TestPriceByHand(t *testing.T) {
	same := slices.Repeat([]Borrower{plain(nil)}, 3)
	for _, c := range []struct {
		name      string
		bank      Bank
		borrowers []Borrower
		rate      int64
		loans     []int64
		branches  []Branch
		profit    int64
		rationed  bool
		reason    Reason
	}{
		{name: "no borrowers", bank: bank(nil), rate: 1, reason: NoBorrowers},
		{
			name: "no capital", bank: bank(func(b *Bank) { b.CapitalUcoin = 0 }), borrowers: same[:1],
			rate: 1, loans: []int64{0}, branches: []Branch{Refused}, reason: NoCapital,
		},
		{
			name: "no demand at the least rate", bank: bank(func(b *Bank) { b.RateMinPPM = 90_000 }), borrowers: same[:1],
			rate: 90_000, loans: []int64{0}, branches: []Branch{TooDear}, reason: NoDemand,
		},
		{
			name: "no limit", bank: bank(func(b *Bank) { b.CostPPM = 0 }), borrowers: []Borrower{limited(0)},
			rate: 1, loans: []int64{0}, branches: []Branch{AtLimit}, reason: NoDemand,
		},
		{
			name: "money costs more than anybody pays", bank: bank(func(b *Bank) { b.CostPPM = 90_000 }), borrowers: same[:1],
			rate: 1, loans: []int64{0}, branches: []Branch{Refused}, reason: NoGain,
		},
		{
			// sqrt(10 000 x 90 000) = 30 000: 2 % of 20 coins.
			name: "one on its curve", bank: bank(nil), borrowers: same[:1],
			rate: 30_000, loans: []int64{20 * coins}, branches: []Branch{OnCurve}, profit: 400_000,
		},
		{
			// The limit binds up to 90 000 x 10 / (10 + 5) = 60 000, below which profit rises.
			name: "one at its limit", bank: bank(nil), borrowers: []Borrower{limited(5 * coins)},
			rate: 60_000, loans: []int64{5 * coins}, branches: []Branch{AtLimit}, profit: 250_000,
		},
		{
			name: "three alike", bank: bank(nil), borrowers: same,
			rate: 30_000, loans: []int64{20 * coins, 20 * coins, 20 * coins}, branches: []Branch{OnCurve, OnCurve, OnCurve}, profit: 1_200_000,
		},
		{
			// 30 (90 000/r - 1) = 15 coins at 60 000.
			name: "capital raises the rate", bank: bank(func(b *Bank) { b.CapitalUcoin = 15 * coins }), borrowers: same,
			rate: 60_000, loans: []int64{5 * coins, 5 * coins, 5 * coins}, branches: []Branch{OnCurve, OnCurve, OnCurve}, profit: 750_000,
		},
		{
			// At the greatest rate they ask for 60 coins: 10 000 001 ucoin are 3 333 333.67 each.
			name: "capital shared out", bank: bank(func(b *Bank) { b.CapitalUcoin = 10*coins + 1; b.RateMaxPPM = 30_000 }), borrowers: same,
			rate: 30_000, loans: []int64{3_333_334, 3_333_334, 3_333_333}, branches: []Branch{OnCurve, OnCurve, OnCurve}, profit: 66_666 * 3, rationed: true,
		},
		{
			name: "least and greatest rate are one", bank: bank(func(b *Bank) { b.RateMinPPM, b.RateMaxPPM = 45_000, 45_000 }), borrowers: same[:1],
			rate: 45_000, loans: []int64{10 * coins}, branches: []Branch{OnCurve}, profit: 350_000,
		},
		{
			// Its risk is (10^6 x 5)/(40 + 10) = 100 000 ppm: above what it would pay.
			name: "who defaulted is refused", bank: bank(nil), borrowers: []Borrower{plain(nil), plain(func(b *Borrower) { b.Loans, b.Defaults = 40, 5 })},
			rate: 30_000, loans: []int64{20 * coins, 0}, branches: []Branch{OnCurve, Refused}, profit: 400_000,
		},
		{
			// With prior 10 000 a newcomer costs 20 000, one of 90 good loans 11 000;
			// sqrt(90 000 (20 000 + 11 000)/2) = 37 349.7.
			name: "history lowers the risk", bank: bank(func(b *Bank) { b.PriorDefaultPPM = 10_000 }), borrowers: []Borrower{plain(nil), plain(func(b *Borrower) { b.Loans = 90 })},
			rate: 37_350, loans: []int64{14_096_385, 14_096_385}, branches: []Branch{OnCurve, OnCurve}, profit: 244_572 + 371_439,
		},
		{
			// The bank cannot serve the one with the large demand below 90 000, where
			// it leaves; the other pays up to 500 000 x 10/(10 + 10).
			name: "the least feasible rate is not the best", bank: bank(func(b *Bank) { b.CapitalUcoin = 11 * coins }),
			borrowers: []Borrower{
				plain(func(b *Borrower) { b.AmountUcoin *= 100_000; b.LimitUcoin = 1_000_000 * coins }),
				{AmountUcoin: 10 * coins, RatePPM: 250_000, NoneFromPPM: 500_000, LimitUcoin: 10 * coins},
			},
			rate: 250_000, loans: []int64{0, 10 * coins}, branches: []Branch{TooDear, AtLimit}, profit: 2_400_000,
		},
		{
			// Up to 50 000 the second is at a limit as large as the first's k: profit
			// rises by -10 000 theta/r alone. Beyond, 20 coins of k outweigh it.
			name: "limits as large as k", bank: bank(nil),
			borrowers: []Borrower{plain(nil), {AmountUcoin: 10 * coins, RatePPM: 50_000, NoneFromPPM: 100_000, LimitUcoin: 10 * coins}},
			rate:      50_000, loans: []int64{8 * coins, 10 * coins}, branches: []Branch{OnCurve, AtLimit}, profit: 720_000,
		},
		{
			// The second costs 10 000 + 10^6 x 3/200 = 25 000. At 30 000 it would
			// take 20 of 25 coins, and 6 coins shared out bring 48 000.
			name: "who is cheap alone beats sharing out", bank: bank(func(b *Bank) { b.CapitalUcoin = 6 * coins; b.RateMaxPPM = 30_000 }),
			borrowers: []Borrower{limited(5 * coins), plain(func(b *Borrower) { b.Loans, b.Defaults = 190, 3 })},
			rate:      24_999, loans: []int64{5 * coins, 0}, branches: []Branch{AtLimit, Refused}, profit: 74_995,
		},
		{
			// A loan at cost brings nothing: the lowest rate stands.
			name: "ties to the lowest", bank: bank(func(b *Bank) { b.RateMinPPM, b.RateMaxPPM = 9_999, 10_000 }), borrowers: same[:1],
			rate: 9_999, loans: []int64{0}, branches: []Branch{Refused}, reason: NoGain,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			offer, _, err := Price(c.bank, c.borrowers)
			if err != nil {
				t.Fatal(err)
			}
			var loans []int64
			var branches []Branch
			for _, l := range offer.Loans {
				loans, branches = append(loans, l.Ucoin), append(branches, l.Branch)
			}
			if diff := cmp.Diff(c.loans, loans); diff != "" {
				t.Errorf("loans (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.branches, branches); diff != "" {
				t.Errorf("branches (-want +got):\n%s", diff)
			}
			if offer.RatePPM != c.rate || offer.ProfitUcoin != c.profit || offer.Rationed != c.rationed || offer.Reason != c.reason {
				t.Errorf("got rate %d, profit %d, rationed %t, reason %q", offer.RatePPM, offer.ProfitUcoin, offer.Rationed, offer.Reason)
			}
		})
	}
}

func TestAt(t *testing.T) {
	offer, err := At(bank(func(b *Bank) { b.PriorDefaultPPM = 3 }), []Borrower{plain(func(b *Borrower) { b.Loans, b.Defaults = 3, 1 }), plain(nil)}, 89_999)
	if err != nil {
		t.Fatal(err)
	}
	// 1 000 030/13 = 76 925.4; 10 coins x 1/89 999 = 111.1 ucoin; x 3 073.6 ppm = 0.3.
	want := &Offer{RatePPM: 89_999, DemandUcoin: 222, LentUcoin: 222, ProfitUcoin: 8, Loans: []Loan{
		{Ucoin: 111, ProfitUcoin: 0, DefaultPPM: 76_925, Branch: OnCurve},
		{Ucoin: 111, ProfitUcoin: 8, DefaultPPM: 3, Branch: OnCurve},
	}}
	if diff := cmp.Diff(want, offer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, rate := range []int64{-1, 0, MaxRatePPM + 1} {
		if _, err := At(bank(nil), nil, rate); err == nil || err.Error() != fmt.Sprintf("field rate_ppm: expected 1 to 1000000, got %d", rate) {
			t.Errorf("got %v", err)
		}
	}
}

// TestLargeNumbers: amounts at the end of int64, and rates at both ends.
func TestLargeNumbers(t *testing.T) {
	const most = math.MaxInt64
	b := Borrower{AmountUcoin: most, RatePPM: MaxRatePPM - 1, NoneFromPPM: MaxRatePPM, LimitUcoin: most, Loans: MaxLoans}
	offer, _, err := Price(Bank{CapitalUcoin: most, RateMinPPM: 1, RateMaxPPM: MaxRatePPM}, []Borrower{b})
	if err != nil || offer.RatePPM != MaxRatePPM-1 || offer.LentUcoin != most || offer.ProfitUcoin != 9223362813482738952 {
		t.Errorf("got %+v, %v", offer, err)
	}
}

func TestErrors(t *testing.T) {
	const most = math.MaxInt64
	for _, c := range []struct {
		want string
		bank func(*Bank)
		of   func(*Borrower)
	}{
		{"bank.capital_ucoin: expected 0 or more, got -1", func(b *Bank) { b.CapitalUcoin = -1 }, nil},
		{"bank.cost_ppm: expected 0 to 1000000, got -1", func(b *Bank) { b.CostPPM = -1 }, nil},
		{"bank.cost_ppm: expected 0 to 1000000, got 9223372036854775807", func(b *Bank) { b.CostPPM = most }, nil},
		{"bank.prior_default_ppm: expected 0 to 1000000, got 1000001", func(b *Bank) { b.PriorDefaultPPM = 1_000_001 }, nil},
		{"bank.rate_max_ppm: expected 1 to 1000000, got 0", func(b *Bank) { b.RateMaxPPM = 0 }, nil},
		{"bank.rate_max_ppm: expected 1 to 1000000, got 1000001", func(b *Bank) { b.RateMaxPPM = 1_000_001 }, nil},
		{"bank.rate_min_ppm: expected 1 to 1000000, got 0", func(b *Bank) { b.RateMinPPM = 0 }, nil},
		{"bank.rate_min_ppm: expected 1 to 5, got 6", func(b *Bank) { b.RateMinPPM, b.RateMaxPPM = 6, 5 }, nil},
		{"borrowers[1].amount_ucoin: expected 1 or more, got 0", nil, func(b *Borrower) { b.AmountUcoin = 0 }},
		{"borrowers[1].rate_ppm: expected 1 to 999999, got 0", nil, func(b *Borrower) { b.RatePPM = 0 }},
		{"borrowers[1].rate_ppm: expected 1 to 999999, got 1000000", nil, func(b *Borrower) { b.RatePPM = 1_000_000 }},
		{"borrowers[1].none_from_ppm: expected 30001 to 1000000, got 30000", nil, func(b *Borrower) { b.NoneFromPPM = b.RatePPM }},
		{"borrowers[1].none_from_ppm: expected 30001 to 1000000, got 1000001", nil, func(b *Borrower) { b.NoneFromPPM = 1_000_001 }},
		{"borrowers[1].limit_ucoin: expected 0 or more, got -1", nil, func(b *Borrower) { b.LimitUcoin = -1 }},
		{"borrowers[1].limit_ucoin: expected limits whose sum fits int64, got 9223372036854775807", nil, func(b *Borrower) { b.LimitUcoin = most }},
		{"borrowers[1].loans: expected 0 to 1000000, got -1", nil, func(b *Borrower) { b.Loans = -1 }},
		{"borrowers[1].loans: expected 0 to 1000000, got 1000001", nil, func(b *Borrower) { b.Loans = 1_000_001 }},
		{"borrowers[1].defaults: expected 0 to 3, got 4", nil, func(b *Borrower) { b.Loans, b.Defaults = 3, 4 }},
		{"borrowers[1].defaults: expected 0 to 0, got -1", nil, func(b *Borrower) { b.Defaults = -1 }},
	} {
		borrowers := []Borrower{plain(nil), plain(c.of)}
		_, _, err := Price(bank(c.bank), borrowers)
		_, again := At(bank(c.bank), borrowers, 1)
		if mistake := (*FieldError)(nil); !errors.As(err, &mistake) || err.Error() != "field "+c.want || again == nil || again.Error() != err.Error() {
			t.Errorf("got %v, %v\nwant %s", err, again, c.want)
		}
	}
	_, _, err := Price(bank(nil), make([]Borrower, MaxBorrowers+1))
	if err == nil || err.Error() != "field borrowers: expected at most 1000, got 1001" {
		t.Errorf("got %v", err)
	}
}

// TestPriceIsTheBestOfAll compares with the whole grid of rates on more than a
// thousand small instances.
func TestPriceIsTheBestOfAll(t *testing.T) {
	for range 10 { // of 100 checks each
		rapid.Check(t, testPrice)
	}
}

// TestPriceOnTheWholeGrid tries all of a million rates, those that come close in
// floating point once more in fractions.
func TestPriceOnTheWholeGrid(t *testing.T) {
	for seed := range 8 {
		m := random(seed+1, 4)
		offer, _, err := Price(m.bank, m.borrowers)
		if err != nil {
			t.Fatal(err)
		}
		rates, most := []int64(nil), 0.0
		for r := m.bank.RateMinPPM; r <= m.bank.RateMaxPPM; r++ {
			worth := m.approximate(r)
			if most = max(most, worth); worth > most*(1-1e-12) {
				rates = append(rates, r)
			}
		}
		_, best := m.at(offer.RatePPM)
		for _, r := range rates {
			if m.approximate(r) < most*(1-1e-12) {
				continue
			}
			if _, profit := m.at(r); profit.Cmp(best) > 0 || profit.Cmp(best) == 0 && r < offer.RatePPM {
				t.Errorf("seed %d: got %d, better is %d", seed, offer.RatePPM, r)
			}
		}
		if m.approximate(offer.RatePPM) < most*(1-1e-9) {
			t.Errorf("seed %d: got %d with %f, best %f", seed, offer.RatePPM, m.approximate(offer.RatePPM), most)
		}
	}
}

// random makes a market with ample capital whose numbers have few common factors.
func random(seed, borrowers int) reference {
	r := rand.New(rand.NewPCG(uint64(seed), 0))
	m := reference{bank: bank(func(b *Bank) { b.CapitalUcoin = math.MaxInt64; b.PriorDefaultPPM = 20_000 })}
	for range borrowers {
		b := Borrower{AmountUcoin: 1 + r.Int64N(100*coins), RatePPM: 1 + r.Int64N(300_000), LimitUcoin: 1 + r.Int64N(200*coins), Loans: r.Int64N(100)}
		b.NoneFromPPM = b.RatePPM + 1 + r.Int64N(MaxRatePPM-b.RatePPM)
		b.Defaults = r.Int64N(1 + b.Loans/20)
		m.borrowers = append(m.borrowers, b)
	}
	return m
}

// TestPriceOrder: the order of borrowers changes neither rate nor profit.
func TestPriceOrder(t *testing.T) {
	m := random(7, 50)
	one, candidates, err := Price(m.bank, m.borrowers)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(m.borrowers)
	other, reversed, err := Price(m.bank, m.borrowers)
	if err != nil || other.RatePPM != one.RatePPM || other.ProfitUcoin != one.ProfitUcoin || !slices.Equal(candidates, reversed) {
		t.Errorf("got %d and %d, %v", one.RatePPM, other.RatePPM, err)
	}
}

// BenchmarkPrice prices 1 000 borrowers: with amounts, rates and histories drawn
// at random, and as bad as can be, with histories of any length up to the bound.
func BenchmarkPrice(b *testing.B) {
	worst := random(1, MaxBorrowers)
	for i := range worst.borrowers {
		worst.borrowers[i].Loans = MaxLoans - int64(i)
	}
	for _, c := range []struct {
		name string
		m    reference
	}{{"random", random(1, MaxBorrowers)}, {"worst", worst}} {
		b.Run(c.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := Price(c.m.bank, c.m.borrowers); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
