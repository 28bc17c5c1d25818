package transport

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const no = Forbidden

// TestSolveByHand checks problems small enough to solve on paper.
func TestSolveByHand(t *testing.T) {
	for _, c := range []struct {
		name      string
		p         Problem
		want      []Flow
		objective int64
	}{
		{"nobody", Problem{}, nil, 0},
		{"no sells", Problem{Demand: []int64{5}}, nil, 0},
		{"no buys", Problem{Supply: []int64{5}}, nil, 0},
		{"one pair", Problem{[]int64{5}, []int64{7}, []int64{3}, MostEnergy}, []Flow{{0, 0, 5}}, 15},
		{"one pair, any volume", Problem{[]int64{7}, []int64{5}, []int64{3}, AnyVolume}, []Flow{{0, 0, 5}}, 15},
		{"worth nothing trades only where volume counts", Problem{[]int64{5}, []int64{5}, []int64{-1}, MostEnergy}, []Flow{{0, 0, 5}}, -5},
		{"worth less than nothing", Problem{[]int64{5}, []int64{5}, []int64{-1}, AnyVolume}, nil, 0},
		{"forbidden", Problem{[]int64{5}, []int64{5}, []int64{no}, MostEnergy}, nil, 0},
		{"forbidden, any volume", Problem{[]int64{5}, []int64{5}, []int64{no}, AnyVolume}, nil, 0},
		// Crossed: 9*2 + 1*3 loses to 8*2 + 5*3.
		{
			"the best pair gives way",
			Problem{[]int64{2, 3}, []int64{2, 3}, []int64{9, 8, 5, 1}, MostEnergy},
			[]Flow{{0, 1, 2}, {1, 0, 2}, {1, 1, 1}},
			2*8 + 2*5 + 1,
		},
		{"one buy, many sells", Problem{[]int64{6}, []int64{2, 3, 4}, []int64{1, 3, 2}, MostEnergy}, []Flow{{0, 1, 3}, {0, 2, 3}}, 15},
		{"one sell, many buys", Problem{[]int64{2, 3, 4}, []int64{6}, []int64{1, 3, 2}, MostEnergy}, []Flow{{1, 0, 3}, {2, 0, 3}}, 15},
		// Buy 1 can only take from sell 0: serving it is worth giving up 100 per Wh.
		{
			"energy before worth",
			Problem{[]int64{4, 4}, []int64{4, 4}, []int64{100, 0, -50, no}, MostEnergy},
			[]Flow{{0, 1, 4}, {1, 0, 4}},
			-200,
		},
		{
			"worth before energy",
			Problem{[]int64{4, 4}, []int64{4, 4}, []int64{100, 0, 50, no}, AnyVolume},
			[]Flow{{0, 0, 4}},
			400,
		},
		{
			"the most energy is less than either side's",
			Problem{[]int64{3, 5}, []int64{4, 6}, []int64{7, no, 5, no}, MostEnergy},
			[]Flow{{0, 0, 3}, {1, 0, 1}},
			26,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustSolve(t, &c.p)
			if diff := cmp.Diff(c.want, s.Flows); diff != "" {
				t.Errorf("flows (-want +got):\n%s", diff)
			}
			if s.Objective.Cmp(big.NewInt(c.objective)) != 0 {
				t.Errorf("objective %s, want %d", s.Objective, c.objective)
			}
		})
	}
}

// mustSolve solves and verifies.
func mustSolve(t interface {
	Helper()
	Fatal(...any)
}, p *Problem,
) *Solution {
	t.Helper()
	s, err := Solve(p)
	if err != nil {
		t.Fatal(err)
	}
	if s.Fallback {
		t.Fatal("pivots used up")
	}
	if err := Verify(p, s.Flows, s.Certificate); err != nil {
		t.Fatal(err)
	}
	if len(s.Flows) > max(0, len(p.Demand)+len(p.Supply)-1) {
		t.Fatal("more trades than a vertex has")
	}
	return s
}

