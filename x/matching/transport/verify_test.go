package transport

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestVerify checks that each single wrong thing in a solution is found. The
// problem: buy 0 takes 2 from sell 1, buy 1 takes 2 from sell 0 and 1 from sell
// 1, which keeps 2; sell 2 is forbidden to buy 0 and sells nothing.
func TestVerify(t *testing.T) {
	good := func() (*Problem, []Flow, Certificate) {
		p := &Problem{[]int64{2, 3}, []int64{2, 5, 4}, []int64{9, 8, Forbidden, 5, 1, 0}, MostEnergy}
		s := mustSolve(t, p)
		return p, s.Flows, s.Certificate
	}
	for _, c := range []struct {
		name  string
		spoil func(p *Problem, f *[]Flow, c *Certificate)
	}{
		{"too much to a buy", func(_ *Problem, f *[]Flow, _ *Certificate) { (*f)[0].EnergyWh++ }},
		{"more than a sell has", func(p *Problem, _ *[]Flow, _ *Certificate) { p.Supply[0]-- }},
		{"a flow less", func(_ *Problem, f *[]Flow, _ *Certificate) { *f = (*f)[1:] }},
		{"no flow", func(_ *Problem, f *[]Flow, _ *Certificate) { *f = nil }},
		{"a Wh less", func(_ *Problem, f *[]Flow, _ *Certificate) { (*f)[0].EnergyWh-- }},
		{"nothing flows", func(_ *Problem, f *[]Flow, _ *Certificate) { *f = append(*f, Flow{1, 2, 0}) }},
		{"negative flow", func(_ *Problem, f *[]Flow, _ *Certificate) { *f = append(*f, Flow{1, 2, -1}) }},
		{"flow twice", func(_ *Problem, f *[]Flow, _ *Certificate) {
			(*f)[0].EnergyWh--
			*f = slices.Insert(*f, 0, Flow{0, 1, 1})
		}},
		{"out of order", func(_ *Problem, f *[]Flow, _ *Certificate) { slices.Reverse(*f) }},
		{"unknown buy", func(_ *Problem, f *[]Flow, _ *Certificate) { (*f)[2].Buy = 2 }},
		{"negative buy", func(_ *Problem, f *[]Flow, _ *Certificate) { (*f)[0].Buy = -1 }},
		{"unknown sell", func(_ *Problem, f *[]Flow, _ *Certificate) { (*f)[2].Sell = 3 }},
		{"negative sell", func(_ *Problem, f *[]Flow, _ *Certificate) { (*f)[1].Sell = -1 }},
		{"forbidden pair", func(p *Problem, f *[]Flow, _ *Certificate) { p.Worth[(*f)[0].Sell] = Forbidden }},
		{"another pair would be worth more", func(p *Problem, _ *[]Flow, _ *Certificate) { p.Worth[5] = 4 }},
		{"a pair is worth less than thought", func(p *Problem, _ *[]Flow, _ *Certificate) { p.Worth[1]-- }},
		{"potential of a buy", func(_ *Problem, _ *[]Flow, c *Certificate) { c.U[0]++ }},
		{"potential of a sell", func(_ *Problem, _ *[]Flow, c *Certificate) { c.V[0]-- }},
		{"potential of a sell that keeps some", func(_ *Problem, _ *[]Flow, c *Certificate) { c.V[2]++ }},
		{"all potentials moved", func(_ *Problem, _ *[]Flow, c *Certificate) {
			for i := range c.U {
				c.U[i]--
			}
			for j := range c.V {
				c.V[j]++
			}
		}},
		{"negative potential", func(_ *Problem, _ *[]Flow, c *Certificate) { c.V[2] = -1 }},
		{"huge potential", func(_ *Problem, _ *[]Flow, c *Certificate) { c.U[0] = math.MaxInt64 }},
		{"no potentials", func(_ *Problem, _ *[]Flow, c *Certificate) { c.U = nil }},
		{"a potential too many", func(_ *Problem, _ *[]Flow, c *Certificate) { c.V = append(c.V, 0) }},
		{"bonus", func(_ *Problem, _ *[]Flow, c *Certificate) { c.Bonus++ }},
		{"huge bonus", func(_ *Problem, _ *[]Flow, c *Certificate) { c.Bonus = math.MaxInt64 }},
		{"negative bonus", func(_ *Problem, _ *[]Flow, c *Certificate) { c.Bonus = -1 }},
		{"a bonus where none is due", func(p *Problem, _ *[]Flow, _ *Certificate) { p.Volume = AnyVolume }},
		{"worths missing", func(p *Problem, _ *[]Flow, _ *Certificate) { p.Worth = p.Worth[1:] }},
	} {
		p, flows, certificate := good()
		c.spoil(p, &flows, &certificate)
		if err := Verify(p, flows, certificate); !errors.Is(err, ErrUnproven) {
			t.Errorf("%s: got %v, want ErrUnproven", c.name, err)
		}
	}
}

