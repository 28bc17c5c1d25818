package stackelberg

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

func rat(num, den int64) *big.Rat { return big.NewRat(num, den) }

// reference is the definition of SPEC 10 word by word, in fractions.
type reference struct {
	bank      Bank
	borrowers []Borrower
}

// at returns the demand and the profit at a rate if everybody is lent what it
// asks for, neither rounded.
func (m reference) at(r int64) (demand, profit *big.Rat) {
	demand, profit = new(big.Rat), new(big.Rat)
	for _, b := range m.borrowers {
		k := new(big.Rat).Mul(rat(b.AmountUcoin, 1), rat(b.RatePPM, b.NoneFromPPM-b.RatePPM))
		theta := new(big.Rat).Mul(k, rat(b.NoneFromPPM, 1))
		delta := new(big.Rat).Add(rat(1_000_000*b.Defaults, 1), rat(10*m.bank.PriorDefaultPPM, 1))
		delta.Quo(delta, rat(b.Loans+10, 1))
		margin := new(big.Rat).Sub(rat(r-m.bank.CostPPM, 1), delta)
		if margin.Sign() < 0 {
			continue
		}
		q := new(big.Rat).Sub(theta.Quo(theta, rat(r, 1)), k)
		if q.Sign() < 0 {
			q = rat(0, 1)
		}
		if limit := rat(b.LimitUcoin, 1); q.Cmp(limit) > 0 {
			q = limit
		}
		demand.Add(demand, q)
		profit.Add(profit, margin.Mul(margin, q))
	}
	return demand, profit
}

// worth returns the profit of offering a rate, nil where it is not offered.
func (m reference) worth(r int64) *big.Rat {
	demand, profit := m.at(r)
	capital := rat(m.bank.CapitalUcoin, 1)
	if demand.Cmp(capital) <= 0 {
		return profit
	}
	if r < m.bank.RateMaxPPM {
		return nil
	}
	return profit.Mul(profit, capital.Quo(capital, demand))
}

// best tries every rate.
func (m reference) best() int64 {
	var rate int64
	var most *big.Rat
	for r := m.bank.RateMinPPM; r <= m.bank.RateMaxPPM; r++ {
		if w := m.worth(r); w != nil && (most == nil || w.Cmp(most) > 0) {
			rate, most = r, w
		}
	}
	return rate
}

// approximate is worth without capital in floating point, for grids too large
// for fractions.
func (m reference) approximate(r int64) float64 {
	var profit float64
	for _, b := range m.borrowers {
		k := float64(b.AmountUcoin) * float64(b.RatePPM) / float64(b.NoneFromPPM-b.RatePPM)
		margin := float64(r-m.bank.CostPPM) - (1e6*float64(b.Defaults)+10*float64(m.bank.PriorDefaultPPM))/float64(b.Loans+10)
		q := min(max(k*float64(b.NoneFromPPM)/float64(r)-k, 0), float64(b.LimitUcoin))
		profit += max(margin, 0) * q
	}
	return profit
}

// drawBorrower draws numbers so that all branches, ties and jumps come up within
// rates up to greatest.
func drawBorrower(t *rapid.T, greatest, amounts int64) Borrower {
	b := Borrower{
		AmountUcoin: rapid.Int64Range(1, amounts).Draw(t, "amount"),
		RatePPM:     rapid.Int64Range(1, greatest).Draw(t, "rate"),
		LimitUcoin:  rapid.Int64Range(0, amounts).Draw(t, "limit"),
		Loans:       rapid.Int64Range(0, 30).Draw(t, "loans"),
	}
	b.NoneFromPPM = rapid.Int64Range(b.RatePPM+1, 2*greatest).Draw(t, "none from")
	if greatest > 1000 { // on small grids one default in 40 is beyond all rates
		b.Defaults = rapid.Int64Range(0, min(2, b.Loans)).Draw(t, "defaults")
	}
	return b
}

func drawMarket(t *rapid.T, greatest, amounts int64) reference {
	m := reference{bank: Bank{
		CapitalUcoin:    rapid.Int64Range(0, 3*amounts).Draw(t, "capital"),
		CostPPM:         rapid.Int64Range(0, greatest/3).Draw(t, "cost"),
		PriorDefaultPPM: rapid.Int64Range(0, greatest).Draw(t, "prior"),
		RateMinPPM:      rapid.Int64Range(1, greatest).Draw(t, "least rate"),
	}}
	m.bank.RateMaxPPM = rapid.Int64Range(m.bank.RateMinPPM, 2*greatest).Draw(t, "greatest rate")
	m.borrowers = rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Borrower { return drawBorrower(t, greatest, amounts) }), 0, 5).Draw(t, "borrowers")
	return m
}

// testPrice compares with every rate of a small grid, and checks the offer.
func testPrice(t *rapid.T) {
	amounts := rapid.SampledFrom([]int64{3, 20, 1_000_000, 1 << 58}).Draw(t, "amounts")
	m := drawMarket(t, 60, amounts)
	offer, candidates, err := Price(m.bank, m.borrowers)
	if err != nil {
		t.Fatal(err)
	}
	want := m.bank.RateMinPPM
	if m.bank.CapitalUcoin > 0 {
		want = m.best()
	}
	if offer.RatePPM != want {
		_, ours := m.at(offer.RatePPM)
		_, best := m.at(want)
		t.Fatalf("%+v\ngot rate %d (profit %v), want %d (%v)", m, offer.RatePPM, ours.FloatString(9), want, best.FloatString(9))
	}
	for i, r := range candidates {
		if r < m.bank.RateMinPPM || r > m.bank.RateMaxPPM || i > 0 && r <= candidates[i-1] {
			t.Fatalf("candidates %v", candidates)
		}
	}
	m.checkOffer(t, offer)
}

// checkOffer checks an offer's loans against the definition.
func (m reference) checkOffer(t *rapid.T, o *Offer) {
	var demand, lent, profit int64
	for i, b := range m.borrowers {
		q, exact := reference{m.bank, []Borrower{b}}.at(o.RatePPM)
		whole := new(big.Int).Quo(q.Num(), q.Denom()).Int64()
		demand += whole
		l := o.Loans[i]
		lent += l.Ucoin
		profit += l.ProfitUcoin
		if l.Ucoin < 0 || l.Ucoin > whole || !o.Rationed && l.Ucoin != whole {
			t.Fatalf("%+v: loan %d is %d, demand %d", m, i, l.Ucoin, whole)
		}
		if bound := new(big.Int).Quo(exact.Num(), new(big.Int).Mul(exact.Denom(), big.NewInt(1_000_000))); l.ProfitUcoin < 0 || l.ProfitUcoin > bound.Int64() {
			t.Fatalf("%+v: profit of loan %d is %d, at most %v", m, i, l.ProfitUcoin, bound)
		}
	}
	if o.DemandUcoin != demand || o.LentUcoin != lent || o.ProfitUcoin != profit || lent != min(demand, m.bank.CapitalUcoin) || o.Rationed != (lent < demand) {
		t.Fatalf("%+v: offer %+v, demand %d, lent %d, profit %d", m, o, demand, lent, profit)
	}
	if (o.Reason == "") != (lent > 0) {
		t.Fatalf("%+v: reason %q with %d lent", m, o.Reason, lent)
	}
}

func FuzzPrice(f *testing.F) { f.Fuzz(rapid.MakeFuzz(testPrice)) }