func TestRefusals(t *testing.T) {
	one := []int64{1}
	for _, c := range []struct {
		name string
		p    Problem
	}{
		{"worths missing", Problem{one, one, nil, MostEnergy}},
		{"worths for nobody", Problem{nil, one, one, MostEnergy}},
		{"unknown volume", Problem{one, one, one, 2}},
		{"no demand", Problem{[]int64{0}, one, one, MostEnergy}},
		{"negative supply", Problem{one, []int64{-5}, one, MostEnergy}},
		{"energies do not fit", Problem{[]int64{math.MaxInt64}, one, one, MostEnergy}},
		{"energies cannot be scaled", Problem{[]int64{1 << 61}, one, one, MostEnergy}},
		{"worth too great", Problem{one, one, []int64{1 << 60}, AnyVolume}},
		{"worth too small", Problem{one, one, []int64{math.MinInt64}, AnyVolume}},
		{"worth too great for the bonus", Problem{one, one, []int64{1 << 57}, MostEnergy}},
	} {
		if s, err := Solve(&c.p); !errors.Is(err, ErrProblem) {
			t.Errorf("%s: got %v, %v, want ErrProblem", c.name, s, err)
		}
	}
}

// TestGreatestNumbers checks numbers at the bounds: (m + n + 2) * worth = 2^61,
// energies * (m + 2) near 2^62.
func TestGreatestNumbers(t *testing.T) {
	for _, volume := range []Volume{MostEnergy, AnyVolume} {
		worth := int64(maxPotential / 6)
		if volume == MostEnergy {
			worth /= 12
		}
		const energy = maxAmount/16 - 1
		p := &Problem{
			[]int64{energy, energy},
			[]int64{energy, energy},
			[]int64{worth, worth - 1, worth - 1, -worth},
			volume,
		}
		s := mustSolve(t, p)
		want := new(big.Int).Mul(big.NewInt(2*energy), big.NewInt(worth-1))
		if s.Objective.Cmp(want) != 0 {
			t.Errorf("volume %d: objective %s, want %s", volume, s.Objective, want)
		}
	}
}

// drawProblem draws a small problem; coarse ones tie often.
func drawProblem(t *rapid.T) *Problem {
	m, n := rapid.IntRange(1, 7).Draw(t, "m"), rapid.IntRange(1, 7).Draw(t, "n")
	span := rapid.SampledFrom([]int64{1, 3, 1000}).Draw(t, "span")
	worth := rapid.Int64Range(-span, span)
	if rapid.Bool().Draw(t, "some forbidden") {
		worth = rapid.OneOf(worth, rapid.Just(int64(Forbidden)))
	}
	energy := rapid.Int64Range(1, rapid.SampledFrom([]int64{1, 3, 50}).Draw(t, "most energy"))
	return &Problem{
		Demand: rapid.SliceOfN(energy, m, m).Draw(t, "demand"), Supply: rapid.SliceOfN(energy, n, n).Draw(t, "supply"),
		Worth:  rapid.SliceOfN(worth, m*n, m*n).Draw(t, "worth"),
		Volume: rapid.SampledFrom([]Volume{MostEnergy, AnyVolume}).Draw(t, "volume"),
	}
}

// TestSolve compares with the reference, and in any order.
func TestSolve(t *testing.T) { rapid.Check(t, checkSolve) }

func FuzzSolve(f *testing.F) { f.Fuzz(rapid.MakeFuzz(checkSolve)) }

func checkSolve(t *rapid.T) {
	p := drawProblem(t)
	s := mustSolve(t, p)
	energy, objective := referenceSolve(p)
	if p.Volume == MostEnergy && s.EnergyWh != energy || s.Objective.Cmp(big.NewInt(objective)) != 0 {
		t.Fatalf("energy %d, objective %s, want %d, %d", s.EnergyWh, s.Objective, energy, objective)
	}
	checkSellerDuals(t, p, s)
	q := mustSolve(t, permuted(t, p))
	if q.Objective.Cmp(s.Objective) != 0 || p.Volume == MostEnergy && q.EnergyWh != s.EnergyWh {
		t.Fatalf("permuted: objective %s, energy %d, want %s, %d", q.Objective, q.EnergyWh, s.Objective, s.EnergyWh)
	}
}

func permuted(t *rapid.T, p *Problem) *Problem {
	buys, sells := make([]int, len(p.Demand)), make([]int, len(p.Supply))
	for i := range buys {
		buys[i] = i
	}
	for j := range sells {
		sells[j] = j
	}
	buys, sells = rapid.Permutation(buys).Draw(t, "buys"), rapid.Permutation(sells).Draw(t, "sells")
	q := &Problem{Volume: p.Volume}
	for _, i := range buys {
		q.Demand = append(q.Demand, p.Demand[i])
		for _, j := range sells {
			q.Worth = append(q.Worth, p.Worth[i*len(sells)+j])
		}
	}
	for _, j := range sells {
		q.Supply = append(q.Supply, p.Supply[j])
	}
	return q
}

