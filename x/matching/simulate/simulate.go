// Package simulate compares the mechanisms of the market on the same orders:
// drawn as the papers draw them (S3 3.5, 4.4; matching.md 4), or from a file. It
// exists so that operators can see side by side what each mechanism does with
// volume, prices, clean energy and satisfaction, and so that the figures of the
// papers can be checked by anyone.
//
// It is integer and draws by a generator of its own: the same seed makes the
// same report everywhere, which is why docs/papers.md can be compared with what
// the program writes.
package simulate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/energyd/energyd/x/matching/book"
)

// Config says what to compare.
type Config struct {
	Draw       Draw
	Mechanisms []string // names out of Variants; empty: all
	Runs       int      // books to draw, at least 1
	Seed       uint64
}

// Draw makes books.
type Draw interface {
	// Name is that of the draw on the command line.
	Name() string
	// Orders draws the orders of a book.
	Orders(r *random) (buys, sells []book.Order, err error)
	// Variants are the mechanisms to compare, with the parameters for this draw.
	Variants() []Variant
	// Scores are CMAP's parameters by which satisfaction is measured.
	Scores() book.CMAP
	// Notes say what the draw assumes.
	Notes() []string
}

// Variant is a mechanism with its parameters under a name.
type Variant struct {
	Name      string
	Mechanism book.Mechanism
}

// Report is a comparison.
type Report struct {
	Draws      string   `json:"draws"`
	Buys       int      `json:"buys"`
	Sells      int      `json:"sells"`
	Runs       int      `json:"runs"`
	Seed       uint64   `json:"seed"`
	Notes      []string `json:"notes"`
	Mechanisms []Line   `json:"mechanisms"`
}

// Line is what one mechanism did, in the mean over all runs.
type Line struct {
	Name    string         `json:"name"`
	Params  book.Mechanism `json:"params"`
	Figures Figures        `json:"figures"`
}

// ErrUnproven is wrapped by errors about a clearing that its check did not
// confirm; others are about what was asked for.
var ErrUnproven = errors.New("the clearing is not proved")

// Run draws the books and clears each by every mechanism. Errors name an unknown
// mechanism, a number of runs below 1, a book that a mechanism cannot clear, and
// a clearing that its check did not confirm.
func Run(c Config) (*Report, error) {
	if c.Runs < 1 {
		return nil, fmt.Errorf("runs: expected 1 or more, got %d", c.Runs)
	}
	variants, err := choose(c.Draw.Variants(), c.Mechanisms)
	if err != nil {
		return nil, err
	}
	report := &Report{Draws: c.Draw.Name(), Runs: c.Runs, Seed: c.Seed, Notes: c.Draw.Notes()}
	sums := make([]sums, len(variants))
	r := newRandom(c.Seed)
	for range c.Runs {
		buys, sells, err := c.Draw.Orders(r)
		if err != nil {
			return nil, err
		}
		report.Buys, report.Sells = len(buys), len(sells)
		scores := c.Draw.Scores()
		rate, err := book.Rate(scores, fitted(scores, buys), fitted(scores, sells))
		if err != nil {
			return nil, fmt.Errorf("rate orders: %w", err)
		}
		for i, v := range variants {
			result, err := clear(v, buys, sells)
			if err != nil {
				return nil, err
			}
			sums[i].add(figuresOf(result, buys, sells, rate, book.LossPPMPerKM(v.Mechanism)))
		}
	}
	for i, v := range variants {
		report.Mechanisms = append(report.Mechanisms, Line{v.Name, v.Mechanism, sums[i].mean()})
	}
	return report, nil
}

// clear clears orders by a mechanism and insists on the check.
func clear(v Variant, buys, sells []book.Order) (*book.Result, error) {
	b, err := book.New(v.Mechanism, fitted(v.Mechanism, buys), fitted(v.Mechanism, sells))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Name, err)
	}
	r, err := b.Clear()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", v.Name, err)
	}
	if !r.Certificate.Verified {
		return nil, fmt.Errorf("%s: %w: %s", v.Name, ErrUnproven, r.Certificate.Note)
	}
	return r, nil
}

// fitted returns orders whose weights are those of the mechanism: K-prototypes'
// are an object, CMAP's a list.
func fitted(m book.Mechanism, orders []book.Order) []book.Order {
	_, prototypes := m.(book.KPrototypes)
	out := slices.Clone(orders)
	for i := range out {
		if object := strings.HasPrefix(strings.TrimSpace(string(out[i].Weights)), "{"); out[i].Weights != nil && object != prototypes {
			out[i].Weights = nil
		}
		if prototypes && out[i].Weights == nil {
			out[i].Weights = equalWeights
		}
	}
	return out
}

// choose returns the variants of these names, all if there are none.
func choose(variants []Variant, names []string) ([]Variant, error) {
	if len(names) == 0 {
		return variants, nil
	}
	var out []Variant
	for _, name := range names {
		at := slices.IndexFunc(variants, func(v Variant) bool { return v.Name == name })
		if at < 0 {
			return nil, fmt.Errorf("mechanism: expected %s, got %q", strings.Join(namesOf(variants), ", "), name)
		}
		if slices.ContainsFunc(out, func(v Variant) bool { return v.Name == name }) {
			return nil, fmt.Errorf("mechanism: expected each once, got %q twice", name)
		}
		out = append(out, variants[at])
	}
	return out, nil
}

func namesOf(variants []Variant) []string {
	names := make([]string, len(variants))
	for i, v := range variants {
		names[i] = v.Name
	}
	return names
}
