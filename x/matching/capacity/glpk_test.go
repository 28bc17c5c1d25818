package capacity

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// writeLP writes the true problem: the most worth within the lines' limits.
func writeLP(f *Feeder, trades []Trade) string {
	terms := make([][]string, len(f.parent))
	var objective, bounds strings.Builder
	for i, t := range trades {
		fmt.Fprintf(&objective, " + %d x%d\n", t.Worth, i)
		fmt.Fprintf(&bounds, " 0 <= x%d <= %d\n", i, t.EnergyWh)
		across := make(map[int]int) // +1 towards the root, -1 away from it
		for n := t.From; n != Root; n = f.parent[n] {
			across[n]++
		}
		for n := t.To; n != Root; n = f.parent[n] {
			across[n]--
		}
		for n, sign := range across {
			if sign != 0 && f.capacity[n] > 0 {
				terms[n] = append(terms[n], fmt.Sprintf("%+d x%d", sign, i))
			}
		}
	}
	var limits strings.Builder
	for n, list := range terms {
		if len(list) > 0 {
			sum := strings.Join(list, "\n ")
			fmt.Fprintf(&limits, " up%d: %s <= %d\n down%d: %s >= %d\n", n, sum, f.capacity[n], n, sum, -f.capacity[n])
		}
	}
	return "Maximize\n worth:\n" + objective.String() + "Subject To\n" + limits.String() + "Bounds\n" + bounds.String() + "End\n"
}

// solveLP returns the greatest worth.
func solveLP(t *testing.T, f *Feeder, trades []Trade) float64 {
	t.Helper()
	in, out := filepath.Join(t.TempDir(), "feeder.lp"), filepath.Join(t.TempDir(), "feeder.sol")
	if err := os.WriteFile(in, []byte(writeLP(f, trades)), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := exec.Command("glpsol", "--lp", in, "-o", out).CombinedOutput(); err != nil {
		t.Fatalf("glpsol: %v\n%s", err, text)
	}
	solution, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	text := string(solution)
	if !strings.Contains(text, "Status:     OPTIMAL") {
		t.Fatalf("glpsol found no optimum:\n%.300s", text)
	}
	_, rest, _ := strings.Cut(text, "worth = ")
	best, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		t.Fatal(err)
	}
	return best
}

func worth(trades []Trade, carried []int64) (sum int64) {
	for i, t := range trades {
		sum += t.Worth * carried[i]
	}
	return sum
}

// byWorth is the plain rule to compare with: trades are taken up by worth, as far
// as they fit, again and again while any still does.
func byWorth(f *Feeder, trades []Trade) []int64 {
	c := cutting{Feeder: f, trades: trades, carried: make([]int64, len(trades)), flow: make([]int64, len(f.parent))}
	for moved := true; moved; {
		moved = false
		for _, i := range mostWorthFirst(trades) {
			room := trades[i].EnergyWh - c.carried[i]
			c.way(trades[i], func(n int, direction int64) { room = min(room, c.room(n, direction)) })
			c.carried[i] += room
			c.way(trades[i], func(n int, direction int64) { c.flow[n] += direction * room })
			moved = moved || room > 0
		}
	}
	return c.carried
}

// TestLossAgainstOptimum measures what Cut loses against the optimum that the GNU
// linear programming kit finds. The figures of the package comment are what it
// logs.
func TestLossAgainstOptimum(t *testing.T) {
	if _, err := exec.LookPath("glpsol"); err != nil {
		t.Skip("SKIPPED: no glpsol, install the GNU linear programming kit (Debian: glpk-utils)")
	}
	for _, c := range []struct {
		name                 string
		nodes, spread, count int
	}{
		{"bushy", 300, 300, 800},
		{"long", 300, 5, 800},
		{"few trades", 60, 20, 60},
	} {
		t.Run(c.name, func(t *testing.T) {
			const runs = 20
			var losses, worst, cut, plain, worstPlain float64
			for seed := range uint64(runs) {
				r := rand.New(rand.NewPCG(seed, 1))
				parent := drawFeeder(r, c.nodes, c.spread)
				trades := drawTrades(r, c.nodes, c.count, 5000, 300)
				f, err := NewFeeder(parent, drawCapacities(r, parent, trades, c.nodes/2, 40, 120))
				if err != nil {
					t.Fatal(err)
				}
				result, err := f.Cut(trades)
				if err != nil {
					t.Fatal(err)
				}
				var all, gone int64
				for _, trade := range trades {
					all += trade.EnergyWh
				}
				for _, k := range result.Cuts {
					gone += k.EnergyWh
				}
				best := solveLP(t, f, trades)
				loss := 1 - float64(worth(trades, result.Carried))/best
				if loss < -1e-9 || loss > 1e-9 {
					t.Fatalf("seed %d: worth off the optimum by %g", seed, loss)
				}
				simple := 1 - float64(worth(trades, byWorth(f, trades)))/best
				plain, worstPlain = plain+simple, max(worstPlain, simple)
				losses, worst, cut = losses+loss, max(worst, loss), cut+float64(gone)/float64(all)
			}
			t.Logf("%d feeders: %.1f %% of the energy cut; worth lost against the optimum: mean %.2f %%, worst %.2f %%; by worth alone: mean %.2f %%, worst %.2f %%",
				runs, 100*cut/runs, 100*losses/runs, 100*worst, 100*plain/runs, 100*worstPlain)
		})
	}
}