// TestVerifyCover checks that the most energy is proven by orders that cover
// all pairs, and not by potentials that only prove the most worth: without a
// bonus, worth 400 with 4 Wh is better than -200 with 8.
func TestVerifyCover(t *testing.T) {
	p := &Problem{[]int64{4, 4, 9}, []int64{4, 4, 9}, []int64{
		100, 0, Forbidden,
		-50, Forbidden, Forbidden,
		Forbidden, Forbidden, Forbidden,
	}, AnyVolume}
	s := mustSolve(t, p)
	p.Volume = MostEnergy
	if err := Verify(p, s.Flows, s.Certificate); !errors.Is(err, ErrUnproven) {
		t.Errorf("got %v, want ErrUnproven", err)
	}
	if s = mustSolve(t, p); s.EnergyWh != 8 {
		t.Errorf("got %d Wh, want 8", s.EnergyWh)
	}
	for _, c := range []struct {
		name  string
		c     Certificate
		valid bool
	}{
		{"buy 0 and sell 0 cover all", Certificate{[]int64{200, 0, 0}, []int64{150, 0, 0}, 200}, true},
		{"as much, with less of a bonus", Certificate{[]int64{150, 0, 0}, []int64{100, 0, 0}, 150}, true},
		{"buys 0 and 1 cover all", Certificate{[]int64{199, 150, 0}, []int64{1, 0, 0}, 200}, false},
		{"pair 0, 1 is not covered", Certificate{[]int64{100, 0, 0}, []int64{150, 100, 0}, 200}, false},
	} {
		if err := Verify(p, s.Flows, c.c); (err == nil) != c.valid {
			t.Errorf("%s: got %v, want valid %v", c.name, err, c.valid)
		}
	}
}

// TestVerifyOptimal checks that flows are verified if and only if they are
// optimal, whatever the potentials: no certificate of another solution fits one
// that is not.
func TestVerifyOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawProblem(t)
		s := mustSolve(t, p)
		other := &Solution{Flows: greedy(p)}
		other.sum(p)
		best := other.EnergyWh == s.EnergyWh && other.Objective.Cmp(s.Objective) == 0
		if p.Volume == AnyVolume {
			best = other.Objective.Cmp(s.Objective) == 0
		}
		if err := Verify(p, other.Flows, s.Certificate); (err == nil) != best {
			t.Fatalf("best %v, but %v", best, err)
		}
	})
}

// TestVerifyCoverTwice checks that a flow of which both orders count as cover
// proves nothing: their energy together is twice the traded one.
func TestVerifyCoverTwice(t *testing.T) {
	p := &Problem{[]int64{4, 9}, []int64{4, 9}, []int64{100, Forbidden, Forbidden, Forbidden}, MostEnergy}
	s := mustSolve(t, p)
	c := Certificate{U: []int64{75, 0}, V: []int64{75, 0}, Bonus: 50}
	if err := Verify(p, s.Flows, c); !errors.Is(err, ErrUnproven) {
		t.Errorf("got %v, want ErrUnproven", err)
	}
}

// TestVerifyEveryPair checks that no position of a row is left out, whatever its
// length.
func TestVerifyEveryPair(t *testing.T) {
	for n := 1; n < 12; n++ {
		p := &Problem{[]int64{1}, make([]int64, n), make([]int64, n), AnyVolume}
		for j := range p.Supply {
			p.Supply[j] = 1
		}
		for j := range n {
			p.Worth[j] = 1
			if err := Verify(p, nil, Certificate{U: []int64{0}, V: make([]int64, n)}); !errors.Is(err, ErrUnproven) {
				t.Errorf("pair %d of %d: got %v, want ErrUnproven", j, n, err)
			}
			p.Worth[j] = 0
		}
	}
}