// checkSellerDuals compares the extreme duals with what a Wh less or more of
// supply changes: the objective is concave in it, with corners at whole Wh.
func checkSellerDuals(t *rapid.T, p *Problem, s *Solution) {
	least, greatest := SellerDuals(p, s)
	_, base := rewarded(p, s.Certificate.Bonus)
	for j := range p.Supply {
		changed := *p
		changed.Supply = slices.Clone(p.Supply)
		changed.Supply[j]--
		_, less := rewarded(&changed, s.Certificate.Bonus)
		changed.Supply[j] += 2
		_, more := rewarded(&changed, s.Certificate.Bonus)
		if greatest[j] != base-less || least[j] != more-base {
			t.Fatalf("sell %d: duals %d to %d, want %d to %d", j, least[j], greatest[j], more-base, base-less)
		}
	}
}

// rewarded solves with the bonus as part of the worth, which makes any volume of
// every problem.
func rewarded(p *Problem, bonus int64) (energy, objective int64) {
	q := &Problem{p.Demand, p.Supply, slices.Clone(p.Worth), AnyVolume}
	for k, w := range q.Worth {
		if w != Forbidden {
			q.Worth[k] = w + bonus
		}
	}
	return referenceSolve(q)
}

// TestDegenerate checks problems on which a simplex without care would cycle or
// stall.
func TestDegenerate(t *testing.T) {
	const size = 40
	same := func(v int64, n int) []int64 { return slices.Repeat([]int64{v}, n) }
	for _, c := range []struct {
		name  string
		worth func(i, j int) int64
		want  int64
	}{
		{"all equal", func(int, int) int64 { return 7 }, 7 * size * 5},
		{"worth nothing", func(int, int) int64 { return 0 }, 0},
		{"one outlier", func(i, j int) int64 { return max(0, int64(1-i-j)) * 1_000_000 }, 5_000_000},
		{"identity", func(i, j int) int64 { return 1 - min(1, int64(max(i-j, j-i))) }, size * 5},
		// A permutation of 0..39 has the sum of products 0*0 + 1*1 + ... at most.
		{"products", func(i, j int) int64 { return int64(i * j) }, 5 * 20540},
		{"sums", func(i, j int) int64 { return int64(i + j) }, 5 * 1560},
	} {
		for _, volume := range []Volume{MostEnergy, AnyVolume} {
			p := &Problem{same(5, size), same(5, size), make([]int64, size*size), volume}
			for k := range p.Worth {
				p.Worth[k] = c.worth(k/size, k%size)
			}
			if s := mustSolve(t, p); s.Objective.Cmp(big.NewInt(c.want)) != 0 {
				t.Errorf("%s: objective %s, want %d", c.name, s.Objective, c.want)
			}
		}
	}
}

// TestFallback checks what is left when the pivots are used up.
func TestFallback(t *testing.T) {
	p := &Problem{[]int64{2, 3}, []int64{2, 3}, []int64{9, 8, 8, -1}, MostEnergy}
	for _, c := range []struct {
		volume Volume
		want   []Flow
	}{
		// Greedy takes 9, then both 8 have one side used up, then -1.
		{MostEnergy, []Flow{{0, 0, 2}, {1, 1, 3}}},
		{AnyVolume, []Flow{{0, 0, 2}}},
	} {
		p.Volume = c.volume
		s, err := solve(p, 0)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Fallback || s.Certificate.U != nil || s.Pivots != 0 {
			t.Errorf("got %+v, want a fallback after no pivots", s)
		}
		if diff := cmp.Diff(c.want, s.Flows); diff != "" {
			t.Errorf("flows (-want +got):\n%s", diff)
		}
		if Verify(p, s.Flows, s.Certificate) == nil {
			t.Error("a fallback was verified")
		}
	}
	// Ties go by position.
	p = &Problem{[]int64{4, 4}, []int64{5, 3}, []int64{1, 1, 1, 1}, MostEnergy}
	if diff := cmp.Diff([]Flow{{0, 0, 4}, {1, 0, 1}, {1, 1, 3}}, greedy(p)); diff != "" {
		t.Errorf("ties (-want +got):\n%s", diff)
	}
}
